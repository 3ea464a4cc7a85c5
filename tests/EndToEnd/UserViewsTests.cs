using System.Text;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>Views that a user defines: tags and meters of their own, from keys of the JSON.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class UserViewsTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>
{
    private const int Seed = 13;
    private const string Views = """
        views:
          - name: app_10s
            granularity: 10s
            tags: [dst_port, { name: app, type: string, from: app_name }, { name: pod, type: u32, from: pod_id }]
            meters: [bytes, { name: delay_max_us, fold: max, from: delay_us }, { name: delay_sum_us, from: delay_us }]
            order_by: [app, pod]
          - name: app_1h
            granularity: 1h
            tags: [{ name: app, type: string, from: app_name }]
            meters: [bytes, { name: delay_max_us, fold: max, from: delay_us }]
        """;

    private sealed record Sample(ulong Time, int Port, string App, int Pod, long Bytes, long DelayUs);

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task Tags_and_meters_of_the_users_own_are_folded_as_the_view_says()
    {
        using var bed = await PipelineBed.StartAsync("flows:2");
        var random = new Random(Seed);
        string[] apps = ["shop", "straße", "a\tb", ""];
        var samples = Enumerable.Range(0, 3_000).Select(_ => new Sample(
            FlowFeed.RecentMinute + (ulong)random.Next(60),
            80 + random.Next(2),
            apps[random.Next(4)],
            random.Next(3),
            random.Next(10_000),
            random.Next(1_000_000))).ToList();
        bed.Produce("flows", 2, samples.Chunk(50).Select(chunk => Encoding.UTF8.GetBytes(string.Join('\n', chunk.Select(Line)))));

        var run = await bed.RunAsync(bed.Configure(bed.Embedded(), [("flows", "pmacct-json")], more: Views));
        await bed.StoredAsync(run);

        var app10s = samples.GroupBy(sample => (Time: sample.Time / 10 * 10, sample.Port, sample.App, sample.Pod)).Select(group =>
            $"{group.Key.Time}\t{group.Key.Port}\t{Escaped(group.Key.App)}\t{group.Key.Pod}\t{group.Count()}"
            + $"\t{group.Sum(sample => sample.Bytes)}\t{group.Max(sample => sample.DelayUs)}\t{group.Sum(sample => sample.DelayUs)}");
        Assert.Equal(app10s.Order(StringComparer.Ordinal), (await run.QueryAsync(
            "SELECT toUInt32(time), dst_port, app, pod, sum(records), sum(bytes), max(delay_max_us), sum(delay_sum_us) FROM app_10s "
            + "GROUP BY time, dst_port, app, pod"))
            .Order(StringComparer.Ordinal));
        var app1h = samples.GroupBy(sample => (Time: sample.Time / 3_600 * 3_600, sample.App)).Select(group =>
            $"{group.Key.Time}\t{Escaped(group.Key.App)}\t{group.Count()}"
            + $"\t{group.Sum(sample => sample.Bytes)}\t{group.Max(sample => sample.DelayUs)}");
        Assert.Equal(app1h.Order(StringComparer.Ordinal), (await run.QueryAsync(
            "SELECT toUInt32(time), app, sum(records), sum(bytes), max(delay_max_us) FROM app_1h GROUP BY time, app"))
            .Order(StringComparer.Ordinal));
        Assert.Equal(
            ["app, pod, dst_port, time"],
            await run.QueryAsync("SELECT sorting_key FROM system.tables WHERE name = 'app_10s' AND database = currentDatabase()"));
        await run.AssertAccountClosesAsync(samples.Count);
        await PipelineBed.AssertStopsAsync(run);
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task A_server_that_cannot_keep_a_maximum_is_refused_with_words()
    {
        using var bed = await PipelineBed.StartAsync("flows:1");
        var config = bed.Configure($"url: {server.Url}, database: e2e_views", [("flows", "pmacct-json")], more: Views);

        var (checkCode, _, checkError) = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "check", "-c", config);
        var (runCode, _, runError) = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "run", "-c", config);

        Assert.Equal((2, 1), (checkCode, runCode));
        foreach (var error in new[] { checkError, runError })
        {
            Assert.Contains("delay_max_us", error, StringComparison.Ordinal);
            Assert.Contains("use a server from 19.6 on, or leave the meter out of the view", error, StringComparison.Ordinal);
        }
    }

    private static string Line(Sample sample) => System.Text.Json.JsonSerializer.Serialize(new Dictionary<string, object>
    {
        ["event_type"] = "purge",
        ["stamp_inserted"] = sample.Time,
        ["ip_dst"] = "10.0.0.1",
        ["port_dst"] = sample.Port,
        ["ip_proto"] = "tcp",
        ["app_name"] = sample.App,
        ["pod_id"] = sample.Pod,
        ["bytes"] = sample.Bytes,
        ["delay_us"] = sample.DelayUs,
    });

    private static string Escaped(string text) => text.Replace("\t", "\\t", StringComparison.Ordinal);
}
