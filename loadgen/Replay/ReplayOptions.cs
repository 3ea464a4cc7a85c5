namespace Weir.Loadgen.Replay;

/// <summary>What to replay, where to, and how fast.</summary>
public sealed record ReplayOptions
{
    /// <summary>File of pmacct records, one JSON object a line; compressed with zstd when its name ends in <c>.zst</c>.</summary>
    public required string File { get; init; }

    /// <summary>Kafka's <c>bootstrap.servers</c>.</summary>
    public required string Bootstrap { get; init; }

    /// <summary>Topic to produce to; it has to exist, or the broker has to make it.</summary>
    public required string Topic { get; init; }

    /// <summary>When to stop; null for not by time.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>How many times the file is sent; null for not by count. With neither this nor a duration, until cancelled.</summary>
    public long? Times { get; init; }

    /// <summary>Records a second; null for as fast as the broker and the consumer take them.</summary>
    public double? RecordsPerSecond { get; init; }

    /// <summary>Most records in one message, separated by newlines, as an agent with <c>kafka_multi_values</c> packs them.</summary>
    public int RecordsPerMessage { get; init; } = 200;

    /// <summary>
    /// Moves the times of each record to now: its latest time becomes the second of sending, the others keep their distance to it.
    /// </summary>
    public bool IsRetimed { get; init; }

    /// <summary>JSON key by whose value records are spread over the partitions; null for message after message in turn.</summary>
    public string? PartitionKey { get; init; }

    /// <summary>
    /// Most bytes of messages, before compression, that one partition may hold beyond the consumer's position, where that is followed. The
    /// default is below the 5 MiB that the embedded broker keeps, so that it drops nothing unread even if nothing compresses.
    /// </summary>
    public long AheadBytesMax { get; init; } = 4 * 1024 * 1024;

    /// <summary>Most bytes of messages that the broker has not acknowledged.</summary>
    public long InFlightBytesMax { get; init; } = 32 * 1024 * 1024;

    /// <summary>How often the consumer's position is asked for.</summary>
    public TimeSpan PositionInterval { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>Further librdkafka properties of the producer.</summary>
    public IReadOnlyDictionary<string, string> ProducerProperties { get; init; } = new Dictionary<string, string>();

    /// <summary>Checks the numbers.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One of them is not positive.</exception>
    public void Validate()
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(RecordsPerMessage);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(AheadBytesMax);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(InFlightBytesMax);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(RecordsPerSecond ?? 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Times ?? 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(Duration ?? TimeSpan.Zero, TimeSpan.Zero);
    }
}
