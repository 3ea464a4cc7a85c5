using System.Diagnostics;
using Weir.Core.Buffers;
using Weir.Core.Hashing;

namespace Weir.Core.Model;

/// <summary>
/// A range of one partition's log on its way to ClickHouse: opened by the ingest worker, filled by the shards, closed by a
/// marker, built into blocks, inserted, and committed. A partition has at most one closed cut in flight.
/// </summary>
/// <remarks>
/// Each group of members names its owner thread. Hand-overs are queues (marker to shard, last shard to builder, builder to
/// inserter, inserter to source), which order the memory.
/// </remarks>
public sealed class Cut
{
    private readonly RowStore?[] _rows; // [shard × views + view]
    private readonly long[] _foldedCounts;
    private readonly long[] _rejectedCounts = new long[DecodeStatuses.Count];
    private readonly int _viewCount;
    private long _droppedCount;
    private long _overwrittenCount;
    private int _shardsPending;
    private readonly TaskCompletionSource _planned = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isAbandoned;

    /// <summary>Opens a cut.</summary>
    /// <param name="partition">Where the records come from.</param>
    /// <param name="fromOffset">First offset of the range.</param>
    /// <param name="shardCount">Aggregation workers that will fold it.</param>
    /// <param name="viewCount">Views of the schema.</param>
    /// <param name="strings">The string tags of its records, empty.</param>
    public Cut(PartitionKey partition, long fromOffset, int shardCount, int viewCount, StringDictionary strings)
    {
        Partition = partition;
        FromOffset = fromOffset;
        ToOffset = fromOffset;
        Strings = strings;
        _viewCount = viewCount;
        _shardsPending = shardCount;
        _foldedCounts = new long[shardCount];
        _rows = new RowStore?[shardCount * viewCount];
        Spread = shardCount > 1 ? new SeriesSpread(shardCount) : null;
    }

    /// <summary>Where the records come from.</summary>
    public PartitionKey Partition { get; }

    /// <summary>First offset of the range.</summary>
    public long FromOffset { get; }

    /// <summary>The offset after the last one. Ingest worker, until the marker is sent; then fixed.</summary>
    public long ToOffset { get; set; }

    /// <summary>The string tags of the records. Ingest worker, until the marker is sent; then read only.</summary>
    public StringDictionary Strings { get; }

    /// <summary>
    /// True when a plan ordered this range: an earlier owner may have stored some or all of its blocks under the same names.
    /// Ingest worker, when the cut is opened; then fixed.
    /// </summary>
    public bool IsReplay { get; init; }

    /// <summary>
    /// How far a rekeyed partition had come in its origins before this range, for the commit of the plan; empty where it has none.
    /// Ingest worker, when the cut is opened; then fixed.
    /// </summary>
    public string OriginsAtStart { get; init; } = "";

    /// <summary>The same after this range. Ingest worker, until the marker is sent; then fixed.</summary>
    public string OriginsAtEnd { get; set; } = "";

    /// <summary>Offsets within the range that the broker did not deliver. Ingest worker.</summary>
    public long GapOffsetCount { get; set; }

    /// <summary>
    /// Ends when the range stands in Kafka as this partition's plan, or the cut is abandoned. Nothing of the cut may be sent to
    /// ClickHouse before. Any thread.
    /// </summary>
    public Task WhenPlanned => _planned.Task;

    /// <summary>When the cut was closed, by the process's clock. Ingest worker.</summary>
    public DateTimeOffset ClosedAt { get; set; }

    /// <summary>Records read. Ingest worker.</summary>
    public long ReadCount { get; set; }

    /// <summary>Records too far from the broker's time. Ingest worker.</summary>
    public long LateCount { get; set; }

    /// <summary>Event time of the earliest record routed, epoch seconds; 0 when there is none. Ingest worker.</summary>
    public uint EventTimeMin { get; set; }

    /// <summary>Event time of the latest record routed, epoch seconds; 0 when there is none. Ingest worker.</summary>
    public uint EventTimeMax { get; set; }

    /// <summary>Chooses the shard of each record; null with one shard. Ingest worker.</summary>
    public SeriesSpread? Spread { get; }

    /// <summary>Number of shards that fold it.</summary>
    public int ShardCount => _foldedCounts.Length;

    /// <summary>
    /// True when the range is no longer this process's to store: its partition was lost, or given up when a revoke or the
    /// stop ran out of time. Whoever has such a cut gives its rows back instead of inserting them, and passes it on as if it
    /// were stored; the next owner of the partition reads the range again. Any thread; never reset.
    /// </summary>
    public bool IsAbandoned => Volatile.Read(ref _isAbandoned);

    /// <summary>True when no offset was read since the cut was opened.</summary>
    public bool IsEmpty => ToOffset == FromOffset;

    /// <summary>Records rejected for <paramref name="status"/>. Ingest worker.</summary>
    public ref long RejectedCount(DecodeStatus status) => ref _rejectedCounts[(int)status];

    /// <summary>Counts records that a full queue refused. Any thread.</summary>
    public void AddDropped(int recordCount) => Interlocked.Add(ref _droppedCount, recordCount);

    /// <summary>Counts records that newer ones pushed out of a queue. Any thread.</summary>
    public void AddOverwritten(int recordCount) => Interlocked.Add(ref _overwrittenCount, recordCount);

    /// <summary>Sets <see cref="IsAbandoned"/>, and lets go who waits for the plan. Any thread.</summary>
    public void Abandon()
    {
        Volatile.Write(ref _isAbandoned, true);
        _planned.TrySetResult();
    }

    /// <summary>Says that the plan of this range stands in Kafka. The source's thread; the ingest worker's for a replay.</summary>
    public void MarkPlanned() => _planned.TrySetResult();

    /// <summary>Puts the rows of one view, folded by one shard, into the cut, which owns them from here on. The shard's thread.</summary>
    public void SetRows(int shard, int view, RowStore rows) => _rows[(shard * _viewCount) + view] = rows;

    /// <summary>The rows of one view, folded by one shard; null when it had none. The builder's thread.</summary>
    public RowStore? Rows(int shard, int view) => _rows[(shard * _viewCount) + view];

    /// <summary>Says that a shard has met the marker and handed its rows over. The shard's thread, once for each shard.</summary>
    /// <param name="shard">The shard.</param>
    /// <param name="foldedCount">Records that it folded.</param>
    /// <returns>True for the last shard: the caller passes the cut on to the builder.</returns>
    public bool CompleteShard(int shard, long foldedCount)
    {
        _foldedCounts[shard] = foldedCount;
        var pending = Interlocked.Decrement(ref _shardsPending);
        Debug.Assert(pending >= 0, "A shard completes once.");
        return pending == 0;
    }

    /// <summary>What became of the records. Exact when all shards are complete.</summary>
    public BlockAccount Account() => new(
        ReadCount,
        _foldedCounts.Sum(),
        _rejectedCounts.Sum(),
        LateCount,
        Interlocked.Read(ref _droppedCount),
        Interlocked.Read(ref _overwrittenCount));

    /// <summary>Gives the memory of all rows back. Whoever ends the life of the cut.</summary>
    public void ReleaseRows()
    {
        foreach (var rows in _rows)
        {
            rows?.Dispose();
        }

        Array.Clear(_rows);
    }
}
