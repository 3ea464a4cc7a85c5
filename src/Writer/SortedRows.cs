using System.Diagnostics;
using System.Runtime.CompilerServices;
using Weir.Core.Buffers;
using Weir.Core.Hashing;
using Weir.Core.Model;

namespace Weir.Writer;

/// <summary>The rows of one view of one cut, from all shards, in the table's order, equal keys folded into one row.</summary>
/// <remarks>
/// The order, and so every block, depends on the set of rows only: not on the shard that folded them, nor on the order in which
/// they came. One thread; the memory is used again from view to view and from cut to cut.
/// </remarks>
internal sealed unsafe class SortedRows(StreamSchema schema, int blockDaysMax, int serverShardCount, MemoryBudget budget) : IDisposable
{
    private const int DaySeconds = 86_400;

    /// <summary>Days that 32 bits of seconds reach.</summary>
    private const int DayCount = (int)(uint.MaxValue / DaySeconds) + 1;

    /// <summary>Where rows have too many days, a group has the number of its days in its low half and its shard of servers in the high one.</summary>
    private const int ShardShift = 32;

    private readonly NativeBuffer _slabs = new(budget); // Start of each slab of rows.
    private readonly NativeBuffer _entries = new(budget);
    private readonly NativeBuffer _keys = new(budget);
    private readonly NativeBuffer _rows = new(budget);
    private readonly RowPrefixes?[] _prefixes = new RowPrefixes?[schema.Views.Length];
    private readonly PrefixSort _sort = new();
    private readonly KeySort _tieSort = new();
    private readonly List<int> _groupEnds = [];
    private readonly List<int> _groupShards = [];
    private ushort[]? _groupsByDay;
    private bool _hasDayGroups;
    private int _loadedCount;
    private int _rowBytes;

    /// <summary>Number of rows after folding.</summary>
    internal int Count { get; private set; }

    /// <summary>Addresses of the rows, in order.</summary>
    internal byte** Rows => (byte**)_rows.Start;

    /// <summary>Where each group of one shard of servers and of days ends; one end, <see cref="Count"/>, when all rows fit into one.</summary>
    internal IReadOnlyList<int> GroupEnds => _groupEnds;

    /// <summary>The shard of servers of each group.</summary>
    internal IReadOnlyList<int> GroupShards => _groupShards;

    /// <summary>Which texts the rows have, by text column of <see cref="SortKeyPlan.Texts"/>.</summary>
    internal TextMarks[] Texts { get; private set; } = [];

    /// <summary>Bytes of working memory.</summary>
    internal long CapacityBytes => _slabs.CapacityBytes + _entries.CapacityBytes + _keys.CapacityBytes + _rows.CapacityBytes;

    private SortEntry* Entries => (SortEntry*)_entries.Start;

    /// <summary>Gathers, sorts and folds the rows of <paramref name="view"/>.</summary>
    /// <exception cref="InvalidOperationException">A row's time does not fit a DateTime, which no decoder lets through.</exception>
    internal void Load(Cut cut, ViewPlan view, SortKeyPlan plan, TextRanks texts)
    {
        _groupEnds.Clear();
        _groupShards.Clear();
        Count = 0;
        _rowBytes = view.KeyBytes + schema.MeterBytes;
        _loadedCount = LoadSlabs(cut, view);
        var prefixes = _prefixes[view.Index] ??= new RowPrefixes(plan, serverShardCount);
        Texts = prefixes.Texts;
        if (_loadedCount == 0)
        {
            return;
        }

        _ = _entries.Reserve(2L * _loadedCount * sizeof(SortEntry)); // And as many to sort into.
        if (!TryWritePrefixes(cut, view, prefixes, texts, isLast: false))
        {
            TryWritePrefixes(cut, view, prefixes, texts, isLast: true);
        }

        if (prefixes.TimeMax > uint.MaxValue)
        {
            throw new InvalidOperationException(
                $"A row of {view.Definition.Name} has the time {prefixes.TimeMax}, which a DateTime column cannot hold.");
        }

        // Nearly always false: there can't be more days than the span has.
        _hasDayGroups = (prefixes.TimeMax / DaySeconds) - (prefixes.TimeMin / DaySeconds) >= (ulong)blockDaysMax;
        if (_hasDayGroups)
        {
            GroupDays();
        }

        if (_hasDayGroups)
        {
            SortRun(0, _loadedCount, plan, texts); // By the group first, which is in no prefix.
        }
        else
        {
            _sort.Sort(Entries, Entries + _loadedCount, _loadedCount, prefixes.Bits);
            SortTies(prefixes, plan, texts);
        }

        Fold(view.KeyBytes, isWhole: prefixes.IsWhole && !_hasDayGroups, groupShift: _hasDayGroups ? 0 : prefixes.BitsBelowShard);
    }

    /// <summary>Frees the working memory; another <see cref="Load"/> may bring new.</summary>
    public void Dispose()
    {
        _slabs.Dispose();
        _entries.Dispose();
        _keys.Dispose();
        _rows.Dispose();
    }

    /// <summary>Lists the slabs of all shards. A row's number is that of its slab, and then its place there.</summary>
    /// <returns>Number of rows.</returns>
    private int LoadSlabs(Cut cut, ViewPlan view)
    {
        var (slabCount, rowCount) = (0, 0);
        for (var shard = 0; shard < cut.ShardCount; shard++)
        {
            var count = cut.Rows(shard, view.Index)?.Count ?? 0;
            rowCount = checked(rowCount + count);
            slabCount += (count + RowStore.RowsPerSlab - 1) / RowStore.RowsPerSlab;
        }

        var slabs = (byte**)_slabs.Reserve((long)slabCount * sizeof(byte*));
        for (var shard = 0; shard < cut.ShardCount; shard++)
        {
            if (cut.Rows(shard, view.Index) is { } rows)
            {
                Debug.Assert(rows.RowBytes == _rowBytes, "The rows are those of the view.");
                for (var from = 0; from < rows.Count; from += RowStore.RowsPerSlab)
                {
                    *slabs++ = rows[from];
                }
            }
        }

        return rowCount;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private byte* RowOf(uint index) =>
        ((byte**)_slabs.Start)[index / RowStore.RowsPerSlab] + ((nint)(index % RowStore.RowsPerSlab) * _rowBytes);

    private bool TryWritePrefixes(Cut cut, ViewPlan view, RowPrefixes prefixes, TextRanks texts, bool isLast)
    {
        var entries = Entries;
        var slab = 0U;
        prefixes.Begin(RowOf(0), texts.RanksById);
        for (var shard = 0; shard < cut.ShardCount; shard++)
        {
            var rest = cut.Rows(shard, view.Index)?.Count ?? 0;
            for (; rest > 0; rest -= RowStore.RowsPerSlab, slab++)
            {
                var count = Math.Min(RowStore.RowsPerSlab, rest); // Rows lie side by side within a slab only.
                prefixes.Write(
                    ((byte**)_slabs.Start)[slab], _rowBytes, count, slab * RowStore.RowsPerSlab, entries, texts);
                entries += count;
            }
        }

        return isLast || prefixes.TryEnd();
    }

    /// <summary>Numbers the groups of days, for rows that have more days than a block may.</summary>
    private void GroupDays()
    {
        var groups = _groupsByDay ??= new ushort[DayCount];
        Array.Clear(groups);
        for (var index = 0; index < _loadedCount; index++)
        {
            groups[Day(RowOf(Entries[index].Index))] = 1;
        }

        var seen = 0;
        for (var day = 0; day < DayCount; day++)
        {
            if (groups[day] != 0)
            {
                groups[day] = (ushort)(seen / blockDaysMax);
                seen++;
            }
        }
    }

    private static int Day(byte* row) => (int)(*(ulong*)row / DaySeconds);

    /// <summary>Sorts rows whose prefixes are equal and do not say everything.</summary>
    private void SortTies(RowPrefixes prefixes, SortKeyPlan plan, TextRanks texts)
    {
        for (var from = 0; from < _loadedCount && !prefixes.IsWhole;)
        {
            var to = from + 1;
            while (to < _loadedCount && Entries[to].Prefix == Entries[from].Prefix)
            {
                to++;
            }

            if (to - from > 1)
            {
                SortRun(from, to - from, plan, texts);
            }

            from = to;
        }
    }

    /// <summary>Sorts some entries by their whole keys; of ties, which have one prefix, the prefix stays.</summary>
    private void SortRun(int from, int count, SortKeyPlan plan, TextRanks texts)
    {
        var keys = (ulong*)_keys.Reserve((long)count * (plan.Stride * sizeof(ulong)));
        var entries = Entries + from;
        for (var index = 0; index < count; index++)
        {
            var row = RowOf(entries[index].Index);
            var key = keys + ((nint)index * plan.Stride);
            plan.Compose(row, _rowBytes, 1, key, texts.RanksById);
            key[0] = _hasDayGroups ? GroupOf(row, key, plan, texts) : entries[index].Prefix;
            key[plan.Words] = entries[index].Index;
            entries[index] = new SortEntry(0, (uint)index);
        }

        _tieSort.Sort(keys, plan.Words, plan.Stride, entries, entries + _loadedCount, count);
        for (var index = 0; index < count; index++)
        {
            var key = keys + ((nint)entries[index].Index * plan.Stride);
            entries[index] = new SortEntry(key[0], (uint)key[plan.Words]);
        }
    }

    /// <summary>The group of a row, by its day and its shard.</summary>
    private ulong GroupOf(byte* row, ulong* key, SortKeyPlan plan, TextRanks texts)
    {
        ulong group = _groupsByDay![Day(row)];
        return serverShardCount > 1
            ? group | ((ulong)JumpHash.BucketOf(plan.SeriesHash(key, texts), serverShardCount) << ShardShift)
            : group;
    }

    /// <summary>Lists the rows, those of equal keys as one. Keys that are not whole in the prefixes are compared.</summary>
    private void Fold(int keyBytes, bool isWhole, int groupShift)
    {
        var rows = (byte**)_rows.Reserve((long)_loadedCount * sizeof(byte*));
        var entries = Entries;
        var hasGroups = _hasDayGroups || serverShardCount > 1;
        var kept = 0;
        for (var index = 0; index < _loadedCount; index++)
        {
            var row = RowOf(entries[index].Index);
            if (index > 0 && entries[index].Prefix == entries[index - 1].Prefix && (isWhole || AreEqual(row, rows[kept - 1], keyBytes)))
            {
                FoldMeters(rows[kept - 1] + keyBytes, row + keyBytes);
                continue;
            }

            if (hasGroups && index > 0 && entries[index].Prefix >> groupShift != entries[index - 1].Prefix >> groupShift)
            {
                EndGroup(entries[index - 1].Prefix >> groupShift, kept);
            }

            rows[kept++] = row;
        }

        EndGroup(hasGroups ? entries[_loadedCount - 1].Prefix >> groupShift : 0, kept);
        Count = kept;
    }

    private void EndGroup(ulong group, int end)
    {
        _groupEnds.Add(end);
        _groupShards.Add((int)(_hasDayGroups ? group >> ShardShift : group));
    }

    /// <summary>Texts are interned and padding is 0, so keys that are equal have equal bytes.</summary>
    private static bool AreEqual(byte* left, byte* right, int keyBytes) =>
        new ReadOnlySpan<byte>(left, keyBytes).SequenceEqual(new ReadOnlySpan<byte>(right, keyBytes));

    private void FoldMeters(byte* into, byte* from)
    {
        var sums = (ulong*)into;
        var others = (ulong*)from;
        var meter = 0;
        for (; meter < schema.SumCount; meter++)
        {
            sums[meter] += others[meter];
        }

        for (; meter < schema.SumCount + schema.MaxCount; meter++)
        {
            sums[meter] = Math.Max(sums[meter], others[meter]);
        }

        for (; meter < schema.SumCount + schema.MaxCount + schema.MinCount; meter++)
        {
            sums[meter] = Math.Min(sums[meter], others[meter]);
        }
    }
}
