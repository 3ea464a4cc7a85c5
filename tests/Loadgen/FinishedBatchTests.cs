using Confluent.Kafka;
using Weir.Loadgen.Capture;
using Weir.Loadgen.CodecChoice;
using Weir.Loadgen.Generate;
using Weir.Loadgen.Kafka;
using Weir.Loadgen.Replay;
using Weir.Tests.Codecs.Flow;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Loadgen;

/// <summary>Record batches that are made once and sent again and again.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class FinishedBatchTests
{
    private const string Topic = "flows";
    private const long TimeMs = 1_767_225_600_000;

    private static readonly GeneratorOptions _options = new()
    {
        StartSecond = TimeMs / 1_000, Seed = 9, SeriesCount = 500, PartitionCount = 2, RecordsPerMessage = 100, MalformedShare = 0.02,
        Format = "goflow2", CountsRows = true,
    };

    [RealPartTheory(RealPart.LocalRdkafka)]
    [InlineData("none")]
    [InlineData("gzip")]
    [InlineData("snappy")]
    [InlineData("lz4")]
    [InlineData("zstd")]
    public void They_are_stored_and_read_back_by_an_ordinary_consumer(string codec)
    {
        using var broker = KafkaBroker.Start(Topic, partitionCount: 2);
        var random = new Random(3);
        byte[][] values = [.. Enumerable.Range(0, 50).Select(index => Value(random, 1 + (index * 1_000)))];
        var builder = new RecordBatchBuilder(int.MaxValue);
        for (var index = 0; index < values.Length; index++)
        {
            Assert.True(builder.TryAdd(new CapturedMessage(0, 0, 0, TimeMs + index, 1, null, values[index], [])));
        }

        var batch = builder.FinishForBroker(codec, level: null);
        using var sender = new BatchSender(broker.Bootstrap, Topic);

        Assert.Equal(0, sender.Send(partition: 1, batch));
        Assert.Equal(values.Length, sender.Send(partition: 1, batch));

        using var consumer = Consumer(broker);
        consumer.Assign(new TopicPartitionOffset(Topic, 1, Offset.Beginning));
        for (var offset = 0; offset < 2 * values.Length; offset++)
        {
            var message = consumer.Consume(TimeSpan.FromSeconds(60));
            Assert.Equal(offset, message.Offset.Value);
            Assert.Equal(values[offset % values.Length], message.Message.Value);
            Assert.Equal(TimeMs + (offset % values.Length), message.Message.Timestamp.UnixTimestampMs);
        }
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_partition_that_is_not_there_and_bytes_that_are_no_batch_are_told()
    {
        using var broker = KafkaBroker.Start(Topic, partitionCount: 2);
        using var sender = new BatchSender(broker.Bootstrap, Topic);
        var builder = new RecordBatchBuilder(int.MaxValue);
        builder.TryAdd(new CapturedMessage(0, 0, 0, TimeMs, 1, null, [1, 2, 3], []));
        var batch = builder.FinishForBroker("none", level: null);

        var error = Assert.Throws<IOException>(() => sender.Send(partition: 7, batch));
        Assert.Contains("no partition 7", error.Message, StringComparison.Ordinal);
        batch[16] = 1; // A message format that the request does not carry.
        Assert.Throws<IOException>(() => sender.Send(partition: 0, batch));
    }

    [Fact]
    public void The_same_options_make_the_same_batches_and_their_totals_are_those_of_the_records()
    {
        var batches = FinishedBatch.Make(_options, 30_000, "lz4", null, CancellationToken.None);
        var again = FinishedBatch.Make(_options, 30_000, "lz4", null, CancellationToken.None);
        var generator = new Generator(_options);
        _ = generator.Messages(30_000).Count();
        var sum = new GeneratedTotals(countsRows: true);
        foreach (var batch in batches)
        {
            sum.Add(batch.Totals, 1);
        }

        Assert.Equal(batches.Select(batch => Convert.ToHexString(batch.Bytes)), again.Select(batch => Convert.ToHexString(batch.Bytes)));
        Assert.True(batches.Count > 4, $"{batches.Count} batches");
        Assert.Equal(30_000, sum.RecordCount);
        Assert.Equal(generator.Totals.MeterSums, sum.MeterSums);
        Assert.Equal(generator.Totals.Windows(0), sum.Windows(0));
        Assert.Equal(generator.Totals.RowCount(0), sum.RowCount(0));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task A_run_that_ends_within_a_round_counts_what_it_has_sent_and_nothing_else()
    {
        using var broker = KafkaBroker.Start(Topic, partitionCount: 2);
        var batches = FinishedBatch.Make(_options, 30_000, "zstd", null, CancellationToken.None);
        using var run = new LoopRun(
            new LoopOptions { Bootstrap = broker.Bootstrap, Topic = Topic, RecordsMax = 70_000 }, batches);
        await run.RunAsync(CancellationToken.None);

        var (records, rejected, messages) = (0L, 0L, 0L);
        using var consumer = Consumer(broker);
        consumer.Assign([new TopicPartitionOffset(Topic, 0, Offset.Beginning), new TopicPartitionOffset(Topic, 1, Offset.Beginning)]);
        while (messages < run.Totals.MessageCount)
        {
            var message = consumer.Consume(TimeSpan.FromSeconds(60));
            using var sink = FlowSamples.Decode(_options.Format, message.Message.Value);
            records += sink.AcceptedCount + sink.RejectedCount;
            rejected += sink.RejectedCount;
            messages++;
        }

        var end = Enumerable.Range(0, 2).Sum(
            partition => consumer.QueryWatermarkOffsets(new TopicPartition(Topic, partition), TimeSpan.FromSeconds(30)).High.Value);
        Assert.Equal(end, run.Totals.MessageCount);
        Assert.Equal((run.Totals.RecordCount, run.Totals.MalformedCount), (records, rejected));
        Assert.InRange(records, 70_000, 70_000 + batches.Max(batch => batch.RecordCount));
        Assert.NotEqual(0, records % 30_000);
        Assert.Equal(run.HandledRecordCount, records);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task A_run_that_follows_a_consumer_stays_near_its_position()
    {
        using var broker = KafkaBroker.Start(Topic, partitionCount: 2);
        var batches = FinishedBatch.Make(_options, 30_000, "none", null, CancellationToken.None);
        var positions = new List<ConsumerPosition>();
        using var stop = new CancellationTokenSource();
        var loop = new LoopOptions { Bootstrap = broker.Bootstrap, Topic = Topic, AheadBytesMax = 1 };
        using var run = new LoopRun(
            loop, batches, _ => ValueTask.FromResult<IReadOnlyList<ConsumerPosition>>(Volatile.Read(ref positions)));
        var work = run.RunAsync(stop.Token);

        // Nothing is passed yet: a batch goes where nothing is ahead, so each partition gets one.
        await Eventually.TrueAsync(
            () => Task.FromResult(run.BatchCount == 2), () => $"one batch for each partition; {run.BatchCount} are sent");
        var first = batches.First(batch => batch.Partition == 1).Totals.MessageCount;
        Volatile.Write(ref positions, [new ConsumerPosition(Topic, 1, first)]);
        await Eventually.TrueAsync(
            () => Task.FromResult(run.BatchCount == 3), () => $"one more for the partition that was read; {run.BatchCount} are sent");
        await stop.CancelAsync();
        await work;

        Assert.Equal(3, run.BatchCount);
        Assert.Equal(0, run.UnsentRecordCount);
        Assert.True(run.WaitedSeconds > 0);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task A_broker_that_goes_away_ends_the_run_with_what_was_stored()
    {
        using var broker = KafkaBroker.Start(Topic, partitionCount: 2);
        var batches = FinishedBatch.Make(_options, 30_000, "lz4", null, CancellationToken.None);
        using var run = new LoopRun(new LoopOptions { Bootstrap = broker.Bootstrap, Topic = Topic }, batches);
        var work = run.RunAsync(CancellationToken.None);
        await Eventually.TrueAsync(() => run.BatchCount > batches.Count, "more than a round is sent");
        broker.Dispose();
        await work;

        Assert.Equal(run.HandledRecordCount, run.Totals.RecordCount);
        Assert.Contains(run.UnsentRecordCount, batches.Select(batch => batch.RecordCount));
        Assert.Contains("did not answer", run.Problem, StringComparison.Ordinal);
    }

    private static byte[] Value(Random random, int length)
    {
        var value = new byte[length];
        random.NextBytes(value.AsSpan(0, length / 2)); // Half of it does not compress.
        return value;
    }

    private static IConsumer<Ignore, byte[]> Consumer(KafkaBroker broker) => new ConsumerBuilder<Ignore, byte[]>(
        new ConsumerConfig { BootstrapServers = broker.Bootstrap, GroupId = "g", CheckCrcs = true }).SetLogHandler((_, _) => { }).Build();
}
