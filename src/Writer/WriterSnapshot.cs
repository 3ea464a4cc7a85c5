using System.Collections.Immutable;
using Weir.Core.Model;
using Weir.Core.Telemetry;

namespace Weir.Writer;

/// <summary>What was written of one view since the start.</summary>
/// <param name="View">Name of the view.</param>
/// <param name="BlockCount">Blocks stored.</param>
/// <param name="RowCount">Rows stored.</param>
/// <param name="RawBytes">Their bytes before compression.</param>
/// <param name="EncodedBytes">Their bytes as sent.</param>
/// <param name="DroppedBlockCount">Blocks refused and dropped.</param>
/// <param name="DroppedRowCount">Rows of those.</param>
/// <param name="DroppedRecordCount">Records that the view lacks because of those.</param>
public readonly record struct ViewWriterSnapshot(
    string View,
    long BlockCount,
    long RowCount,
    long RawBytes,
    long EncodedBytes,
    long DroppedBlockCount,
    long DroppedRowCount,
    long DroppedRecordCount)
{
    /// <summary>Blocks refused and put into the dead-letter directory.</summary>
    public long DeadLetterBlockCount { get; init; }

    /// <summary>Records that the view lacks because of those.</summary>
    public long DeadLetterRecordCount { get; init; }
}

/// <summary>One consistent reading of the writer's counters.</summary>
/// <param name="IsWriting">The last attempt reached ClickHouse and the tables are right. Says nothing of a server that died since.</param>
/// <param name="Stored">Sum of the accounts of all stored cuts.</param>
/// <param name="CutCount">Cuts stored.</param>
/// <param name="Views">What was written, in the order of the schema's views.</param>
/// <param name="RetryCounts">Failed attempts, by <see cref="ReplyCause"/>.</param>
/// <param name="InsertTime">Time that attempts to insert or connect have taken, waits aside.</param>
/// <param name="WaitingCutCount">Folded cuts that are not stored yet.</param>
/// <param name="WaitingBytes">Bytes of built blocks that are not stored yet.</param>
/// <param name="LastError">The last failed attempt; null when there was none since the last success.</param>
/// <param name="EventTimeMax">Latest event time, epoch seconds, of the last stored cut that had records; 0 before the first.</param>
/// <param name="StoredAt">When that cut was stored; null before the first.</param>
public sealed record WriterSnapshot(
    bool IsWriting,
    BlockAccount Stored,
    long CutCount,
    ImmutableArray<ViewWriterSnapshot> Views,
    ImmutableArray<long> RetryCounts,
    TimeSpan InsertTime,
    long WaitingCutCount,
    long WaitingBytes,
    string? LastError,
    uint EventTimeMax,
    DateTimeOffset? StoredAt)
{
    /// <summary>What the tables promise about a block that is sent again; null before they were seen.</summary>
    public SinkPromise? Promise { get; init; }

    /// <summary>The last errors in full, newest first; those that are over too.</summary>
    public IReadOnlyList<WriterError> Errors { get; init; } = [];

    /// <summary>Blocks that were not sent, because the ledger had them.</summary>
    public long KnownBlockCount { get; init; }

    /// <summary>Blocks that were sent again although an answer was lost longer ago than the server surely remembers.</summary>
    public long UnsureBlockCount { get; init; }

    /// <summary>Rows of the ledger stored.</summary>
    public long LedgerRowCount { get; init; }

    /// <summary>Inserts that stored them.</summary>
    public long LedgerInsertCount { get; init; }

    /// <summary>When the attempt that runs now began; null while none runs.</summary>
    public DateTimeOffset? AttemptSince { get; init; }

    /// <summary>The failed attempt that came last, also after it was mended; null before the first.</summary>
    public InsertReply? LastFailure { get; init; }

    /// <summary>When that was.</summary>
    public DateTimeOffset LastFailureAt { get; init; }

    /// <summary>Times that a server's name had no address.</summary>
    public long ResolveFailedCount { get; init; }

    /// <summary>Seconds of the attempts that stored something; null in readings made by tests.</summary>
    public HistogramSnapshot? InsertSeconds { get; init; }

    /// <summary>Seconds from a cut's latest event time to its rows being readable.</summary>
    public HistogramSnapshot? FreshnessSeconds { get; init; }

    /// <summary>Seconds from a cut's end to its rows being readable.</summary>
    public HistogramSnapshot? StoreSeconds { get; init; }

    /// <summary>Records read for a cut.</summary>
    public HistogramSnapshot? CutRecords { get; init; }

    /// <summary>Rows of a block.</summary>
    public HistogramSnapshot? BlockRows { get; init; }

    /// <summary>The slowest cuts of the last hour, the slowest first.</summary>
    public IReadOnlyList<CutTrace> SlowCuts { get; init; } = [];

    /// <summary>Rows stored, of all views.</summary>
    public long RowCount => Views.Sum(view => view.RowCount);

    /// <summary>
    /// Freshness at <paramref name="now"/>: how long ago the latest record of the last stored cut happened; null before the
    /// first. Between two cuts it grows, so its least value is the delay of the pipeline and its largest is that plus the flush interval.
    /// </summary>
    public TimeSpan? Freshness(DateTimeOffset now) => EventTimeMax == 0 ? null : now - DateTimeOffset.FromUnixTimeSeconds(EventTimeMax);
}
