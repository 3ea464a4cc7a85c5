using Weir.Ingest;
using Xunit;

namespace Weir.Tests.Ingest;

public sealed class ReplayWorkerTests
{
    [Fact]
    public void A_planned_range_becomes_one_cut_of_that_range_whatever_ticks_come()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign(committedOffset: 10, replayTo: 13);
        Produce(harness, state, 10, 11);
        harness.Step(1);
        harness.Step(10_000);
        harness.Step(20_000);
        Assert.Empty(harness.Shards.Closed);

        Produce(harness, state, 12, 13);
        harness.Step(20_001);

        var cut = Assert.Single(harness.Shards.Closed);
        Assert.Equal((10, 13, true, true), (cut.FromOffset, cut.ToOffset, cut.IsReplay, cut.WhenPlanned.IsCompleted));
        Assert.Empty(harness.Unplanned);
        Assert.False(state.IsReplaying);
        Assert.Equal((14, 1), (state.NextOffset, harness.Worker.ReplayCount));

        harness.Post(WorkerCommandKind.Stored, state);
        harness.Step(30_000);
        var next = Assert.Single(harness.Unplanned);
        Assert.Equal((13, 14, false, false), (next.FromOffset, next.ToOffset, next.IsReplay, next.WhenPlanned.IsCompleted));
    }

    [Fact]
    public void Offsets_that_are_gone_lie_in_the_replay_and_in_the_cut_after_it_each_with_its_share()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign(committedOffset: 10, replayTo: 20);
        Produce(harness, state, 12, 25);
        harness.Step(1);
        harness.Post(WorkerCommandKind.Stored, state);
        harness.Step(10_000);

        Assert.Equal(
            [(10L, 20L, 9L, 1L), (20L, 26L, 5L, 1L)],
            harness.Shards.Closed.Select(cut => (cut.FromOffset, cut.ToOffset, cut.GapOffsetCount, cut.ReadCount)));
        Assert.Equal(14, harness.Counters.GapOffsetCount);
    }

    [Fact]
    public void A_range_that_is_gone_altogether_is_closed_when_the_log_is_longer_than_it()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign(committedOffset: 10, replayTo: 20);
        harness.ProduceEnd(state, 20);
        harness.Step(1);

        var cut = Assert.Single(harness.Shards.Closed);
        Assert.Equal((10, 20, 10, 0), (cut.FromOffset, cut.ToOffset, cut.GapOffsetCount, cut.ReadCount));
        Assert.Equal(0, harness.Worker.ConsumeErrorCount);
    }

    [Fact]
    public void A_log_that_ends_before_the_planned_range_is_believed_after_a_while_and_gets_a_plan_of_its_own()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign(committedOffset: 10, replayTo: 20);
        Produce(harness, state, 10, 11);
        harness.ProduceEnd(state, 12);
        harness.Step(1);
        harness.Step(IngestWorker.LogEndTrust.TotalMilliseconds);
        Assert.Empty(harness.Shards.Closed);

        harness.Step(IngestWorker.LogEndTrust.TotalMilliseconds + 1);

        var cut = Assert.Single(harness.Unplanned);
        Assert.Equal((10, 12, 0), (cut.FromOffset, cut.ToOffset, cut.GapOffsetCount));
        Assert.Equal((false, 0), (state.IsReplaying, harness.Worker.ReplayCount));
    }

    [Fact]
    public void A_log_that_goes_on_after_all_is_replayed_to_the_end_of_the_range()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign(committedOffset: 10, replayTo: 13);
        Produce(harness, state, 10);
        harness.ProduceEnd(state, 11);
        harness.Step(1);
        Produce(harness, state, 11, 12);
        harness.Step(2);
        harness.Step(IngestWorker.LogEndTrust.TotalMilliseconds + 10);

        Assert.Equal([(10L, 13L)], harness.Shards.Closed.Select(cut => (cut.FromOffset, cut.ToOffset)));
        Assert.Empty(harness.Unplanned);
    }

    [Fact]
    public void Without_memory_a_replay_reads_on_and_reading_pauses_when_it_is_complete()
    {
        var shards = new TestShards(WorkerHarness.Schema, budgetBytes: 1_000) { ChargedBytesPerRecord = 500 };
        using var harness = new WorkerHarness(shards: shards);
        var state = harness.Assign(committedOffset: 0, replayTo: 3);
        for (var step = 1; step <= 3; step++)
        {
            harness.Produce(state, WorkerHarness.Records(2));
            harness.Step(step);
        }

        Assert.Equal([(0L, 3L)], shards.Closed.Select(cut => (cut.FromOffset, cut.ToOffset)));
        harness.Produce(state, WorkerHarness.Records(1));
        harness.Step(4);
        Assert.Equal(1, harness.WaitingMessageCount);

        shards.Release(shards.Closed[0]);
        harness.Post(WorkerCommandKind.Stored, state);
        harness.Step(5);
        Assert.Equal(0, harness.WaitingMessageCount);
    }

    [Fact]
    public void A_replay_that_is_revoked_half_way_is_given_up_and_its_plan_left_to_the_next_owner()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign(committedOffset: 0, replayTo: 3);
        Produce(harness, state, 0, 1);
        harness.Step(1);
        harness.Post(WorkerCommandKind.Revoke, state);
        harness.Step(2);

        Assert.True(state.IsReleased && state.IsGivenUp);
        Assert.True(Assert.Single(harness.Shards.Closed).IsAbandoned);
        Assert.Empty(harness.Unplanned);
    }

    private static void Produce(WorkerHarness harness, PartitionState state, params long[] offsets)
    {
        foreach (var offset in offsets)
        {
            harness.ProduceAt(state, offset, TestFormat.Encode(WorkerHarness.Records(1)), -1);
        }
    }
}
