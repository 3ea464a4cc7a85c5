using Microsoft.Extensions.Logging;

namespace Weir.Core.Telemetry;

public static partial class WeirLog
{
    /// <summary>Reading begins.</summary>
    [LoggerMessage(2001, LogLevel.Information, "Reading {Topics} from {Bootstrap} as group {Group} with {WorkerCount} workers, librdkafka {Version}")]
    public static partial void IngestStarted(
        ILogger logger, string topics, string bootstrap, string group, int workerCount, string version);

    /// <summary>Partitions were assigned.</summary>
    [LoggerMessage(2002, LogLevel.Information, "{Count} partitions assigned: {Partitions}")]
    public static partial void PartitionsAssigned(ILogger logger, int count, string partitions);

    /// <summary>Partitions were revoked and are stored and committed.</summary>
    [LoggerMessage(2003, LogLevel.Information, "{Count} partitions revoked, everything read of them is stored: {Partitions}")]
    public static partial void PartitionsRevoked(ILogger logger, int count, string partitions);

    /// <summary>A revoke or the stop ran out of time.</summary>
    [LoggerMessage(2004, LogLevel.Warning, "{Count} partitions given up: not stored within {Seconds:0.0} s, so the next owner reads them again from the last commit: {Partitions}")]
    public static partial void PartitionsGivenUp(ILogger logger, int count, double seconds, string partitions);

    /// <summary>Partitions were lost.</summary>
    [LoggerMessage(2005, LogLevel.Warning, "{Count} partitions lost: the group did not hear of this process in time (session.timeout.ms, max.poll.interval.ms); the next owner reads them again from the last commit: {Partitions}")]
    public static partial void PartitionsLost(ILogger logger, int count, string partitions);

    /// <summary>Committed offsets could not be read.</summary>
    [LoggerMessage(2006, LogLevel.Warning, "Committed offsets of {Count} partitions cannot be read, trying again until they can: {Reason}")]
    public static partial void CommittedOffsetsUnreadable(ILogger logger, int count, string reason);

    /// <summary>A commit failed.</summary>
    [LoggerMessage(2007, LogLevel.Warning, "Commit of {Count} partitions failed and is tried again while they are ours; what is stored and not committed may be counted twice after a crash: {Reason}")]
    public static partial void CommitFailed(ILogger logger, int count, string reason);

    /// <summary>Commits work again.</summary>
    [LoggerMessage(2008, LogLevel.Information, "Commits work again after {FailureCount} failures")]
    public static partial void CommitRecovered(ILogger logger, long failureCount);

    /// <summary>An error of the consumer that is not fatal.</summary>
    [LoggerMessage(2009, LogLevel.Warning, "Kafka: {Reason} (code {Code}; {HeldBackCount} like it held back); reading goes on when it is mended")]
    public static partial void KafkaError(ILogger logger, string reason, string code, long heldBackCount);

    /// <summary>A line of librdkafka's own log.</summary>
    [LoggerMessage(2010, LogLevel.Warning, "librdkafka: {Facility}: {Message} ({HeldBackCount} more held back)")]
    public static partial void KafkaClientLog(ILogger logger, string facility, string message, long heldBackCount);

    /// <summary>An error in place of messages.</summary>
    [LoggerMessage(2011, LogLevel.Warning, "Kafka: {Topic}/{Partition} delivers an error, code {Code}: {Reason}; {Advice} ({HeldBackCount} more errors held back)")]
    public static partial void PartitionError(
        ILogger logger, string topic, int partition, int code, string reason, string advice, long heldBackCount);

    /// <summary>Offsets that the broker did not deliver.</summary>
    [LoggerMessage(2012, LogLevel.Error, "Gap in {Topic}/{Partition}: expected offset {ExpectedOffset}, got {Offset}; {MissingCount} offsets were deleted before they were read, or hold no messages ({HeldBackCount} more gaps held back). If lag grows, add processes or keep the topic longer")]
    public static partial void OffsetGap(
        ILogger logger, string topic, int partition, long expectedOffset, long offset, long missingCount, long heldBackCount);

    /// <summary>Records were rejected.</summary>
    [LoggerMessage(2013, LogLevel.Warning, "{Count} records rejected since the last such line, the last one as {Reason} in {Topic}/{Partition} at offset {Offset}")]
    public static partial void RecordsRejected(ILogger logger, long count, string reason, string topic, int partition, long offset);

    /// <summary>The memory budget is used up.</summary>
    [LoggerMessage(2014, LogLevel.Warning, "Reading pauses (worker {Worker}): {UsedBytes} of {LimitBytes} bytes in use; what was read is cut and stored first. If this lasts, ClickHouse is slower than the input, or memory.limit is too low")]
    public static partial void IngestPaused(ILogger logger, int worker, long usedBytes, long limitBytes);

    /// <summary>Memory has come back.</summary>
    [LoggerMessage(2015, LogLevel.Information, "Reading goes on (worker {Worker}): {UsedBytes} bytes in use")]
    public static partial void IngestResumed(ILogger logger, int worker, long usedBytes);

    /// <summary>Reading has ended.</summary>
    [LoggerMessage(2016, LogLevel.Information, "Reading has ended and the group is left; everything read is stored and committed: {IsDrained}")]
    public static partial void IngestStopped(ILogger logger, bool isDrained);
}
