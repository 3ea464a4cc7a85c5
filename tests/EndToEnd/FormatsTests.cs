using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>Each format, from a broker process through <c>weir run</c> into ClickHouse; the sums are the test's own.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class FormatsTests
{
    private const int Seed = 20261121;
    private const int PartitionCount = 3;

    [RealPartTheory(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    [InlineData("pmacct-json")]
    [InlineData("goflow2")]
    [InlineData("goflow2-json")]
    [InlineData("weir-proto")]
    [InlineData("weir")]
    public async Task Records_become_the_sums_that_the_test_adds_up(string format)
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var oracle = new FlowOracle();
        var records = FlowFeed.Make(format, Seed, 3_000);
        records.ForEach(record => oracle.Add(record));
        bed.Produce("flows", PartitionCount, FlowFeed.Messages(format, records, 50));

        var run = await bed.RunAsync(bed.Configure(bed.Embedded(), [("flows", format)]));
        await bed.StoredAsync(run);

        await oracle.AssertStoredAsync(run);
        await run.AssertAccountClosesAsync(oracle.RecordCount);
        await PipelineBed.AssertStopsAsync(run);
    }
}
