using System.Globalization;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;
using Xunit.Abstractions;

namespace Weir.Tests.Drill;

/// <summary>
/// A group under load grows from one worker to four, is rolled, loses one to kill -9, and shrinks to one again: nothing is lost or
/// counted twice. What it costs in freshness is printed. And a group of static members is rolled, of which nobody else takes notice.
/// </summary>
[Collection(ProcessesCollection.Name)]
public sealed class ScaleDrillTests(ITestOutputHelper output)
{
    private const int PartitionCount = 8;
    private const int RecordsPerMessage = 50;
    private const int FreshnessSecondsMax = 30;

    /// <summary>One view is enough, and each more is files by the thousand: 18.16 keeps a file for each column of each insert for minutes.</summary>
    private const string View = "ports_1m";

    /// <summary>Longer than a process takes to stop and to start, on a busy machine too.</summary>
    private static readonly TimeSpan _staticSession = TimeSpan.FromSeconds(90);

    /// <summary>
    /// A member that was killed is missed after the session time-out. A partition that moves is revoked in one rebalance and given away in the
    /// next, and the broker of the tests, unlike Kafka, ends each no sooner than a session time-out after it has begun.
    /// </summary>
    private static readonly TimeSpan _movedWithin = 3 * TimeSpan.FromSeconds(3); // PipelineBed's session time-out.

    private static readonly (string Name, string Value) _flush = ("WEIR__FLUSH__INTERVAL", "1s");

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer, RealPart.ZooKeeper)]
    public async Task A_group_grows_rolls_loses_a_worker_and_shrinks_and_the_audit_is_exact()
    {
        await using var keeper = new ZooKeeperServer();
        await keeper.StartAsync();
        var server = ClickHouseServer.NewReplica(keeper.Port, "one");
        try
        {
            await server.StartAsync();
            using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
            var config = Configure(bed, $"url: {server.Url}, database: drill, retention: {{ 1s: off, 1m: off }}", PipelineBed.FastGroup);
            var group = new WorkerGroup(bed, config, PartitionCount, _flush);
            await group.GrowAsync(1);
            await using var load = new DrillLoad(bed, DrillTraffic.OfNow("flows", PartitionCount, RecordsPerMessage));
            load.Start(() => group.Members);
            await group.GrowAsync(4);
            load.Mark("1 → 4");
            await group.RollAsync();
            load.Mark("roll of 4");
            await group.KillAsync(2);
            load.Mark("kill -9");
            await group.ShrinkAsync(1);
            load.Mark("3 → 1");
            await load.StopAsync();
            var last = group.Members[0];
            await bed.StoredAsync(last);
            Assert.Equal(0, await last.StopAsync()); // Nobody disturbs it: it drains.

            var audit = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "audit", "-c", config);
            Assert.True(audit.Code == 0, audit.Output + audit.Error);
            Assert.Equal(Text(load.RecordCount), await server.RunAsync($"SELECT sum(records) FROM drill.{View}"));
            Assert.Equal(Text(load.ByteCount), await server.RunAsync($"SELECT sum(bytes) FROM drill.{View}"));
            Assert.True(load.RecordCount > 0);
            load.Report(output.WriteLine);
            output.WriteLine($"{group.UndrainedCount} of 6 stops met a rebalance and left plans to the next owner");
            Assert.Equal(4, load.Steps().Count);
            if (Environment.GetEnvironmentVariable("WEIR_LONG") == "true")
            {
                // On a machine of its own only: how long a hand-over takes by the wall clock is the machine's to say.
                Assert.All(load.Steps(), step => AssertWithinLimits(step, _movedWithin));
            }
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    /// <summary>
    /// What the StatefulSet relies on. The classic protocol of the broker of the tests knows no static members, its newer one does; what a
    /// member does when it stops is the same to weir.
    /// </summary>
    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer, RealPart.ZooKeeper)]
    public async Task A_roll_of_static_members_moves_no_partition_and_no_other_member_sees_a_rebalance()
    {
        await using var keeper = new ZooKeeperServer();
        await keeper.StartAsync();
        var server = ClickHouseServer.NewReplica(keeper.Port, "one");
        try
        {
            await server.StartAsync();
            using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}", _staticSession);
            var config = Configure(bed, $"url: {server.Url}, database: roll, retention: {{ 1s: off, 1m: off }}", "group.protocol: consumer");
            var group = new WorkerGroup(bed, config, PartitionCount, _flush) { IsStatic = true };
            await group.GrowAsync(3);
            await using var load = new DrillLoad(bed, DrillTraffic.OfNow("flows", PartitionCount, RecordsPerMessage));
            load.Start(() => group.Members);
            foreach (var leaving in group.Members)
            {
                var others = group.Members.Where(member => member != leaving).ToList();
                var before = await Task.WhenAll(others.Select(RebalancesAsync));
                var partitions = await PartitionsAsync(leaving);

                await group.ReplaceAsync(leaving);

                Assert.Equal(partitions, await PartitionsAsync(group.Members[^1]));
                Assert.Equal(before, await Task.WhenAll(others.Select(RebalancesAsync)));
            }

            load.Mark("roll of 3, static");
            await load.StopAsync();
            Assert.Equal(0, group.UndrainedCount); // No rebalance got into a drain's way.
            await bed.StoredAsync(group.Members[0], [.. group.Members.Skip(1)]);
            Assert.All(await Task.WhenAll(group.Members.Select(member => member.StopAsync())), code => Assert.Equal(0, code));
            var audit = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "audit", "-c", config);
            Assert.True(audit.Code == 0, audit.Output + audit.Error);
            Assert.Equal(Text(load.RecordCount), await server.RunAsync($"SELECT sum(records) FROM roll.{View}"));
            load.Report(output.WriteLine);
            Assert.All(load.Steps(), step => AssertWithinLimits(step, _staticSession));
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    private static string Configure(PipelineBed bed, string clickHouse, string protocol) => bed.Configure(
        clickHouse, [("flows", "weir")], groupOptions: protocol, more: $$"""
            views:
              - { name: {{View}}, granularity: 1m, tags: [dst_port, proto], meters: [records, bytes] }
            """);

    private static void AssertWithinLimits(DrillStep step, TimeSpan unownedMax)
    {
        Assert.True(step.FreshnessP99 < FreshnessSecondsMax, step.ToString());
        Assert.True(step.UnownedSeconds < unownedMax.TotalSeconds, step.ToString());
    }

    private static Task<double> RebalancesAsync(WeirRun run) => run.MetricAsync("weir_ingest_rebalances_total");

    private static async Task<List<int>> PartitionsAsync(WeirRun run) =>
        [.. (await run.ListAsync("positions")).Select(position => position.GetProperty("partition").GetInt32()).Order()];

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
