using Weir.Ingest;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Deploy;

/// <summary>What the probes of the manifests see.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class ReadinessTests
{
    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task A_weir_without_clickhouse_and_then_without_kafka_is_alive_and_not_ready()
    {
        using var bed = await PipelineBed.StartAsync("flows:1");
        bed.Produce("flows", 1, FlowFeed.Messages("weir", FlowFeed.Make("weir", 3, 100), 10));
        var config = bed.Configure($"url: http://127.0.0.1:{ClickHouseServer.FreePort()}", [("flows", "weir")], more: "shutdown: { timeout: 1s }");
        var run = await bed.RunAsync(config);
        await run.Process.LineAsync("takes no blocks");
        await NotReadyBecauseAsync(run, "is not accepting rows");

        // A restart would mend neither, and each would have the group formed anew.
        var alone = await bed.RunAsync(config, ("WEIR__KAFKA__BOOTSTRAP", $"127.0.0.1:{ClickHouseServer.FreePort()}"));
        await NotReadyBecauseAsync(alone, "no partition");
    }

    private static async Task NotReadyBecauseAsync(WeirRun run, string reason)
    {
        await Eventually.TrueAsync(
            async () => (await run.PageAsync("readyz")).Contains(reason, StringComparison.OrdinalIgnoreCase),
            () => $"it is not ready because of {reason}; the log:\n{run.Process.ErrorText}");
        Assert.Contains("\"status\": \"alive\"", await run.PageAsync("healthz"), StringComparison.Ordinal);
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task A_weir_that_replays_is_alive_and_not_ready_until_the_range_is_read()
    {
        using var bed = await PipelineBed.StartAsync("flows:1");
        var records = FlowFeed.Make("weir", 3, 100);
        bed.Produce("flows", 1, FlowFeed.Messages("weir", records[..50], 10));

        // An owner before has planned ten messages; five of them are not there yet, so the replay waits for them.
        CommitWithMetadata.Commit(bed.Kafka.Bootstrap, "e2e", "flows", (0, 0, CutPlan.MetadataOf(10)));
        var run = await bed.RunAsync(bed.Configure(bed.Embedded(), [("flows", "weir")]));
        await Eventually.TrueAsync(
            async () => (await run.PageAsync("readyz")).Contains("1 partition(s) are read again from where their last owner stopped", StringComparison.Ordinal),
            () => $"it says that it is not ready; the log:\n{run.Process.ErrorText}");
        Assert.Contains("\"status\": \"alive\"", await run.PageAsync("healthz"), StringComparison.Ordinal);

        bed.Produce("flows", 1, FlowFeed.Messages("weir", records[50..], 10));
        await Eventually.TrueAsync(
            async () => (await run.PageAsync("readyz")).Contains("\"status\": \"ready\"", StringComparison.Ordinal),
            () => $"it is ready; the log:\n{run.Process.ErrorText}");
        await bed.StoredAsync(run);
        Assert.Equal(100, await run.NumberAsync("SELECT sum(records) FROM edge_1s"));
        await PipelineBed.AssertStopsAsync(run);
    }
}
