using System.Globalization;
using Weir.Core.Model;
using Weir.Ingest;
using Xunit;

namespace Weir.Tests.Ingest;

public sealed class ShardRouterTests
{
    [Fact]
    public void Records_arrive_as_they_were_decoded_and_count_as_one_each()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        harness.Produce(state, new TestRecord(WorkerHarness.EpochSeconds + 5, 7, 53, "border-1"));
        harness.Step(1);

        var record = Assert.Single(harness.Shards.Records);
        Assert.Equal((WorkerHarness.EpochSeconds + 5UL, 7U, 53, "border-1", 1UL),
            (record.Time, record.Source, (int)record.Port, record.Exporter, record.Records));
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(3, true)]
    public void A_record_after_a_bad_or_late_one_has_nothing_of_it(int shardCount, bool areInOtherThreads)
    {
        using var harness = new WorkerHarness(shards: new TestShards(WorkerHarness.Schema, shardCount) { AreInOtherThreads = areInOtherThreads });
        var state = harness.Assign();
        harness.Produce(
            state,
            new TestRecord(WorkerHarness.EpochSeconds, 0xffffffff, 0xffff, "bad", TestFormat.Bad),
            new TestRecord(1, 0xffffffff, 0xffff, "late"),
            new TestRecord(WorkerHarness.EpochSeconds, 0, 0, ""));
        harness.Step(1);
        harness.Step(10_000);

        var record = Assert.Single(harness.Shards.Records);
        Assert.Equal((0U, 0, ""), (record.Source, (int)record.Port, record.Exporter));
        var cut = Assert.Single(harness.Shards.Closed);
        Assert.Equal(new BlockAccount(3, 1, 1, 1, 0, 0), cut.Account());
        Assert.Equal(1, cut.RejectedCount(DecodeStatus.Malformed));
        Assert.Equal((3, 1, 1), (harness.Counters.ReadCount, harness.Counters.LateCount, harness.Counters.RejectedCounts.Sum()));
    }

    [Fact]
    public void A_shard_in_another_thread_gets_the_same_records_in_the_same_chunks()
    {
        var (chunkCount, records) = Route(isInOtherThread: false);
        var (copiedChunkCount, copied) = Route(isInOtherThread: true);

        Assert.Equal(4_500, records.Count);
        Assert.Equal(5, chunkCount); // Full ones, and the rest.
        Assert.Equal(records, copied);
        Assert.Equal(chunkCount, copiedChunkCount);

        static (int ChunkCount, IReadOnlyList<RoutedRecord> Records) Route(bool isInOtherThread)
        {
            using var harness = new WorkerHarness(shards: new TestShards(WorkerHarness.Schema) { AreInOtherThreads = isInOtherThread, IsIdle = false });
            var state = harness.Assign();
            for (var message = 0; message < 3; message++)
            {
                harness.Produce(state, [.. WorkerHarness.Records(1_500), new TestRecord(1, 1, 1, "late")]);
            }

            harness.Step(1);
            harness.Step(10_000);
            return (harness.Shards.ChunkCount, [.. harness.Shards.Records.Select(record => record with { Cut = null! })]);
        }
    }

    [Theory]
    [InlineData(-7 * 86_400, false)]
    [InlineData((-7 * 86_400) - 1, true)]
    [InlineData(600, false)]
    [InlineData(601, true)]
    public void A_record_is_late_outside_the_window_around_the_time_of_its_message(int secondsFromMessage, bool isLate)
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        harness.Produce(state, new TestRecord((uint)(WorkerHarness.EpochSeconds + secondsFromMessage), 1));
        harness.Step(1);

        Assert.Equal(isLate ? 1 : 0, harness.Counters.LateCount);
        Assert.Equal(isLate ? 0 : 1, harness.Shards.RecordCount);
    }

    [Fact]
    public void Without_a_time_of_the_message_nothing_is_late()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        harness.Produce(state, TestFormat.Encode(new TestRecord(0, 1), new TestRecord(uint.MaxValue, 2)), KafkaMessage.NoTimestamp);
        harness.Step(1);

        Assert.Equal(0, harness.Counters.LateCount);
        Assert.Equal(2, harness.Shards.RecordCount);
    }

    [Fact]
    public void A_cut_knows_the_first_and_last_event_time_of_what_was_routed()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        var time = WorkerHarness.EpochSeconds;
        harness.Produce(state, new TestRecord(time + 30, 1), new TestRecord(time - 20, 1), new TestRecord(5, 1));
        harness.Produce(state, new TestRecord(time + 40, 1));
        harness.Step(1);
        harness.Step(10_000);

        var cut = Assert.Single(harness.Shards.Closed);
        Assert.Equal((time - 20, time + 40), (cut.EventTimeMin, cut.EventTimeMax));
    }

    [Fact]
    public void A_tag_set_has_the_same_hash_whatever_ids_its_texts_have_in_the_cut()
    {
        using var harness = new WorkerHarness();
        var first = harness.Assign(0);
        var second = harness.Assign(1);
        harness.Produce(first, Exporters("a", "b", "c"));
        harness.Produce(second, Exporters("c", "x", "b", "a"));
        harness.Step(1);
        harness.Step(10_000);
        harness.Post(WorkerCommandKind.Stored, first);
        harness.Produce(first, Exporters("b"));
        harness.Step(10_001);

        var hashes = harness.Shards.Records.GroupBy(record => record.Exporter).Select(group => group.Select(record => record.Hash).Distinct().Count());
        Assert.All(hashes, count => Assert.Equal(1, count));
        Assert.Equal(4, harness.Shards.Records.Select(record => record.Hash).Distinct().Count());

        static TestRecord[] Exporters(params string[] names) => [.. names.Select(name => new TestRecord(WorkerHarness.EpochSeconds, 1, 443, name))];
    }

    [Fact]
    public void The_hash_does_not_depend_on_time_and_is_the_same_in_every_release()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign();
        harness.Produce(
            state,
            new TestRecord(WorkerHarness.EpochSeconds, 0x0a000001, 443, "r1"),
            new TestRecord(WorkerHarness.EpochSeconds + 100, 0x0a000001, 443, "r1"));
        harness.Step(1);

        Assert.Equal(2, harness.Shards.Records.Count);
        Assert.All(harness.Shards.Records, record => Assert.Equal("5405c08ba79efa8f", record.Hash.ToString("x16", CultureInfo.InvariantCulture)));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void Tag_sets_spread_evenly_over_the_shards_and_each_keeps_its_own(int shardCount)
    {
        const int SeriesCount = 20_000;
        using var harness = new WorkerHarness(shardCount: shardCount);
        var state = harness.Assign();
        harness.Produce(state, WorkerHarness.Records(SeriesCount));
        harness.Produce(state, WorkerHarness.Records(SeriesCount));
        harness.Step(1);

        var records = harness.Shards.Records;
        Assert.Equal(2 * SeriesCount, records.Count);
        Assert.All(records.GroupBy(record => record.Source), series => Assert.Single(series.Select(record => record.Shard).Distinct()));
        Assert.All(
            records.GroupBy(record => record.Shard),
            shard => Assert.InRange(shard.Count(), 0.9 * 2 * SeriesCount / shardCount, 1.1 * 2 * SeriesCount / shardCount));
        Assert.All(records, record => Assert.Equal(record.Shard, ShardRouter.ShardOf(record.Hash, shardCount)));
    }

    [Theory]
    [InlineData(0UL, 1, 0)]
    [InlineData(ulong.MaxValue, 1, 0)]
    [InlineData(0UL, 7, 0)]
    [InlineData(ulong.MaxValue, 7, 6)]
    [InlineData(1UL << 63, 2, 1)]
    [InlineData((1UL << 63) - 1, 2, 0)]
    public void A_shard_owns_a_range_of_the_hash(ulong hash, int shardCount, int shard) =>
        Assert.Equal(shard, ShardRouter.ShardOf(hash, shardCount));

    [Theory]
    [InlineData(1, 20260101)]
    [InlineData(4, 20260102)]
    public void Read_records_are_routed_rejected_or_late_whatever_comes(int shardCount, int seed)
    {
        var random = new Random(seed);
        using var harness = new WorkerHarness(shardCount: shardCount);
        var states = Enumerable.Range(0, 5).Select(partition => harness.Assign(partition)).ToArray();
        var at = 0.0;
        for (var round = 0; round < 300; round++)
        {
            harness.Shards.IsIdle = random.Next(2) == 0;
            for (var message = random.Next(4); message >= 0; message--)
            {
                var records = Enumerable.Range(0, random.Next(1, 40)).Select(_ => new TestRecord(
                    random.Next(10) == 0 ? 77 : WorkerHarness.EpochSeconds,
                    (uint)random.Next(500),
                    443,
                    $"r{random.Next(20)}",
                    (byte)(random.Next(8) == 0 ? random.Next(3) : TestFormat.Good)));
                harness.Produce(states[random.Next(states.Length)], records);
            }

            harness.Step(at += random.Next(700));
            foreach (var state in states.Where(state => state.InFlightCut is not null && random.Next(3) == 0))
            {
                harness.Post(WorkerCommandKind.Stored, state);
            }
        }

        foreach (var state in states)
        {
            harness.Post(WorkerCommandKind.Stored, state);
            harness.Post(WorkerCommandKind.Revoke, state);
        }

        harness.Step(at + 1);
        var closed = harness.Shards.Closed;
        Assert.True(closed.Count > 20, $"seed {seed}: {closed.Count} cuts");
        Assert.All(closed, cut => Assert.True(cut.Account().Closes, $"seed {seed}: {cut.Account()}"));
        var sum = closed.Aggregate(default(BlockAccount), (account, cut) => account + cut.Account());
        Assert.Equal(harness.Counters.ReadCount, sum.ReadCount);
        Assert.Equal(harness.Counters.LateCount, sum.LateCount);
        Assert.Equal(harness.Counters.RejectedCounts.Sum(), sum.RejectedCount);
        Assert.Equal(harness.Shards.RecordCount, sum.FoldedCount);
        Assert.Equal(0, harness.Shards.Pool.RentedCount);
        Assert.All(closed.GroupBy(cut => cut.Partition), cuts =>
            Assert.Equal(cuts.Skip(1).Select(cut => cut.FromOffset), cuts.SkipLast(1).Select(cut => cut.ToOffset)));
    }

    [Fact]
    public void The_last_rejected_records_are_kept_with_their_place_and_first_bytes()
    {
        using var harness = new WorkerHarness();
        var state = harness.Assign(3, committedOffset: 40);
        for (var count = 0; count < RejectRing.SampleCount; count++)
        {
            harness.Produce(state, [], -1);
        }

        harness.Produce(state, new byte[1_001], -1);
        harness.Step(1);

        var samples = harness.Context.Rejects.Snapshot();
        Assert.Equal(RejectRing.SampleCount, samples.Count);
        Assert.Equal(("flows", 3, 56L, DecodeStatus.Truncated, 1_001, RejectSample.EvidenceBytesMax),
            (samples[0].Topic, samples[0].Partition, samples[0].Offset, samples[0].Status, samples[0].EvidenceBytes, samples[0].Evidence.Length));
        Assert.Equal((DecodeStatus.Empty, 41L), (samples[^1].Status, samples[^1].Offset));
    }
}
