using System.Text.Json;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>Each way to be a member of a consumer group: the classic protocol, a static member of it, and the protocol of KIP-848.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class GroupProtocolTests
{
    private const int PartitionCount = 4;
    private const int RoundRecords = 20_000;

    [RealPartTheory(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    [InlineData("session.timeout.ms: 3000, heartbeat.interval.ms: 200")]
    [InlineData("session.timeout.ms: 3000, heartbeat.interval.ms: 200, group.instance.id: weir-0")]
    [InlineData("group.protocol: consumer")]
    public async Task A_member_that_is_killed_and_its_successor_leave_exact_sums(string groupOptions)
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var config = bed.Configure(bed.Embedded(), [("flows", "weir")], groupOptions: groupOptions);
        Produce(bed, 0);
        var killed = await bed.RunAsync(config, ("WEIR__FLUSH__INTERVAL", "100ms"));
        await Eventually.TrueAsync(
            async () => await killed.AccountAsync("read") > 0, () => $"some of it is stored; the log:\n{killed.Process.ErrorText}");
        Produce(bed, 1);
        killed.Process.Signal("KILL");
        Assert.Equal(137, await killed.Process.ExitCodeAsync());

        var last = await bed.RunAsync(config);
        await bed.StoredAsync(last);

        foreach (var view in FlowOracle.Views)
        {
            Assert.Equal(2 * RoundRecords, await last.NumberAsync($"SELECT sum(records) FROM {view}"));
        }

        var (code, output, error) = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "audit", "-c", config, "--json");
        Assert.True(code == 0, output + error);
        using var audit = JsonDocument.Parse(output);
        Assert.Equal("exact", audit.RootElement.GetProperty("verdict").GetString());
        await PipelineBed.AssertStopsAsync(last);
    }

    private static void Produce(PipelineBed bed, int round) => bed.Produce(
        "flows", PartitionCount, FlowFeed.Messages("weir", FlowFeed.MakeDistinct(round * RoundRecords, RoundRecords), 500));
}
