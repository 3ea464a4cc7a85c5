using System.Globalization;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Deploy;

/// <summary>One weir that writes to two shards of replicated ClickHouse 18.16, each series to its own.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class ServerShardsTests
{
    private const string Database = "sharded";
    private const int PartitionCount = 3;
    private const int RoundRecords = 8_000;

    private static readonly (string Name, string Tags)[] _views = [("edges_1m", "src_addr, dst_port, exporter"), ("ports_1m", "dst_port, proto")];

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer, RealPart.ZooKeeper)]
    public async Task Series_live_on_one_shard_and_kills_of_weir_and_of_a_shard_lose_and_double_nothing()
    {
        await using var keeper = new ZooKeeperServer();
        await keeper.StartAsync();
        var shards = ClickHouseServer.NewShards(keeper.Port, "pair", 2);
        try
        {
            await Task.WhenAll(shards.Select(shard => shard.StartAsync()));
            using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
            var views = _views.Select(view => $"  - {{ name: {view.Name}, granularity: 1m, tags: [{view.Tags}], meters: [records, bytes] }}");
            var config = bed.Configure(
                $"urls: '{shards[0].Url}; {shards[1].Url}', database: {Database}, retention: {{ 1s: off, 1m: off }}",
                [("flows", "weir")],
                more: $"views:\n{string.Join('\n', views)}\n");
            var apply = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "schema", "apply", "-c", config, "--cluster", "pair");
            Assert.True(apply.Code == 0, apply.Error);
            var bytes = Produce(bed, 0);
            var victim = await bed.RunAsync(config, ("WEIR__FLUSH__INTERVAL", "100ms"));
            await Eventually.TrueAsync(
                async () => (await Task.WhenAll(shards.Select(shard => SumAsync(shard, "ports_1m", "records")))).All(sum => sum > 0),
                () => $"both shards have rows; weir said {victim.Process.ErrorText}");
            bytes += Produce(bed, 1);
            victim.Process.Signal("KILL");
            await victim.Process.ExitCodeAsync();

            // The next one finds a shard away: nothing of a cut is stored on the other one either until it is back.
            await shards[1].KillAsync();
            var last = await bed.RunAsync(config);
            await Eventually.TrueAsync(
                () => Task.FromResult(last.Process.ErrorText.Contains("takes no blocks", StringComparison.Ordinal)),
                () => $"a shard is away; weir said {last.Process.ErrorText}");
            await shards[1].StartAsync();
            await bed.StoredAsync(last);
            await PipelineBed.AssertStopsAsync(last);

            var audit = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "audit", "-c", config);
            Assert.True(audit.Code == 0, audit.Output + audit.Error);
            foreach (var (view, tags) in _views)
            {
                Assert.Equal(2 * RoundRecords, await SumAsync(shards[0], view, "records") + await SumAsync(shards[1], view, "records"));
                Assert.Equal(bytes, await SumAsync(shards[0], view, "bytes") + await SumAsync(shards[1], view, "bytes"));
                Assert.Equal(2 * RoundRecords, await SumAsync(shards[1], view + ClusterPlan.Suffix, "records"));
                var series = await Task.WhenAll(shards.Select(async shard =>
                    (await shard.RunAsync($"SELECT DISTINCT cityHash64({tags}) FROM {Database}.{view}")).Split('\n').ToHashSet()));
                Assert.All(series, one => Assert.True(one.Count > 1));
                Assert.Empty(series[0].Intersect(series[1]));
            }

            Assert.Equal("0", await shards[1].RunAsync($"SELECT count() FROM {Database}.weir_ledger"));
            var plan = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "schema", "plan", "-c", config);
            Assert.Equal(("", 0), (plan.Output, plan.Code));
        }
        finally
        {
            foreach (var shard in shards)
            {
                await shard.DisposeAsync();
            }
        }
    }

    [RealPartFact(RealPart.ClickHouseServer, RealPart.ZooKeeper)]
    public async Task Shards_whose_tables_would_replicate_one_another_are_refused_in_words()
    {
        await using var keeper = new ZooKeeperServer();
        await keeper.StartAsync();
        var replicas = new[] { ClickHouseServer.NewReplica(keeper.Port, "one"), ClickHouseServer.NewReplica(keeper.Port, "two") };
        try
        {
            await Task.WhenAll(replicas.Select(replica => replica.StartAsync()));
            await using var sink = BlockSinks.Create(
                new WriterOptions { Urls = [replicas[0].Url], MoreShards = [[replicas[1].Url]] }, TimeProvider.System);

            var error = await Assert.ThrowsAsync<SinkUnusableException>(() => sink.ConnectAsync(default));

            Assert.Contains(
                "the shards 1 and 2 of clickhouse.urls have servers with the same macro shard, 1", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            foreach (var replica in replicas)
            {
                await replica.DisposeAsync();
            }
        }
    }

    /// <summary>Produces a round and says how many bytes its records tell of.</summary>
    private static long Produce(PipelineBed bed, int round)
    {
        var records = FlowFeed.Make("weir", round, RoundRecords);
        bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", records, 100));
        return records.Sum(record => (long)(record.Bytes * Math.Max(record.SamplingRate, 1)));
    }

    private static async Task<long> SumAsync(ClickHouseServer shard, string table, string meter) =>
        long.Parse(await shard.RunAsync($"SELECT sum({meter}) FROM {Database}.{table}"), CultureInfo.InvariantCulture);
}
