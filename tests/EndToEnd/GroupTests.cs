using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>Two processes of one group: partitions move to the second and back, and nothing is lost or counted twice.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class GroupTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>
{
    private const int PartitionCount = 6;
    private const int RoundRecords = 30_000;

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task Partitions_move_with_a_second_process_and_the_sums_stay_exact()
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var config = bed.Configure($"url: {server.Url}, database: e2e_group", [("flows", "weir")]);
        var oracle = new FlowOracle();
        var first = await bed.RunAsync(config);
        Produce(bed, oracle);
        await bed.StoredAsync(first);

        Produce(bed, oracle);
        var second = await bed.RunAsync(config);
        await AssignedAsync(second, PartitionCount / 2);
        await AssignedAsync(first, PartitionCount / 2);
        Produce(bed, oracle);
        await bed.StoredAsync(first, second);
        await oracle.AssertStoredAsync(second);

        Produce(bed, oracle);
        await PipelineBed.AssertStopsAsync(second);
        Produce(bed, oracle);
        await bed.StoredAsync(first);

        await oracle.AssertStoredAsync(first);
        Assert.Matches("partitions (revoked, everything read of them is stored|given up|lost)", first.Process.ErrorText); // By the machine's haste.
        await PipelineBed.AssertStopsAsync(first);
    }

    private static void Produce(PipelineBed bed, FlowOracle oracle)
    {
        var records = FlowFeed.Make("weir", (int)oracle.RecordCount, RoundRecords);
        records.ForEach(record => oracle.Add(record));
        bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", records, 200));
    }

    private static Task AssignedAsync(WeirRun run, int partitionCount) => Eventually.TrueAsync(
        async () => (int)await run.MetricAsync("weir_ingest_partitions") == partitionCount, $"{partitionCount} partitions are assigned");
}
