using System.Globalization;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;
using Xunit.Abstractions;

namespace Weir.Tests.Drill;

/// <summary>
/// A group under load grows from one worker to four, is rolled, loses one to kill -9, and shrinks to one again: nothing is lost or
/// counted twice. What it costs in freshness is printed, and kept in docs/scaling.md.
/// </summary>
[Collection(ProcessesCollection.Name)]
public sealed class ScaleDrillTests(ITestOutputHelper output)
{
    private const int PartitionCount = 8;
    private const int RecordsPerMessage = 50;

    /// <summary>One view is enough, and each more is files by the thousand: 18.16 keeps a file for each column of each insert for minutes.</summary>
    private const string View = "ports_1m";

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
            var config = bed.Configure(
                $"url: {server.Url}, database: drill, retention: {{ 1s: off, 1m: off }}", [("flows", "weir")], more: $$"""
                    views:
                      - { name: {{View}}, granularity: 1m, tags: [dst_port, proto], meters: [records, bytes] }
                    """);
            var undrained = 0;
            var workers = new List<WeirRun> { await bed.RunAsync(config, _flush) };
            await using var load = new DrillLoad(bed, PartitionCount, RecordsPerMessage);
            load.Start(() =>
            {
                lock (workers)
                {
                    return [.. workers];
                }
            });

            await GrowAsync(bed, config, workers, 4);
            load.Mark("1 → 4");
            for (var round = 0; round < 4; round++)
            {
                // One after another: each is drained, and its successor has its share before the next one goes.
                var leaving = workers[0];
                Replace(workers, leaving, null);
                undrained += await StopAsync(leaving);
                await GrowAsync(bed, config, workers, 4);
            }

            load.Mark("roll of 4");
            var killed = workers[2];
            Replace(workers, killed, null);
            killed.Process.Signal("KILL");
            await AssignedAsync(workers);
            load.Mark("kill -9");
            while (workers.Count > 1)
            {
                var leaving = workers[^1];
                Replace(workers, leaving, null);
                undrained += await StopAsync(leaving);
            }

            await AssignedAsync(workers);
            load.Mark("3 → 1");
            await load.StopAsync();
            await bed.StoredAsync(workers[0]);
            Assert.Equal(0, await workers[0].StopAsync()); // Nobody disturbs it: it drains.

            var audit = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "audit", "-c", config);
            Assert.True(audit.Code == 0, audit.Output + audit.Error);
            Assert.Equal(Text(load.RecordCount), await server.RunAsync($"SELECT sum(records) FROM drill.{View}"));
            Assert.Equal(Text(load.ByteCount), await server.RunAsync($"SELECT sum(bytes) FROM drill.{View}"));
            Assert.True(load.RecordCount > 0);
            load.Report(output.WriteLine);
            output.WriteLine($"{undrained} of 6 stops met a rebalance and left plans to the next owner");
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    private static async Task GrowAsync(PipelineBed bed, string config, List<WeirRun> workers, int count)
    {
        while (workers.Count < count)
        {
            Replace(workers, null, await bed.RunAsync(config, _flush));
        }

        await AssignedAsync(workers);
    }

    /// <summary>1 for a stop that met a rebalance and left its plans to the next owner, which is allowed; 0 for one that drained.</summary>
    private static async Task<int> StopAsync(WeirRun leaving)
    {
        var code = await leaving.StopAsync();
        Assert.True(code is 0 or 1, leaving.Process.ErrorText);
        return code;
    }

    /// <summary>The list is read by the load's thread: it changes under its lock.</summary>
    private static void Replace(List<WeirRun> workers, WeirRun? leaving, WeirRun? joining)
    {
        lock (workers)
        {
            if (leaving is not null)
            {
                workers.Remove(leaving);
            }

            if (joining is not null)
            {
                workers.Add(joining);
            }
        }
    }

    /// <summary>Every worker has its share, and all partitions have an owner.</summary>
    private static Task AssignedAsync(List<WeirRun> workers) => Eventually.TrueAsync(
        async () =>
        {
            var dead = workers.Find(worker => worker.Process.HasExited);
            Assert.True(dead is null, $"A worker has ended; it said\n{dead?.Process.ErrorText}");
            var counts = await Task.WhenAll(workers.Select(async worker => (int)await worker.MetricAsync("weir_ingest_partitions")));
            return counts.Sum() == PartitionCount && counts.All(count => count >= PartitionCount / workers.Count);
        },
        () => $"{PartitionCount} partitions are shared by {workers.Count} workers; the last one said\n{workers[^1].Process.ErrorText}",
        TimeSpan.FromSeconds(120));

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
