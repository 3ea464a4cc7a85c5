using System.Collections.Concurrent;
using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

/// <summary>The ledger on both engines: its rows, their idempotence, and what is asked of it.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class LedgerTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>, IDisposable
{
    private static readonly StreamSchema _schema = TestBlocks.Schema;
    private static readonly Dictionary<int, TimeSpan> _forEver = [];
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-ledger-").FullName;
    private readonly ConcurrentQueue<Cut> _stored = new();
    private readonly ConcurrentQueue<Exception> _faults = new();
    private readonly RecordingLogger _logger = new();

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task Server_18_16_keeps_one_row_for_each_block_and_knows_a_replay()
    {
        var options = server.NewOptions() with { Retention = _forEver };
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        await StoreAndReplayAsync(sink, options);
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task The_embedded_engine_keeps_one_row_for_each_block_and_knows_a_replay()
    {
        var options = new WriterOptions { Url = null, EmbeddedPath = Path.Combine(_directory, "store"), Retention = _forEver };
        await using (var sink = new EmbeddedClickHouseSink(options))
        {
            await StoreAndReplayAsync(sink, options);
        }

        await using var again = new EmbeddedClickHouseSink(options);
        Assert.True((await SchemaPlan.ReadAsync(again, _schema, options, await again.ConnectAsync(default), default)).IsUpToDate);
        Assert.Equal("11\n", await again.QueryTextAsync("SELECT count() FROM weir_ledger FINAL", "TSV", default));
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task Fsync_is_set_on_the_tables_of_a_new_server_and_refused_in_words_on_an_old_one()
    {
        var options = new WriterOptions { Url = null, EmbeddedPath = Path.Combine(_directory, "store"), Retention = _forEver };
        await using var sink = new EmbeddedClickHouseSink(options);
        var features = await sink.ConnectAsync(default);
        await (await SchemaPlan.ReadAsync(sink, _schema, options, features, default)).EnsureAsync(sink, default);

        var durable = options with { Fsync = true };
        var plan = await SchemaPlan.ReadAsync(sink, _schema, durable, features, default);
        await plan.EnsureAsync(sink, default);
        var old = SchemaPlan.Make(_schema, durable, features with { TableSettings = SchemaPlanTests.NoSettings }, existing: null);

        Assert.Equal(9, plan.Steps.Count); // Three settings of three tables.
        Assert.True((await SchemaPlan.ReadAsync(sink, _schema, durable, features, default)).IsUpToDate);
        Assert.Contains("clickhouse.fsync", Assert.Single(old.Problems), StringComparison.Ordinal);
    }

    private async Task StoreAndReplayAsync(IBlockSink sink, WriterOptions options)
    {
        await using (var writer = NewWriter(sink, options, out var cuts))
        {
            for (var cut = 0; cut < 5; cut++)
            {
                cuts.Enqueue(TestBlocks.MakeFolded(_schema, cut * 1000, 1000), 1000); // All wait when the writer starts: few inserts.
            }

            cuts.Enqueue(Rejected(5000), 0);
            writer.Start();
            await writer.DrainAsync(default);
            Assert.Empty(_faults);
            Assert.Equal(11, writer.Snapshot().LedgerRowCount);
            Assert.InRange(writer.Snapshot().LedgerInsertCount, 1, 6);
        }

        await AssertRowsAsync(sink);
        await using (var next = NewWriter(sink, options, out var replays))
        {
            next.Start();
            Assert.True(await next.IsStoredAsync(new PartitionKey("flows", 0), 4000, 5000, default));
            Assert.True(await next.IsStoredAsync(new PartitionKey("flows", 0), 5000, 5010, default));
            Assert.False(await next.IsStoredAsync(new PartitionKey("flows", 0), 4000, 4999, default));
            Assert.False(await next.IsStoredAsync(new PartitionKey("flows", 1), 4000, 5000, default));
            replays.Enqueue(TestBlocks.MakeFolded(_schema, 4000, 1000, isReplay: true), 1000);
            replays.Enqueue(Rejected(5000, isReplay: true), 0);
            await next.DrainAsync(default);
            Assert.Empty(_faults);
            Assert.Equal(2, next.Snapshot().KnownBlockCount);
            Assert.Equal(0, next.Snapshot().LedgerRowCount);
            Assert.Equal(2, next.Snapshot().CutCount);
        }

        Assert.Equal(8, _stored.Count);
        Assert.Equal("5000\n", await sink.QueryTextAsync("SELECT sum(records) FROM edge_1s", "TSV", default));
        await InsertAgainAsync(sink, options);
    }

    private static async Task AssertRowsAsync(IBlockSink sink)
    {
        Assert.Equal(
            "flows\t0\t1000\t2000\tedge_1s\t0\t1\t1000\t1000\t499500\t499500\t['2026-01-02']\t[1000]\t[499500]\t[499500]\t\t1000\t1000\t0\t[]\t[]\n",
            await sink.QueryTextAsync(
                "SELECT topic, `partition`, from_offset, to_offset, view, part, layout, rows, records, packets, bytes, days, day_records, "
                + "day_packets, day_bytes, refused, read, folded, rejected, rejected_reasons, rejected_counts "
                + "FROM weir_ledger FINAL WHERE from_offset = 1000 AND view = 'edge_1s'",
                "TSV",
                default));
        Assert.Equal(
            "\t0\t10\t0\t10\t['truncated','port_out_of_range']\t[3,7]\t4\t0\t[]\n",
            await sink.QueryTextAsync(
                "SELECT view, rows, read, folded, rejected, rejected_reasons, rejected_counts, gap_offsets, toUInt32(first_event), days "
                + "FROM weir_ledger FINAL WHERE from_offset = 5000",
                "TSV",
                default));
        Assert.Equal(
            "2026-01-02 00:00:00\ttest:1\t1\n",
            await sink.QueryTextAsync(
                "SELECT DISTINCT last_event, process, version > 1700000000000 FROM weir_ledger WHERE view = 'edge_1s'", "TSV", default));
    }

    /// <summary>Rows sent again, with a later version, replace those that are there.</summary>
    private static async Task InsertAgainAsync(IBlockSink sink, WriterOptions options)
    {
        using var rows = new LedgerRows("test:2");
        using var built = TestBlocks.MakeCut(TestBlocks.MakeFolded(_schema, 1000, 1000), _schema);
        foreach (var block in built.Blocks)
        {
            rows.Add(built, block, "dropped", DateTimeOffset.UtcNow.AddDays(1));
        }

        var ledger = new LedgerStore(sink, options);
        Assert.Equal(InsertReply.Stored, await ledger.InsertAsync(rows, default));
        Assert.Equal(InsertReply.Stored, await ledger.InsertAsync(rows, default));
        Assert.Equal(
            "11\t2\t10\n",
            await sink.QueryTextAsync(
                "SELECT count(), countIf(refused = 'dropped' AND process = 'test:2'), uniqExact(from_offset, view) - 1 FROM weir_ledger FINAL",
                "TSV",
                default));
    }

    private static Cut Rejected(long from, bool isReplay = false)
    {
        var cut = new Cut(new PartitionKey("flows", 0), from, 1, _schema.Views.Length, new StringDictionary(100))
        {
            ToOffset = from + 10,
            ReadCount = 10,
            GapOffsetCount = 4,
            IsReplay = isReplay,
        };
        cut.RejectedCount(DecodeStatus.Truncated) = 3;
        cut.RejectedCount(DecodeStatus.PortOutOfRange) = 7;
        cut.CompleteShard(0, 0);
        cut.MarkPlanned();
        return cut;
    }

    private BlockWriter NewWriter(IBlockSink sink, WriterOptions options, out StageQueue<Cut> cuts)
    {
        cuts = new StageQueue<Cut>(BlockWriter.QueueName, 0, FullPolicy.Block, 1_000_000, 1024);
        return new BlockWriter(
            cuts,
            cut => TestBlocks.MakeCut(cut, _schema),
            sink,
            _schema,
            options,
            TimeProvider.System,
            new Random(1),
            _stored.Enqueue,
            (_, error) => _faults.Enqueue(error),
            _logger,
            "test:1");
    }
}
