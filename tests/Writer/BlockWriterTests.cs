using System.Collections.Concurrent;
using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Core.Telemetry;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

[Collection(RealPartsCollection.Name)]
public sealed class BlockWriterTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>
{
    private const int RecordsPerCut = 1000;
    private static readonly StreamSchema _schema = TestBlocks.Schema;
    private readonly StageQueue<Cut> _cuts = new(BlockWriter.QueueName, 0, FullPolicy.Block, 1_000_000, 1024);
    private readonly ConcurrentQueue<Cut> _stored = new();
    private readonly ConcurrentQueue<Exception> _faults = new();
    private readonly RecordingLogger _logger = new();

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task A_server_that_is_absent_at_the_start_and_killed_in_the_middle_has_the_right_sums_at_the_end()
    {
        var options = server.NewOptions();
        await server.StopAsync();
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        await using var writer = NewWriter(sink, options);
        writer.Start();
        Offer(0, 10);
        await Eventually.TrueAsync(() => _logger.Count(4002) > 0, "the server is missed");
        Assert.False(writer.Snapshot().IsWriting);

        await server.StartAsync();
        await Eventually.TrueAsync(() => _stored.Count == 10, "ten cuts are stored");
        Assert.True(writer.Snapshot().IsWriting);
        await server.KillAsync();
        Offer(10, 10);
        await Eventually.TrueAsync(() => writer.Snapshot().LastError is not null, "the server is missed again");
        var waiting = writer.Snapshot();
        await server.StartAsync();
        await writer.DrainAsync(default);

        Assert.Empty(_faults);
        Assert.InRange(waiting.WaitingCutCount, 1, 10);
        Assert.Equal(Enumerable.Range(0, 20).Select(cut => (long)cut * RecordsPerCut), _stored.Select(cut => cut.FromOffset));
        Assert.Equal("20000\n", await sink.QueryTextAsync("SELECT sum(records) FROM edge_1s", "TSV", default));
        Assert.Equal("20000\n", await sink.QueryTextAsync("SELECT sum(records) FROM service_1m", "TSV", default));
        Assert.InRange(_logger.Count(4002), 2, 6); // Each outage once for each cause, not for each attempt.
        Assert.Equal(2, _logger.Count(4003));
        AssertCounters(writer.Snapshot(), 20);
        Assert.All(_logger.Messages, message => Assert.DoesNotContain(ClickHouseServer.Password, message.Text, StringComparison.Ordinal));
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task A_lost_answer_is_sent_again_and_counts_twice_on_a_server_without_tokens_as_its_guarantee_says()
    {
        await using var proxy = new AnswerCuttingProxy(server.Port, answersToLose: 2);
        var options = server.NewOptions() with { Url = proxy.Url };
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        await using var writer = NewWriter(sink, options);
        writer.Start();
        Offer(0, 1);
        await writer.DrainAsync(default);

        Assert.Equal(2, proxy.LostCount);
        Assert.Equal(
            "at least once, because ClickHouse 18.16.1 has no deduplication tokens and its table edge_1s is not replicated",
            writer.Snapshot().Promise!.ToString());
        Assert.Equal(1, writer.Snapshot().RetryCounts[(int)ReplyCause.AnswerLost]); // The second one lost was that of the question why.
        Assert.Equal("2000\n", await sink.QueryTextAsync("SELECT sum(records) FROM edge_1s", "TSV", default));
        Assert.Equal("1000\n", await sink.QueryTextAsync("SELECT sum(records) FROM service_1m", "TSV", default));
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task A_refused_block_stops_the_stage_and_nothing_of_its_cut_is_reported()
    {
        var options = server.NewOptions();
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        await using var writer = NewWriter(sink, options);
        writer.Start();
        Offer(0, 1);
        await Eventually.TrueAsync(() => _stored.Count == 1, "a cut is stored");
        await server.RunAsync($"DROP TABLE {options.Database}.service_1m");
        Offer(1, 5);
        await writer.Completion;

        var fault = Assert.IsType<BlockRefusedException>(Assert.Single(_faults));
        Assert.Equal(60, fault.Reply.Code);
        Assert.Single(_stored);
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task A_refused_block_is_dropped_and_counted_where_the_user_asks_for_it()
    {
        var options = server.NewOptions() with { OnRefused = RefusedBlock.Drop };
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        await using var writer = NewWriter(sink, options);
        writer.Start();
        Offer(0, 1);
        await Eventually.TrueAsync(() => _stored.Count == 1, "a cut is stored");
        await server.RunAsync($"DROP TABLE {options.Database}.service_1m");
        Offer(1, 5);
        await writer.DrainAsync(default);

        Assert.Empty(_faults);
        Assert.Equal(6, _stored.Count);
        Assert.Equal(1, _logger.Count(4005));
        var view = writer.Snapshot().Views.First(view => view.View == "service_1m");
        Assert.Equal((1, 5, 5000, 5000), (view.BlockCount, view.DroppedBlockCount, view.DroppedRowCount, view.DroppedRecordCount));
        Assert.Equal("6000\n", await sink.QueryTextAsync("SELECT sum(records) FROM edge_1s", "TSV", default));
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task Tables_that_differ_stop_the_stage_with_the_statement_that_mends_them()
    {
        var options = server.NewOptions();
        await server.RunAsync($"CREATE DATABASE {options.Database}");
        await server.RunAsync($"CREATE TABLE {options.Database}.edge_1s (time DateTime) ENGINE = Memory");
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        await using var writer = NewWriter(sink, options);
        writer.Start();
        await writer.Completion;

        Assert.Contains("must be a SummingMergeTree", Assert.IsType<SinkUnusableException>(Assert.Single(_faults)).Message, StringComparison.Ordinal);
        Assert.False(writer.Snapshot().IsWriting);
    }

    [Fact]
    public async Task A_stop_while_the_server_is_absent_gives_up_in_time_and_reports_nothing()
    {
        var options = new WriterOptions { Url = new Uri($"http://127.0.0.1:{ClickHouseServer.FreePort()}/") };
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        var writer = NewWriter(sink, options);
        writer.Start();
        Offer(0, 10);
        await Eventually.TrueAsync(() => _logger.Count(4002) > 0, "the server is missed");
        using var timeout = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writer.DrainAsync(timeout.Token));
        await writer.DisposeAsync();

        Assert.Empty(_stored);
        Assert.Empty(_faults);
        Assert.Equal(1, _logger.Count(4008));
        Assert.True(_cuts.IsEmpty);
    }

    private static void AssertCounters(WriterSnapshot snapshot, int cutCount)
    {
        Assert.Equal(cutCount, snapshot.CutCount);
        Assert.Equal(new BlockAccount(cutCount * RecordsPerCut, cutCount * RecordsPerCut, 0, 0, 0, 0), snapshot.Stored);
        Assert.Equal(2L * cutCount * RecordsPerCut, snapshot.RowCount);
        Assert.All(snapshot.Views, view => Assert.Equal((cutCount, 0), (view.BlockCount, view.DroppedBlockCount)));
        Assert.Equal((0, 0), (snapshot.WaitingCutCount, snapshot.WaitingBytes));
        Assert.Equal(TestBlocks.BaseTime, snapshot.EventTimeMax);
        Assert.Equal(
            TimeSpan.FromSeconds(5), snapshot.Freshness(DateTimeOffset.FromUnixTimeSeconds(TestBlocks.BaseTime + 5)));
        Assert.True(snapshot.InsertTime > TimeSpan.Zero);
        var reader = new CountingReader();
        WriterMetrics.Collect(reader, snapshot, DateTimeOffset.UnixEpoch);
        Assert.Equal(WeirMeter.All.Where(metric => metric.Name.StartsWith("weir_writer_", StringComparison.Ordinal)).Order(MetricOrder), reader.Metrics.Order(MetricOrder));
    }

    private static readonly Comparer<MetricDefinition> MetricOrder =
        Comparer<MetricDefinition>.Create((left, right) => string.CompareOrdinal(left.Name, right.Name));

    private BlockWriter NewWriter(IBlockSink sink, WriterOptions options) => new(
        _cuts,
        cut => TestBlocks.MakeCut(cut, _schema),
        sink,
        _schema,
        options with { Retention = new Dictionary<int, TimeSpan>() },
        TimeProvider.System,
        new Random(1),
        _stored.Enqueue,
        (_, error) => _faults.Enqueue(error),
        _logger);

    private void Offer(int firstCut, int cutCount)
    {
        for (var cut = firstCut; cut < firstCut + cutCount; cut++)
        {
            Assert.True(_cuts.Enqueue(TestBlocks.MakeFolded(_schema, cut * RecordsPerCut, RecordsPerCut), RecordsPerCut));
        }
    }

    private sealed class CountingReader : MetricReader
    {
        internal HashSet<MetricDefinition> Metrics { get; } = [];

        public override void Read(MetricDefinition metric, double value, params ReadOnlySpan<string> labelValues)
        {
            Assert.Equal(metric.Labels.Length, labelValues.Length);
            Metrics.Add(metric);
        }

        public override void Read(MetricDefinition metric, HistogramSnapshot histogram, params ReadOnlySpan<string> labelValues)
        {
            Assert.True(histogram.Count > 0, $"{metric.Name} has no value.");
            Metrics.Add(metric);
        }
    }
}
