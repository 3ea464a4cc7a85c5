namespace Weir.Loadgen.Capture;

/// <summary>A Kafka message as it was: nothing about it is changed but what anonymising changes.</summary>
/// <param name="Topic">Index of the topic in <see cref="CaptureHeader.Topics"/>.</param>
/// <param name="Partition">Partition.</param>
/// <param name="Offset">Offset.</param>
/// <param name="TimestampMs">Time, ms since the epoch; 0 when <paramref name="TimestampType"/> is 0.</param>
/// <param name="TimestampType">0 none, 1 set by the producer, 2 set by the broker.</param>
/// <param name="Key">Key; null for none.</param>
/// <param name="Value">Value; null for none.</param>
/// <param name="Headers">Headers in their order.</param>
public sealed record CapturedMessage(
    int Topic,
    int Partition,
    long Offset,
    long TimestampMs,
    int TimestampType,
    byte[]? Key,
    byte[]? Value,
    IReadOnlyList<KeyValuePair<string, byte[]?>> Headers)
{
    /// <summary>Bytes of key and value.</summary>
    public int Bytes => (Key?.Length ?? 0) + (Value?.Length ?? 0);
}

/// <summary>A topic of a capture.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Format">Format of its values, one of <c>FlowFormats.Names</c>; null when not said.</param>
/// <param name="PartitionCount">Its partitions, at the begin of the capture.</param>
public sealed record CapturedTopic(string Name, string? Format, int PartitionCount);

/// <summary>What stands at the begin of a capture.</summary>
/// <param name="Topics">The topics.</param>
/// <param name="CreatedMs">When it was begun, ms since the epoch.</param>
/// <param name="IsAnonymised">True when addresses and names were replaced.</param>
public sealed record CaptureHeader(IReadOnlyList<CapturedTopic> Topics, long CreatedMs, bool IsAnonymised);
