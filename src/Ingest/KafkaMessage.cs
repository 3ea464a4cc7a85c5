namespace Weir.Ingest;

/// <summary>A message as the ingest worker sees it. Its payload is librdkafka's memory, valid until the batch is released.</summary>
internal readonly unsafe struct KafkaMessage
{
    /// <summary>Value of <see cref="TimestampMs"/> when the message has none.</summary>
    public const long NoTimestamp = -1;

    /// <summary>Makes a message.</summary>
    public KafkaMessage(int topicIndex, int partition, long offset, long timestampMs, byte* payload, int lengthBytes, int errorCode)
    {
        TopicIndex = topicIndex;
        Partition = partition;
        Offset = offset;
        TimestampMs = timestampMs;
        Payload = payload;
        LengthBytes = lengthBytes;
        ErrorCode = errorCode;
        OriginPartition = -1;
    }

    /// <summary>Value of <see cref="OriginPartition"/> for a message whose origin is not the one that the configuration names.</summary>
    public const int UnheededOrigin = -2;

    /// <summary>The partition that a rekeyer made it from; −1 for none, <see cref="UnheededOrigin"/> for one that does not count.</summary>
    public int OriginPartition { get; init; }

    /// <summary>The offset there.</summary>
    public long OriginOffset { get; init; }

    /// <summary>Index of the topic in <see cref="IngestOptions.Topics"/>; −1 for an error that belongs to none.</summary>
    public int TopicIndex { get; }

    /// <summary>Partition of the topic.</summary>
    public int Partition { get; }

    /// <summary>Offset in the partition.</summary>
    public long Offset { get; }

    /// <summary>The broker's time of the message, or the producer's where the topic is set so; <see cref="NoTimestamp"/> for none.</summary>
    public long TimestampMs { get; }

    /// <summary>The value; null for a tombstone. With an error code, librdkafka's description of the error.</summary>
    public byte* Payload { get; }

    /// <summary>Length of <see cref="Payload"/>.</summary>
    public int LengthBytes { get; }

    /// <summary>0, or librdkafka's code of an error of the partition (<c>rd_kafka_resp_err_t</c>).</summary>
    public int ErrorCode { get; }

    /// <summary>The value as a span.</summary>
    public ReadOnlySpan<byte> Value => new(Payload, LengthBytes);
}

/// <summary>Where an ingest worker takes messages from: its own librdkafka queue, or a test's list.</summary>
/// <remarks>The worker's thread.</remarks>
internal interface IMessageQueue
{
    /// <summary>Takes up to <paramref name="messages"/>.Length messages, waiting at most <paramref name="timeout"/> until there are so many.</summary>
    /// <returns>How many were taken.</returns>
    int Take(Span<KafkaMessage> messages, TimeSpan timeout);

    /// <summary>Gives the memory of the messages of the last <see cref="Take"/> back.</summary>
    void Release();
}
