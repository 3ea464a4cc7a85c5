using Confluent.Kafka;
using Weir.Loadgen.Capture;
using Weir.Loadgen.Kafka;
using Weir.Loadgen.Replay;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Loadgen;

/// <summary>Topic → capture → topic through a real broker protocol.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class CaptureReplayTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-capture-").FullName;

    private static readonly string[] _topics = ["flows", "copy", "again"];

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task A_replayed_capture_is_the_same_messages_in_the_same_partitions_and_order()
    {
        using var broker = KafkaBroker.Start(_topics.ToDictionary(topic => topic, _ => 3));
        var messages = CaptureFileTests.Make(900, seed: 11).Where(message => message.Topic == 0).Select(
            message => message with { TimestampType = 1 }).ToList();
        using (var producer = Producer(broker, "flows"))
        {
            foreach (var message in messages)
            {
                producer.Send(message.Partition, message.Key, message.Value, new Timestamp(message.TimestampMs, TimestampType.CreateTime),
                    Headers(message), 0, default);
            }

            Assert.True(producer.Flush());
        }

        var path = Path.Combine(_directory, "c.weircap");
        await CaptureAsync(broker, "flows", path, messageCount: 300);
        await CaptureAsync(broker, "flows", path, messageCount: long.MaxValue); // Goes on after the first 300.
        using var reader = CaptureReader.Open(path);
        using (var producer = Producer(broker, "copy"))
        using (var replayer =
            new CaptureReplayer(new CaptureReplayOptions { Formats = ["weir"] }, producer,
                new ReplayClock(TimeProvider.System, ReplayClock.SpeedMax)))
        {
            await replayer.RunAsync([CaptureMerge.Of(reader)], CancellationToken.None);
            Assert.Equal(messages.Count, producer.Delivered.MessageCount);
        }

        await CaptureAsync(broker, "copy", Path.Combine(_directory, "copy.weircap"), long.MaxValue);
        using var copy = CaptureReader.Open(Path.Combine(_directory, "copy.weircap"));

        Assert.Equal(Texts(messages), Texts(CaptureMerge.Of(reader)));
        Assert.Equal(Texts(messages), Texts(CaptureMerge.Of(copy)));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task A_topic_is_replayed_into_another_with_its_gaps_and_the_lateness_is_measured()
    {
        using var broker = KafkaBroker.Start(_topics.ToDictionary(topic => topic, _ => 3));
        var start = DateTimeOffset.UtcNow;
        broker.Produce("flows",
            Enumerable.Range(0, 200).Select(
                index => (index % 3, (byte[]?)BitConverter.GetBytes(index), (DateTimeOffset?)start.AddMilliseconds(index * 10))));
        using var consumer = new TopicConsumer(new ConsumerOptions { Bootstrap = broker.Bootstrap, Topics = ["flows"] });
        using var producer = Producer(broker, "again");
        using var replayer =
            new CaptureReplayer(new CaptureReplayOptions { Formats = [null] }, producer, new ReplayClock(TimeProvider.System, 4));

        await replayer.RunAsync([CaptureMerge.Of(consumer, ["flows"], stopsAtEnd: true, CancellationToken.None)], CancellationToken.None);

        Assert.Equal(200, producer.Delivered.MessageCount);
        Assert.Equal(200, replayer.Lateness.Count);
        Assert.True(replayer.Elapsed >= TimeSpan.FromMilliseconds(199 * 10 / 4), $"{replayer.Elapsed} is less than the gaps at speed 4.");
    }

    /// <summary>The mock broker answers a question for a time as if there were nothing: so the halving is what is tested here. That the
    /// answer of a broker which does look is taken as it is, needs such a broker.</summary>
    [RealPartTheory(RealPart.LocalRdkafka)]
    [InlineData(-1, 0)]
    [InlineData(0, 0)]
    [InlineData(101, 11)]
    [InlineData(990, 99)]
    [InlineData(991, 100)]
    public void Reading_from_a_time_begins_with_the_first_message_of_that_time_or_later(int fromMs, int first)
    {
        const int Count = 100;
        using var broker = KafkaBroker.Start("timed", partitionCount: 2);
        var start = DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() - 60_000);
        broker.Produce("timed", Enumerable.Range(0, Count).Select(
            index => (1, (byte[]?)BitConverter.GetBytes(index), (DateTimeOffset?)start.AddMilliseconds(index * 10))));

        using var consumer = new TopicConsumer(new ConsumerOptions
        {
            Bootstrap = broker.Bootstrap, Topics = ["timed"], Start = StartAt.Time, Time = start.AddMilliseconds(fromMs),
        });
        broker.Produce("timed", [(1, BitConverter.GetBytes(Count), start.AddSeconds(30))]);

        CapturedMessage? message = null;
        Eventually.True(() => (message = consumer.Read(TimeSpan.FromMilliseconds(50))) is not null, "a message comes");
        Assert.Equal((1, (long)first), (message!.Partition, message.Offset));
    }

    private async Task CaptureAsync(KafkaBroker broker, string topic, string path, long messageCount)
    {
        var isNew = !File.Exists(path);
        using var writer = isNew ? CaptureWriter.Create(path, new CaptureHeader([new CapturedTopic(topic, "weir", 3)], 0, false))
            : CaptureWriter.Append(path);
        using var consumer = new TopicConsumer(new ConsumerOptions
        {
            Bootstrap = broker.Bootstrap,
            Topics = [topic],
            Resume = writer.NextOffsets.ToDictionary(next => (topic, next.Key.Partition), next => next.Value),
        });
        await new CaptureRun(consumer, writer, new CaptureLimits { MessageCount = messageCount, StopsAtEnd = true }, null).RunAsync(
            CancellationToken.None);
        Assert.Equal(0, consumer.GapOffsetCount);
    }

    private static TopicProducer Producer(KafkaBroker broker, string topic) =>
        new(new ProducerOptions { Bootstrap = broker.Bootstrap, Topic = topic });

    private static Headers? Headers(CapturedMessage message)
    {
        var headers = new Headers();
        foreach (var (name, value) in message.Headers)
        {
            headers.Add(name, value);
        }

        return headers.Count == 0 ? null : headers;
    }

    /// <summary>Everything but the offsets, which are the broker's, in the order of each partition.</summary>
    private static List<string> Texts(IEnumerable<CapturedMessage> messages) =>
        [.. messages.OrderBy(message => message.Partition).ThenBy(message => message.Offset).Select(
            message => CaptureFileTests.Text(message with { Offset = 0 }))];
}
