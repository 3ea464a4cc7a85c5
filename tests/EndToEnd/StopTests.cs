using System.Diagnostics;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>How a process ends: drained, in a hurry, or out of time.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class StopTests
{
    private const int PartitionCount = 3;
    private const int RecordCount = 10_000;

    [RealPartTheory(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task A_signal_stores_everything_that_was_read(string signal)
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var oracle = new FlowOracle();
        var run = await ReadAsync(bed, bed.Embedded(), oracle, ("WEIR__FLUSH__INTERVAL", "1h"));
        Assert.Equal(0, await run.AccountAsync("read")); // Nothing is stored before the stop.

        run.Process.Signal(signal);
        Assert.True(await run.Process.ExitCodeAsync() == 0, run.Process.ErrorText);

        await oracle.AssertStoredAsync(run);
        Assert.Equal(
            Enumerable.Range(0, PartitionCount).Select(partition => bed.Produced[("flows", partition)]),
            bed.Kafka.Committed("e2e", "flows", PartitionCount));
        await run.Process.LineAsync($"Stopped: ");
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task With_a_join_interval_a_process_works_until_the_moment_at_which_it_leaves()
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var oracle = new FlowOracle();
        var run = await ReadAsync(bed, bed.Embedded(), oracle, ("WEIR__KAFKA__JOIN_INTERVAL", "3s"), ("WEIR__FLUSH__INTERVAL", "1h"));

        run.Process.Signal("TERM");
        var leaving = await run.Process.LineAsync("the group is left then (kafka.join_interval is 00:00:03)");
        Assert.DoesNotContain("Stopping: reading has ended", run.Process.ErrorText[..run.Process.ErrorText.IndexOf(leaving, StringComparison.Ordinal)]);
        Assert.True(await run.Process.ExitCodeAsync() == 0, run.Process.ErrorText);

        await run.Process.LineAsync("is joined in ");
        await oracle.AssertStoredAsync(run);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task A_second_interrupt_ends_at_once_with_130()
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var run = await ReadAsync(bed, Absent(), new FlowOracle(), ("WEIR__SHUTDOWN__TIMEOUT", "10m"));

        run.Process.Signal("INT");
        await run.Process.LineAsync("stop again to exit at once");
        Assert.False(run.Process.HasExited);
        run.Process.Signal("INT");

        Assert.Equal(130, await run.Process.ExitCodeAsync(TimeSpan.FromSeconds(60)));
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task A_drain_that_cannot_end_is_given_up_in_time_and_loses_nothing()
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var oracle = new FlowOracle();
        var run = await ReadAsync(bed, Absent(), oracle, ("WEIR__SHUTDOWN__TIMEOUT", "1s"));

        var from = Stopwatch.GetTimestamp();
        run.Process.Signal("TERM");
        Assert.Equal(1, await run.Process.ExitCodeAsync());
        Assert.True(Stopwatch.GetElapsedTime(from) > TimeSpan.FromSeconds(0.5), "It did not wait for the drain.");
        await run.Process.LineAsync("3 partitions given up: not stored and committed within ");
        await run.Process.LineAsync(" cuts were not stored; their offsets are not committed and their records will be read again");

        var next = await bed.RunAsync(bed.Configure(bed.Embedded(), [("flows", "weir")]));
        await bed.StoredAsync(next);
        await oracle.AssertStoredAsync(next);
        await PipelineBed.AssertStopsAsync(next);
    }

    private static string Absent() => $"url: http://127.0.0.1:{ClickHouseServer.FreePort()}";

    /// <summary>Starts a process and waits until it has read all that was produced.</summary>
    private static async Task<WeirRun> ReadAsync(
        PipelineBed bed, string clickHouse, FlowOracle oracle, params (string Name, string Value)[] environment)
    {
        var records = FlowFeed.Make("weir", seed: 3, RecordCount);
        records.ForEach(record => oracle.Add(record));
        bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", records, 100));
        var run = await bed.RunAsync(bed.Configure(clickHouse, [("flows", "weir")]), environment);
        await Eventually.TrueAsync(async () => await run.MetricAsync("weir_ingest_read_records_total") == RecordCount, "all is read");
        return run;
    }
}
