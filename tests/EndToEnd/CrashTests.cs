using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>kill -9 of the pipeline at work: every record is in the sums exactly once.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class CrashTests
{
    private const int PartitionCount = 4;
    private const int RoundRecords = 60_000;
    private const int KillCount = 2;

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task Nothing_is_lost_when_the_process_is_killed_again_and_again()
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var config = bed.Configure(bed.Embedded(), [("flows", "weir")]);
        var produced = 0;
        for (var kill = 0; kill < KillCount; kill++)
        {
            Produce(bed, ref produced);
            var victim = await bed.RunAsync(config, ("WEIR__FLUSH__INTERVAL", "100ms"));
            await Eventually.TrueAsync(async () => await victim.AccountAsync("read") > 0, "some of it is stored");
            Produce(bed, ref produced);
            victim.Process.Signal("KILL");
            Assert.Equal(137, await victim.Process.ExitCodeAsync());
        }

        var last = await bed.RunAsync(config);
        await bed.StoredAsync(last);

        foreach (var view in FlowOracle.Views)
        {
            // Exactly once: what was stored and not committed when the process died is made again under the same name.
            Assert.Equal(produced, await last.NumberAsync($"SELECT sum(records) FROM {view}"));
        }

        // Each record is a series of its own, so a missing one would be seen even if another were counted twice.
        Assert.Equal(produced, await last.NumberAsync("SELECT uniqExact(src_addr) FROM edge_1s"));
        await PipelineBed.AssertStopsAsync(last);
    }

    private static void Produce(PipelineBed bed, ref int produced)
    {
        bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", FlowFeed.MakeDistinct(produced, RoundRecords), 500));
        produced += RoundRecords;
    }
}
