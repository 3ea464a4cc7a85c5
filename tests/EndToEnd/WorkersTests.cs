using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>Numbers of threads change how fast the tables are filled, not with what.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class WorkersTests
{
    private const int Seed = 11;
    private const int PartitionCount = 4;

    [RealPartTheory(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    [InlineData("1", "0")]
    [InlineData("2", "0")]
    [InlineData("1", "2")]
    [InlineData("2", "2")]
    public async Task The_tables_hold_the_same_whatever_the_number_of_workers(string ingestWorkers, string aggregationWorkers)
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var oracle = new FlowOracle();
        var records = FlowFeed.Make("weir-proto", Seed, 20_000);
        records.ForEach(record => oracle.Add(record));
        bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir-proto", records, 100));

        var run = await bed.RunAsync(
            bed.Configure(bed.Embedded(), [("flows", "weir-proto")]),
            ("WEIR__INGEST__WORKERS", ingestWorkers),
            ("WEIR__AGGREGATION__WORKERS", aggregationWorkers));
        await bed.StoredAsync(run);

        await oracle.AssertStoredAsync(run);
        await run.AssertAccountClosesAsync(oracle.RecordCount);
        await PipelineBed.AssertStopsAsync(run);
    }
}
