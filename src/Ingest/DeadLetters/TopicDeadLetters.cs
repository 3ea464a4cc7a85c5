using System.Text;
using Confluent.Kafka;

namespace Weir.Ingest;

/// <summary>Dead letters in a topic: the value as it was, everything else in headers.</summary>
internal sealed class TopicDeadLetters : IDeadLetterStore
{
    private static readonly TimeSpan _pollInterval = TimeSpan.FromMilliseconds(100);

    private readonly IProducer<Null, byte[]> _producer;
    private readonly string _topic;

    /// <summary>Connects, in the background.</summary>
    public TopicDeadLetters(IngestOptions options, string topic)
    {
        _topic = topic;
        _producer = ProducerOf(options);
    }

    /// <summary>A producer with the consumer's connection properties; librdkafka passes over those that are a consumer's only.</summary>
    public static IProducer<Null, byte[]> ProducerOf(IngestOptions options)
    {
        var properties = new Dictionary<string, string>(options.KafkaProperties)
        {
            ["bootstrap.servers"] = options.Bootstrap,
            ["client.id"] = "weir-dead-letters",
            ["queue.buffering.max.messages"] = "10000",
            ["queue.buffering.max.kbytes"] = "65536",
            ["message.timeout.ms"] = "30000",
        };
        return new ProducerBuilder<Null, byte[]>(properties)
            .SetLogHandler((_, _) => { })
            .SetErrorHandler((_, _) => { }) // Each letter's own report tells.
            .Build();
    }

    /// <inheritdoc/>
    public void Write(DeadLetter letter, Action<string?> done)
    {
        var headers = new Headers();
        foreach (var (name, value) in letter.Headers())
        {
            headers.Add(name, Encoding.UTF8.GetBytes(value));
        }

        try
        {
            _producer.Produce(
                _topic,
                new Message<Null, byte[]> { Value = letter.Value.ToArray(), Headers = headers },
                report => done(report.Error.IsError ? report.Error.Reason : null));
        }
        catch (ProduceException<Null, byte[]> error)
        {
            done(error.Error.Reason);
            _producer.Poll(_pollInterval); // Most likely its queue is full: give it time.
        }
    }

    /// <inheritdoc/>
    public void Flush(TimeSpan timeout) => _producer.Flush(timeout);

    /// <inheritdoc/>
    public void Dispose() => _producer.Dispose();
}
