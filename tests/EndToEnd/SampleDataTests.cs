using System.Text;
using Weir.Tests.Support;
using Weir.Tests.Support.Agents;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>Recorded data of real agents: every view is what jq and awk make of the same raw JSON.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class SampleDataTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>
{
    private const int PartitionCount = 4;
    private const int LinesPerMessage = 100;
    private const long UnplaceableCount = 2_429;

    [RealPartTheory(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse, RealPart.ClickHouseServer, RealPart.Jq, RealPart.SampleData)]
    [InlineData("embedded")]
    [InlineData("server")]
    public async Task Every_view_of_the_sample_data_is_what_an_independent_program_expects(string kind)
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var lines = AgentProcess.Run("zstd", "-dc", RealParts.SampleDataFile).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        bed.Produce(
            "flows", PartitionCount, lines.Chunk(LinesPerMessage).Select(chunk => Encoding.UTF8.GetBytes(string.Join('\n', chunk))));

        // Its clocks are wrong in many ways, on purpose; nothing may be late or expire here, so that all can be compared.
        var run = await bed.RunAsync(bed.Configure(
            (kind == "embedded" ? bed.Embedded() : $"url: {server.Url}") + ", retention: { 1s: off, 1m: off }",
            [("flows", "pmacct-json")],
            more: "time: { past_max: 36500d, future_max: 36500d }"));
        await bed.StoredAsync(run);

        foreach (var view in FlowOracle.Views)
        {
            var expected = ExpectedRows.Read(RealParts.SampleDataFile, view);
            Assert.Equal(UnplaceableCount, expected.UnplaceableCount);
            Assert.Equal(expected.Rows.Order(StringComparer.Ordinal), await StoredAsync(run, view));
            Assert.Equal(expected.RecordCount, await run.AccountAsync("folded"));
        }

        Assert.Equal(UnplaceableCount, await run.AccountAsync("rejected"));
        Assert.Equal(UnplaceableCount, await run.MetricAsync("weir_ingest_rejected_records_total", "reason=\"time_out_of_range\""));
        Assert.Equal(0, await run.AccountAsync("late"));
        await PipelineBed.AssertStopsAsync(run);
    }

    /// <summary>The rows of a view with the columns and addresses of expected-rows.sh.</summary>
    private static async Task<IEnumerable<string>> StoredAsync(WeirRun run, string view)
    {
        var edge = view.StartsWith("edge", StringComparison.Ordinal);
        var tags = edge ? "src_addr, dst_addr, dst_port, proto, exporter" : "dst_addr, dst_port, proto";
        var texts = tags.Replace("src_addr", "IPv6NumToString(src_addr)", StringComparison.Ordinal)
            .Replace("dst_addr", "IPv6NumToString(dst_addr)", StringComparison.Ordinal);
        var rows = await run.QueryAsync(
            $"SELECT toUInt32(time), {texts}, sum(records), sum(flows), sum(packets), sum(bytes) FROM {view} GROUP BY time, {tags}");
        return rows.Order(StringComparer.Ordinal);
    }
}
