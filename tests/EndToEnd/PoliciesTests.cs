using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>A flood through the smallest queue: what it loses is in the account, /queues and /metrics, and missing in the tables.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class PoliciesTests
{
    private const int PartitionCount = 4;
    private const int RecordCount = 200_000;

    [RealPartTheory(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    [InlineData("block")]
    [InlineData("overwrite")]
    [InlineData("drop")]
    public async Task Stored_is_read_minus_what_the_policy_lost(string policy)
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", FlowFeed.MakeDistinct(0, RecordCount), 2_000));

        var run = await bed.RunAsync(
            bed.Configure(bed.Embedded(), [("flows", "weir")]),
            ("WEIR__AGGREGATION__QUEUE__POLICY", policy),
            ("WEIR__AGGREGATION__QUEUE__CAPACITY_RECORDS", "1024"));
        await bed.StoredAsync(run);

        await run.AssertAccountClosesAsync(RecordCount);
        var dropped = await run.AccountAsync("dropped");
        var overwritten = await run.AccountAsync("overwritten");
        Assert.Equal(policy == "drop", dropped > 0);
        Assert.Equal(policy == "overwrite", overwritten > 0);
        var queue = (await run.ListAsync("queues")).Single(reading => reading.GetProperty("name").GetString() == "aggregation");
        Assert.Equal(policy, queue.GetProperty("policy").GetString());
        Assert.Equal(dropped, queue.GetProperty("dropped_count").GetInt64());
        Assert.Equal(overwritten, queue.GetProperty("overwritten_count").GetInt64());
        Assert.Equal(RecordCount, queue.GetProperty("offered_count").GetInt64());
        Assert.Equal(dropped, await run.MetricAsync("weir_queue_dropped_records_total"));
        Assert.Equal(overwritten, await run.MetricAsync("weir_queue_overwritten_records_total"));
        foreach (var view in FlowOracle.Views)
        {
            Assert.Equal(RecordCount - dropped - overwritten, await run.NumberAsync($"SELECT sum(records) FROM {view}"));
        }

        await PipelineBed.AssertStopsAsync(run);
    }
}
