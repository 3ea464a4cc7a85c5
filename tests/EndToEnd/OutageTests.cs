using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>
/// A ClickHouse with plain tables is absent at the start and killed later: nothing is lost, memory is bounded, the log says it once.
/// </summary>
[Collection(ProcessesCollection.Name)]
public sealed class OutageTests : IAsyncLifetime
{
    private const int PartitionCount = 8;
    private const int MemoryLimitMiB = 64;

    // What docs/configuration.md tells users that the process needs beside memory.limit.
    private const long ResidentBytesMax = (MemoryLimitMiB + 300L) << 20;

    // With a backoff that doubles, so many failures are an outage that a user would notice.
    private const int FailedAttempts = 5;

    private readonly ClickHouseServer _server = new();
    private PipelineBed _bed = null!;

    public async Task InitializeAsync() => _bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");

    public async Task DisposeAsync()
    {
        _bed.Dispose();
        await _server.DisposeAsync();
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task Sums_are_right_after_a_late_start_and_a_crash_of_the_server()
    {
        var oracle = new FlowOracle();
        var run = await _bed.RunAsync(
            _bed.Configure($"url: {_server.Url}", [("flows", "weir")]), ("WEIR__MEMORY__LIMIT", $"{MemoryLimitMiB}MiB"));
        Produce(oracle, 200_000);
        await MissedAsync(run, 0);
        await PausedAsync(run, 0);
        await _server.StartAsync();
        await _bed.StoredAsync(run);
        await run.Process.LineAsync("takes blocks again");
        AssertToldOnce(run, 1);

        var retries = await run.MetricAsync("weir_writer_retries_total");
        var paused = await run.MetricAsync("weir_ingest_memory_pause_seconds_total");
        await _server.KillAsync();
        Produce(oracle, 200_000);
        await MissedAsync(run, retries);
        await PausedAsync(run, paused);
        await _server.StartAsync();
        await _bed.StoredAsync(run);

        // Nothing there recognises a block that comes again, so one whose answer the crash took with it may be there twice.
        var unknownCount = await run.MetricAsync("weir_writer_retries_total", "cause=\"answer_lost\"")
            + await run.MetricAsync("weir_writer_retries_total", "cause=\"timed_out\"");
        if (unknownCount == 0)
        {
            await oracle.AssertStoredAsync(run);
        }

        foreach (var view in FlowOracle.Views)
        {
            Assert.True(await run.NumberAsync($"SELECT sum(records) FROM {view}") >= oracle.RecordCount, $"{view} lacks records.");
        }

        Assert.Equal(oracle.RecordCount, await run.NumberAsync("SELECT uniqExact(src_addr) FROM edge_1s"));
        Assert.Equal(oracle.RecordCount, await run.NumberAsync("SELECT uniqExact(src_addr) FROM edge_1m"));
        await run.AssertAccountClosesAsync(oracle.RecordCount);
        AssertToldOnce(run, 2);
        Assert.InRange(run.Process.PeakResidentBytes, 1, ResidentBytesMax);
        await PipelineBed.AssertStopsAsync(run);
    }

    private void Produce(FlowOracle oracle, int count)
    {
        var records = FlowFeed.MakeDistinct((int)oracle.RecordCount, count).ToList();
        records.ForEach(record => oracle.Add(record));
        _bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", records, 1_000));
    }

    private static Task MissedAsync(WeirRun run, double before) => Eventually.TrueAsync(
        async () => await run.MetricAsync("weir_writer_retries_total") >= before + FailedAttempts,
        () => $"{FailedAttempts} failed attempts; the log:\n{run.Process.ErrorText}",
        TimeSpan.FromMinutes(1));

    private static Task PausedAsync(WeirRun run, double before) => Eventually.TrueAsync(
        async () => await run.MetricAsync("weir_ingest_memory_pause_seconds_total") > before, "reading pauses at memory.limit");

    /// <summary>One line that ClickHouse is away and one that it is back, for each outage; and what to do.</summary>
    private static void AssertToldOnce(WeirRun run, int outageCount)
    {
        Assert.Equal(outageCount, run.Process.CountLines("takes no blocks (Unreachable"));
        Assert.Equal(outageCount, run.Process.CountLines("takes blocks again"));
        Assert.Contains("no offset is committed; ", run.Process.ErrorText, StringComparison.Ordinal);
    }
}
