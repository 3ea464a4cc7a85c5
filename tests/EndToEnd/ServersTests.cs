using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>The same messages in both kinds of ClickHouse, with each compression: the same rows in the same views.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class ServersTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>
{
    private const int Seed = 7;
    private const int PartitionCount = 3;

    [RealPartTheory(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    [InlineData("lz4")]
    [InlineData("zstd")]
    [InlineData("none")]
    public async Task A_server_of_2018_gets_the_rows_that_the_test_adds_up(string compression)
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        await RunAsync(bed, $"url: {server.Url}, database: e2e_{compression}, compression: {compression}");
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer, RealPart.EmbeddedClickHouse)]
    public async Task The_embedded_engine_and_the_server_hold_the_same_rows()
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var onServer = await RunAsync(bed, $"url: {server.Url}, database: e2e_same", "first");
        var embedded = await RunAsync(bed, bed.Embedded(), "second");

        foreach (var view in FlowOracle.Views)
        {
            Assert.Equal(await FlowOracle.StoredAsync(onServer, view), await FlowOracle.StoredAsync(embedded, view));
        }
    }

    /// <summary>Produces once, lets a process store it all, compares every view, and stops the process.</summary>
    private static async Task<WeirRun> RunAsync(PipelineBed bed, string clickHouse, string group = "e2e")
    {
        var oracle = new FlowOracle();
        var records = FlowFeed.Make("weir", Seed, 5_000);
        records.ForEach(record => oracle.Add(record));
        if (bed.Produced.Count == 0)
        {
            bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", records, 100));
        }

        var run = await bed.RunAsync(bed.Configure(clickHouse, [("flows", "weir")], group));
        await bed.StoredAsync(run);
        await oracle.AssertStoredAsync(run);
        await run.AssertAccountClosesAsync(oracle.RecordCount);
        await PipelineBed.AssertStopsAsync(run);
        return run;
    }
}
