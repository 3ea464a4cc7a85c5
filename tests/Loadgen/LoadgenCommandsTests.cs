using Weir.Loadgen.Capture;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Loadgen;

/// <summary>Codecs through a real producer, a broker process and a consumer; a shadow run and a soak of real processes.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class LoadgenCommandsTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-loadgen-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task Codecs_measures_through_a_broker_and_writes_its_report()
    {
        var report = Path.Combine(_directory, "codecs.html");
        var (code, output, error) = await RunAsync(
            "codecs", "--generate", "goflow2", "--sample", "500000", "--codec", "none", "--codec", "zstd:3", "--batch", "128KiB",
                "--json", "--report", report);
        Assert.True(code == 0, error);
        using var json = System.Text.Json.JsonDocument.Parse(output);
        var real = json.RootElement.GetProperty("through_broker").EnumerateArray().ToList();
        Assert.Equal(2, real.Count);
        Assert.True(real[1].GetProperty("compressed_bytes").GetInt64() < real[0].GetProperty("compressed_bytes").GetInt64() * 0.8);
        Assert.Contains("Recommendation", await File.ReadAllTextAsync(report), StringComparison.Ordinal);
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task A_shadow_run_of_two_configurations_finds_no_difference_and_shows_both_bills()
    {
        var capture = Path.Combine(_directory, "c.weircap");
        var start = DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 600;
        var generator = new Weir.Loadgen.Generate.Generator(
            new Weir.Loadgen.Generate.GeneratorOptions { StartSecond = start, SeriesCount = 500, RecordsPerMessage = 100, PartitionCount =
                2 });
        using (var writer = CaptureWriter.Create(capture, new CaptureHeader([new CapturedTopic("flows", "weir", 2)], 0, false)))
        {
            var offset = 0;
            foreach (var message in generator.Messages(5_000))
            {
                writer.Add(new CapturedMessage(0, message.Partition, offset++, message.TimestampMs, 1, null, message.Value, []));
            }
        }

        var config = Path.Combine(_directory, "b.yaml");
        await File.WriteAllTextAsync(config, "aggregation: { workers: 0 }\nflush: { interval: 500ms }\n");
        var (code, output, error) = await RunAsync("compare", capture, "--a", config, "--b", config, "--json");

        Assert.True(code == 0, output + error);
        using var json = System.Text.Json.JsonDocument.Parse(output);
        Assert.True(json.RootElement.GetProperty("equal").GetBoolean());
        Assert.Equal(4, json.RootElement.GetProperty("views").GetArrayLength());
        Assert.All(json.RootElement.GetProperty("pipelines").EnumerateArray(), bill =>
            Assert.True(bill.GetProperty("peak_bytes").GetInt64() > 0));
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task A_short_soak_with_faults_ends_exact()
    {
        var report = Path.Combine(_directory, "soak.html");
        var (code, output, error) =
            await RunAsync("soak", "--for", "8s", "--fault-every", "3s", "--rate", "2000", "--series", "500", "--partitions", "2",
                "--report", report);
        Assert.True(code == 0, output + error);
        Assert.Contains("Every view holds exactly what was made", await File.ReadAllTextAsync(report), StringComparison.Ordinal);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task An_option_that_means_nothing_for_a_file_is_refused()
    {
        var (code, output, error) = await RunAsync(
            "replay", RepositoryPaths.Of("fixtures", "pmacct-flows.ndjson.zst"), "--bootstrap", "127.0.0.1:1", "--topic", "flows",
            "--speed", "2");
        Assert.Equal((1, string.Empty), (code, output));
        Assert.Contains("--speed is for captures and topics", error, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(4));
        return await Weir.Loadgen.WeirProgram.RunAsync(Path.Combine(AppContext.BaseDirectory, "weir-loadgen"), arguments, limit.Token);
    }
}
