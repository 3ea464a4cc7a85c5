using System.Globalization;
using Weir.Host.Diagnosis;
using Weir.Tests.Support;
using Xunit;
using Xunit.Abstractions;

namespace Weir.Tests.Diagnosis;

/// <summary>Loads of many kinds without a fault: <c>weir diagnose</c> finds nothing.</summary>
/// <remarks>With WEIR_LONG=true each load has a process of its own and is looked at for longer.</remarks>
[Collection(AloneCollection.Name)]
public sealed class HealthyTests(ITestOutputHelper output) : IDisposable
{
    private static readonly bool _isLong = Environment.GetEnvironmentVariable("WEIR_LONG") == "true";

    private readonly DiagnosisBed _bed = new();

    public void Dispose() => _bed.Dispose();

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task Twenty_loads_without_a_fault_are_healthy()
    {
        var loads = Loads().ToList();
        Assert.True(loads.Count >= 20);
        var run = await StartAsync();
        foreach (var (name, load) in loads)
        {
            if (_isLong)
            {
                _bed.End(run);
                run = await StartAsync();
            }

            _bed.Feeder.Send(load);
            var before = await run.MetricAsync("weir_ingest_messages_total");
            await Eventually.TrueAsync(
                async () => load.MessageRate == 0 || await run.MetricAsync("weir_ingest_messages_total") > before, $"'{name}' is read");
            await PassedAsync(run, _isLong ? 3 : 1);
            var report = await DiagnosisBed.DiagnoseAsync(run);
            Assert.True(report.Verdict == "healthy", $"'{name}' is not healthy:\n{DiagnosisJson.Write(report)}");
            Assert.NotNull(report.Headroom);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"healthy, headroom {report.Headroom:P0}, limit {report.Limit.Stage}: {name}"));
        }

        output.WriteLine($"score: {loads.Count} of {loads.Count} fault-free loads are healthy");
    }

    private Task<EndToEnd.WeirRun> StartAsync() => _bed.RunAsync(_bed.NewStore(), "2s", "flush: { interval: 500ms }");

    /// <summary>Waits until windows have passed that lie wholly in the present load; never shorter, whatever the machine does.</summary>
    private static async Task PassedAsync(EndToEnd.WeirRun run, int windows)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(2.3));
        for (var window = 0; window < windows; window++)
        {
            await timer.WaitForNextTickAsync();
            Assert.False(run.Process.HasExited, run.Process.ErrorText);
        }
    }

    private static IEnumerable<(string Name, FlowLoad Load)> Loads()
    {
        yield return ("nothing", new FlowLoad("flows", Feeds.Normal(1), 0, 1));
        foreach (var rate in (int[])[1, 5, 20, 60])
        {
            yield return ($"{rate} messages a second of 20 lines", new FlowLoad("flows", Feeds.Normal(20), rate, 4));
            yield return ($"{rate} messages a second of 500 records in weir's format", new FlowLoad("own", Feeds.NormalOwn(500), rate, 4));
        }

        foreach (var partitions in (int[])[1, 2, 3])
        {
            yield return ($"{partitions} of 4 partitions in use", new FlowLoad("flows", Feeds.Normal(50, seed: 7 + partitions), 20, partitions));
        }

        foreach (var burst in (int[])[5, 20, 40])
        {
            yield return ($"bursts of {burst} messages", new FlowLoad("own", Feeds.NormalOwn(200, seed: burst), 20, 4) { Burst = burst });
        }

        yield return ("one record a message", new FlowLoad("flows", Feeds.Normal(1, seed: 9), 100, 4));
        yield return ("one record a message in weir's format", new FlowLoad("own", Feeds.NormalOwn(1, seed: 9), 100, 4));
        yield return ("one key has nine of ten records", new FlowLoad("own", Feeds.HotKey(200), 20, 4));
        yield return ("series that never come again", new FlowLoad("own", Feeds.Distinct(20_000), 10, 4));
        yield return ("few large messages", new FlowLoad("own", Feeds.NormalOwn(5_000), 2, 4));
        yield return ("large lines", new FlowLoad("flows", Feeds.Normal(400, seed: 5), 4, 4));
    }
}
