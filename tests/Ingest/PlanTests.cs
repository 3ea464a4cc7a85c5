using Confluent.Kafka;
using Weir.Core.Model;
using Weir.Ingest;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Ingest;

/// <summary>Plans on a real broker. A process that dies is one that never stores: its objects are dropped without a last commit.</summary>
[Collection(AloneCollection.Name)]
public sealed class PlanTests
{
    private const int Partitions = 4;
    private const short OffsetCommit = 8;

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Metadata_is_kept_by_the_broker_beyond_the_member_that_wrote_it()
    {
        using var broker = KafkaBroker.Start();
        broker.Produce("flows", 0, [1]);
        Commit(broker, Enumerable.Range(0, Partitions).Select(
            partition => new CommittedOffset(new PartitionKey("flows", partition), partition, partition == 3 ? "" : $"täxt {partition}")));

        Assert.Equal(
            [(0L, "täxt 0"), (1L, "täxt 1"), (2L, "täxt 2"), (3L, "")],
            Committed(broker).Select(commit => (commit.Offset, commit.Metadata)));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void The_error_of_one_partition_or_of_the_whole_commit_comes_back_for_all_of_them()
    {
        using var broker = KafkaBroker.Start();
        using var consumer = Join(broker);
        using var commits = new CommitNative(KafkaNative.HandleOf(consumer));

        var partly = Answer([new(new("flows", 0), 1, ""), new(new("nowhere", 7), 1, "x")]);
        Assert.Equal([ErrorCode.UnknownTopicOrPart, ErrorCode.UnknownTopicOrPart], partly.Values);
        Assert.Equal(1, Committed(broker)[0].Offset); // It is committed all the same.

        broker.Embedded!.PushRequestErrors(OffsetCommit, (int)ErrorCode.GroupAuthorizationFailed);
        Assert.Equal(ErrorCode.GroupAuthorizationFailed, Answer([new(new("flows", 0), 1, "")])[new("flows", 0)]);

        Dictionary<PartitionKey, ErrorCode> Answer(IReadOnlyList<CommittedOffset> list)
        {
            Assert.Equal(ErrorCode.NoError, commits.Send(list));
            IReadOnlyList<CommitAnswer>? answers = null;
            Eventually.True(() => (answers = commits.TakeAnswer(TimeSpan.FromMilliseconds(5))) is not null, "the answer");
            return answers!.ToDictionary(answer => answer.Partition, answer => answer.Error);
        }
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_cut_is_planned_before_it_is_inserted_and_one_commit_serves_all_partitions_and_workers()
    {
        using var broker = KafkaBroker.Start();
        var time = new JumpingTimeProvider(); // All messages are read in one flush interval, on a slow machine, too.
        using var harness = new SourceHarness(
            broker, options => options with { Workers = 2, FlushInterval = TimeSpan.FromHours(1) }, time: time) { StoresAtOnce = false }.Start();
        harness.WaitForAssigned(Partitions);
        Produce(broker, 40);
        harness.WaitForRecords(400);
        broker.Embedded!.TrackRequests();
        time.Jump(harness.Options.FlushInterval);
        Eventually.True(() => harness.HeldCuts.Count == Partitions, "planned cuts");

        Assert.All(Committed(broker), commit => Assert.Equal(new CutPlan(0, 10, BlockName.LayoutVersion), CutPlan.Parse(commit.Offset, commit.Metadata)));
        Assert.InRange(broker.Embedded.CountRequests(OffsetCommit), 1, 2); // Two, when the workers do not see the tick at once.

        harness.StoresAtOnce = true;
        harness.StoreHeld();
        Eventually.True(() => harness.StoredCuts.Count == Partitions, "stored cuts");
        Eventually.True(
            () =>
            {
                time.Jump(harness.Options.FlushInterval);
                return Committed(broker).All(commit => commit == new CommittedOffset(commit.Partition, 10, ""));
            },
            "the ends are committed");
        Assert.InRange(broker.Embedded.CountRequests(OffsetCommit), 2, 5);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void While_no_plan_is_accepted_nothing_is_inserted_and_nothing_hangs()
    {
        using var broker = KafkaBroker.Start();
        using var harness = new SourceHarness(broker) { StoresAtOnce = false }.Start();
        harness.WaitForAssigned(Partitions);
        broker.Embedded!.PushRequestErrors(OffsetCommit, [.. Enumerable.Repeat((int)ErrorCode.TopicAuthorizationFailed, 3)]);
        Produce(broker, 40);
        Eventually.True(() => harness.Source.Snapshot().CommitErrorCount >= 2, "refused commits");
        Assert.Empty(harness.HeldCuts);

        Eventually.True(() => harness.HeldCuts.Count == Partitions, "cuts, planned in the end");
        harness.StoresAtOnce = true;
        harness.StoreHeld();
        harness.WaitForCommitted(40);
        Assert.Equal(400, harness.StoredCuts.Sum(cut => cut.ReadCount));
        Assert.Equal(0, harness.Source.Snapshot().AbandonedCount);
    }

    [RealPartTheory(RealPart.LocalRdkafka)]
    [InlineData((int)ErrorCode.UnknownMemberId)]
    [InlineData((int)ErrorCode.IllegalGeneration)]
    [InlineData((int)ErrorCode.FencedMemberEpoch)] // The group does not take the partitions away: they are begun again.
    public void A_refused_plan_abandons_the_cut_and_its_range_is_read_again(int error)
    {
        using var broker = KafkaBroker.Start();
        using var harness = new SourceHarness(broker).Start();
        harness.WaitForAssigned(Partitions);
        broker.Embedded!.PushRequestErrors(OffsetCommit, error);
        Produce(broker, 40);
        harness.WaitForCommitted(40);

        Assert.True(harness.Source.Snapshot().AbandonedCount > 0);
        Assert.Equal(400, harness.StoredCuts.Sum(cut => cut.ReadCount));
        AssertTiles(harness.StoredCuts, Partitions, to: 10);
        Assert.Empty(harness.Faults);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_member_that_is_refused_for_one_partition_gives_all_of_them_up()
    {
        using var broker = KafkaBroker.Start();
        using var harness = new SourceHarness(broker).Start();
        harness.WaitForAssigned(Partitions);

        // Failures halve the commit until it is of one partition; then that one is refused, by an error after which librdkafka does nothing.
        broker.Embedded!.PushRequestErrors(
            OffsetCommit, (int)ErrorCode.RebalanceInProgress, (int)ErrorCode.RebalanceInProgress, (int)ErrorCode.FencedMemberEpoch);
        Produce(broker, 40);
        harness.WaitForCommitted(40);

        Assert.Equal(1, harness.Log.Count(2017));
        Assert.Equal(2, harness.Log.Messages.Count(
            message => message.Id == 2002 && message.Text.StartsWith($"{Partitions} partitions assigned", StringComparison.Ordinal)));
        AssertTiles(harness.StoredCuts, Partitions, to: 10);
        Assert.Empty(harness.Faults);
    }

    /// <summary>
    /// librdkafka does not tell a process that it was put out while it is still letting other partitions go. It joins again, and claims
    /// what it had kept; the group takes its commits, though others have read on there.
    /// </summary>
    [RealPartFact(RealPart.LocalRdkafka)]
    public void What_was_held_while_the_group_went_on_without_this_process_is_given_up_and_begun_again()
    {
        using var broker = KafkaBroker.Start();
        var time = new JumpingTimeProvider();
        var revokeTimeout = TimeSpan.FromMinutes(4);
        using var late = new SourceHarness(
            broker, options => options with { RevokeTimeout = revokeTimeout }, time: time) { StoresAtOnce = false }.Start();
        Produce(broker, 40);
        Eventually.True(() => late.HeldCuts.Sum(cut => cut.ReadCount) == 400, "planned cuts, not stored");

        using var second = new SourceHarness(broker).Start();
        Eventually.True(() => late.Source.Snapshot().RebalanceCount >= 2, "the first process lets partitions go, and waits for its cuts");
        using var third = new SourceHarness(broker).Start();
        Eventually.True(() => second.Source.AssignedCount + third.Source.AssignedCount == Partitions, "the others own everything");
        ProduceAndStore(800);
        ProduceAndStore(1_200);

        time.Jump(revokeTimeout);
        Eventually.True(() => late.Log.Count(2025) == 1, "the first process hears that the group went on");
        late.StoresAtOnce = true;
        late.StoreHeld();
        Produce(broker, 40);
        time.Jump(revokeTimeout * 2);
        Eventually.True(() => StoredCuts().Sum(cut => cut.ReadCount) == 1_600, () => $"everything: {StoredCuts().Sum(cut => cut.ReadCount)} records");

        AssertTiles(StoredCuts(), Partitions, to: 40);
        Assert.Empty(late.Faults.Concat(second.Faults).Concat(third.Faults));

        void ProduceAndStore(int recordCount)
        {
            Produce(broker, 40);
            Eventually.True(
                () => second.StoredCuts.Concat(third.StoredCuts).DistinctBy(NameOf).Sum(cut => cut.ReadCount) == recordCount,
                $"{recordCount} records stored by the others");
        }

        // The same name is the same block, whoever has sent it.
        List<Cut> StoredCuts() =>
            [.. late.StoredCuts.Concat(second.StoredCuts).Concat(third.StoredCuts).DistinctBy(NameOf).OrderBy(cut => cut.FromOffset)];
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_process_that_is_in_no_group_commits_nothing()
    {
        using var broker = KafkaBroker.Start();
        using var consumer = new ConsumerBuilder<Ignore, Ignore>(
            new ConsumerConfig { BootstrapServers = broker.Bootstrap, GroupId = "nobody" }).Build();
        consumer.Assign(new TopicPartition("flows", 0));
        using var commits = new CommitNative(KafkaNative.HandleOf(consumer));

        Assert.Equal(ErrorCode.UnknownMemberId, commits.Send([new CommittedOffset(new PartitionKey("flows", 0), 1, "")]));
        Assert.Null(commits.TakeAnswer(TimeSpan.FromMilliseconds(1)));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_rebalance_in_progress_is_waited_for()
    {
        using var broker = KafkaBroker.Start();
        using var harness = new SourceHarness(broker).Start();
        harness.WaitForAssigned(Partitions);
        broker.Embedded!.PushRequestErrors(OffsetCommit, (int)ErrorCode.RebalanceInProgress, (int)ErrorCode.RebalanceInProgress);
        Produce(broker, 40);
        harness.WaitForCommitted(40);

        Assert.Equal((0L, 400L), (harness.Source.Snapshot().AbandonedCount, harness.Source.Snapshot().ReadCount));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_dead_process_leaves_plans_and_the_next_one_makes_the_same_cuts_of_a_longer_log()
    {
        using var broker = KafkaBroker.Start();
        using var first = new SourceHarness(broker) { StoresAtOnce = false }.Start();
        Produce(broker, 40);
        Eventually.True(() => first.HeldCuts.Sum(cut => cut.ReadCount) == 400, "planned cuts, not stored");
        Assert.False(first.Source.Stop(TimeSpan.FromMilliseconds(100)));
        Produce(broker, 40, firstSource: 400);

        using var second = new SourceHarness(broker).Start();
        second.WaitForCommitted(80);

        var replays = second.StoredCuts.Where(cut => cut.IsReplay).ToList();
        Assert.Equal(
            first.HeldCuts.Select(NameOf).Order(), replays.Select(NameOf).Order());
        Assert.Equal(
            first.Shards.Records.Select(record => (record.Source, record.Hash)).Order(),
            second.Shards.Records.Where(record => record.Cut.IsReplay).Select(record => (record.Source, record.Hash)).Order());
        AssertTiles(second.StoredCuts, Partitions, to: 20);
        Assert.Equal(Partitions, second.Source.Snapshot().ReplayCount);
        Assert.Equal(Partitions, second.Log.Count(2018));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_process_that_dies_between_insert_and_commit_is_replayed_by_name()
    {
        using var broker = KafkaBroker.Start();
        using var first = new SourceHarness(broker).Start();
        Produce(broker, 40);
        Eventually.True(() => first.StoredCuts.Sum(cut => cut.ReadCount) == 400, "stored cuts");
        broker.Embedded!.PushRequestErrors(OffsetCommit, [.. Enumerable.Repeat((int)ErrorCode.TopicAuthorizationFailed, 50)]);
        _ = first.Source.Stop(TimeSpan.FromMilliseconds(500));
        broker.Embedded.ClearRequestErrors(OffsetCommit);
        using var second = new SourceHarness(broker).Start();
        second.WaitForCommitted(40);

        var stored = first.StoredCuts.Concat(second.StoredCuts).DistinctBy(NameOf).ToList();
        AssertTiles(stored, Partitions, to: 10);
        Assert.Equal(400, stored.Sum(cut => cut.ReadCount));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_planned_range_that_the_broker_has_deleted_is_a_named_gap_of_exactly_that_range()
    {
        using var broker = KafkaBroker.Start(partitionCount: 1);
        Produce(broker, 20, partitionCount: 1);
        Commit(broker, [new(new("flows", 0), 2, CutPlan.MetadataOf(12))]);
        broker.Embedded!.DeleteBefore("flows", 0, 20); // Nothing is left: the end of the log ends the replay.
        using var harness = new SourceHarness(broker).Start();
        Eventually.True(() => harness.StoredCuts.Count == 1, "the replay");
        Produce(broker, 5, partitionCount: 1);
        Eventually.True(() => harness.StoredCuts.Sum(cut => cut.ReadCount) == 50, "what comes after it");

        Assert.Equal((2, 12, 10, true), Shape(harness.StoredCuts.First()));
        Assert.Equal((12, 8), (harness.StoredCuts.ElementAt(1).FromOffset, harness.StoredCuts.ElementAt(1).GapOffsetCount));
        Assert.True(harness.Log.Count(2012) >= 1);

        static (long, long, long, bool) Shape(Cut cut) => (cut.FromOffset, cut.ToOffset, cut.GapOffsetCount, cut.IsReplay);
    }

    [RealPartTheory(RealPart.LocalRdkafka)]
    [InlineData(true, 6, 2021)]
    [InlineData(false, 2, 2020)]
    [InlineData(null, 2, 2020)]
    public void A_plan_of_another_layout_is_passed_over_when_it_is_stored_and_read_again_otherwise(bool? isStored, long from, int logged)
    {
        using var broker = KafkaBroker.Start(partitionCount: 1);
        Produce(broker, 10, partitionCount: 1);
        Commit(broker, [new(new("flows", 0), 2, "weir-plan layout=77 to=6")]);
        var asked = new List<(PartitionKey, long, long)>();
        using var harness = new SourceHarness(broker, isStored: (key, fromOffset, toOffset) =>
        {
            asked.Add((key, fromOffset, toOffset));
            return isStored is { } known ? Task.FromResult(known) : Task.FromException<bool>(new IOException("no ledger"));
        }).Start();
        harness.WaitForCommitted(10);

        Assert.Equal((new PartitionKey("flows", 0), 2L, 6L), Assert.Single(asked));
        Assert.Equal(from, harness.StoredCuts.First().FromOffset);
        Assert.Equal((10 - from) * 10, harness.StoredCuts.Sum(cut => cut.ReadCount));
        Assert.Equal((1, isStored is null ? 1 : 0), (harness.Log.Count(logged), harness.Log.Count(2023)));
        Assert.False(harness.StoredCuts.First().IsReplay);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Metadata_of_another_program_is_no_plan_and_is_logged_once()
    {
        using var broker = KafkaBroker.Start();
        Produce(broker, 40);
        Commit(broker, Enumerable.Range(0, Partitions).Select(partition => new CommittedOffset(new("flows", partition), 3, "other")));
        using var harness = new SourceHarness(broker).Start();
        harness.WaitForCommitted(40);

        Assert.Equal(280, harness.StoredCuts.Sum(cut => cut.ReadCount));
        Assert.Equal((1, 0), (harness.Log.Count(2022), harness.Log.Count(2018)));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Replays_go_on_without_memory_while_the_other_partitions_are_held_back_and_lose_nothing()
    {
        using var broker = KafkaBroker.Start(partitionCount: 2);
        Produce(broker, 2_000, partitionCount: 2);
        Commit(broker, [new(new("flows", 1), 0, CutPlan.MetadataOf(1_000))]);
        var shards = new TestShards(WorkerHarness.Schema, budgetBytes: 100_000) { ChargedBytesPerRecord = 100 };
        using var harness = new SourceHarness(broker, shards: shards) { StoresAtOnce = false }.Start();
        Eventually.True(() => harness.HeldCuts.Any(cut => cut is { IsReplay: true, ReadCount: 10_000 }), "the replay, far above the limit");
        harness.StoresAtOnce = true;
        harness.StoreHeld();
        harness.WaitForCommitted(2_000);

        Assert.Equal((20_000L, 0L), (harness.Source.Snapshot().ReadCount, harness.Source.Snapshot().GapOffsetCount));
        AssertTiles(harness.StoredCuts, 2, to: 1_000);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void The_consumer_protocol_shares_partitions_and_plans_like_the_classic_one()
    {
        using var broker = KafkaBroker.Start();
        Produce(broker, 40);
        using var first = New(broker);
        first.WaitForCommitted(40);
        using var second = New(broker);
        first.WaitForAssigned(2);
        second.WaitForAssigned(2);
        Produce(broker, 40, firstSource: 400);
        Eventually.True(() => broker.Committed("weir", "flows", Partitions).All(offset => offset == 20), "all committed");

        AssertTiles(first.StoredCuts.Concat(second.StoredCuts).DistinctBy(NameOf), Partitions, to: 20);

        static SourceHarness New(KafkaBroker broker) => new SourceHarness(
            broker, options => options with
            {
                KafkaProperties = new Dictionary<string, string> { ["group.protocol"] = "consumer", ["fetch.wait.max.ms"] = "10" },
            }).Start();
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_static_member_that_restarts_quickly_gets_its_partitions_back_and_replays_them()
    {
        using var broker = KafkaBroker.Start();
        Produce(broker, 40);
        var properties = new Dictionary<string, string> { ["group.instance.id"] = "weir-1" };
        using var first = new SourceHarness(broker, properties: properties) { StoresAtOnce = false }.Start();
        Eventually.True(() => first.HeldCuts.Sum(cut => cut.ReadCount) == 400, "planned cuts");
        broker.Embedded!.TrackRequests();
        _ = first.Source.Stop(TimeSpan.FromMilliseconds(100));
        Assert.Equal(0, broker.Embedded.CountRequests(apiKey: 13)); // No LeaveGroup: a real broker keeps its place; the mock knows no static members.
        using var second = new SourceHarness(broker, properties: properties).Start();
        second.WaitForCommitted(40);

        Assert.All(second.StoredCuts, cut => Assert.True(cut.IsReplay));
        AssertTiles(second.StoredCuts, Partitions, to: 10);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Whatever_dies_when_the_stored_ranges_tile_the_log()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        using var broker = KafkaBroker.Start();
        var stored = new List<Cut>();
        var sent = 0;
        for (var life = 0; life < 6; life++)
        {
            using var harness = new SourceHarness(broker, options => options with { FlushInterval = TimeSpan.FromMilliseconds(100) }).Start();
            harness.WaitForAssigned(Partitions);
            harness.StoresAtOnce = random.Next(3) > 0;
            for (var round = random.Next(1, 4); round > 0; round--)
            {
                Produce(broker, 40, firstSource: (uint)sent * 10);
                sent += 40;
                var cutCount = harness.StoredCuts.Count + harness.HeldCuts.Count;
                Eventually.True(() => harness.StoredCuts.Count + harness.HeldCuts.Count > cutCount || harness.HeldCuts.Count > 0, "a cut");
            }

            if (random.Next(2) == 0)
            {
                broker.Embedded!.PushRequestErrors(OffsetCommit, [.. Enumerable.Repeat((int)ErrorCode.TopicAuthorizationFailed, 100)]);
            }

            _ = harness.Source.Stop(TimeSpan.FromMilliseconds(random.Next(200)));
            broker.Embedded!.ClearRequestErrors(OffsetCommit);
            stored.AddRange(harness.StoredCuts);
        }

        using (var last = new SourceHarness(broker).Start())
        {
            last.WaitForCommitted(sent);
            stored.AddRange(last.StoredCuts);
        }

        var names = stored.DistinctBy(NameOf).ToList();
        Assert.True(names.Sum(cut => cut.ReadCount) == sent * 10, $"seed {seed}: {string.Join(", ", names.Select(NameOf))}");
        AssertTiles(names, Partitions, to: sent / Partitions);
    }

    private static string NameOf(Cut cut) => $"{cut.Partition}:{cut.FromOffset}-{cut.ToOffset}";

    private static void AssertTiles(IEnumerable<Cut> cuts, int partitionCount, long to)
    {
        var byPartition = cuts.GroupBy(cut => cut.Partition).ToList();
        Assert.Equal(partitionCount, byPartition.Count);
        foreach (var group in byPartition)
        {
            var next = 0L;
            foreach (var cut in group.OrderBy(cut => cut.FromOffset))
            {
                Assert.Equal(next, cut.FromOffset);
                next = cut.ToOffset;
            }

            Assert.Equal(to, next);
        }
    }

    private static IConsumer<Ignore, Ignore> Join(KafkaBroker broker)
    {
        var consumer = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig(KafkaBroker.QuickProperties())
        {
            BootstrapServers = broker.Bootstrap,
            GroupId = "weir",
            EnableAutoCommit = false,
        }).SetLogHandler((_, _) => { }).Build();
        consumer.Subscribe("flows");
        Eventually.True(
            () =>
            {
                _ = consumer.Consume(TimeSpan.FromMilliseconds(5));
                return consumer.Assignment.Count > 0;
            },
            "an assignment");
        return consumer;
    }

    /// <summary>Commits as a member of the group that leaves then.</summary>
    private static void Commit(KafkaBroker broker, IEnumerable<CommittedOffset> commits)
    {
        using var consumer = Join(broker);
        using (var channel = new CommitNative(KafkaNative.HandleOf(consumer)))
        {
            Assert.Equal(ErrorCode.NoError, channel.Send([.. commits]));
            IReadOnlyList<CommitAnswer>? answers = null;
            Eventually.True(() => (answers = channel.TakeAnswer(TimeSpan.FromMilliseconds(5))) is not null, "the answer");
            Assert.All(answers!, answer => Assert.Equal(ErrorCode.NoError, answer.Error));
        }

        consumer.Close();
    }

    private static List<CommittedOffset> Committed(KafkaBroker broker)
    {
        using var consumer = new ConsumerBuilder<Ignore, Ignore>(
            new ConsumerConfig { BootstrapServers = broker.Bootstrap, GroupId = "weir" }).SetLogHandler((_, _) => { }).Build();
        return CommittedMetadata.Read(
            consumer, [.. Enumerable.Range(0, Partitions).Select(partition => new TopicPartition("flows", partition))], TimeSpan.FromSeconds(10));
    }

    /// <summary>Messages of 10 records each, in turn over the partitions.</summary>
    private static void Produce(KafkaBroker broker, int messageCount, int partitionCount = Partitions, uint firstSource = 0)
    {
        var now = (uint)DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        broker.Produce("flows", Enumerable.Range(0, messageCount).Select(message => (
            message % partitionCount,
            (byte[]?)TestFormat.Encode(Enumerable.Range(0, 10).Select(index => new TestRecord(now, firstSource + (uint)((message * 10) + index)))),
            (DateTimeOffset?)null)));
    }

    /// <summary>The machine's clock, which a test moves on.</summary>
    private sealed class JumpingTimeProvider : TimeProvider
    {
        private long _jumped;

        public override long GetTimestamp() => base.GetTimestamp() + Volatile.Read(ref _jumped);

        public void Jump(TimeSpan by) => Interlocked.Add(ref _jumped, (long)(by.TotalSeconds * TimestampFrequency));
    }
}
