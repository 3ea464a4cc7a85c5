using Weir.Core.Queues;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Core;

public class StageQueueTests
{
    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData(FullPolicy.Block, 1)]
    [InlineData(FullPolicy.Block, 2)]
    [InlineData(FullPolicy.Drop, 3)]
    [InlineData(FullPolicy.Drop, 4)]
    [InlineData(FullPolicy.Overwrite, 5)]
    [InlineData(FullPolicy.Overwrite, 6)]
    [InlineData(FullPolicy.Overwrite, 7)]
    public void Random_operations_keep_the_equations_the_order_and_every_marker(FullPolicy policy, int seed)
    {
        var random = new Random(seed);
        var overwritten = new List<Item>();
        var queue = new StageQueue<Item>("test", 0, policy, 100, 20, (item, count) =>
        {
            Assert.Equal(item.RecordCount, count);
            overwritten.Add(item);
        });
        var (taken, expected) = (new List<Item>(), new List<Item>());
        for (var step = 0; step < 5_000; step++)
        {
            var before = queue.Snapshot();
            if (random.Next(100) < 60)
            {
                var item = new Item(step, random.Next(4) == 0 ? 0 : 1 + random.Next(20));
                if (policy == FullPolicy.Block && (before.Depth + item.RecordCount > 100 || before.SlotsUsed >= 10))
                {
                    continue; // One thread cannot wait for itself.
                }

                if (queue.Enqueue(item, item.RecordCount))
                {
                    expected.Add(item);
                }
                else
                {
                    Assert.Equal(FullPolicy.Drop, policy);
                    Assert.NotEqual(0, item.RecordCount);
                }
            }
            else if (queue.TryDequeue(TimeSpan.Zero, out var item, out _))
            {
                taken.Add(item);
            }

            AssertEquations(queue.Snapshot());
            Assert.InRange(queue.Snapshot().Depth, 0, 100);
        }

        while (queue.TryDequeue(TimeSpan.Zero, out var item, out _))
        {
            taken.Add(item);
        }

        // What was not pushed out comes in the order in which it was put, markers in their places among it.
        Assert.Equal(expected.Except(overwritten), taken);
        Assert.DoesNotContain(overwritten, item => item.RecordCount == 0);
        var end = queue.Snapshot();
        Assert.Equal(taken.Sum(item => item.RecordCount), end.DequeuedCount);
        Assert.Equal(overwritten.Sum(item => item.RecordCount), end.OverwrittenCount);
        Assert.Equal(policy == FullPolicy.Drop, end.DroppedCount > 0);
        Assert.Equal(policy == FullPolicy.Overwrite, end.OverwrittenCount > 0);
    }

    [Fact]
    public void Overwriting_takes_the_oldest_records_and_leaves_the_markers_in_front_of_the_next()
    {
        var overwritten = new List<Item>();
        var queue = new StageQueue<Item>("test", 0, FullPolicy.Overwrite, 20, 10, (item, _) => overwritten.Add(item));
        Item[] items = [new(0, 0), new(1, 10), new(2, 0), new(3, 10), new(4, 0), new(5, 10)];
        foreach (var item in items)
        {
            Assert.True(queue.Enqueue(item, item.RecordCount));
        }

        Assert.Equal([items[1]], overwritten);
        Assert.Equal([items[0], items[2], items[3], items[4], items[5]], Drain(queue));
    }

    [Theory]
    [InlineData(FullPolicy.Block)]
    [InlineData(FullPolicy.Drop)]
    [InlineData(FullPolicy.Overwrite)]
    public void Each_reading_counts_to_the_chunk_what_the_consumer_has(FullPolicy policy)
    {
        var queue = new StageQueue<Item>("test", 0, policy, 1_000, 10, (_, _) => Assert.Fail("There is room."));
        for (var number = 0; number < 100; number++)
        {
            Assert.True(queue.Enqueue(new Item(number, 10), 10));
        }

        for (var number = 0; number < 100; number++)
        {
            Assert.False(queue.IsEmpty);
            Assert.True(queue.TryDequeue(TimeSpan.Zero, out var item, out _));
            Assert.Equal(number, item.Number);
            var reading = queue.Snapshot();
            Assert.Equal((10L * (number + 1), 990L, 99), (reading.DequeuedCount, reading.Depth, reading.SlotsUsed));
            Assert.True(queue.Enqueue(new Item(100 + number, 10), 10)); // The room is there at once.
            AssertEquations(queue.Snapshot());
        }

        Assert.Equal(Enumerable.Range(100, 100), Drain(queue).Select(item => item.Number));
        Assert.True(queue.IsEmpty);
    }

    [Fact]
    public void Handing_chunks_over_allocates_nothing()
    {
        var queue = new StageQueue<Item>("test", 0, FullPolicy.Block, 10_000, 10);
        var item = new Item(0, 10);
        HandOver(queue, item);
        var before = GC.GetAllocatedBytesForCurrentThread();
        HandOver(queue, item);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        // The control: a new item each time.
        before = GC.GetAllocatedBytesForCurrentThread();
        HandOver(queue, new Item(1, 10));
        Assert.True(GC.GetAllocatedBytesForCurrentThread() > before);
    }

    [Fact]
    public void A_full_queue_takes_markers_by_every_policy()
    {
        foreach (var policy in Enum.GetValues<FullPolicy>())
        {
            var queue = new StageQueue<Item>("test", 0, policy, 10, 10, (_, _) => Assert.Fail("Nothing is pushed out."));
            Assert.True(queue.Enqueue(new Item(0, 10), 10));
            for (var marker = 1; marker <= 1_000; marker++)
            {
                Assert.True(queue.Enqueue(new Item(marker, 0), 0));
            }

            Assert.Equal(1_001, Drain(queue).Count);
        }
    }

    [Fact]
    public void Many_small_chunks_fill_a_queue_by_their_number()
    {
        var queue = new StageQueue<Item>("test", 0, FullPolicy.Drop, 100, 10);
        var takenCount = Enumerable.Range(0, 100).Count(number => queue.Enqueue(new Item(number, 1), 1));

        Assert.Equal(20, takenCount); // Twice the ten full chunks.
        Assert.Equal(80, queue.Snapshot().DroppedCount);
    }

    [Fact]
    public void Producers_that_wait_are_woken_by_room_and_their_wait_is_counted_while_it_lasts()
    {
        var queue = new StageQueue<Item>("test", 0, FullPolicy.Block, 10, 10);
        Assert.True(queue.Enqueue(new Item(0, 10), 10));
        var producers = Enumerable.Range(1, 3).Select(number => InThread(() => Assert.True(queue.Enqueue(new Item(number, 10), 10)))).ToList();
        Eventually.True(() => queue.Snapshot().ProducerWait > TimeSpan.Zero, "the wait shows before it ends");
        var waited = queue.Snapshot().ProducerWait;
        Eventually.True(() => queue.Snapshot().ProducerWait > waited, "the wait grows");

        var items = new List<Item>();
        while (items.Count < 4 && queue.TryDequeue(_deadline, out var item, out _))
        {
            items.Add(item);
        }

        Assert.All(producers, producer => Assert.True(producer.Join(_deadline)));
        Assert.Equal([0, 1, 2, 3], items.Select(item => item.Number).Order());
        Assert.Equal(0, queue.Snapshot().DroppedCount);
        var ended = queue.Snapshot().ProducerWait;
        Assert.True(ended > waited);
        Assert.Equal(ended, queue.Snapshot().ProducerWait);
    }

    [Fact]
    public void A_cancelled_producer_keeps_its_chunk_and_nothing_is_counted()
    {
        using var cancel = new CancellationTokenSource();
        var queue = new StageQueue<Item>("test", 0, FullPolicy.Block, 10, 10);
        queue.Enqueue(new Item(0, 10), 10);
        var taken = true;
        var producer = InThread(() => taken = queue.Enqueue(new Item(1, 10), 10, cancel.Token));

        cancel.Cancel();

        Assert.True(producer.Join(_deadline));
        Assert.False(taken);
        Assert.Equal(10, queue.Snapshot().OfferedCount);
        Assert.Single(Drain(queue));
    }

    [Fact]
    public void Completion_refuses_offers_wakes_producers_and_leaves_the_rest_to_the_consumer()
    {
        var queue = new StageQueue<Item>("test", 0, FullPolicy.Block, 10, 10);
        queue.Enqueue(new Item(0, 10), 10);
        var taken = true;
        var producer = InThread(() => taken = queue.Enqueue(new Item(1, 10), 10));

        queue.Complete();

        Assert.True(producer.Join(_deadline));
        Assert.False(taken);
        Assert.False(queue.Enqueue(new Item(2, 0), 0));
        Assert.False(queue.IsDrained);
        Assert.Single(Drain(queue));
        Assert.True(queue.IsDrained);
        Assert.False(queue.TryDequeue(Timeout.InfiniteTimeSpan, out _, out _)); // Does not wait for what cannot come.
    }

    [Theory]
    [InlineData(FullPolicy.Block)]
    [InlineData(FullPolicy.Drop)]
    [InlineData(FullPolicy.Overwrite)]
    public void Two_producers_and_a_consumer_agree_with_the_counters_to_the_record(FullPolicy policy)
    {
        var overwrittenCount = 0L;
        var queue = new StageQueue<Item>(
            "test", 0, policy, 200, 20, (_, count) => Interlocked.Add(ref overwrittenCount, count), gatherChunks: 4);
        long offeredCount = 0, droppedCount = 0, dequeuedCount = 0, markerCount = 0;
        var producers = Enumerable.Range(0, 2).Select(seed => InThread(() =>
        {
            var random = new Random(seed);
            for (var number = 0; number < 20_000; number++)
            {
                var count = number % 50 == 0 ? 0 : 1 + random.Next(20);
                Interlocked.Add(ref offeredCount, count);
                if (!queue.Enqueue(new Item(number, count), count))
                {
                    Interlocked.Add(ref droppedCount, count);
                }
            }
        })).ToList();
        var consumer = InThread(() =>
        {
            while (true)
            {
                if (queue.TryDequeue(_deadline, out _, out var count))
                {
                    dequeuedCount += count;
                    markerCount += count == 0 ? 1 : 0;
                    AssertEquations(queue.Snapshot());
                }
                else if (queue.IsDrained)
                {
                    return;
                }
            }
        });

        Assert.All(producers, producer => Assert.True(producer.Join(_deadline)));
        queue.Complete();
        Assert.True(consumer.Join(_deadline));

        var end = queue.Snapshot();
        Assert.Equal(
            (offeredCount, droppedCount, overwrittenCount, dequeuedCount, 0L),
            (end.OfferedCount, end.DroppedCount, end.OverwrittenCount, end.DequeuedCount, end.Depth));
        Assert.Equal(800, markerCount);
    }

    [Fact]
    public void A_waiting_consumer_lets_chunks_come_together()
    {
        var queue = new StageQueue<Item>(
            "test", 0, FullPolicy.Block, 1_000, 10, gatherChunks: 16, gatherTime: TimeSpan.FromHours(1));
        queue.Enqueue(new Item(0, 10), 10);
        var (taken, leftCount) = (-1, -1);
        var consumer = InThread(() =>
        {
            Assert.True(queue.TryDequeue(_deadline, out var item, out _));
            (taken, leftCount) = (item.Number, queue.Snapshot().SlotsUsed);
        });
        AwaitGathering(queue, consumer);
        for (var number = 1; number < 16; number++)
        {
            queue.Enqueue(new Item(number, 10), 10);
        }

        Assert.True(consumer.Join(_deadline));
        Assert.Equal((0, 15), (taken, leftCount));
    }

    [Theory]
    [InlineData(0, false, false)] // The time is over.
    [InlineData(1, true, false)] // A marker comes.
    [InlineData(1, false, true)] // The queue is completed.
    public void A_consumer_waits_for_more_no_longer_than_it_has_to(int gatherHours, bool hasMarker, bool isCompleted)
    {
        var queue = new StageQueue<Item>(
            "test", 0, FullPolicy.Block, 1_000, 10, gatherChunks: 16, gatherTime: TimeSpan.FromHours(gatherHours));
        queue.Enqueue(new Item(7, 10), 10);
        var taken = -1;
        var consumer = InThread(() => taken = queue.TryDequeue(_deadline, out var item, out _) ? item.Number : -1);
        AwaitGathering(queue, consumer);
        if (hasMarker)
        {
            queue.Enqueue(new Item(8, 0), 0);
        }

        if (isCompleted)
        {
            queue.Complete();
        }

        Assert.True(consumer.Join(_deadline));
        Assert.Equal(7, taken);
    }

    [Fact]
    public void A_producer_that_waits_for_room_is_never_waited_for()
    {
        var queue = new StageQueue<Item>(
            "test", 0, FullPolicy.Block, 40, 10, gatherChunks: 100, gatherTime: TimeSpan.FromHours(1));
        var producer = InThread(() =>
        {
            for (var number = 0; number < 100; number++)
            {
                Assert.True(queue.Enqueue(new Item(number, 10), 10));
            }

            queue.Complete();
        });
        var takenCount = 0;
        while (queue.TryDequeue(_deadline, out _, out _))
        {
            takenCount++;
        }

        Assert.True(producer.Join(_deadline));
        Assert.Equal(100, takenCount);
    }

    [Fact]
    public void The_deepest_reading_is_kept_since_the_start_and_for_each_interval()
    {
        var queue = new StageQueue<Item>("test", 0, FullPolicy.Block, 100, 10);
        queue.Enqueue(new Item(0, 10), 10);
        queue.Enqueue(new Item(1, 10), 10);
        Drain(queue);

        Assert.Equal((20, 20), Depths(queue.Snapshot(endInterval: true)));
        queue.Enqueue(new Item(2, 5), 5);
        Assert.Equal((20, 5), Depths(queue.Snapshot()));
    }

    private static (long Max, long MaxInterval) Depths(QueueSnapshot snapshot) => (snapshot.DepthMax, snapshot.DepthMaxInterval);

    private static void AssertEquations(QueueSnapshot reading)
    {
        Assert.Equal(reading.OfferedCount, reading.EnqueuedCount + reading.DroppedCount);
        Assert.Equal(reading.EnqueuedCount, reading.DequeuedCount + reading.OverwrittenCount + reading.Depth);
    }

    private static List<Item> Drain(StageQueue<Item> queue)
    {
        var items = new List<Item>();
        while (queue.TryDequeue(TimeSpan.Zero, out var item, out _))
        {
            items.Add(item);
        }

        return items;
    }

    private static void HandOver(StageQueue<Item> queue, Item item)
    {
        for (var number = 0; number < 300; number++)
        {
            Assert.True(queue.Enqueue(item, item.RecordCount));
        }

        while (queue.TryDequeue(TimeSpan.Zero, out _, out _))
        {
        }
    }

    /// <summary>Returns when a consumer that has found a chunk waits for more, or has gone on without.</summary>
    private static void AwaitGathering(StageQueue<Item> queue, Thread consumer) => Eventually.True(
        () => queue.Snapshot().SlotsUsed == 0 || consumer.ThreadState.HasFlag(ThreadState.WaitSleepJoin), "the consumer waits for more");

    private static Thread InThread(Action body)
    {
        var thread = new Thread(() => body()) { IsBackground = true };
        thread.Start();
        return thread;
    }

    private sealed record Item(int Number, int RecordCount);
}
