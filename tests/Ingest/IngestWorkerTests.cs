using Weir.Core.Model;
using Weir.Ingest;
using Xunit;

namespace Weir.Tests.Ingest;

public sealed class IngestWorkerTests
{
    [Fact]
    public void Partitions_are_cut_at_the_tick_of_the_flush_interval_and_never_before()
    {
        using var harness = new WorkerHarness();
        var first = harness.Assign(0, committedOffset: 100);
        var second = harness.Assign(1);
        harness.Produce(first, WorkerHarness.Records(3));
        harness.Produce(second, WorkerHarness.Records(2));

        harness.Step(4_000);
        harness.Step(9_999);
        Assert.Empty(harness.Shards.Closed);

        harness.Step(10_000);
        Assert.Equal([(0, 100L, 101L), (1, 0L, 1L)], RangesOf(harness));
        Assert.All(harness.Shards.Closed, cut => Assert.True(cut.Account().Closes));
        Assert.Same(harness.Shards.Closed[0], first.InFlightCut);
    }

    [Fact]
    public void A_due_cut_waits_until_the_one_in_flight_is_stored()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        harness.Produce(state, WorkerHarness.Records(1));
        harness.Step(1_000);
        harness.Step(10_000);
        harness.Produce(state, WorkerHarness.Records(1));
        harness.Step(11_000);
        harness.Step(20_000);
        harness.Produce(state, WorkerHarness.Records(1));
        harness.Step(21_000);
        Assert.Equal([(0, 0L, 1L)], RangesOf(harness));

        harness.Post(WorkerCommandKind.Stored, state);
        harness.Step(21_001);

        Assert.Equal([(0, 0L, 1L), (0, 1L, 3L)], RangesOf(harness));
    }

    [Fact]
    public void An_empty_range_makes_no_cut()
    {
        using var harness = new WorkerHarness();
        harness.Assign(committedOffset: 5);

        harness.Step(10_000);
        harness.Step(20_000);

        Assert.Empty(harness.Shards.Closed);
        Assert.Equal(0, harness.Context.Strings.RentedCount);
    }

    [Fact]
    public void A_message_without_records_still_moves_the_offset_that_is_committed()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        harness.Produce(state, new TestRecord(0, 0, Kind: TestFormat.Marker));
        harness.Step(1);
        harness.Step(10_000);

        var cut = Assert.Single(harness.Shards.Closed);
        Assert.Equal((0, 1), (cut.FromOffset, cut.ToOffset));
        Assert.Equal(0, cut.ReadCount);
        Assert.Equal(1, harness.Counters.MarkerCount);
        Assert.Equal(0, harness.Shards.ChunkCount);
        Assert.Equal(0, harness.Shards.Pool.RentedCount);
    }

    [Fact]
    public void Offsets_that_the_broker_no_longer_has_are_counted_as_a_gap_within_the_range_of_the_cut()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign(committedOffset: 10);
        harness.ProduceAt(state, 25, TestFormat.Encode(WorkerHarness.Records(1)), -1);
        harness.ProduceAt(state, 26, TestFormat.Encode(WorkerHarness.Records(1)), -1);
        harness.ProduceAt(state, 30, TestFormat.Encode(WorkerHarness.Records(1)), -1);
        harness.Step(1);
        harness.Step(10_000);

        Assert.Equal(15 + 3, harness.Counters.GapOffsetCount);
        Assert.Equal([(0, 10L, 31L)], RangesOf(harness));
    }

    [Fact]
    public void A_first_start_at_an_offset_above_0_is_no_gap()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        harness.ProduceAt(state, 500, TestFormat.Encode(WorkerHarness.Records(1)), -1);
        harness.Step(1);
        harness.Step(10_000);

        Assert.Equal(0, harness.Counters.GapOffsetCount);
        Assert.Equal([(0, 500L, 501L)], RangesOf(harness));
    }

    [Fact]
    public void A_message_that_was_read_before_is_passed_over_and_counted()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign(committedOffset: 10);
        harness.ProduceAt(state, 8, TestFormat.Encode(WorkerHarness.Records(1)), -1);
        harness.ProduceAt(state, 9, TestFormat.Encode(WorkerHarness.Records(1)), -1);
        harness.ProduceAt(state, 10, TestFormat.Encode(WorkerHarness.Records(1)), -1);
        harness.Step(1);

        Assert.Equal(2, harness.Counters.RepeatedMessageCount);
        Assert.Equal(1, harness.Counters.MessageCount);
        Assert.Equal(11, state.NextOffset);
    }

    [Fact]
    public void A_revoked_partition_is_cut_at_once_read_no_more_and_released_when_its_cut_is_stored()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        harness.Produce(state, WorkerHarness.Records(2));
        harness.Step(1);
        harness.Produce(state, WorkerHarness.Records(1));
        harness.Post(WorkerCommandKind.Revoke, state);
        harness.Step(2);

        Assert.Equal([(0, 0L, 1L)], RangesOf(harness));
        Assert.Equal(1, harness.Counters.LeavingMessageCount);
        Assert.False(state.IsReleased);

        harness.Post(WorkerCommandKind.Stored, state);
        harness.Step(3);
        Assert.True(state.IsReleased);
        Assert.Equal(1, harness.ReleasedCount);
    }

    [Fact]
    public void A_revoked_partition_with_a_cut_in_flight_is_cut_again_after_it()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        harness.Produce(state, WorkerHarness.Records(1));
        harness.Step(1);
        harness.Step(10_000);
        harness.Produce(state, WorkerHarness.Records(1));
        harness.Step(10_001);
        harness.Post(WorkerCommandKind.Revoke, state);
        harness.Step(10_002);
        harness.Post(WorkerCommandKind.Stored, state);
        harness.Step(10_003);

        Assert.Equal([(0, 0L, 1L), (0, 1L, 2L)], RangesOf(harness));
        Assert.False(state.IsReleased);
        harness.Post(WorkerCommandKind.Stored, state);
        harness.Step(10_004);
        Assert.True(state.IsReleased);
    }

    [Fact]
    public void A_lost_partition_is_released_at_once_and_both_its_cuts_are_abandoned()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        harness.Produce(state, WorkerHarness.Records(1));
        harness.Step(1);
        harness.Step(10_000);
        harness.Produce(state, WorkerHarness.Records(4));
        harness.Step(10_001);
        harness.Post(WorkerCommandKind.Abandon, state);
        harness.Step(10_002);

        Assert.True(state.IsReleased);
        Assert.Equal(2, harness.Shards.Closed.Count);
        Assert.All(harness.Shards.Closed, cut => Assert.True(cut.IsAbandoned && cut.Account().Closes));
    }

    [Fact]
    public void A_partition_that_comes_back_is_read_under_its_new_assignment_only()
    {
        using var harness = new WorkerHarness();
        var earlier = harness.Assign();
        harness.Produce(earlier, WorkerHarness.Records(1));
        harness.Step(1);
        harness.Post(WorkerCommandKind.Abandon, earlier);
        var later = harness.Assign(0, committedOffset: 0);
        harness.Produce(later, WorkerHarness.Records(1));
        harness.Step(2);

        Assert.Equal(1, later.NextOffset);
        Assert.NotNull(later.OpenCut);
        Assert.Null(earlier.OpenCut);
    }

    [Fact]
    public void Without_memory_nothing_is_taken_and_what_was_read_is_cut_early()
    {
        var shards = new TestShards(WorkerHarness.Schema, budgetBytes: 1_000) { ChargedBytesPerRecord = 500 };
        using var harness = new WorkerHarness(shards: shards);
        var state = harness.Assign();
        harness.Produce(state, WorkerHarness.Records(2));
        harness.Step(1);
        harness.Produce(state, WorkerHarness.Records(1));
        harness.Step(2);
        harness.Step(102);

        var cut = Assert.Single(shards.Closed);
        Assert.Equal(1, harness.WaitingMessageCount);
        Assert.Equal(TimeSpan.FromMilliseconds(100), harness.Worker.MemoryPauseTotal);

        shards.Release(cut);
        harness.Post(WorkerCommandKind.Stored, state);
        harness.Step(103);
        Assert.Equal(0, harness.WaitingMessageCount);
    }

    [Fact]
    public void A_part_filled_chunk_goes_to_an_idle_shard_at_once_and_to_a_busy_one_when_it_is_old()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        harness.Produce(state, WorkerHarness.Records(3));
        harness.Step(1);
        Assert.Equal(1, harness.Shards.ChunkCount);

        harness.Shards.IsIdle = false;
        harness.Produce(state, WorkerHarness.Records(3));
        harness.Step(2);
        harness.Step(51);
        Assert.Equal(1, harness.Shards.ChunkCount);

        harness.Step(52);
        Assert.Equal(2, harness.Shards.ChunkCount);
        Assert.Equal(6, harness.Shards.RecordCount);
        Assert.Equal(0, harness.Shards.Pool.RentedCount);
    }

    [Fact]
    public void Full_chunks_leave_in_the_middle_of_a_message_but_the_message_stays_in_one_cut()
    {
        using var harness = new WorkerHarness();
        harness.Shards.IsIdle = false;
        var state = harness.Assign();
        harness.Produce(state, WorkerHarness.Records(RecordChunk.RecordsMax + 5));
        harness.Step(1);
        Assert.Equal((1, RecordChunk.RecordsMax), (harness.Shards.ChunkCount, (int)harness.Shards.RecordCount));

        harness.Step(10_000);
        var cut = Assert.Single(harness.Shards.Closed);
        Assert.Equal(RecordChunk.RecordsMax + 5, cut.ReadCount);
        Assert.True(cut.Account().Closes);
    }

    [Fact]
    public void Errors_in_place_of_messages_are_counted_and_do_not_stop_the_worker()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        harness.ProduceError(29, "Broker: Topic authorization failed");
        harness.Produce(state, WorkerHarness.Records(1));
        harness.Step(1);

        Assert.Equal(1, harness.Worker.ConsumeErrorCount);
        Assert.Equal(1, harness.Counters.MessageCount);
    }

    [Fact]
    public void A_partition_that_is_assigned_while_the_worker_waits_for_messages_loses_none()
    {
        using var harness = new WorkerHarness();
        PartitionState? state = null;
        harness.WhileTaking = () =>
        {
            state = harness.Assign();
            harness.Produce(state, WorkerHarness.Records(1));
            harness.WhileTaking = null;
        };
        harness.Step(1);

        Assert.Equal((0, 1), (harness.Counters.LeavingMessageCount, harness.Counters.MessageCount));
        Assert.Equal(1, state!.NextOffset);
    }

    [Fact]
    public void Messages_of_partitions_that_are_not_ours_are_passed_over_and_counted()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        var foreign = new PartitionState(new PartitionKey("flows", 900), 0, 0, 0, 1);
        harness.ProduceAt(foreign, 0, TestFormat.Encode(WorkerHarness.Records(1)), -1);
        harness.Step(1);

        Assert.Equal(1, harness.Counters.LeavingMessageCount);
        Assert.Equal(PartitionState.UnknownOffset, state.NextOffset);
    }

    [Fact]
    public void Large_messages_are_taken_a_few_at_a_time()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        var large = TestFormat.Encode(WorkerHarness.Records(IngestWorker.BytesPerStep / 2 / 32));
        for (var count = 0; count < 6; count++)
        {
            harness.Produce(state, large, -1);
        }

        harness.Step(1);
        harness.Produce(state, large, -1);
        harness.Produce(state, large, -1);
        harness.Produce(state, large, -1);
        harness.Step(2);

        Assert.Equal(1, harness.WaitingMessageCount);
    }

    [Fact]
    public void Exit_ends_the_steps()
    {
        using var harness = new WorkerHarness();
        Assert.True(harness.Step(1));
        harness.Worker.Post(new WorkerCommand(WorkerCommandKind.Exit, null));
        Assert.False(harness.Step(2));
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 24)] // The control: an empty object for each record.
    public void Reading_allocates_nothing_for_each_record(bool decoderAllocates, int bytesPerRecord)
    {
        const int RecordsPerMessage = 100;
        var shards = new TestShards(WorkerHarness.Schema, keepsRecords: false);
        using var harness = new WorkerHarness(
            shards: shards, decoder: schema => new TestFormat.Decoder(schema) { Allocates = decoderAllocates });
        var state = harness.Assign();
        var payload = TestFormat.Encode(WorkerHarness.Records(RecordsPerMessage));
        ProduceMany(600);
        harness.Step(1); // Chunks, dictionaries and lists grow.
        harness.Step(2);
        ProduceMany(600);

        var before = GC.GetAllocatedBytesForCurrentThread();
        harness.Step(3);
        harness.Step(4);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(1_200 * RecordsPerMessage, shards.RecordCount);
        Assert.Equal(600L * RecordsPerMessage * bytesPerRecord, allocated);

        void ProduceMany(int count)
        {
            for (var index = 0; index < count; index++)
            {
                harness.Produce(state, payload, -1);
            }
        }
    }

    private static IEnumerable<(int Partition, long From, long To)> RangesOf(WorkerHarness harness) =>
        harness.Shards.Closed.Select(cut => (cut.Partition.Partition, cut.FromOffset, cut.ToOffset));
}
