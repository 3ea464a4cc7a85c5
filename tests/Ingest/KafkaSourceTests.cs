using Weir.Core.Model;
using Weir.Ingest;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Ingest;

[Collection(AloneCollection.Name)]
public sealed class KafkaSourceTests
{
    private const int Partitions = 4;

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Messages_become_records_of_cuts_and_are_committed_when_the_cuts_are_stored()
    {
        using var broker = KafkaBroker.Start();
        Produce(broker, messageCount: 400);
        using var harness = new SourceHarness(broker) { StoresAtOnce = false }.Start();
        harness.WaitForRecords(4_000);
        Eventually.True(() => harness.HeldCuts.Count == Partitions, "a cut of each partition");
        Assert.Equal([0, 0, 0, 0], broker.Committed("weir", "flows", Partitions)); // Their plans.

        harness.StoresAtOnce = true;
        harness.StoreHeld();
        harness.WaitForCommitted(400);

        Assert.Equal([100, 100, 100, 100], broker.Committed("weir", "flows", Partitions));
        Assert.All(harness.StoredCuts, cut => Assert.True(cut.Account().Closes));
        Assert.Equal(4_000, harness.StoredCuts.Sum(cut => cut.ReadCount));
        Assert.Equal(Sources(4_000), harness.Shards.Records.Select(record => record.Source).Order());
        Assert.Empty(harness.Faults);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_partition_has_one_closed_cut_in_flight_while_reading_goes_on()
    {
        using var broker = KafkaBroker.Start(partitionCount: 1);
        using var harness = new SourceHarness(broker, WithOneTopic) { StoresAtOnce = false }.Start();
        Produce(broker, messageCount: 10, partitionCount: 1);
        Eventually.True(() => harness.HeldCuts.Count == 1, "the first cut");
        Produce(broker, messageCount: 10, partitionCount: 1, firstSource: 100);
        harness.WaitForRecords(200);
        Produce(broker, messageCount: 10, partitionCount: 1, firstSource: 200);
        harness.WaitForRecords(300);

        Assert.Single(harness.HeldCuts);
        harness.StoresAtOnce = true;
        harness.StoreHeld();
        harness.WaitForCommitted(30);

        Assert.Equal(2, harness.StoredCuts.Count);
        Assert.Equal([(0L, 10L), (10L, 30L)], harness.StoredCuts.Select(cut => (cut.FromOffset, cut.ToOffset)));

        static IngestOptions WithOneTopic(IngestOptions options) => options with { FlushInterval = TimeSpan.FromMilliseconds(100) };
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_restart_goes_on_at_the_committed_offsets_and_reads_again_what_was_not_stored()
    {
        using var broker = KafkaBroker.Start();
        Produce(broker, messageCount: 40);
        using (var first = new SourceHarness(broker).Start())
        {
            first.WaitForCommitted(40);
            first.StoresAtOnce = false;
            Produce(broker, messageCount: 40, firstSource: 400);
            first.WaitForRecords(800);
            Assert.False(first.Source.Stop(TimeSpan.FromMilliseconds(300))); // ClickHouse does not answer: given up.
        }

        using var second = new SourceHarness(broker).Start();
        second.WaitForCommitted(80);

        Assert.Equal(400, second.Shards.RecordCount);
        Assert.Equal(Sources(800).Skip(400), second.Shards.Records.Select(record => record.Source).Order());
        Assert.All(second.StoredCuts.GroupBy(cut => cut.Partition), cuts => Assert.Equal(10, cuts.Min(cut => cut.FromOffset)));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Stop_stores_and_commits_everything_that_was_read()
    {
        using var broker = KafkaBroker.Start();
        using var harness = new SourceHarness(broker, options => options with { FlushInterval = TimeSpan.FromHours(1) }).Start();
        Produce(broker, messageCount: 60);
        harness.WaitForRecords(600);
        Assert.Empty(harness.StoredCuts);

        Assert.True(harness.Source.Stop(TimeSpan.FromSeconds(10)));

        Assert.Equal([15, 15, 15, 15], broker.Committed("weir", "flows", Partitions));
        Assert.Equal(harness.Source.Snapshot().ReadCount, harness.StoredCuts.Sum(cut => cut.Account().FoldedCount));
        Assert.Equal(0, harness.Source.AssignedCount);
        Assert.Equal(0, harness.Shards.Pool.RentedCount);
        Assert.Empty(harness.Faults);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_second_process_takes_partitions_over_after_they_are_stored_and_nothing_is_lost_or_doubled()
    {
        using var broker = KafkaBroker.Start();
        Produce(broker, messageCount: 40);
        using var first = new SourceHarness(broker, LongFlush, shardCount: 2).Start();
        first.WaitForRecords(400);
        Assert.Empty(first.StoredCuts);
        using var second = new SourceHarness(broker, LongFlush, shardCount: 2).Start();
        first.WaitForAssigned(2);
        second.WaitForAssigned(2);

        // The revoked partitions were stored first. On a starved machine this broker may refuse that, as no real one does while
        // it waits for members (REBALANCE_IN_PROGRESS), and may throw a member out; then they are given up and read again.
        if (first.Source.Snapshot().AbandonedCount + second.Source.Snapshot().AbandonedCount == 0)
        {
            var committed = broker.Committed("weir", "flows", Partitions);
            Assert.All(second.Source.Snapshot().Partitions, moved =>
            {
                Assert.Contains(moved.Key, first.StoredCuts.Select(cut => cut.Partition));
                Assert.Equal(10, committed[moved.Key.Partition]);
            });
        }

        Produce(broker, messageCount: 40, firstSource: 400);
        Eventually.True(
            () => first.Source.Snapshot().Partitions.Concat(second.Source.Snapshot().Partitions).Count(partition => partition.NextOffset == 20)
                == Partitions,
            "all records");
        _ = first.Source.Stop(TimeSpan.FromSeconds(10));
        second.WaitForAssigned(Partitions); // Had the first one to give something up, the second one reads it.
        Eventually.True(() => second.Source.Snapshot().Partitions.All(partition => partition.NextOffset == 20), "the rest");
        Assert.True(second.Source.Stop(TimeSpan.FromSeconds(10)));

        var stored = first.StoredCuts.Concat(second.StoredCuts).DistinctBy(cut => (cut.Partition, cut.FromOffset, cut.ToOffset)).ToHashSet();
        Assert.Equal(
            Sources(800),
            first.Shards.Records.Concat(second.Shards.Records).Where(record => stored.Contains(record.Cut)).Select(record => record.Source).Order());
        Assert.Equal([20, 20, 20, 20], broker.Committed("weir", "flows", Partitions));

        static IngestOptions LongFlush(IngestOptions options) => options with { FlushInterval = TimeSpan.FromHours(1) };
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_revoked_partition_that_is_not_stored_in_time_is_abandoned_and_read_by_the_next_owner()
    {
        using var broker = KafkaBroker.Start();
        Produce(broker, messageCount: 40);
        using var first = new SourceHarness(
            broker, options => options with { RevokeTimeout = TimeSpan.FromMilliseconds(200) }) { StoresAtOnce = false }.Start();
        first.WaitForRecords(400);
        using var second = new SourceHarness(broker).Start();
        second.WaitForAssigned(2);
        second.WaitForRecords(200);
        first.WaitForAssigned(2);
        first.StoresAtOnce = true;
        first.StoreHeld();
        Eventually.True(() => first.Source.Snapshot().AbandonedCount == 200, "two partitions abandoned");
        Assert.True(first.Source.Stop(TimeSpan.FromSeconds(10)));
        Assert.True(second.Source.Stop(TimeSpan.FromSeconds(10)));

        var stored = first.StoredCuts.Concat(second.StoredCuts).ToHashSet();
        Assert.Equal(
            Sources(400),
            first.Shards.Records.Concat(second.Shards.Records).Where(record => stored.Contains(record.Cut)).Select(record => record.Source).Order());
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Lost_partitions_are_forgotten_their_cuts_abandoned_and_read_again()
    {
        const short Heartbeat = 12;
        const int UnknownMemberId = 25;
        using var broker = KafkaBroker.Start();
        Produce(broker, messageCount: 40);
        using var harness = new SourceHarness(broker) { StoresAtOnce = false }.Start();
        Eventually.True(() => harness.HeldCuts.Count == Partitions, "a cut of each partition in flight");
        broker.Embedded!.PushRequestErrors(Heartbeat, UnknownMemberId);
        harness.WaitForRecords(800); // All of them again.
        harness.StoresAtOnce = true;
        harness.StoreHeld();
        harness.WaitForCommitted(40);

        Assert.Equal(400, harness.Source.Snapshot().AbandonedCount);
        Assert.Equal(800, harness.Source.Snapshot().ReadCount);
        Assert.Equal(400, harness.StoredCuts.Sum(cut => cut.ReadCount));
        Assert.Empty(harness.Faults);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Offsets_that_the_broker_deleted_before_they_were_read_are_counted()
    {
        using var broker = KafkaBroker.Start(partitionCount: 1);
        Produce(broker, messageCount: 10, partitionCount: 1);
        using (var first = new SourceHarness(broker).Start())
        {
            first.WaitForCommitted(10);
            Assert.True(first.Source.Stop(TimeSpan.FromSeconds(10)));
        }

        // Above 5 MiB a partition the broker drops its oldest batches.
        var bulky = new byte[64 * 1024];
        TestFormat.Encode(new TestRecord(NowSeconds(), 1)).CopyTo(bulky, 0);
        broker.Produce("flows", Enumerable.Repeat((0, (byte[]?)bulky, (DateTimeOffset?)null), 200));
        using var second = new SourceHarness(broker).Start();
        second.WaitForCommitted(210);

        var snapshot = second.Source.Snapshot();
        Assert.InRange(snapshot.GapOffsetCount, 1, 199);
        Assert.Equal(200, snapshot.GapOffsetCount + snapshot.MessageCount);
        Assert.Equal(10, second.StoredCuts.First().FromOffset);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_commit_that_fails_is_tried_again()
    {
        const short OffsetCommit = 8;
        const int NotCoordinator = 16;
        const int TopicAuthorizationFailed = 29;
        using var broker = KafkaBroker.Start();
        using var harness = new SourceHarness(broker) { StoresAtOnce = false }.Start();
        Produce(broker, messageCount: 40);
        Eventually.True(() => harness.HeldCuts.Count == Partitions, "a cut of each partition");
        broker.Embedded!.PushRequestErrors(OffsetCommit, NotCoordinator, TopicAuthorizationFailed, TopicAuthorizationFailed);
        harness.StoresAtOnce = true;
        harness.StoreHeld();
        harness.WaitForCommitted(40);

        Assert.True(harness.Source.Snapshot().CommitErrorCount > 0);
        Assert.Equal([10, 10, 10, 10], broker.Committed("weir", "flows", Partitions));
        Assert.Empty(harness.Faults);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_broker_that_goes_away_and_comes_back_is_waited_for()
    {
        using var broker = KafkaBroker.Start();
        Produce(broker, messageCount: 40);
        using var harness = new SourceHarness(broker).Start();
        harness.WaitForCommitted(40);
        broker.Embedded!.SetDown();
        Eventually.True(() => harness.Source.Snapshot().ConsumeErrorCount > 0, "an error that the broker is down");
        broker.Embedded.SetUp();
        Produce(broker, messageCount: 40, firstSource: 400);
        harness.WaitForCommitted(80);

        Assert.Equal(800, harness.Source.Snapshot().ReadCount);
        Assert.Empty(harness.Faults);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Without_memory_reading_pauses_until_cuts_are_stored_and_everything_comes_in_the_end()
    {
        const long LimitBytes = 200_000;
        using var broker = KafkaBroker.Start();
        Produce(broker, messageCount: 2_000);
        var shards = new TestShards(WorkerHarness.Schema, budgetBytes: LimitBytes) { ChargedBytesPerRecord = 100 };
        using var harness = new SourceHarness(broker, shards: shards) { StoresAtOnce = false }.Start();
        Eventually.True(() => harness.Source.Snapshot().MemoryPauseTotal > TimeSpan.FromMilliseconds(200), "a pause for memory");

        // One step more than the limit at most, and 20,000 records wait at the broker.
        var oneStep = IngestWorker.MessagesPerStepMax * 10 * 100;
        Assert.InRange(shards.Budget.UsedBytesMax, LimitBytes, LimitBytes + oneStep);
        Assert.True(shards.RecordCount < 20_000);

        harness.StoresAtOnce = true;
        harness.StoreHeld();
        harness.WaitForCommitted(2_000);
        Assert.Equal(20_000, shards.RecordCount);
        Assert.Equal(0, shards.Budget.UsedBytes);
        Assert.InRange(shards.Budget.UsedBytesMax, LimitBytes, LimitBytes + oneStep);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Several_workers_and_topics_share_the_partitions()
    {
        using var broker = KafkaBroker.Start(new Dictionary<string, int> { ["flows"] = 4, ["more"] = 3 });
        using var harness = new SourceHarness(
            broker,
            options => options with { Workers = 2, Topics = [new TopicOptions("flows", "test"), new TopicOptions("more", "test")] },
            shardCount: 3).Start();
        Produce(broker, messageCount: 40);
        Produce(broker, messageCount: 30, topic: "more", partitionCount: 3, firstSource: 400);
        harness.WaitForCommitted(70);

        var snapshot = harness.Source.Snapshot();
        Assert.Equal([400L, 300L], snapshot.Topics.Select(topic => topic.ReadCount));
        Assert.Equal([3, 4], snapshot.Partitions.GroupBy(partition => partition.WorkerIndex).Select(group => group.Count()).Order());
        Assert.All(snapshot.Partitions, partition => Assert.Equal(10, partition.CommittedOffset));
        Assert.Equal(10, harness.Source.NextOffset("more", 2));
        Assert.Equal(-1, harness.Source.NextOffset("other", 0));
        Assert.Equal(Sources(700), harness.Shards.Records.Select(record => record.Source).Order());
        Eventually.True(() => harness.Source.Snapshot().Partitions.All(partition => partition is { HighWatermark: 10, Lag: 0 }), "watermarks");
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.Kcat)]
    public void Messages_of_kcat_are_read()
    {
        using var broker = KafkaBroker.Start();
        broker.ProduceWithKcat("flows", 2, ["A".PadRight(32, 'B'), "too short"]);
        using var harness = new SourceHarness(broker).Start();
        harness.WaitForCommitted(2);

        var snapshot = harness.Source.Snapshot();
        Assert.Equal((2L, 1L), (snapshot.ReadCount, snapshot.Rejected(DecodeStatus.Truncated)));
        Assert.Equal("too short"u8.ToArray(), Assert.Single(snapshot.Rejects).Evidence.ToArray());
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_tombstone_is_one_rejected_record()
    {
        using var broker = KafkaBroker.Start();
        broker.Produce("flows", [(0, null, null), (0, [], null)]);
        using var harness = new SourceHarness(broker).Start();
        harness.WaitForCommitted(2);

        Assert.Equal(2, harness.Source.Snapshot().Rejected(DecodeStatus.Empty));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Lateness_goes_by_the_time_of_the_message()
    {
        using var broker = KafkaBroker.Start();
        var hour = new DateTimeOffset(2020, 5, 5, 5, 0, 0, TimeSpan.Zero);
        var inTime = TestFormat.Encode(new TestRecord((uint)hour.ToUnixTimeSeconds(), 1));
        var late = TestFormat.Encode(new TestRecord((uint)hour.AddDays(-8).ToUnixTimeSeconds(), 2));
        broker.Produce("flows", [(0, inTime, hour), (0, late, hour)]);
        using var harness = new SourceHarness(broker).Start();
        harness.WaitForCommitted(2);

        Assert.Equal(1, harness.Source.Snapshot().LateCount);
        Assert.Equal(1U, Assert.Single(harness.Shards.Records).Source);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void The_eager_protocol_and_static_membership_work_through_the_options()
    {
        using var broker = KafkaBroker.Start();
        var properties = new Dictionary<string, string>
        {
            ["partition.assignment.strategy"] = "range",
            ["group.instance.id"] = "weir-1",
        };
        Produce(broker, messageCount: 40);
        using var harness = new SourceHarness(broker, properties: properties).Start();
        harness.WaitForCommitted(40);

        Assert.True(harness.Source.Stop(TimeSpan.FromSeconds(10)));
        Assert.Equal([10, 10, 10, 10], broker.Committed("weir", "flows", Partitions));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Without_any_broker_the_source_waits_and_stops_when_told()
    {
        using var broker = KafkaBroker.At("127.0.0.1:1");
        using var harness = new SourceHarness(broker).Start();
        Eventually.True(() => harness.Source.Snapshot().ConsumeErrorCount > 0, "an error that no broker answers");

        Assert.True(harness.Source.Stop(TimeSpan.FromSeconds(5)));
        Assert.Empty(harness.Faults);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_topic_that_does_not_exist_yet_is_waited_for()
    {
        using var broker = KafkaBroker.Start("other");
        using var harness = new SourceHarness(
            broker, properties: new Dictionary<string, string> { ["topic.metadata.refresh.interval.ms"] = "200" }).Start();
        Eventually.True(() => harness.Source.Snapshot().ConsumeErrorCount > 0, "an error that the topic is unknown");
        broker.Embedded!.CreateTopic("flows", Partitions);
        Produce(broker, messageCount: 40);
        harness.WaitForCommitted(40);

        Assert.Empty(harness.Faults);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_decoder_that_throws_is_a_fault_and_nothing_is_committed()
    {
        using var broker = KafkaBroker.Start(partitionCount: 1);
        broker.Produce("flows", 0, [1, 2, 3]);
        var faults = new System.Collections.Concurrent.ConcurrentQueue<Exception>();
        var shards = new TestShards(WorkerHarness.Schema);
        using var source = new KafkaSource(
            new IngestOptions { Bootstrap = broker.Bootstrap, KafkaProperties = KafkaBroker.QuickProperties() },
            WorkerHarness.Schema,
            _ => shards.Shards,
            shards.Pool,
            shards.Budget,
            _ => new ThrowingDecoder(),
            TimeProvider.System,
            Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance,
            (_, error) => faults.Enqueue(error));
        source.Start();
        Eventually.True(() => !faults.IsEmpty, "the fault");

        Assert.Equal("broken", Assert.Single(faults).Message);
        Assert.False(source.Stop(TimeSpan.FromSeconds(5)));
        Assert.Equal([-1], broker.Committed("weir", "flows", 1));
    }

    private static IEnumerable<uint> Sources(int count) => Enumerable.Range(0, count).Select(source => (uint)source);

    private static uint NowSeconds() => (uint)DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    /// <summary>Messages of 10 records each, in turn over the partitions; each record has a source address of its own.</summary>
    private static void Produce(
        KafkaBroker broker, int messageCount, string topic = "flows", int partitionCount = Partitions, uint firstSource = 0)
    {
        var now = NowSeconds();
        broker.Produce(topic, Enumerable.Range(0, messageCount).Select(message => (
            message % partitionCount,
            (byte[]?)TestFormat.Encode(Enumerable.Range(0, 10).Select(index => new TestRecord(now, firstSource + (uint)((message * 10) + index)))),
            (DateTimeOffset?)null)));
    }

    private sealed class ThrowingDecoder : Weir.Codecs.Flow.FlowDecoder
    {
        public override void Decode(ReadOnlySpan<byte> payload, RecordSink sink) => throw new InvalidOperationException("broken");
    }
}
