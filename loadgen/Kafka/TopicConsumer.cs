using Confluent.Kafka;
using Weir.Loadgen.Capture;

namespace Weir.Loadgen.Kafka;

/// <summary>Where reading begins in each partition.</summary>
public enum StartAt
{
    /// <summary>The first message that the broker still has.</summary>
    Beginning,

    /// <summary>The next message that comes.</summary>
    End,

    /// <summary>The first message of a time or later.</summary>
    Time,

    /// <summary>An offset.</summary>
    Offset,
}

/// <summary>What to read.</summary>
public sealed record ConsumerOptions
{
    /// <summary>Kafka's <c>bootstrap.servers</c>.</summary>
    public required string Bootstrap { get; init; }

    /// <summary>The topics.</summary>
    public required IReadOnlyList<string> Topics { get; init; }

    /// <summary>Where to begin.</summary>
    public StartAt Start { get; init; } = StartAt.Beginning;

    /// <summary>The time for <see cref="StartAt.Time"/>.</summary>
    public DateTimeOffset Time { get; init; }

    /// <summary>The offset for <see cref="StartAt.Offset"/>.</summary>
    public long Offset { get; init; }

    /// <summary>Offsets that go before <see cref="Start"/>, by topic and partition: what a capture has already.</summary>
    public IReadOnlyDictionary<(string Topic, int Partition), long> Resume { get; init; } = new Dictionary<(string, int), long>();

    /// <summary>Further librdkafka properties, NAME=VALUE.</summary>
    public IReadOnlyList<string> Properties { get; init; } = [];
}

/// <summary>Reads all partitions of topics without a group: nothing is committed, nobody else is disturbed.</summary>
/// <remarks>One thread.</remarks>
public sealed class TopicConsumer : IDisposable
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(10);

    private readonly ConsumerOptions _options;
    private readonly IConsumer<byte[]?, byte[]?> _consumer;
    private readonly Dictionary<(string, int), long> _ends = [];
    private string? _lastError;

    /// <summary>Connects and asks for partitions and offsets.</summary>
    /// <exception cref="KafkaException">The broker can't be reached, or a topic is not there.</exception>
    public TopicConsumer(ConsumerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        var properties = Topics.Properties(options.Bootstrap, []);
        properties["group.id"] = "weir-loadgen"; // Asked for by the client, and not used: nothing is committed.
        properties["enable.auto.commit"] = "false";
        properties["auto.offset.reset"] = "error"; // Offsets that are gone are told, not jumped over.
        properties["fetch.wait.max.ms"] = "50";
        properties["queued.max.messages.kbytes"] = "65536";
        foreach (var (name, value) in Topics.Properties(options.Bootstrap, options.Properties))
        {
            properties[name] = value;
        }

        _consumer = new ConsumerBuilder<byte[]?, byte[]?>(properties)
            .SetLogHandler((_, _) => { })
            .SetErrorHandler((_, error) => _lastError = error.Reason)
            .Build();
        try
        {
            PartitionCounts = [.. options.Topics.Select(topic => Topics.CountPartitions(_consumer.Handle, topic))];
            _consumer.Assign(FindStarts());
        }
        catch
        {
            _consumer.Dispose();
            throw;
        }
    }

    /// <summary>Partitions of each topic.</summary>
    public IReadOnlyList<int> PartitionCounts { get; }

    /// <summary>Offsets that were to be read and that the broker has no more.</summary>
    public long GapOffsetCount { get; private set; }

    /// <summary>The last error of the client, in words.</summary>
    public string? Problem => _lastError;

    /// <summary>The next message.</summary>
    /// <param name="timeout">How long to wait for it.</param>
    /// <returns>Null when there is none.</returns>
    public CapturedMessage? Read(TimeSpan timeout)
    {
        try
        {
            var result = _consumer.Consume(timeout);
            if (result is null || result.IsPartitionEOF)
            {
                return null;
            }

            var message = result.Message;
            var headers = message.Headers is { Count: > 0 }
                ? message.Headers.Select(header => new KeyValuePair<string, byte[]?>(header.Key, header.GetValueBytes())).ToArray()
                : [];
            return new CapturedMessage(
                IndexOf(result.Topic), result.Partition.Value, result.Offset.Value,
                message.Timestamp.Type == TimestampType.NotAvailable ? 0 : message.Timestamp.UnixTimestampMs,
                (int)message.Timestamp.Type, message.Key, message.Value, headers);
        }
        catch (ConsumeException error) when (error.Error.Code is ErrorCode.OffsetOutOfRange or ErrorCode.Local_AutoOffsetReset)
        {
            Jump(error.ConsumerRecord.TopicPartitionOffset);
            return null;
        }
    }

    /// <summary>True when the messages that were there at the start have all been read, up to these offsets.</summary>
    public bool HasReachedEnds(IReadOnlyDictionary<(string Topic, int Partition), long> nextOffsets) =>
        _ends.All(end => nextOffsets.GetValueOrDefault(end.Key) >= end.Value);

    /// <inheritdoc/>
    public void Dispose()
    {
        _consumer.Close();
        _consumer.Dispose();
    }

    private int IndexOf(string topic)
    {
        for (var index = 0; index < _options.Topics.Count; index++)
        {
            if (_options.Topics[index] == topic)
            {
                return index;
            }
        }

        throw new InvalidOperationException($"A message of {topic} came, which was not asked for.");
    }

    private void Jump(TopicPartitionOffset wanted)
    {
        var range = _consumer.QueryWatermarkOffsets(wanted.TopicPartition, _timeout);
        GapOffsetCount += Math.Max(0, range.Low.Value - wanted.Offset.Value);
        _consumer.Assign(_consumer.Assignment.Select(partition => new TopicPartitionOffset(
            partition, partition == wanted.TopicPartition ? range.Low : _consumer.Position(partition))));
    }

    private List<TopicPartitionOffset> FindStarts()
    {
        var partitions = _options.Topics.SelectMany((topic, index) =>
            Enumerable.Range(0, PartitionCounts[index]).Select(partition => new TopicPartition(topic, partition))).ToList();
        var times = _options.Start == StartAt.Time
            ? _consumer.OffsetsForTimes(
                partitions.Select(partition => new TopicPartitionTimestamp(partition, new Timestamp(_options.Time))), _timeout)
                .ToDictionary(found => found.TopicPartition, found => found.Offset)
            : [];
        var starts = new List<TopicPartitionOffset>();
        foreach (var partition in partitions)
        {
            var range = _consumer.QueryWatermarkOffsets(partition, _timeout);
            var start = _options.Start switch
            {
                StartAt.Beginning => range.Low.Value,
                StartAt.End => range.High.Value,
                StartAt.Time => times[partition] is { IsSpecial: false } found ? found.Value : FindTime(partition, range),
                _ => _options.Offset,
            };
            if (_options.Resume.TryGetValue((partition.Topic, partition.Partition.Value), out var resume))
            {
                start = resume;
            }

            if (start < range.Low.Value)
            {
                GapOffsetCount += _options.Start == StartAt.Offset || resume > 0 ? range.Low.Value - start : 0;
                start = range.Low.Value;
            }

            if (range.High.Value > start)
            {
                _ends[(partition.Topic, partition.Partition.Value)] = range.High.Value;
            }

            starts.Add(new TopicPartitionOffset(partition, start));
        }

        return starts;
    }

    /// <summary>
    /// The broker says that no message is of the time or later. That is true, or it cannot look messages up by time, as <c>weir broker</c>:
    /// the last message tells which, and then the first one is found by halving, which takes times that rise with the offsets.
    /// </summary>
    private long FindTime(TopicPartition partition, WatermarkOffsets range)
    {
        var (low, high) = (range.Low.Value, range.High.Value);
        var next = high - 1; // The last one is asked first.
        while (low < high)
        {
            if (IsBeforeTime(partition, next))
            {
                low = next + 1;
            }
            else
            {
                high = next;
            }

            next = low + ((high - low) / 2);
        }

        return low;
    }

    private bool IsBeforeTime(TopicPartition partition, long offset)
    {
        _consumer.Assign(new TopicPartitionOffset(partition, offset));
        return _consumer.Consume(_timeout) is not { Message.Timestamp: var time }
            || time.UnixTimestampMs < _options.Time.ToUnixTimeMilliseconds();
    }
}
