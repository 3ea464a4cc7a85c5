using System.Collections.Concurrent;
using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

/// <summary>18.16 with replicated tables: no tokens, but blocks known by their content, and several addresses.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class ReplicatedServerTests
{
    private static readonly StreamSchema _schema = TestBlocks.Schema;

    [RealPartFact(RealPart.ClickHouseServer, RealPart.ZooKeeper)]
    public async Task A_block_twice_is_stored_once_and_two_blocks_of_equal_rows_are_two()
    {
        await using var keeper = new ZooKeeperServer();
        await keeper.StartAsync();
        var server = ClickHouseServer.NewReplica(keeper.Port, "one");
        await using var ending = new Ending(server);
        await server.StartAsync();
        var options = server.NewOptions() with { Retention = new Dictionary<int, TimeSpan>() };
        await using (var sink = new ClickHouseHttpSink(options, TimeProvider.System))
        {
            var features = await sink.ConnectAsync(default);
            var plan = await SchemaPlan.ReadAsync(sink, _schema, options, features, default);
            await plan.EnsureAsync(sink, default);
            var after = await SchemaPlan.ReadAsync(sink, _schema, options, features, default);

            Assert.True(after.IsUpToDate, after.ToString());
            Assert.Equal(plan.Promise, after.Promise);
            Assert.Equal("exactly once, by the content of the last 10000 blocks of each table within 7 days", after.Promise.ToString());
            var block = TestBlocks.Make(_schema.Views[0], 1000);
            Assert.Equal(InsertReply.Stored, await sink.InsertAsync(block, default));
            Assert.Equal(InsertReply.Stored, await sink.InsertAsync(block, default));
            Assert.Equal("1000\n", await sink.QueryTextAsync("SELECT sum(records) FROM edge_1s", "TSV", default));
            Assert.Equal(InsertReply.Stored, await sink.InsertAsync(TestBlocks.Make(_schema.Views[0], 1000, fromOffset: 1000), default));
            Assert.Equal("2000\n", await sink.QueryTextAsync("SELECT sum(records) FROM edge_1s", "TSV", default));
            await AssertBuiltBlocksAsync(sink, options);

            // Several processes that note the same in the same second are no block that comes again: what such a table refuses stays on its
            // disk for minutes, and is what a killed server does not start with.
            var notes = $"{SqlText.Name(options.Database)}.notes";
            await sink.ExecuteAsync(
                $"CREATE TABLE {notes} (`number` UInt32) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{{shard}}/{options.Database}/notes', '{{replica}}') ORDER BY `number`",
                default);
            for (var process = 0; process < 3; process++)
            {
                await sink.ExecuteAsync($"INSERT INTO {notes} (`number`) VALUES (2)", default);
            }

            Assert.Equal("3\n", await sink.QueryTextAsync($"SELECT count() FROM {notes}", "TSV", default));
        }
    }

    [RealPartFact(RealPart.ClickHouseServer, RealPart.ZooKeeper)]
    public async Task When_a_replica_dies_the_blocks_go_to_the_other_and_none_counts_twice()
    {
        await using var keeper = new ZooKeeperServer();
        await keeper.StartAsync();
        var (one, two) = (ClickHouseServer.NewReplica(keeper.Port, "one"), ClickHouseServer.NewReplica(keeper.Port, "two"));
        await using var ending = new Ending(one, two);
        await Task.WhenAll(one.StartAsync(), two.StartAsync());
        await using (var proxy = new AnswerCuttingProxy(one.Port, answersToLose: 2))
        {
            var options = one.NewOptions() with { Urls = [proxy.Url, two.Url], Url = null, Retention = new Dictionary<int, TimeSpan>() };
            await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
            var cuts = new StageQueue<Cut>(BlockWriter.QueueName, 0, FullPolicy.Block, 1_000_000, 1024);
            var (stored, faults) = (new ConcurrentQueue<Cut>(), new ConcurrentQueue<Exception>());
            await using var writer = new BlockWriter(
                cuts, cut => TestBlocks.MakeCut(cut, _schema), sink, _schema, options, TimeProvider.System, new Random(1), stored.Enqueue,
                (_, error) => faults.Enqueue(error), new RecordingLogger());
            writer.Start();
            cuts.Enqueue(TestBlocks.MakeFolded(_schema, 0, 1000), 1000);
            await Eventually.TrueAsync(() => stored.Count == 1, "a cut is stored although its answer was lost");
            Assert.Equal(1, sink.Target); // The block was sent again to the other replica, which knew it.
            cuts.Enqueue(TestBlocks.MakeFolded(_schema, 1000, 1000), 1000);
            await Eventually.TrueAsync(() => stored.Count == 2, "another one is");

            // Replicas copy from one another later: what only a dead one has comes back with it, which takes this version 20 s and more.
            await Eventually.TrueAsync(
                async () => await one.RunAsync($"SELECT count() FROM {options.Database}.weir_ledger") == "4"
                    && await one.RunAsync($"SELECT sum(records) FROM {options.Database}.edge_1s") == "2000"
                    && await one.RunAsync($"SELECT sum(records) FROM {options.Database}.service_1m") == "2000",
                "the other replica has copied all");
            await two.KillAsync();
            cuts.Enqueue(TestBlocks.MakeFolded(_schema, 2000, 1000), 1000);
            await writer.DrainAsync(default);

            Assert.Empty(faults);
            Assert.Equal(3, stored.Count);
            Assert.Equal(0, sink.Target);
            Assert.Equal("3000\n", await sink.QueryTextAsync("SELECT sum(records) FROM edge_1s", "TSV", default));
            Assert.Equal("3000\n", await sink.QueryTextAsync("SELECT sum(records) FROM service_1m", "TSV", default));
            Assert.Equal("6\n", await sink.QueryTextAsync("SELECT count() FROM weir_ledger FINAL", "TSV", default));
        }
    }

    private static async Task AssertBuiltBlocksAsync(ClickHouseHttpSink sink, WriterOptions options)
    {
        foreach (var compression in Enum.GetValues<BlockCompression>())
        {
            using var fixture = new CutFixture(_schema);
            using var builder = new BlockBuilder(_schema, options with { Compression = compression }, fixture.Budget);
            using var built = builder.Build(fixture.Make(TestRecords.Random(_schema, new Random(5), 3000, spread: 300)));
            var before = await sink.QueryTextAsync("SELECT sum(records) FROM edge_1s", "TSV", default);
            Assert.Equal(InsertReply.Stored, await sink.InsertAsync(built.Blocks[0], default));
            var after = await sink.QueryTextAsync("SELECT sum(records) FROM edge_1s", "TSV", default);
            var names = await sink.QueryTextAsync("SELECT count() FROM edge_1s WHERE weir_block = ''", "TSV", default);

            // The same rows under the same name: only the first form of compression adds them.
            Assert.Equal("5000\n", after);
            Assert.Equal(compression == BlockCompression.None ? "2000\n" : "5000\n", before);
            Assert.Equal("0\n", names);
        }
    }

    /// <summary>Ends servers that no fixture ends, also after a failure.</summary>
    private sealed class Ending(params ClickHouseServer[] servers) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            foreach (var server in servers)
            {
                await server.DisposeAsync();
            }
        }
    }
}
