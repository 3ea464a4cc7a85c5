namespace Weir.Core.Queues;

/// <summary>A bounded queue of chunks between two stages, counted in records.</summary>
/// <remarks>
/// <para>
/// Any number of producers, one consumer. One lock: at 1,024 records a chunk it costs less than 0.1 ns a record, and it is
/// what makes every reading of the counters exact (<c>bench/StageQueueBench.cs</c>). The consumer takes up to
/// <see cref="BatchMax"/> chunks under one lock and gives them out one by one; until then they are inside for every counter
/// and limit. (With <see cref="FullPolicy.Overwrite"/> it takes one, since the next may still be pushed out.)
/// </para>
/// <para>
/// An item offered with 0 records is a marker: it is never dropped, never overwritten, never waits, and keeps its place.
/// Records are full by count, and chunks by number, so that many small chunks cannot hold more memory than full ones would.
/// </para>
/// </remarks>
/// <typeparam name="T">What a chunk is; enqueueing hands it over to the queue, then to the consumer.</typeparam>
public sealed partial class StageQueue<T>
    where T : class
{
    /// <summary>Chunks that the consumer takes under one lock.</summary>
    private const int BatchMax = 64;

    private static readonly TimeSpan _gatherTimeDefault = TimeSpan.FromMilliseconds(10);

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _itemsReady = new(0);
    private readonly SemaphoreSlim _roomReady = new(0);
    private readonly Action<T, int>? _overwritten;
    private readonly int _chunksMax;
    private readonly int _gatherChunks;
    private readonly TimeSpan _gatherTime;
    private readonly Slot[] _batch;
    private Slot[] _slots;
    private int _headIndex;
    private int _slotsUsed; // In _slots: what the consumer has not taken into its batch.
    private int _chunksUsed; // In _slots and, until the batch is worked off, in the batch.
    private int _markersUsed; // In _slots.
    private int _producersWaiting;
    private int _wakeAtChunks; // Slots in use at which the waiting consumer is woken; 0 when it does not wait.
    private bool _isCompleted;

    // Written by the consumer without the lock, and with it when the next batch begins; read under it.
    private int _batchIndex;
    private int _batchCount;
    private int _givenChunks; // Of the batch: given out, and not yet taken off the counters below.
    private long _givenCount;

    private long _offeredCount;
    private long _enqueuedCount;
    private long _droppedCount;
    private long _overwrittenCount;
    private long _dequeuedCount;
    private long _depth;
    private long _depthMax;
    private long _depthMaxInterval;
    private long _producerWaitTimestamps; // Of waits that have ended, in ticks of Stopwatch.
    private int _waitCount; // Producers that wait now, and the sum of the timestamps at which they began.
    private Int128 _waitFromSum;
    private long _consumerWaitTicks;

    /// <summary>Makes an empty queue.</summary>
    /// <param name="name">Name of the queue in metrics and pages.</param>
    /// <param name="index">Number among the queues of that name.</param>
    /// <param name="policy">What it does when it is full.</param>
    /// <param name="capacityRecords">Records above which it is full.</param>
    /// <param name="recordsPerChunk">Records of a full chunk.</param>
    /// <param name="overwritten">
    /// Gets each chunk that was pushed out, with its records, after the lock is released, on the producer's thread; needed
    /// with <see cref="FullPolicy.Overwrite"/>.
    /// </param>
    /// <param name="gatherChunks">
    /// Chunks that a waiting consumer lets come together, as long as no marker does: then it reads what has left the producer's cache.
    /// At most half of what the queue holds; 1 with <see cref="FullPolicy.Overwrite"/>, whose consumer takes one at a time.
    /// </param>
    /// <param name="gatherTime">Longest time that it waits for more, from the first one on; 10 ms by default.</param>
    public StageQueue(
        string name,
        int index,
        FullPolicy policy,
        long capacityRecords,
        int recordsPerChunk,
        Action<T, int>? overwritten = null,
        int gatherChunks = 1,
        TimeSpan? gatherTime = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacityRecords, recordsPerChunk);
        if (policy == FullPolicy.Overwrite)
        {
            ArgumentNullException.ThrowIfNull(overwritten);
        }

        Name = name;
        Index = index;
        Policy = policy;
        CapacityRecords = capacityRecords;
        _overwritten = overwritten;

        // Twice what full chunks need: half-full ones are usual when several partitions take turns.
        _chunksMax = (int)Math.Min(Math.Max(2 * capacityRecords / recordsPerChunk, 8), 1 << 20);
        _gatherChunks = policy == FullPolicy.Overwrite ? 1 : (int)Math.Clamp(gatherChunks, 1, Math.Max(capacityRecords / recordsPerChunk / 2, 1));
        _gatherTime = gatherTime ?? _gatherTimeDefault;
        _slots = new Slot[64];
        _batch = new Slot[policy == FullPolicy.Overwrite ? 1 : BatchMax];
    }

    /// <summary>Name of the queue.</summary>
    public string Name { get; }

    /// <summary>Number among the queues of that name.</summary>
    public int Index { get; }

    /// <summary>What it does when it is full.</summary>
    public FullPolicy Policy { get; }

    /// <summary>Records above which it is full.</summary>
    public long CapacityRecords { get; }

    /// <summary>True when nothing is inside. A hint: another thread may change it at once.</summary>
    public bool IsEmpty => Volatile.Read(ref _slotsUsed) == 0 && Volatile.Read(ref _batchIndex) >= Volatile.Read(ref _batchCount);

    /// <summary>Offers a chunk of <paramref name="recordCount"/> records, or a marker of 0. Waits only when the policy is to block.</summary>
    /// <returns>
    /// True when the queue owns it. False when it was dropped, or the queue was completed or <paramref name="cancel"/> came
    /// while it waited: the caller still owns it, and its records are counted as dropped in the first case only.
    /// </returns>
    public bool Enqueue(T chunk, int recordCount, CancellationToken cancel = default)
    {
        var waitedFrom = 0L;
        while (true)
        {
            var overwritten = default(Slot);
            lock (_lock)
            {
                if (_isCompleted || cancel.IsCancellationRequested)
                {
                    EndProducerWait(waitedFrom);
                    return false;
                }

                if (recordCount > 0 && IsFull(recordCount))
                {
                    if (Policy == FullPolicy.Drop)
                    {
                        _offeredCount += recordCount;
                        _droppedCount += recordCount;
                        return false; // The caller still owns the chunk.
                    }

                    if (Policy == FullPolicy.Overwrite)
                    {
                        overwritten = TakeOldestChunk();
                    }
                    else
                    {
                        _producersWaiting++;
                        waitedFrom = waitedFrom == 0 ? BeginProducerWait() : waitedFrom;
                    }
                }

                if (overwritten.Item is null && (recordCount == 0 || !IsFull(recordCount)))
                {
                    Put(chunk, recordCount);
                    EndProducerWait(waitedFrom);
                    return true;
                }
            }

            if (overwritten.Item is not null)
            {
                _overwritten!(overwritten.Item, overwritten.RecordCount); // Perhaps several, until there is room.
                continue;
            }

            WaitForRoom(cancel);
        }
    }

    /// <summary>
    /// Takes the oldest chunk or marker, waiting for the first one for at most <paramref name="timeout"/>; where that is not zero, also
    /// for those that follow it soon.
    /// </summary>
    /// <returns>False when none came in time, or when the queue is completed and empty.</returns>
    public bool TryDequeue(TimeSpan timeout, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out T? chunk, out int recordCount)
    {
        if (TryTakeFromBatch(out chunk, out recordCount))
        {
            return true;
        }

        if (timeout != TimeSpan.Zero)
        {
            WaitForItems(timeout);
        }

        return TryTake(out chunk, out recordCount);
    }

    /// <summary>Refuses offers from now on, wakes everybody, and lets the consumer empty the queue.</summary>
    public void Complete()
    {
        lock (_lock)
        {
            _isCompleted = true;
            WakeProducers();
            WakeConsumer();
        }
    }

    /// <summary>True after <see cref="Complete"/>.</summary>
    public bool IsCompleted
    {
        get
        {
            lock (_lock)
            {
                return _isCompleted;
            }
        }
    }

    /// <summary>True when the queue is completed and empty: the consumer may end. A false dequeue alone does not say so.</summary>
    public bool IsDrained
    {
        get
        {
            lock (_lock)
            {
                return _isCompleted && IsEmpty;
            }
        }
    }

    /// <summary>One consistent reading of all counters.</summary>
    /// <param name="endInterval">True to begin a new interval for <see cref="QueueSnapshot.DepthMaxInterval"/>.</param>
    public QueueSnapshot Snapshot(bool endInterval = false)
    {
        lock (_lock)
        {
            // One reading of what the consumer counts meanwhile, so that the equations hold for it.
            var givenCount = Volatile.Read(ref _givenCount);
            var inBatch = Volatile.Read(ref _batchCount) - Volatile.Read(ref _batchIndex);
            var snapshot = new QueueSnapshot(
                Name,
                Index,
                Policy,
                CapacityRecords,
                _offeredCount,
                _enqueuedCount,
                _droppedCount,
                _overwrittenCount,
                _dequeuedCount + givenCount,
                _depth - givenCount,
                _depthMax,
                _depthMaxInterval,
                _slotsUsed + inBatch,
                ProducerWait(),
                new TimeSpan(_consumerWaitTicks));
            if (endInterval)
            {
                _depthMaxInterval = _depth - givenCount;
            }

            return snapshot;
        }
    }

    // A chunk larger than the capacity enters an empty queue: it could never enter otherwise.
    private bool IsFull(int recordCount)
    {
        var depth = _depth - Volatile.Read(ref _givenCount);
        return _chunksUsed - Volatile.Read(ref _givenChunks) >= _chunksMax || (depth > 0 && depth + recordCount > CapacityRecords);
    }

    private void Put(T chunk, int recordCount)
    {
        if (_slotsUsed == _slots.Length)
        {
            Grow();
        }

        _slots[(_headIndex + _slotsUsed) & (_slots.Length - 1)] = new Slot(chunk, recordCount);
        _slotsUsed++;
        _chunksUsed += recordCount > 0 ? 1 : 0;
        _markersUsed += recordCount > 0 ? 0 : 1;
        _offeredCount += recordCount;
        _enqueuedCount += recordCount;
        _depth += recordCount;
        var depth = _depth - Volatile.Read(ref _givenCount);
        _depthMax = Math.Max(_depthMax, depth);
        _depthMaxInterval = Math.Max(_depthMaxInterval, depth);
        if (_slotsUsed >= _wakeAtChunks || recordCount == 0)
        {
            WakeConsumer();
        }
    }

    /// <summary>Gives the next chunk of the batch out, without the lock unless a producer waits for its room.</summary>
    private bool TryTakeFromBatch([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out T? chunk, out int recordCount)
    {
        if (_batchIndex == _batchCount)
        {
            chunk = null;
            recordCount = 0;
            return false;
        }

        chunk = Give(out recordCount);

        // Unfenced: a producer that begins to wait just now may be seen one chunk later, at the latest with the next batch.
        if (Volatile.Read(ref _producersWaiting) > 0 && IsHalfEmpty())
        {
            lock (_lock)
            {
                TakeOffGiven();
                WakeProducersForRoom();
            }
        }

        return true;
    }

    /// <summary>Takes the next batch and gives its first chunk out.</summary>
    private bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out T? chunk, out int recordCount)
    {
        lock (_lock)
        {
            if (_slotsUsed == 0)
            {
                TakeOffGiven();
                WakeProducersForRoom();
                chunk = null;
                recordCount = 0;
                return false;
            }

            var count = Math.Min(_slotsUsed, _batch.Length);
            for (var index = 0; index < count; index++)
            {
                _batch[index] = _slots[_headIndex];
                _markersUsed -= _batch[index].RecordCount == 0 ? 1 : 0;
                _slots[_headIndex] = default;
                _headIndex = (_headIndex + 1) & (_slots.Length - 1);
            }

            // The batch before the slots: IsEmpty, which takes no lock, must not see neither.
            Volatile.Write(ref _batchIndex, 0);
            Volatile.Write(ref _batchCount, count);
            Volatile.Write(ref _slotsUsed, _slotsUsed - count);

            // Under the lock: with Overwrite a producer must never find the queue full of a chunk that it cannot push out.
            chunk = Give(out recordCount);
            TakeOffGiven();
            WakeProducersForRoom();
            return true;
        }
    }

    private T Give(out int recordCount)
    {
        ref var slot = ref _batch[_batchIndex];
        var chunk = slot.Item!;
        recordCount = slot.RecordCount;
        slot = default;
        Volatile.Write(ref _givenChunks, _givenChunks + (recordCount > 0 ? 1 : 0));
        Volatile.Write(ref _givenCount, _givenCount + recordCount);
        Volatile.Write(ref _batchIndex, _batchIndex + 1);
        return chunk;
    }

    /// <summary>Moves what the consumer has given out since the last lock from the depth to the dequeued.</summary>
    private void TakeOffGiven()
    {
        _dequeuedCount += _givenCount;
        _depth -= _givenCount;
        _chunksUsed -= _givenChunks;
        _givenCount = 0;
        _givenChunks = 0;
    }

    /// <summary>Takes the oldest chunk out; the markers before it keep their order and move up by one place.</summary>
    private Slot TakeOldestChunk()
    {
        var mask = _slots.Length - 1;
        var place = 0;
        while (_slots[(_headIndex + place) & mask].RecordCount == 0)
        {
            place++; // A full queue holds a chunk, so the search ends; before the oldest one there are markers only.
        }

        var oldest = _slots[(_headIndex + place) & mask];
        for (; place > 0; place--)
        {
            _slots[(_headIndex + place) & mask] = _slots[(_headIndex + place - 1) & mask];
        }

        _slots[_headIndex] = default;
        _headIndex = (_headIndex + 1) & mask;
        _slotsUsed--;
        _chunksUsed--;
        _depth -= oldest.RecordCount;
        _overwrittenCount += oldest.RecordCount;
        return oldest;
    }

    private void Grow()
    {
        var larger = new Slot[_slots.Length * 2];
        for (var index = 0; index < _slotsUsed; index++)
        {
            larger[index] = _slots[(_headIndex + index) & (_slots.Length - 1)];
        }

        _slots = larger;
        _headIndex = 0;
    }

    private readonly record struct Slot(T? Item, int RecordCount);
}
