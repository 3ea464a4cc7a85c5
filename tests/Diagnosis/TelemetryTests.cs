using System.Diagnostics;
using System.Text.Json;
using System.Xml.Linq;
using Weir.Host.Commands;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Diagnosis;

/// <summary>The ways out of a running weir: equal counters everywhere, live records, profiles.</summary>
[Collection(AloneCollection.Name)]
public sealed class TelemetryTests
{
    private const int PartitionCount = 4;
    private const int RecordCount = 200_000;

    [RealPartTheory(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    [InlineData("overwrite")]
    [InlineData("drop")]
    public async Task What_a_queue_loses_is_the_same_everywhere_and_is_sent_minus_stored(string policy)
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", FlowFeed.MakeDistinct(0, RecordCount), 2_000));
        var run = await bed.RunAsync(
            bed.Configure(bed.Embedded(), [("flows", "weir")], more: "telemetry: { tables_interval: 500ms }"),
            ("WEIR__AGGREGATION__QUEUE__POLICY", policy),
            ("WEIR__AGGREGATION__QUEUE__CAPACITY_RECORDS", "1024"));
        await bed.StoredAsync(run);

        var column = policy == "drop" ? "dropped" : "overwritten";
        var lost = await run.AccountAsync(column);
        Assert.True(lost > 0);
        var queue = (await run.ListAsync("queues")).Single(reading => reading.GetProperty("name").GetString() == "aggregation");
        Assert.Equal(lost, queue.GetProperty($"{column}_count").GetInt64());
        Assert.Equal(lost, await run.MetricAsync($"weir_queue_{column}_records_total"));
        var snapshot = (await run.ListAsync("metrics?snapshot=true")).Single(entry => entry.GetProperty("name").GetString() == $"weir_queue_{column}_records_total");
        Assert.Equal(lost, snapshot.GetProperty("V").GetInt64());
        Assert.Equal(["aggregation", "cuts"], snapshot.GetProperty("T").GetProperty("queue").EnumerateArray().Select(value => value.GetString()!));
        Assert.Equal(lost, await run.NumberAsync($"SELECT sum({column}) FROM (SELECT DISTINCT topic, partition, from_offset, to_offset, {column} FROM weir_ledger FINAL)"));
        Assert.Equal(RecordCount - lost, await run.NumberAsync("SELECT sum(records) FROM edge_1s"));
        await Eventually.TrueAsync(
            async () => await run.NumberAsync($"SELECT sum({column}) FROM weir_system.queue WHERE queue = 'aggregation'") == lost
                && await run.NumberAsync($"SELECT sum({column}) FROM weir_system.account") == lost,
            $"weir_system tells of {lost} {column} records");
        Assert.Equal(0, await run.MetricAsync("weir_system_dropped_rows_total"));
        await PipelineBed.AssertStopsAsync(run);
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task Taps_show_records_of_each_stage_and_lose_none()
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var run = await bed.RunAsync(bed.Configure(bed.Embedded(), [("flows", "weir")]));
        using var stop = new CancellationTokenSource();
        var sentCount = 0;
        var records = FlowFeed.MakeDistinct(0, 2_000).Select((record, index) =>
        {
            record.DstPort = (ushort)(index % 2 == 0 ? 443 : 53);
            return record;
        }).ToArray();
        var feeding = Task.Run(async () =>
        {
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
            while (!stop.IsCancellationRequested)
            {
                await timer.WaitForNextTickAsync();
                bed.Produce("flows", PartitionCount, [FlowFeed.Message("weir", records), new byte[] { 1, 2, 3 }]);
                sentCount += records.Length + 1;
            }
        });

        var decoded = await TapAsync(run, "--stage", "decoded", "--filter", "dst_port = 443 and packets > 1", "--limit", "7");
        var folded = await TapAsync(run, "--stage", "folded", "--filter", "dst_port = 53", "--limit", "3", "--view", "service_1m");
        var rejected = await TapAsync(run, "--stage", "rejected", "--limit", "2");
        await stop.CancelAsync();
        await feeding;
        await bed.StoredAsync(run);

        Assert.Equal(7, decoded.Count);
        Assert.All(decoded, record => Assert.Equal("443", record.GetProperty("dst_port").GetString()));
        Assert.All(decoded, record => Assert.StartsWith("10.", record.GetProperty("src_addr").GetString(), StringComparison.Ordinal));
        Assert.Equal(3, folded.Count);
        Assert.All(folded, row => Assert.Equal("53", row.GetProperty("dst_port").GetString()));
        Assert.All(folded, row => Assert.False(row.TryGetProperty("src_addr", out _)));
        Assert.Equal(2, rejected.Count);
        Assert.All(rejected, record => Assert.Equal("010203", record.GetProperty("hex").GetString()));
        Assert.All(rejected, record => Assert.NotEmpty(record.GetProperty("reason").GetString()!));
        await run.AssertAccountClosesAsync(sentCount);
        Assert.Equal(0, await run.AccountAsync("dropped") + await run.AccountAsync("overwritten"));
        await PipelineBed.AssertStopsAsync(run);
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task Profiles_are_speedscope_and_flame_graphs_of_the_running_process()
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var run = await bed.RunAsync(bed.Configure(bed.Embedded(), [("flows", "weir")]));
        bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", FlowFeed.MakeDistinct(0, RecordCount), 2_000));
        var directory = Directory.CreateTempSubdirectory("weir-profile-");
        try
        {
            foreach (var kind in (string[])["cpu", "alloc", "contention"])
            {
                var file = Path.Combine(directory.FullName, $"{kind}.json");
                var (code, output, error) = await ProgramProcess.RunAsync(
                    directory.FullName, null, "profile", kind, "--seconds", "2", "-o", file, "--url", run.AdminUrl.AbsoluteUri);
                Assert.True(code == 0, error);
                Assert.Contains(file, output, StringComparison.Ordinal);
                using var json = JsonDocument.Parse(await File.ReadAllTextAsync(file));
                var profile = json.RootElement.GetProperty("profiles")[0];
                Assert.Equal(profile.GetProperty("samples").GetArrayLength(), profile.GetProperty("weights").GetArrayLength());
                var svg = XDocument.Load(Path.ChangeExtension(file, ".svg"));
                Assert.Equal("svg", svg.Root!.Name.LocalName);
                if (kind == "cpu")
                {
                    var names = json.RootElement.GetProperty("shared").GetProperty("frames").EnumerateArray().Select(frame => frame.GetProperty("name").GetString()!);
                    Assert.Contains(names, name => name.Contains("DiagnosisEngine.Run", StringComparison.Ordinal) || name.Contains("IngestWorker.Step", StringComparison.Ordinal));
                    Assert.Contains(svg.Descendants(), element => element.Name.LocalName == "title");
                }
            }
        }
        finally
        {
            directory.Delete(recursive: true);
        }

        await bed.StoredAsync(run);
        await PipelineBed.AssertStopsAsync(run);
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task Weir_system_of_a_server_that_goes_away_is_given_up_counted_and_complete_again()
    {
        await using var server = new ClickHouseServer();
        await server.StartAsync();
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var run = await bed.RunAsync(bed.Configure($"url: {server.Url}", [("flows", "weir")], more: "telemetry: { tables_interval: 500ms }"));
        bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", FlowFeed.MakeDistinct(0, 10_000), 1_000));
        await bed.StoredAsync(run);
        await server.KillAsync();
        await Eventually.TrueAsync(async () => await run.MetricAsync("weir_system_dropped_rows_total") > 0, "rows are given up");
        await server.StartAsync();
        bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", FlowFeed.MakeDistinct(0, 10_000), 1_000));
        await bed.StoredAsync(run);

        await Eventually.TrueAsync(
            async () => await server.RunAsync("SELECT sum(read) FROM weir_system.ingest") == "20000", "weir_system is complete");
        Assert.Equal(1, run.Process.CountLines("weir_system is not written"));
        await PipelineBed.AssertStopsAsync(run);
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task Spans_go_to_the_collector_and_slow_cuts_are_kept()
    {
        var requests = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await using var collector = new FakeHttpServer(line =>
        {
            requests.Enqueue(line);
            return (200, "");
        });
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var run = await bed.RunAsync(bed.Configure(bed.Embedded(), [("flows", "weir")], more: $"telemetry: {{ traces_url: \"{collector.Url}\" }}"));
        bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", FlowFeed.MakeDistinct(0, 10_000), 1_000));
        await bed.StoredAsync(run);

        var slow = await run.ListAsync("slow-cuts");
        Assert.NotEmpty(slow);
        Assert.Equal(["fold", "build", "plan", "insert", "ledger"], slow[0].GetProperty("steps").EnumerateObject().Select(step => step.Name));
        Assert.Equal(slow.Select(cut => cut.GetProperty("seconds").GetDouble()).OrderDescending(), slow.Select(cut => cut.GetProperty("seconds").GetDouble()));
        await PipelineBed.AssertStopsAsync(run);
        Assert.Contains(requests, line => line.StartsWith("POST /v1/traces", StringComparison.Ordinal));
    }

    [Fact]
    public void The_scrape_passes_promtool()
    {
        var promtool = RealParts.FindProgram("promtool");
        if (promtool is null)
        {
            Assert.False(RealParts.AreMandatory, "promtool is not installed: scripts/setup.sh --all installs it.");
            return;
        }

        var text = new Weir.Host.Admin.PrometheusText();
        foreach (var metric in Weir.Core.Telemetry.WeirMeter.All)
        {
            string[] labels = [.. metric.Labels.Select(_ => "a")];
            if (metric.Kind == Weir.Core.Telemetry.MetricKind.Histogram)
            {
                text.Read(metric, Weir.Core.Telemetry.LogHistogram.OfSeconds().Snapshot(), labels);
            }
            else
            {
                text.Read(metric, 1, labels);
            }
        }

        using var check = Process.Start(new ProcessStartInfo(promtool, ["check", "metrics"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        check.StandardInput.Write(text.ToString());
        check.StandardInput.Close();
        var said = check.StandardOutput.ReadToEnd() + check.StandardError.ReadToEnd();
        check.WaitForExit();
        Assert.True(check.ExitCode == 0 && said.Length == 0, said);
    }

    private static async Task<List<JsonElement>> TapAsync(WeirRun run, params string[] arguments)
    {
        var (code, output, error) = await ProgramProcess.RunAsync(
            Path.GetTempPath(), null, ["tap", "--json", "--seconds", "60", "--url", run.AdminUrl.AbsoluteUri, .. arguments]);
        Assert.True(code == ExitCodes.Ok, error);
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement.Clone())];
    }
}
