using Microsoft.Extensions.Logging;

namespace Weir.Core.Telemetry;

public static partial class WeirLog
{
    /// <summary>Reading begins.</summary>
    [LoggerMessage(2001, LogLevel.Information, "Reading {Topics} from {Bootstrap} as group {Group} with {WorkerCount} workers, librdkafka {Version}")]
    public static partial void IngestStarted(
        ILogger logger, string topics, string bootstrap, string group, int workerCount, string version);

    /// <summary>The group is joined later, together with others that start now.</summary>
    [LoggerMessage(2027, LogLevel.Information, "Group {Group} is joined in {Wait} (kafka.join_interval is {Interval})")]
    public static partial void JoinAwaited(ILogger logger, string group, TimeSpan wait, TimeSpan interval);

    /// <summary>Partitions were assigned.</summary>
    [LoggerMessage(2002, LogLevel.Information, "{Count} partitions assigned: {Partitions}")]
    public static partial void PartitionsAssigned(ILogger logger, int count, string partitions);

    /// <summary>Partitions were revoked and are stored and committed.</summary>
    [LoggerMessage(2003, LogLevel.Information, "{Count} partitions revoked, everything read of them is stored: {Partitions}")]
    public static partial void PartitionsRevoked(ILogger logger, int count, string partitions);

    /// <summary>A revoke or the stop ran out of time.</summary>
    [LoggerMessage(
        2004,
        LogLevel.Warning,
        "{Count} partitions given up: not stored and committed within {Seconds:0.0} s, so the next owner reads them again from the last "
        + "commit or plan: {Partitions}")]
    public static partial void PartitionsGivenUp(ILogger logger, int count, double seconds, string partitions);

    /// <summary>Partitions were lost.</summary>
    [LoggerMessage(2005, LogLevel.Warning, "{Count} partitions lost: the group did not hear of this process in time (session.timeout.ms, max.poll.interval.ms); the next owner reads them again from the last commit: {Partitions}")]
    public static partial void PartitionsLost(ILogger logger, int count, string partitions);

    /// <summary>Committed offsets could not be read.</summary>
    [LoggerMessage(2006, LogLevel.Warning, "Committed offsets of {Count} partitions cannot be read, trying again until they can: {Reason}")]
    public static partial void CommittedOffsetsUnreadable(ILogger logger, int count, string reason);

    /// <summary>A commit failed.</summary>
    [LoggerMessage(2007, LogLevel.Warning, "Commit of {Count} partitions failed and is tried again while they are ours; their next cuts are inserted when it is accepted: {Reason}")]
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
    [LoggerMessage(2013, LogLevel.Warning, "{Count} records rejected since the last such line, the last one as {Reason} in {Topic}/{Partition} at offset {Offset}; weir tap --stage rejected shows them, dead_letters.topic or dead_letters.directory keeps them")]
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

    /// <summary>Kafka refused a plan.</summary>
    [LoggerMessage(2017, LogLevel.Warning, "Kafka refuses the plan of {Topic}/{Partition} ({Reason}): this process is not its owner any more. What was read of it is given up and read again by the next owner")]
    public static partial void PlanRefused(ILogger logger, string topic, int partition, string reason);

    /// <summary>A plan of an earlier owner is carried out.</summary>
    [LoggerMessage(2018, LogLevel.Information, "{Topic}/{Partition}: an earlier owner planned offsets {FromOffset} to {ToOffset}; they are read again and stored under the same names, which counts nothing twice")]
    public static partial void ReplayBegins(ILogger logger, string topic, int partition, long fromOffset, long toOffset);

    /// <summary>A planned range has no end any more.</summary>
    [LoggerMessage(2019, LogLevel.Error, "{Topic}/{Partition}: offsets {FromOffset} to {ToOffset} were planned, but the log ends at {LogEnd}: {MissingCount} offsets were lost at the broker (unclean leader election, or the topic was made anew). What is there is stored under another name; at most this range may be counted twice")]
    public static partial void ReplayCutShort(
        ILogger logger, string topic, int partition, long fromOffset, long toOffset, long logEnd, long missingCount);

    /// <summary>A plan of another layout, not known to be stored.</summary>
    [LoggerMessage(2020, LogLevel.Warning, "{Topic}/{Partition}: offsets {FromOffset} to {ToOffset} were planned by another version of weir (layout {Layout}) and are not known to be stored; they are read again under new names, and at most this range may be counted twice")]
    public static partial void ForeignPlanFolded(ILogger logger, string topic, int partition, long fromOffset, long toOffset, int layout);

    /// <summary>A plan of another layout that is stored.</summary>
    [LoggerMessage(2021, LogLevel.Information, "{Topic}/{Partition}: offsets {FromOffset} to {ToOffset} were planned by another version of weir (layout {Layout}) and are stored; reading goes on after them")]
    public static partial void ForeignPlanStored(ILogger logger, string topic, int partition, long fromOffset, long toOffset, int layout);

    /// <summary>Commit metadata of another program.</summary>
    [LoggerMessage(2022, LogLevel.Warning, "{Topic}/{Partition}: the commit's metadata is not weir's and is no plan: {Metadata}. Does another program use this group? Further ones are not logged")]
    public static partial void ForeignMetadata(ILogger logger, string topic, int partition, string metadata);

    /// <summary>The ledger could not be asked.</summary>
    [LoggerMessage(2023, LogLevel.Warning, "{Topic}/{Partition}: whether offsets {FromOffset} to {ToOffset} are stored could not be found out: {Reason}")]
    public static partial void LedgerNotAsked(ILogger logger, string topic, int partition, long fromOffset, long toOffset, string reason);

    /// <summary>Others may have owned what this process holds.</summary>
    [LoggerMessage(
        2025,
        LogLevel.Warning,
        "{Count} partitions given up: the group was formed without this process meanwhile (session.timeout.ms, max.poll.interval.ms), so "
        + "others may have read them. They are read again from what is committed then: {Partitions}")]
    public static partial void GroupWentOn(ILogger logger, int count, string partitions);

    /// <summary>A commit is not answered while its partitions leave.</summary>
    [LoggerMessage(2024, LogLevel.Warning, "A commit was not answered within {Timeout} and its partitions leave; should the broker accept it late, their next owner reads some messages again")]
    public static partial void CommitUnanswered(ILogger logger, TimeSpan timeout);
}
