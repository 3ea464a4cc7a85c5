using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>One reading of the ingest stage. Each number is right at its own instant; together they add up when nothing is moving.</summary>
/// <param name="Topics">What was read, by topic, since the start.</param>
/// <param name="Partitions">The partitions that are assigned now.</param>
/// <param name="Rejects">The last rejected records, newest first.</param>
/// <param name="MemoryPauseTotal">Time that workers did not read because the memory budget was used up.</param>
/// <param name="AbandonedCount">Records of cuts that were given up before they were stored; their next owner reads them again.</param>
/// <param name="CommitErrorCount">Commits that failed and were tried again or given up.</param>
/// <param name="ConsumeErrorCount">Errors that librdkafka reported for partitions or the group.</param>
/// <param name="RebalanceCount">Assignments, revocations and losses of partitions.</param>
public sealed record IngestSnapshot(
    IReadOnlyList<TopicSnapshot> Topics,
    IReadOnlyList<PartitionSnapshot> Partitions,
    IReadOnlyList<RejectSample> Rejects,
    TimeSpan MemoryPauseTotal,
    long AbandonedCount,
    long CommitErrorCount,
    long ConsumeErrorCount,
    long RebalanceCount)
{
    /// <summary>Who sent what was rejected or late last, oldest first.</summary>
    public IReadOnlyList<LossSample> Losses { get; init; } = [];

    /// <summary>Records that were rejected or late so far: the number of the next one in <see cref="Losses"/>.</summary>
    public long LossCount { get; init; }

    /// <summary>What librdkafka said last of itself; null before it did.</summary>
    public ClientStatistics? Client { get; init; }

    /// <summary>Errors that the client reported, by librdkafka's name of their code.</summary>
    public IReadOnlyDictionary<string, long> ClientErrors { get; init; } = new Dictionary<string, long>();

    /// <summary>The error that came last; null before the first.</summary>
    public string? LastClientError { get; init; }

    /// <summary>Commits sent: one for all partitions at each flush, and those that were tried again.</summary>
    public long CommitCount { get; init; }

    /// <summary>Ranges that were read again because an earlier owner had planned them.</summary>
    public long ReplayCount { get; init; }

    /// <summary>Messages of all topics.</summary>
    public long MessageCount => Topics.Sum(topic => topic.MessageCount);

    /// <summary>Bytes of their values.</summary>
    public long MessageBytes => Topics.Sum(topic => topic.MessageBytes);

    /// <summary>Records of all topics: accepted, rejected and late ones.</summary>
    public long ReadCount => Topics.Sum(topic => topic.ReadCount);

    /// <summary>Rejected records of all topics.</summary>
    public long RejectedCount => Topics.Sum(topic => topic.RejectedCounts.Sum());

    /// <summary>Late records of all topics.</summary>
    public long LateCount => Topics.Sum(topic => topic.LateCount);

    /// <summary>Offsets that the broker did not deliver.</summary>
    public long GapOffsetCount => Topics.Sum(topic => topic.GapOffsetCount);

    /// <summary>Rejected records of all topics for one reason.</summary>
    public long Rejected(DecodeStatus status) => Topics.Sum(topic => topic.RejectedCounts[(int)status]);
}

/// <summary>What was read of one topic since the start.</summary>
/// <param name="Topic">Its name.</param>
public readonly record struct TopicSnapshot(string Topic)
{
    /// <summary>Messages read.</summary>
    public long MessageCount { get; init; }

    /// <summary>Bytes of their values.</summary>
    public long MessageBytes { get; init; }

    /// <summary>Records read: accepted, rejected and late ones.</summary>
    public long ReadCount { get; init; }

    /// <summary>Rejected records, by <see cref="DecodeStatus"/>.</summary>
    public long[] RejectedCounts { get; } = new long[DecodeStatuses.Count];

    /// <summary>Records too far from the broker's time of their message.</summary>
    public long LateCount { get; init; }

    /// <summary>The agents' markers, which are no records.</summary>
    public long MarkerCount { get; init; }

    /// <summary>Records whose sampling rate is unknown and was taken as 1.</summary>
    public long SamplingUnknownCount { get; init; }

    /// <summary>
    /// Offsets between two messages that the broker did not deliver: deleted before they were read, compacted away, or taken by
    /// a transaction's own markers.
    /// </summary>
    public long GapOffsetCount { get; init; }

    /// <summary>Messages that had been read before and were passed over.</summary>
    public long RepeatedMessageCount { get; init; }

    /// <summary>Messages passed over because their partition was leaving; the next owner reads them.</summary>
    public long LeavingMessageCount { get; init; }
}

/// <summary>A partition that is assigned to this process.</summary>
/// <param name="Key">The partition.</param>
/// <param name="WorkerIndex">The ingest worker that owns it.</param>
/// <param name="NextOffset">The offset after the last message read; −1 when none was read and none committed.</param>
/// <param name="CommittedOffset">The offset that is committed: everything before it is stored; −1 when nothing was committed.</param>
/// <param name="HighWatermark">The offset that the broker gives to the next message, as of the last fetch; −1 when not known.</param>
/// <param name="InFlightFromOffset">First offset of the cut that is on its way to ClickHouse; −1 when there is none.</param>
/// <param name="InFlightToOffset">The offset after its last one; −1 when there is none.</param>
public readonly record struct PartitionSnapshot(
    PartitionKey Key,
    int WorkerIndex,
    long NextOffset,
    long CommittedOffset,
    long HighWatermark,
    long InFlightFromOffset,
    long InFlightToOffset)
{
    /// <summary>The offset after the last message that is stored: that of the commit, or ahead of it until the next flush.</summary>
    public long StoredOffset { get; init; } = CommittedOffset;

    /// <summary>True while a range that an earlier owner had planned is read again.</summary>
    public bool IsReplaying { get; init; }

    /// <summary>The broker's time of the last message read, ms since 1970; −1 before the first.</summary>
    public long LastTimestampMs { get; init; } = -1;

    /// <summary>How long ago the broker got the last message that was read, while others wait; zero when none waits.</summary>
    public TimeSpan LagTime(DateTimeOffset now) => Lag > 0 && LastTimestampMs >= 0
        ? TimeSpan.FromMilliseconds(Math.Max(now.ToUnixTimeMilliseconds() - LastTimestampMs, 0))
        : TimeSpan.Zero;

    /// <summary>Messages that are not yet read; 0 when it is not known.</summary>
    public long Lag => NextOffset >= 0 && HighWatermark >= 0 ? Math.Max(HighWatermark - NextOffset, 0) : 0;
}
