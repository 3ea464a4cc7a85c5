using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Weir.Core.Buffers;
using Weir.Core.Hashing;
using Weir.Core.Model;

namespace Weir.Aggregator;

/// <summary>The rows of one view, folded from one cut by one shard.</summary>
/// <remarks>
/// <para>One owner: the thread of its aggregation worker. The rows leave with <see cref="TakeRows"/>; then the table is used again.</para>
/// <para>
/// Open addressing with linear probing at half load. A slot is 8 bytes: the upper half of the hash, and the row's number + 1
/// (0 is free). The place of a slot is the top bits of the hash, so a larger array keeps the order of the smaller one and
/// growing is one sequential pass that touches no row. Each record goes through three steps, <see cref="Distance"/> records
/// apart: its hash is made and its slot asked for; the row that the slot names is asked for; key and meters are compared and
/// folded. So the misses of some 60 records overlap (<c>bench/README.md</c> has the figures beside a dictionary). The steps are
/// compiled for the key and the sums of the view (<see cref="WordCount"/>).
/// </para>
/// <para>
/// Memory: a row of key + meters, 16 to 32 B of slots while it grows (8 B ÷ a load of ¼ to ½), and the unfilled rest of one slab.
/// </para>
/// <para>
/// Above its limit of rows, a record of a new key folds into an <b>overflow series</b>: numbers and addresses 0, string tags
/// <c>__overflow__</c>. It keeps its time window for the first <see cref="OverflowRowsMax"/> windows, so rates over time stay
/// right; after them (broken clocks can name any second) it is placed at the start of its UTC day, which is a window of each
/// granularity and the same table partition. So totals stay exact, and the rows are bounded by the limit, plus 4,096, plus
/// the days that the time check of ingest lets pass.
/// </para>
/// </remarks>
internal sealed unsafe partial class FoldTable : IDisposable
{
    /// <summary>Records from one step to the next.</summary>
    internal const int Distance = 32;

    /// <summary>Places for the records in flight: a power of two above two distances.</summary>
    private const int RingSize = 4 * Distance;

    private const int RingMask = RingSize - 1;

    /// <summary>Rows of the overflow series with their own time window.</summary>
    internal const int OverflowRowsMax = 4096;

    /// <summary>Most rows that a table may be asked to hold; its slots fill the largest array of the pool.</summary>
    internal const int RowsMaxLimit = 1 << (SlotPool.ShiftMax - 2);

    private const int SecondsPerDay = 86_400;
    private const int SlotShiftInitial = 10;
    private const int CacheLineBytes = 64;
    private const int FragmentShift = 32;

    private static readonly MethodInfo _foldRunOfAny = typeof(FoldTable).GetMethod(nameof(FoldRun), BindingFlags.Instance | BindingFlags.NonPublic)!;

    private readonly RunFold _foldRun;
    private readonly SlabPool _slabs;
    private readonly SlotPool _slotPool;
    private readonly KeySegment[] _segments;
    private readonly int _keyBytes;
    private readonly int _keyWords;
    private readonly int _rowBytes;
    private readonly int _meterWords;
    private readonly int _sumCount;
    private readonly int _maxCount;
    private readonly int _minCount;
    private readonly uint _granularity;
    private readonly int _sourceRowBytes;
    private readonly int _sourceKeyOffset;
    private readonly int _sourceMetersOffset;
    private readonly bool _hashesTags; // The records carry the hash of all tags of the key.
    private readonly bool _usesSourceKeys; // Keys are compared where they lie, without a copy.
    private readonly bool _foldsRecords;
    private readonly byte* _keyScratch; // Keys of the records in flight, then the key of the overflow series.
    private readonly byte* _overflowKey;

    private RowStore _rows;
    private ulong* _slots;
    private int _slotShift;
    private int _rowsMax;
    private int _overflowRowCount;

    /// <summary>Makes an empty table; <see cref="Open"/> makes it ready.</summary>
    internal FoldTable(StreamSchema schema, ViewPlan plan, SlabPool slabs, SlotPool slotPool)
    {
        Plan = plan;
        _slabs = slabs;
        _slotPool = slotPool;
        _segments = [.. plan.Segments];
        _keyBytes = plan.KeyBytes;
        _keyWords = plan.KeyBytes / sizeof(ulong);
        _rowBytes = plan.KeyBytes + schema.MeterBytes;
        _meterWords = schema.Meters.Length;
        (_sumCount, _maxCount, _minCount) = (schema.SumCount, schema.MaxCount, schema.MinCount);
        _granularity = (uint)plan.Definition.GranularitySeconds;
        _foldsRecords = plan.ParentIndex < 0;
        var parent = _foldsRecords ? null : schema.Views[plan.ParentIndex];
        _sourceRowBytes = parent is null ? schema.RecordBytes : parent.KeyBytes + schema.MeterBytes;
        _sourceKeyOffset = parent is null ? StreamSchema.HashBytes : 0;
        _sourceMetersOffset = parent is null ? schema.RecordMetersOffset : parent.KeyBytes;
        _hashesTags = plan.HasSourceKeys && _foldsRecords;
        _usesSourceKeys = plan.HasSourceKeys && _granularity == (parent?.Definition.GranularitySeconds ?? 1);

        // Zeroed once: the projection never writes the padding of a key, so it stays zero.
        _keyScratch = (byte*)NativeMemory.AllocZeroed((nuint)((RingSize + 1) * _keyBytes));
        _overflowKey = _keyScratch + (RingSize * _keyBytes);
        foreach (var slot in plan.Tags.Where(slot => slot.Tag.Type == TagType.String))
        {
            *(uint*)(_overflowKey + slot.OffsetBytes) = StringDictionary.OverflowId;
        }

        _rows = new RowStore(slabs, _rowBytes);
        var sums = (_maxCount | _minCount) == 0 ? WordCount.TypeOf(_sumCount) : typeof(WordCount.Unknown);
        var areWhole = _hashesTags && _usesSourceKeys && _sourceRowBytes == StreamSchema.HashBytes + _rowBytes;
        var whole = WordCount.TypeOf(areWhole ? 1 : 0);
        _foldRun = _foldRunOfAny.MakeGenericMethod(WordCount.TypeOf(_keyWords), sums, whole).CreateDelegate<RunFold>(this);
    }

    private delegate void RunFold(byte* source, int count);

    /// <summary>The view.</summary>
    internal ViewPlan Plan { get; }

    /// <summary>Rows, those of the overflow series among them.</summary>
    internal int RowCount => _rows.Count;

    /// <summary>The rows; the table still owns them.</summary>
    internal RowStore Rows => _rows;

    /// <summary>
    /// Records (the meter, not rows) whose tags this view's own limit took away since <see cref="Open"/>; those that come in
    /// the overflow series of a finer view are counted there.
    /// </summary>
    internal long OverflowRecordCount { get; private set; }

    /// <summary>Slots, at least twice the rows.</summary>
    internal long SlotCount => _slots == null ? 0 : 1L << _slotShift;

    /// <summary>Begins a cut.</summary>
    /// <param name="rowsMax">Rows above which new keys fold into the overflow series.</param>
    /// <param name="rowsExpected">Rows to have slots for at once: a partition's cuts are of one size, so most never grow.</param>
    internal void Open(int rowsMax, int rowsExpected = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rowsMax, 1);
        Debug.Assert(_rows.Count == 0 && _slots == null, "The table is empty.");
        _rowsMax = Math.Min(rowsMax, RowsMaxLimit);
        _overflowRowCount = 0;
        OverflowRecordCount = 0;
        _slotShift = Math.Max(SlotShiftInitial, SlotPool.ShiftFor(Math.Clamp(rowsExpected, 1, _rowsMax)));
        _slots = _slotPool.Rent(_slotShift);
    }

    /// <summary>Folds the records of a chunk. For views without a parent.</summary>
    internal void Fold(RecordChunk chunk)
    {
        Debug.Assert(_foldsRecords, "The view folds the rows of another one.");
        _foldRun(chunk.Rows, chunk.RecordCount);
    }

    /// <summary>Folds the rows of the view that this one is made from.</summary>
    internal void FoldRows(RowStore parentRows)
    {
        Debug.Assert(!_foldsRecords && parentRows.RowBytes == _sourceRowBytes, "These are rows of the parent.");
        for (var first = 0; first < parentRows.Count; first += RowStore.RowsPerSlab)
        {
            _foldRun(parentRows[first], Math.Min(RowStore.RowsPerSlab, parentRows.Count - first)); // Rows of a slab follow each other.
        }
    }

    /// <summary>Ends the cut: hands the rows over and gives the slots back.</summary>
    /// <returns>The rows, now the caller's to dispose of; null when there are none.</returns>
    internal RowStore? TakeRows()
    {
        ReturnSlots();
        if (_rows.Count == 0)
        {
            return null;
        }

        var rows = _rows;
        _rows = new RowStore(_slabs, _rowBytes);
        return rows;
    }

    /// <summary>Ends the cut without a use for its rows.</summary>
    internal void Clear()
    {
        ReturnSlots();
        _rows.Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Clear();
        NativeMemory.Free(_keyScratch);
    }

    private byte* Project(byte* from, byte* to)
    {
        var time = *(ulong*)from;
        *(ulong*)to = time - (time % _granularity);
        foreach (ref readonly var segment in _segments.AsSpan())
        {
            RowVectors.CopyBytes(from + segment.FromBytes, to + segment.ToBytes, segment.LengthBytes);
        }

        return to;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }

    /// <summary>The third step for a record whose row was not the candidate: it is new, or its walk is long.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void FoldOne(ulong hash, ulong* key, ulong* meters)
    {
        var row = Find(hash, key, out var place);
        if (row != null)
        {
            FoldMeters<WordCount.Unknown>((ulong*)(row + _keyBytes), meters);
        }
        else if (_rows.Count - _overflowRowCount < _rowsMax)
        {
            Insert(hash, place, key, meters);
        }
        else
        {
            FoldOverflow(key, meters);
        }
    }

    /// <summary>Looks a key up.</summary>
    /// <param name="hash">Its hash.</param>
    /// <param name="key">The key.</param>
    /// <param name="place">The free slot where it belongs when it is not there.</param>
    /// <returns>Its row; null when there is none.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private byte* Find(ulong hash, ulong* key, out ulong place)
    {
        var slots = _slots;
        var mask = (1UL << _slotShift) - 1;
        place = hash >> (64 - _slotShift);
        while (true)
        {
            var slot = slots[place];
            if (slot == 0)
            {
                return null;
            }

            if (slot >> FragmentShift == hash >> FragmentShift)
            {
                var row = _rows[(int)(uint)slot - 1];
                if (RowVectors.AreEqual((ulong*)row, key, _keyWords))
                {
                    return row;
                }
            }

            place = (place + 1) & mask;
        }
    }

    private void Insert(ulong hash, ulong place, ulong* key, ulong* meters)
    {
        var row = (ulong*)_rows.Append();
        RowVectors.Copy(key, row, _keyWords);
        RowVectors.Copy(meters, row + _keyWords, _meterWords);
        SetSlot(hash, place);
    }

    /// <summary>Names the row that was added last in its slot.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void SetSlot(ulong hash, ulong place)
    {
        _slots[place] = (hash >> FragmentShift << FragmentShift) | (uint)_rows.Count;
        if (_rows.Count * 2L > 1L << _slotShift)
        {
            Grow(); // Candidates stay what they are: rows don't move.
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void FoldMeters<TSums>(ulong* into, ulong* from)
        where TSums : unmanaged
    {
        if (WordCount.IsKnown<TSums>())
        {
            RowVectors.Add(into, from, WordCount.Of<TSums>());
            return;
        }

        RowVectors.Add(into, from, _sumCount);
        if ((_maxCount | _minCount) != 0)
        {
            RowVectors.Max(into + _sumCount, from + _sumCount, _maxCount);
            RowVectors.Min(into + _sumCount + _maxCount, from + _sumCount + _maxCount, _minCount);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void FoldOverflow(ulong* key, ulong* meters)
    {
        if (!RowVectors.AreEqual(key + 1, (ulong*)_overflowKey + 1, _keyWords - 1))
        {
            OverflowRecordCount += (long)meters[0]; // Meter 0 is `records`: 1 for a record, their number for a finer row.
        }

        var time = *key;
        if (!TryFoldOverflow(time, _overflowRowCount < OverflowRowsMax, meters))
        {
            TryFoldOverflow(time - (time % SecondsPerDay), mayInsert: true, meters);
        }
    }

    private bool TryFoldOverflow(ulong time, bool mayInsert, ulong* meters)
    {
        var key = (ulong*)_overflowKey;
        *key = time;

        // Not the hash that a record with these very tags would carry: such a record keeps a row of its own with an equal key.
        var hash = TagHash.OfWords(key, _keyWords);
        var row = Find(hash, key, out var place);
        if (row != null)
        {
            FoldMeters<WordCount.Unknown>((ulong*)(row + _keyBytes), meters);
            return true;
        }

        if (mayInsert)
        {
            Insert(hash, place, key, meters);
            _overflowRowCount++;
        }

        return mayInsert;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Grow()
    {
        var shift = _slotShift + 1;
        var larger = _slotPool.Rent(shift);
        var mask = (1UL << shift) - 1;
        var placeShift = 64 - shift;
        var slotCount = 1L << _slotShift;
        for (var index = 0L; index < slotCount; index++)
        {
            var slot = _slots[index];
            if (slot == 0)
            {
                continue;
            }

            var place = slot >> placeShift; // A slot's upper half is its hash's: the top bits are enough to place it.
            while (larger[place] != 0)
            {
                place = (place + 1) & mask;
            }

            larger[place] = slot;
        }

        _slotPool.Return(_slots, _slotShift);
        _slots = larger;
        _slotShift = shift;
    }

    /// <summary>Gives the slots back: after the last record of a cut they serve the views that are made from its rows.</summary>
    internal void ReturnSlots()
    {
        if (_slots != null)
        {
            _slotPool.Return(_slots, _slotShift);
            _slots = null;
        }
    }
}
