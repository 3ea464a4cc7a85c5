using Confluent.Kafka;
using Weir.Loadgen.Capture;
using Weir.Loadgen.Kafka;

namespace Weir.Loadgen.CodecChoice;

/// <summary>Measures codecs through a real producer, a broker and a real consumer.</summary>
/// <remarks>
/// CPU times are those of this whole process, client threads and all, so that the one of <c>none</c> is the price of the client itself.
/// The broker has to be
/// another process.
/// </remarks>
public sealed class BrokerBench(string bootstrap, IReadOnlyList<string> properties, int batchBytes)
{
    private static readonly TimeSpan _statisticsWait = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan _readTimeout = TimeSpan.FromMilliseconds(200);
    private const int IdleReadsMax = 50;

    /// <summary>Sends all messages to a topic with a codec and reads them again.</summary>
    /// <param name="codec">The codec.</param>
    /// <param name="topic">A topic for this codec alone, empty at first.</param>
    /// <param name="messages">The messages.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <returns>Compressed bytes are those that went to the broker, heads of requests among them.</returns>
    /// <exception cref="InvalidDataException">The broker did not give back as many messages.</exception>
    public CodecResult Run(Codec codec, string topic, IReadOnlyList<CapturedMessage> messages, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(codec);
        long wireBytes;
        double produceSeconds;
        using (var producer = new TopicProducer(new ProducerOptions
        {
            Bootstrap = bootstrap, Topic = topic, Codec = codec.Name, Level = codec.Level, BatchBytes = batchBytes, LingerMs =
                50, Properties = properties,
            InFlightBytesMax = 512 * 1024 * 1024,
        }))
        {
            var wireBefore = producer.SentBytesOnWire;
            var start = CpuClock.OfProcess();
            foreach (var message in messages)
            {
                producer.Send(
                    message.Partition % producer.PartitionCount, message.Key, message.Value,
                    new Timestamp(message.TimestampMs, TimestampType.CreateTime), null, 1, cancellation);
            }

            producer.Flush();
            produceSeconds = (CpuClock.OfProcess() - start).TotalSeconds;
            Thread.Sleep(_statisticsWait);
            wireBytes = producer.SentBytesOnWire - wireBefore;
        }

        var consumeSeconds = Read(topic, messages.Count, cancellation);
        return new CodecResult(
            codec, batchBytes, messages.Count, messages.Sum(message => (long)message.Bytes), wireBytes, produceSeconds, consumeSeconds);
    }

    private double Read(string topic, int messageCount, CancellationToken cancellation)
    {
        using var consumer = new TopicConsumer(new ConsumerOptions { Bootstrap = bootstrap, Topics = [topic], Properties = properties });
        var start = CpuClock.OfProcess();
        var idle = 0;
        for (var count = 0; count < messageCount;)
        {
            cancellation.ThrowIfCancellationRequested();
            var isRead = consumer.Read(_readTimeout) is not null;
            count += isRead ? 1 : 0;
            idle = isRead ? 0 : idle + 1;
            if (idle == IdleReadsMax)
            {
                throw new InvalidDataException(
                    $"{topic} gave back {count} of {messageCount} messages: give it more partitions, or take fewer messages.");
            }
        }

        return (CpuClock.OfProcess() - start).TotalSeconds;
    }
}
