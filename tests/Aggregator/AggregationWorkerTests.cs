using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Aggregator;
using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Core.Telemetry;
using Xunit;

namespace Weir.Tests.Aggregator;

public class AggregationWorkerTests
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData(41)]
    [InlineData(42)]
    public void Cuts_that_are_open_together_fold_apart(int seed)
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        var folded = new List<Cut>();
        var worker = Inline(bed, folded);
        var random = new Random(seed);
        for (var round = 0; round < 3; round++)
        {
            var cuts = Enumerable.Range(0, 4).Select(partition => bed.OpenCut(partition: partition)).ToList();
            var records = cuts.Select(cut => bed.MakeRecords(random, random.Next(3_000), 50 + random.Next(900), 70)).ToList();
            var chunks = cuts.SelectMany((cut, index) => bed.MakeChunks(cut, records[index], 1 + random.Next(700))).ToArray();
            random.Shuffle(chunks);
            foreach (var chunk in chunks)
            {
                Assert.True(worker.Offer(chunk, default));
            }

            Assert.Equal(0, bed.Chunks.RentedCount);
            foreach (var cut in cuts)
            {
                worker.Offer(RecordChunk.Marker(cut), default);
                Assert.Same(cut, folded[^1]);
            }

            for (var index = 0; index < cuts.Count; index++)
            {
                AssertRows(bed, cuts[index], records[index]);
                Assert.Equal(records[index].Count, cuts[index].Account().FoldedCount);
                cuts[index].ReleaseRows();
            }

            Assert.Equal(0, bed.Rows.RentedCount);
        }

        worker.Dispose();
        Assert.Equal(0, bed.Rows.RentedCount);
    }

    [Fact]
    public void A_cut_without_records_is_handed_over_without_rows()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        var folded = new List<Cut>();
        using var worker = Inline(bed, folded);
        var cut = bed.OpenCut();

        worker.Offer(RecordChunk.Marker(cut), default);

        Assert.Same(cut, Assert.Single(folded));
        Assert.All(bed.Schema.Views, plan => Assert.Null(cut.Rows(0, plan.Index)));
        Assert.Equal(1, worker.Snapshot().CutCount);
    }

    [Fact]
    public void An_abandoned_cut_gives_its_rows_back_and_keeps_its_account()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        var folded = new List<Cut>();
        using var worker = Inline(bed, folded);
        var cut = bed.OpenCut();
        var records = bed.MakeRecords(new Random(1), 500, 100, 2);
        cut.ReadCount = records.Count;
        FoldInto(bed, worker, cut, records);
        cut.Abandon();

        worker.Offer(RecordChunk.Marker(cut), default);

        Assert.Same(cut, Assert.Single(folded));
        Assert.True(cut.Account().Closes);
        Assert.All(bed.Schema.Views, plan => Assert.Null(cut.Rows(0, plan.Index)));
        Assert.Equal(0, bed.Rows.RentedCount);
        Assert.Equal(1, worker.Snapshot().AbandonedCutCount);
        Assert.Equal(0, worker.Snapshot().Views.Sum(view => view.OpenSeriesCount));
    }

    [Fact]
    public void Shards_in_threads_fold_everything_once_and_the_last_one_hands_each_cut_over()
    {
        const int ShardCount = 3;
        using var bed = new FoldBed(FoldBed.MixedSchema());
        var folded = new BlockingCollection<Cut>();
        var failures = new ConcurrentQueue<Exception>();
        var shards = Enumerable.Range(0, ShardCount).Select(index => new QueuedShard(index, FullPolicy.Block, 4_096, bed.Chunks)).ToList();
        var workers = shards.Select((shard, index) => new AggregationWorker(
            index, bed.Schema, bed.Rows, bed.Chunks, shard.Queue, folded.Add, failures.Enqueue, TimeProvider.System, NullLogger.Instance)).ToList();
        workers.ForEach(worker => worker.Start());
        var random = new Random(51);
        var expected = new Dictionary<Cut, List<TestRecord>>();
        for (var number = 0; number < 12; number++)
        {
            var cut = bed.OpenCut(ShardCount, number);
            var records = bed.MakeRecords(random, 2_500, 600, 3);
            expected.Add(cut, records);
            foreach (var part in records.Chunk(700))
            {
                for (var index = 0; index < ShardCount; index++)
                {
                    shards[index].Offer(bed.MakeChunk(cut, part.Where(record => (int)(record.TagHash % ShardCount) == index)), default);
                }
            }

            shards.ForEach(shard => shard.Offer(RecordChunk.Marker(cut), default));
        }

        shards.ForEach(shard => shard.Queue.Complete());
        Assert.All(workers, worker => Assert.True(worker.Join(_deadline)));

        Assert.Empty(failures);
        Assert.Equal(expected.Count, folded.Count);
        foreach (var cut in folded)
        {
            Assert.Equal(expected[cut].Count, cut.Account().FoldedCount);
            AssertRows(bed, cut, expected[cut]);
            cut.ReleaseRows();
        }

        Assert.Equal(12 * 2_500, workers.Sum(worker => worker.Snapshot().FoldedCount));
        workers.ForEach(worker => worker.Dispose());
        Assert.Equal(0, bed.Rows.RentedCount);
        Assert.Equal(0, bed.Chunks.RentedCount);
    }

    [Fact]
    public void A_marker_ends_its_cut_after_the_chunks_before_it_and_before_those_behind_it()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        var folded = new List<(Cut Cut, long FoldedCount)>();
        var shard = new QueuedShard(0, FullPolicy.Block, 100_000, bed.Chunks);
        using var worker = new AggregationWorker(
            0, bed.Schema, bed.Rows, bed.Chunks, shard.Queue, cut => folded.Add((cut, cut.Account().FoldedCount)), Fail, TimeProvider.System, NullLogger.Instance);
        var (first, second) = (bed.OpenCut(), bed.OpenCut());
        var records = bed.MakeRecords(new Random(2), 1_000, 100, 1);
        shard.Offer(bed.MakeChunk(first, records.Take(300)), default);
        shard.Offer(bed.MakeChunk(second, records.Take(7)), default);
        shard.Offer(bed.MakeChunk(first, records.Take(200)), default);
        shard.Offer(RecordChunk.Marker(first), default);
        shard.Offer(bed.MakeChunk(second, records.Take(11)), default);
        shard.Offer(RecordChunk.Marker(second), default);

        while (worker.TryProcessNext(TimeSpan.Zero))
        {
        }

        Assert.Equal([(first, 500L), (second, 18L)], folded);
        first.ReleaseRows();
        second.ReleaseRows();
        Assert.Equal(0, bed.Rows.RentedCount);
    }

    [Fact]
    public void A_worker_that_ends_with_open_cuts_gives_their_memory_back()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        var worker = Inline(bed, []);
        FoldInto(bed, worker, bed.OpenCut(), bed.MakeRecords(new Random(3), 2_000, 2_000, 1));
        Assert.True(bed.Rows.RentedCount > 0);
        Assert.True(worker.Snapshot().TableBytes > 2_000 * 100);

        worker.Dispose();

        Assert.Equal(0, bed.Rows.RentedCount);
    }

    [Fact]
    public void A_fault_in_the_thread_reaches_the_host()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        var shard = new QueuedShard(0, FullPolicy.Block, 10_000, bed.Chunks);
        var failures = new BlockingCollection<Exception>();
        using var worker = new AggregationWorker(
            0, bed.Schema, bed.Rows, bed.Chunks, shard.Queue, _ => throw new InvalidOperationException("broken"), failures.Add, TimeProvider.System, NullLogger.Instance);
        worker.Start();

        shard.Offer(RecordChunk.Marker(bed.OpenCut()), default);

        Assert.True(failures.TryTake(out var failure, _deadline));
        Assert.Equal("broken", failure.Message);
        Assert.True(worker.Join(_deadline));
    }

    [Fact]
    public void Counters_and_metrics_say_what_was_folded_and_what_overflowed()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema(seriesMax: 100));
        var log = new RecordingLogger();
        var folded = new List<Cut>();
        using var worker = new AggregationWorker(
            3, bed.Schema, bed.Rows, bed.Chunks, null, folded.Add, Fail, TimeProvider.System, log);
        FoldInto(bed, worker, bed.OpenCut(), bed.MakeRecords(new Random(4), 1_000, 20, 1));
        var cut = bed.OpenCut();
        FoldInto(bed, worker, cut, bed.MakeRecords(new Random(5), 2_000, 1_000_000, 1));

        var open = worker.Snapshot();
        Assert.Equal(3_000, open.FoldedCount);
        Assert.Equal(2, open.OpenCutCount);
        Assert.Equal(20 + 101, open.Views[0].OpenSeriesCount);
        Assert.Equal(1_900, open.Views[0].OverflowRecordCount);

        worker.Offer(RecordChunk.Marker(cut), default);
        FoldInto(bed, worker, cut = bed.OpenCut(), bed.MakeRecords(new Random(4), 100, 20, 1));
        worker.Offer(RecordChunk.Marker(cut), default);

        var closed = worker.Snapshot();
        Assert.Equal(1, closed.OpenCutCount);
        Assert.Equal(20, closed.Views[0].CutSeriesCount);
        Assert.Equal(20, closed.Views[0].OpenSeriesCount);
        Assert.True(closed.BusyTime > TimeSpan.Zero);
        Assert.Equal([3001, 3002], log.EventIds.Distinct().Order());
        var metrics = new RecordingReader();
        worker.Collect(metrics);
        Assert.Equal(3_100, metrics.Values[("weir_aggregation_folded_records_total", "3")]);
        Assert.Equal(1_900, metrics.Values[("weir_aggregation_overflow_records_total", $"3,{closed.Views[0].View}")]);
        Assert.Equal(2, metrics.Values[("weir_aggregation_cuts_total", "3")]);
        folded.ForEach(done => done.ReleaseRows());
    }

    [Fact]
    public void Folding_chunks_of_known_series_allocates_nothing()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        using var worker = Inline(bed, []);
        var cut = bed.OpenCut();
        var records = bed.MakeRecords(new Random(6), 1_000, 200, 1);
        for (var warmUp = 0; warmUp < 100; warmUp++)
        {
            bed.MakeChunks(cut, records, 100).ToList().ForEach(chunk => worker.Offer(chunk, default));
        }

        var chunks = bed.MakeChunks(cut, records, 100).ToList();
        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var chunk in chunks)
        {
            worker.Offer(chunk, default);
        }

        // A list's enumerator is a struct, and chunks go back to a stack that has held them all before.
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static void Fail(Exception error) => throw new InvalidOperationException("The worker failed.", error);

    private static AggregationWorker Inline(FoldBed bed, List<Cut> folded) => new(
        0, bed.Schema, bed.Rows, bed.Chunks, null, folded.Add, Fail, TimeProvider.System, NullLogger.Instance);

    private static void FoldInto(FoldBed bed, AggregationWorker worker, Cut cut, List<TestRecord> records)
    {
        foreach (var chunk in bed.MakeChunks(cut, records))
        {
            worker.Offer(chunk, default);
        }
    }

    private static void AssertRows(FoldBed bed, Cut cut, List<TestRecord> records)
    {
        foreach (var plan in bed.Schema.Views)
        {
            var stores = Enumerable.Range(0, cut.ShardCount).Select(shard => cut.Rows(shard, plan.Index));
            FoldBed.AssertSame(bed.Oracle(plan, records), bed.Read(plan, stores, mayRepeat: cut.ShardCount > 1));
        }
    }

    private sealed class RecordingReader : MetricReader
    {
        internal Dictionary<(string Name, string Labels), double> Values { get; } = [];

        public override void Read(MetricDefinition metric, double value, params ReadOnlySpan<string> labelValues)
        {
            Assert.Contains(metric, WeirMeter.All);
            Assert.Equal(metric.Labels.Length, labelValues.Length);
            Values.Add((metric.Name, string.Join(',', labelValues.ToArray())), value);
        }
    }

    private sealed class RecordingLogger : ILogger
    {
        internal List<int> EventIds { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            EventIds.Add(eventId.Id);
    }
}
