using System.Text;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Weir.Core.Telemetry;

namespace Weir.Ingest;

/// <summary>What a rekeyer reads and writes.</summary>
/// <param name="From">The topic that is not keyed, and its format.</param>
/// <param name="To">The topic that is to be, in the format <c>weir</c>; it has to exist.</param>
/// <param name="Group">The rekeyers' own consumer group.</param>
/// <param name="KeyTags">The tags that choose the partition.</param>
public sealed record RekeySettings(TopicOptions From, string To, string Group, IReadOnlyList<TagDefinition> KeyTags);

/// <summary>
/// Reads a topic whose partitions say nothing and writes another one in which each tag set has its partition. At least once by itself;
/// each message says where it comes from, so that weir passes over what was written twice.
/// </summary>
/// <remarks>
/// <para>
/// One message becomes at most one for each partition of the new topic, at the time of the old one, so what is late stays late. What
/// was read is committed when all that was made of it is acknowledged by all replicas. The producer is idempotent and never gives a
/// message up, so nothing is left out in a partition and nothing is out of order.
/// </para>
/// <para>One thread, that of <see cref="Run"/>.</para>
/// </remarks>
public sealed class Rekeyer
{
    /// <summary>The format that it writes.</summary>
    public const string Format = "weir";

    private const int BatchMessagesMax = 2_000;

    private static readonly TimeSpan _batchAge = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan _pollTimeout = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _rejectLogInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _metadataTimeout = TimeSpan.FromSeconds(30);

    private readonly IngestOptions _options;
    private readonly RekeySettings _settings;
    private readonly ILogger _logger;
    private readonly ClientLog _clientLog;
    private readonly TimeProvider _time;
    private readonly LogLimiter _rejectLog = new(_rejectLogInterval);
    private Error? _deliveryError;
    private long _outstanding;

    /// <summary>Prepares.</summary>
    public Rekeyer(IngestOptions options, RekeySettings settings, TimeProvider time, ILogger logger)
    {
        _options = options with { Group = settings.Group, Topics = [settings.From] };
        _settings = settings;
        _logger = logger;
        _time = time;
        _clientLog = new ClientLog(logger, time);
    }

    /// <summary>Messages read and committed.</summary>
    public long MessageCount { get; private set; }

    /// <summary>Records written.</summary>
    public long RecordCount { get; private set; }

    /// <summary>Records that did not decode, and are not in the new topic.</summary>
    public long RejectedCount { get; private set; }

    /// <summary>What they were rejected for, with how many; empty for none.</summary>
    public string RejectedReasons { get; private set; } = "";

    /// <summary>Works until it is told to stop; then what was read is written and committed.</summary>
    /// <exception cref="KafkaException">A topic is not there, or a client met an error that it does not get over.</exception>
    /// <exception cref="InvalidOperationException">The topics do not fit.</exception>
    public void Run(CancellationToken stop)
    {
        KafkaNative.CheckVersion();
        using var consumer = new ConsumerBuilder<Ignore, byte[]>(ConsumerSettings.Build(_options))
            .SetLogHandler((_, message) => _clientLog.Write(message))
            .SetErrorHandler((_, error) => _clientLog.Write(error))
            .Build();
        using var producer = NewProducer();
        var (fromCount, toCount) = CountPartitions(producer);
        if (fromCount > OriginMarks.OriginsMax)
        {
            throw new InvalidOperationException(
                $"{_settings.From.Name} has {fromCount} partitions; weir keeps account of at most {OriginMarks.OriginsMax} origins");
        }

        using var letters = DeadLetterQueue.Create(_options, _time, _logger);
        letters?.Start();
        using var sink = new RekeySink(_settings.KeyTags, toCount, letters is null ? null : new DeadLetterTap(letters));
        var startedAt = _time.GetTimestamp();
        var decoder = FlowFormats.Create(_settings.From.Format, RekeySink.Schema);
        consumer.Subscribe(_settings.From.Name);
        WeirLog.RekeyStarted(
            _logger, _settings.From.Name, fromCount, _settings.To, toCount, string.Join(", ", _settings.KeyTags.Select(tag => tag.Name)));
        while (!stop.IsCancellationRequested)
        {
            var batch = ReadBatch(consumer, stop);
            foreach (var message in batch)
            {
                Write(producer, sink, decoder, message);
            }

            AwaitDelivery(producer);
            Commit(consumer, batch);
            RecordCount = sink.AcceptedCount;
            if (sink.RejectedCount != RejectedCount)
            {
                (RejectedCount, RejectedReasons) = (sink.RejectedCount, sink.RejectedReasons);
                Tell(_time.GetElapsedTime(startedAt));
            }
        }

        consumer.Close();
    }

    private static List<ConsumeResult<Ignore, byte[]>> ReadBatch(IConsumer<Ignore, byte[]> consumer, CancellationToken stop)
    {
        var batch = new List<ConsumeResult<Ignore, byte[]>>();
        var deadline = DateTime.MaxValue;
        while (batch.Count < BatchMessagesMax && DateTime.UtcNow < deadline && !stop.IsCancellationRequested)
        {
            if (consumer.Consume(batch.Count == 0 ? _pollTimeout : _batchAge) is not { } result)
            {
                break;
            }

            if (result.IsPartitionEOF)
            {
                continue;
            }

            batch.Add(result);
            deadline = batch.Count == 1 ? DateTime.UtcNow + _batchAge : deadline;
        }

        return batch;
    }

    /// <summary>Says what is not in the new topic: nobody downstream can know of it.</summary>
    private void Tell(TimeSpan now)
    {
        if (_rejectLog.TryPass(now, out _))
        {
            var place = _options.DeadLetters is { Topic: null, Directory: null }
                ? "set dead_letters.topic or dead_letters.directory to keep them"
                : $"they are dead letters in {_options.DeadLetters.Topic ?? _options.DeadLetters.Directory}";
            WeirLog.RekeyRejected(_logger, RejectedCount, _settings.From.Name, RejectedReasons, _settings.To, place);
        }
    }

    private unsafe void Write(IProducer<Null, byte[]> producer, RekeySink sink, FlowDecoder decoder, ConsumeResult<Ignore, byte[]> message)
    {
        var value = message.Message.Value ?? [];
        var read = new KafkaMessage(
            0, message.Partition.Value, message.Offset.Value, message.Message.Timestamp.UnixTimestampMs, null, value.Length, 0);
        sink.Begin(new PartitionKey(message.Topic, message.Partition.Value), read);
        decoder.Decode(value, sink);
        var origin = Encoding.UTF8.GetBytes(OriginMarks.HeaderOf(message.Topic, message.Partition.Value, message.Offset.Value));
        foreach (var (partition, batch) in sink.Finish(read))
        {
            var made = new Message<Null, byte[]>
            {
                Value = batch, Headers = new Headers { { OriginMarks.Header, origin } }, Timestamp = message.Message.Timestamp,
            };
            Produce(producer, new TopicPartition(_settings.To, partition), made);
        }
    }

    private void Produce(IProducer<Null, byte[]> producer, TopicPartition to, Message<Null, byte[]> message)
    {
        while (true)
        {
            try
            {
                producer.Produce(to, message, Delivered);
                _outstanding++;
                return;
            }
            catch (ProduceException<Null, byte[]> error) when (error.Error.Code == ErrorCode.Local_QueueFull)
            {
                producer.Poll(_pollTimeout);
            }
        }
    }

    /// <summary>Called within Poll and Flush, on this thread.</summary>
    private void Delivered(DeliveryReport<Null, byte[]> report)
    {
        _outstanding--;
        if (report.Error.IsError)
        {
            _deliveryError = report.Error;
        }
    }

    private void AwaitDelivery(IProducer<Null, byte[]> producer)
    {
        while (_outstanding > 0)
        {
            producer.Poll(_pollTimeout);
            if (_deliveryError is { } error)
            {
                throw new KafkaException(error); // Nothing of the batch is committed; it is made again after the next start.
            }
        }
    }

    private void Commit(IConsumer<Ignore, byte[]> consumer, List<ConsumeResult<Ignore, byte[]>> batch)
    {
        if (batch.Count == 0)
        {
            return;
        }

        try
        {
            consumer.Commit(batch.GroupBy(message => message.TopicPartition)
                .Select(group => new TopicPartitionOffset(group.Key, group.Max(message => message.Offset.Value) + 1)));
            MessageCount += batch.Count;
        }
        catch (KafkaException error) when (!error.Error.IsFatal)
        {
            // The partition has gone to another rekeyer, or the coordinator is away: what is written again, weir passes over.
            _clientLog.Write(error.Error);
        }
    }

    private IProducer<Null, byte[]> NewProducer()
    {
        var properties = new Dictionary<string, string>(_options.KafkaProperties)
        {
            ["bootstrap.servers"] = _options.Bootstrap,
            ["client.id"] = "weir-rekey",
            ["enable.idempotence"] = "true",
            ["message.timeout.ms"] = "0", // A message that were given up would leave a gap that nobody sees.
            ["linger.ms"] = "5",
            ["compression.type"] = "lz4",
        };
        return new ProducerBuilder<Null, byte[]>(properties)
            .SetLogHandler((_, message) => _clientLog.Write(message))
            .SetErrorHandler((_, error) => OnProducerError(error))
            .Build();
    }

    private void OnProducerError(Error error)
    {
        _clientLog.Write(error);
        if (error.IsFatal)
        {
            _deliveryError = error;
        }
    }

    private (int From, int To) CountPartitions(IProducer<Null, byte[]> producer)
    {
        using var admin = new DependentAdminClientBuilder(producer.Handle).Build();
        var topics = admin.GetMetadata(_metadataTimeout).Topics; // All: asking for one by name may create it.
        return (Count(_settings.From.Name), Count(_settings.To));

        int Count(string name) => topics.Find(topic => topic.Topic == name)?.Partitions.Count
            ?? throw new KafkaException(new Error(ErrorCode.UnknownTopicOrPart, $"there is no topic {name}; create it first"));
    }
}
