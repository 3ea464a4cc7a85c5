using System.Text.Json;
using Weir.Core.Model;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

/// <summary>The inserter's decisions, against a sink that answers as the test says.</summary>
public sealed class BlockInserterTests : IDisposable
{
    private static readonly StreamSchema _schema = TestBlocks.Schema;
    private static readonly InsertReply _lost = InsertReply.Failed(ReplyCause.AnswerLost, 0, "cut");
    private static readonly InsertReply _refused = InsertReply.Failed(ReplyCause.Schema, 16, "no such column");
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-dead-").FullName;
    private readonly ManualTimeProvider _time = new();
    private readonly RecordingLogger _logger = new();
    private readonly WriterCounters _counters = new(_schema);
    private readonly ScriptedSink _sink = new();

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_replay_asks_the_ledger_first_and_sends_what_it_lacks()
    {
        _sink.Ledger = "0\tedge_1s\n";
        using var built = Built(isReplay: true);

        Assert.True(await NewInserter(new WriterOptions(), out var rows).InsertAsync(built, default));

        Assert.Equal(["service_1m"], _sink.Sent);
        Assert.Equal(1, rows.Count);
        Assert.Equal(1, _counters.Snapshot(0).KnownBlockCount);
        Assert.All(_counters.Snapshot(0).Views, view => Assert.Equal(1, view.BlockCount));
    }

    [Fact]
    public async Task A_first_attempt_does_not_ask_and_one_after_the_window_does()
    {
        _counters.Connected(new SinkPromise(true, "") { Window = TimeSpan.FromMinutes(10) });
        _sink.Replies.Enqueue(_lost);
        using var built = Built();
        var run = NewInserter(new WriterOptions(), out _).InsertAsync(built, default);
        Assert.Equal(0, _sink.AskedCount);
        _sink.Ledger = "0\tedge_1s\n"; // Another process has stored it meanwhile.
        _time.Advance(TimeSpan.FromMinutes(6)); // Above half of the window.

        Assert.True(await run);
        Assert.Equal(1, _sink.AskedCount);
        Assert.Equal(["edge_1s", "service_1m"], _sink.Sent);
        Assert.Equal(1, _counters.Snapshot(0).KnownBlockCount);
        Assert.Equal(0, _counters.Snapshot(0).UnsureBlockCount);
    }

    [Fact]
    public async Task A_block_whose_answer_was_lost_before_the_window_is_sent_again_and_said_to_be_unsure()
    {
        _counters.Connected(new SinkPromise(true, "") { Window = TimeSpan.FromMinutes(10) });
        _sink.Replies.Enqueue(_lost);
        using var built = Built();
        var run = NewInserter(new WriterOptions(), out _).InsertAsync(built, default);
        _time.Advance(TimeSpan.FromMinutes(6));

        Assert.True(await run);
        Assert.Equal(["edge_1s", "edge_1s", "service_1m"], _sink.Sent);
        Assert.Equal(1, _counters.Snapshot(0).UnsureBlockCount);
        Assert.Equal(1, _logger.Count(4010));
        Assert.Equal([("edge_1s", 2, "cut"), ("service_1m", 1, null)], built.Inserts.Select(insert => (insert.View, insert.AttemptCount, insert.LastError)));
        Assert.Equal([TimeSpan.FromMinutes(6), TimeSpan.Zero], built.Inserts.Select(insert => insert.Duration));
    }

    [Theory]
    [InlineData(BlockCompression.None)]
    [InlineData(BlockCompression.Lz4)]
    [InlineData(BlockCompression.Zstd)]
    public async Task A_refused_block_goes_to_the_directory_as_bare_native_bytes_with_its_reason(BlockCompression compression)
    {
        var options = Options(1 << 20);
        using var fixture = new CutFixture(_schema);
        using var framing = new BlockBuilder(_schema, options with { Compression = compression }, fixture.Budget);
        using var bare = new BlockBuilder(_schema, options with { EmbeddedPath = "x" }, fixture.Budget);
        var records = TestRecords.Random(_schema, new Random(1), 500, spread: 20);
        using var built = framing.Build(fixture.Make(records));
        using var expected = bare.Build(fixture.Make(records));
        _sink.Replies.Enqueue(_refused);
        _sink.Replies.Enqueue(InsertReply.Stored);

        Assert.True(await NewInserter(options, out var rows).InsertAsync(built, default));

        var file = Path.Combine(_directory, "weir1:flows:3:1000-2000:edge_1s:0");
        Assert.Equal(NativeBlockReader.Join(expected.Blocks[0].Pieces), await File.ReadAllBytesAsync($"{file}.native"));
        using var details = JsonDocument.Parse(await File.ReadAllTextAsync($"{file}.json"));
        Assert.Equal("weir1:flows:3:1000-2000:edge_1s:0", details.RootElement.GetProperty("name").GetString());
        Assert.Equal("no such column", details.RootElement.GetProperty("reason").GetString());
        Assert.Equal(16, details.RootElement.GetProperty("code").GetInt32());
        Assert.Equal(500, details.RootElement.GetProperty("records").GetInt32());
        Assert.Equal("time", details.RootElement.GetProperty("columns")[0].GetString());
        Assert.StartsWith("read 500 = folded 500", details.RootElement.GetProperty("account").GetString(), StringComparison.Ordinal);
        Assert.Equal(2, Directory.GetFiles(_directory).Length);
        var view = _counters.Snapshot(0).Views[0];
        Assert.Equal((1, 500, 0), (view.DeadLetterBlockCount, view.DeadLetterRecordCount, view.DroppedBlockCount));
        Assert.Equal(1, _logger.Count(4009));
        Assert.Equal(["dead_letter", ""], Lines(rows).Select(line => line.GetProperty("refused").GetString()));
    }

    [Fact]
    public async Task A_directory_that_is_full_stops_the_stage_and_keeps_what_it_has()
    {
        using var first = Built();
        var options = Options(first.Blocks[0].RawBytes + 2_000);
        _sink.Replies.Enqueue(_refused);
        await NewInserter(options, out _).InsertAsync(first, default);
        using var second = Built(fromOffset: 1000);
        _sink.Replies.Enqueue(_refused);

        var error = await Assert.ThrowsAsync<BlockRefusedException>(() => NewInserter(options, out _).InsertAsync(second, default));

        Assert.Contains("clickhouse.refused_directory_max", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, Directory.GetFiles(_directory).Length);
        _sink.Replies.Enqueue(_refused);
        Assert.True(await NewInserter(options, out _).InsertAsync(first, default)); // The same block replaces itself.
    }

    [Fact]
    public async Task A_dropped_block_is_in_the_ledger_as_dropped_and_an_abandoned_cut_is_not_at_all()
    {
        _sink.Replies.Enqueue(_refused);
        using var built = Built();
        await NewInserter(new WriterOptions { OnRefused = RefusedBlock.Drop }, out var rows).InsertAsync(built, default);
        using var abandoned = Built(fromOffset: 1000);
        abandoned.Cut.Abandon();

        Assert.False(await NewInserter(new WriterOptions(), out var none).InsertAsync(abandoned, default));
        Assert.Equal(["dropped", ""], Lines(rows).Select(line => line.GetProperty("refused").GetString()));
        Assert.Equal(0, none.Count);
    }

    private static List<JsonElement> Lines(LedgerRows rows) =>
        [.. System.Text.Encoding.UTF8.GetString(rows.Bytes.Span).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement)];

    private static BuiltCut Built(long fromOffset = 0, bool isReplay = false) =>
        TestBlocks.MakeCut(TestBlocks.MakeFolded(_schema, fromOffset, 100, isReplay), _schema);

    private WriterOptions Options(long bytesMax) => new()
    {
        OnRefused = RefusedBlock.DeadLetter,
        DeadLetterDirectory = _directory,
        DeadLetterBytesMax = bytesMax,
    };

    private BlockInserter NewInserter(WriterOptions options, out LedgerRows rows)
    {
        rows = new LedgerRows("test:1");
        var retries = new RetryLoop("test", options, _time, new Random(1), _counters, _logger);
        return new BlockInserter(_sink, options, retries, new LedgerStore(_sink, options), rows, _counters, _time, _logger);
    }

    private sealed class ScriptedSink : IBlockSink
    {
        internal Queue<InsertReply> Replies { get; } = [];

        internal List<string> Sent { get; } = [];

        internal string Ledger { get; set; } = "";

        internal int AskedCount { get; private set; }

        public string Description => "script";

        public Task<ServerFeatures> ConnectAsync(CancellationToken cancel) => throw new NotSupportedException();

        public Task<InsertReply> InsertAsync(Block block, CancellationToken cancel)
        {
            Sent.Add(block.Name.View);
            return Task.FromResult(Replies.Count > 0 ? Replies.Dequeue() : InsertReply.Stored);
        }

        public Task<InsertReply> InsertRowsAsync(
            string table, IReadOnlyList<string> columns, string format, ReadOnlyMemory<byte> rows, CancellationToken cancel) =>
            Task.FromResult(InsertReply.Stored);

        public async Task QueryAsync(string sql, string format, Stream output, CancellationToken cancel)
        {
            AskedCount++;
            await output.WriteAsync(System.Text.Encoding.UTF8.GetBytes(Ledger), cancel);
        }

        public Task ExecuteAsync(string statement, CancellationToken cancel) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
