using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>One assignment of a partition to this process: position, open cut, and the cut in flight.</summary>
/// <remarks>
/// Each assignment gets a new object, so what arrives late for an older one is recognised by its reference. The ingest worker
/// that owns the partition writes it, but for the members that say that they are the source's. Any thread may read the properties that say so.
/// </remarks>
internal sealed class PartitionState
{
    /// <summary>An offset that is not known.</summary>
    public const long UnknownOffset = -1;

    private long _nextOffset;
    private long _committedOffset;
    private long _highWatermark = UnknownOffset;
    private Cut? _inFlightCut;
    private bool _isReleased;
    private long _replayTo = UnknownOffset;
    private long _storedOffset;
    private long _lastTimestampMs = KafkaMessage.NoTimestamp;

    /// <summary>Makes the state of a new assignment.</summary>
    /// <param name="key">The partition.</param>
    /// <param name="topicIndex">Index of its topic in <see cref="IngestOptions.Topics"/>.</param>
    /// <param name="workerIndex">The ingest worker that owns it.</param>
    /// <param name="committedOffset">Where reading begins; <see cref="UnknownOffset"/> when nothing was committed.</param>
    /// <param name="shardCount">Number of shards.</param>
    public PartitionState(PartitionKey key, int topicIndex, int workerIndex, long committedOffset, int shardCount)
    {
        Key = key;
        TopicIndex = topicIndex;
        WorkerIndex = workerIndex;
        _committedOffset = committedOffset;
        _nextOffset = committedOffset;
        _storedOffset = committedOffset;
        OpenChunks = new RecordChunk?[shardCount];
        ChunkOpenedAt = new TimeSpan[shardCount];
    }

    /// <summary>The partition.</summary>
    public PartitionKey Key { get; }

    /// <summary>Index of its topic.</summary>
    public int TopicIndex { get; }

    /// <summary>The ingest worker that owns it.</summary>
    public int WorkerIndex { get; }

    /// <summary>The offset after the last message read. Any thread reads.</summary>
    public long NextOffset
    {
        get => Volatile.Read(ref _nextOffset);
        set => Volatile.Write(ref _nextOffset, value);
    }

    /// <summary>
    /// While a plan that was found at the assignment is replayed, the end of its range: the first cut ends exactly there.
    /// <see cref="UnknownOffset"/> otherwise. Set before the worker gets the partition, then the worker's; any thread reads.
    /// </summary>
    public long ReplayTo
    {
        get => Volatile.Read(ref _replayTo);
        set => Volatile.Write(ref _replayTo, value);
    }

    /// <summary>True while a plan is replayed. Any thread reads.</summary>
    public bool IsReplaying => ReplayTo != UnknownOffset;

    /// <summary>The offset after the last message that is stored. The source writes; any thread reads.</summary>
    public long StoredOffset
    {
        get => Volatile.Read(ref _storedOffset);
        set => Volatile.Write(ref _storedOffset, value);
    }

    /// <summary>The broker's time of the last message read; <see cref="KafkaMessage.NoTimestamp"/> before the first. Any thread reads.</summary>
    public long LastTimestampMs
    {
        get => Volatile.Read(ref _lastTimestampMs);
        set => Volatile.Write(ref _lastTimestampMs, value);
    }

    /// <summary>The offset committed last; up to it everything is stored. The source writes; any thread reads.</summary>
    public long CommittedOffset
    {
        get => Volatile.Read(ref _committedOffset);
        set => Volatile.Write(ref _committedOffset, value);
    }

    /// <summary>The broker's next offset, as of the last fetch. The source writes; any thread reads.</summary>
    public long HighWatermark
    {
        get => Volatile.Read(ref _highWatermark);
        set => Volatile.Write(ref _highWatermark, value);
    }

    /// <summary>The closed cut that is not yet stored; at most one. Any thread reads.</summary>
    public Cut? InFlightCut
    {
        get => Volatile.Read(ref _inFlightCut);
        set => Volatile.Write(ref _inFlightCut, value);
    }

    /// <summary>True when the partition was revoked or lost and nothing of it is left in the worker. Any thread reads.</summary>
    public bool IsReleased
    {
        get => Volatile.Read(ref _isReleased);
        set => Volatile.Write(ref _isReleased, value);
    }

    /// <summary>The closed cut whose plan Kafka has not accepted yet. The source.</summary>
    public Cut? PlanWanted { get; set; }

    /// <summary>An offset up to which everything is stored and which is not committed yet. The source.</summary>
    public long EndWanted { get; set; } = UnknownOffset;

    /// <summary>What is committed with <see cref="EndWanted"/>: how far its origins are stored; empty for none. The source.</summary>
    public string EndOrigins { get; set; } = "";

    /// <summary>How far a rekeyed partition has come in its origins; null where it has none. Set before the worker gets it, then the worker's.</summary>
    public OriginMarks? Origins { get; set; }

    /// <summary>True while the broker is not asked for messages, so that replays get the memory that is left. The source.</summary>
    public bool IsHeldBack { get; set; }

    /// <summary>True when it was released with a replay unfinished: the plan stands for the next owner. Worker, before <see cref="IsReleased"/>.</summary>
    public bool IsGivenUp { get; set; }

    /// <summary>Where the log ended before the end of the range that is replayed; <see cref="UnknownOffset"/> when it does not. Worker.</summary>
    public long LogEnd { get; set; } = UnknownOffset;

    /// <summary>When <see cref="LogEnd"/> was seen. Worker.</summary>
    public TimeSpan LogEndAt { get; set; }

    /// <summary>The cut that messages are read into; null until the next message.</summary>
    public Cut? OpenCut { get; set; }

    /// <summary>True when the open cut is to be closed as soon as none is in flight.</summary>
    public bool IsCutDue { get; set; }

    /// <summary>True when no more messages are to be read: the partition goes to another owner.</summary>
    public bool IsLeaving { get; set; }

    /// <summary>True when the worker keeps it in its list of partitions with open chunks.</summary>
    public bool HasOpenChunks { get; set; }

    /// <summary>The part-filled chunk for each shard.</summary>
    public RecordChunk?[] OpenChunks { get; }

    /// <summary>When each of <see cref="OpenChunks"/> was opened.</summary>
    public TimeSpan[] ChunkOpenedAt { get; }
}
