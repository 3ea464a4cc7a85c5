using System.Diagnostics;
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

    /// <summary>Word 0 of a key has the group of days in its low half and the shard of servers in its high one.</summary>
    private const int ShardShift = 32;

    /// <summary>Keys that are asked for ahead of the one that is folded.</summary>
    private const int PrefetchAhead = 12;

    private readonly NativeBuffer _keys = new(budget);
    private readonly NativeBuffer _entries = new(budget);
    private readonly NativeBuffer _rows = new(budget);
    private readonly NativeBuffer _ranks = new(budget);
    private readonly KeySort _sort = new();
    private readonly List<int> _groupEnds = [];
    private readonly List<int> _groupShards = [];
    private ushort[]? _groupsByDay;
    private int _loadedCount;

    /// <summary>Number of rows after folding.</summary>
    internal int Count { get; private set; }

    /// <summary>Addresses of the rows, in order.</summary>
    internal byte** Rows => (byte**)_rows.Start;

    /// <summary>Where each group of one shard of servers and of days ends; one end, <see cref="Count"/>, when all rows fit into one.</summary>
    internal IReadOnlyList<int> GroupEnds => _groupEnds;

    /// <summary>The shard of servers of each group.</summary>
    internal IReadOnlyList<int> GroupShards => _groupShards;

    /// <summary>Bytes of working memory.</summary>
    internal long CapacityBytes => _keys.CapacityBytes + _entries.CapacityBytes + _rows.CapacityBytes + _ranks.CapacityBytes;

    /// <summary>Ranks of the texts of one string tag, row by row.</summary>
    /// <param name="text">Index in <see cref="SortKeyPlan.Texts"/>.</param>
    internal uint* Ranks(int text) => (uint*)_ranks.Start + ((nint)text * _loadedCount);

    /// <summary>Gathers, sorts and folds the rows of <paramref name="view"/>.</summary>
    /// <exception cref="InvalidOperationException">A row's time does not fit a DateTime, which no decoder lets through.</exception>
    internal void Load(Cut cut, ViewPlan view, SortKeyPlan plan, TextRanks texts)
    {
        _groupEnds.Clear();
        _groupShards.Clear();
        Count = 0;
        _loadedCount = RowCount(cut, view);
        if (_loadedCount == 0)
        {
            return;
        }

        var keys = (ulong*)_keys.Reserve((long)_loadedCount * plan.Stride * sizeof(ulong));
        var (timeMin, timeMax) = Compose(cut, view, plan, texts, keys);
        if (timeMax > uint.MaxValue)
        {
            throw new InvalidOperationException(
                $"A row of {view.Definition.Name} has the time {timeMax}, which a DateTime column cannot hold.");
        }

        GroupDays(plan, keys, timeMin, timeMax);
        if (serverShardCount > 1)
        {
            GroupShardsOfServers(plan, keys, texts);
        }

        var entries = (SortEntry*)_entries.Reserve(2L * _loadedCount * sizeof(SortEntry));
        for (var index = 0; index < _loadedCount; index++)
        {
            entries[index] = new SortEntry(0, (uint)index);
        }

        _sort.Sort(keys, plan.Words, plan.Stride, entries, entries + _loadedCount, _loadedCount);
        Fold(plan, keys, entries, view.KeyBytes);
    }

    /// <summary>Frees the working memory; another <see cref="Load"/> may bring new.</summary>
    public void Dispose()
    {
        _keys.Dispose();
        _entries.Dispose();
        _rows.Dispose();
        _ranks.Dispose();
    }

    private static int RowCount(Cut cut, ViewPlan view)
    {
        var count = 0;
        for (var shard = 0; shard < cut.ShardCount; shard++)
        {
            count = checked(count + (cut.Rows(shard, view.Index)?.Count ?? 0));
        }

        return count;
    }

    private (ulong TimeMin, ulong TimeMax) Compose(Cut cut, ViewPlan view, SortKeyPlan plan, TextRanks texts, ulong* keys)
    {
        var (timeMin, timeMax) = (ulong.MaxValue, 0UL);
        for (var shard = 0; shard < cut.ShardCount; shard++)
        {
            if (cut.Rows(shard, view.Index) is not { } rows)
            {
                continue;
            }

            Debug.Assert(rows.RowBytes == view.KeyBytes + schema.MeterBytes, "The rows are those of the view.");
            for (var from = 0; from < rows.Count; from += RowStore.RowsPerSlab)
            {
                var count = Math.Min(RowStore.RowsPerSlab, rows.Count - from); // Rows lie side by side within a slab only.
                var (min, max) = plan.Compose(rows[from], rows.RowBytes, count, keys, texts.RanksById);
                timeMin = Math.Min(timeMin, min);
                timeMax = Math.Max(timeMax, max);
                keys += (nint)count * plan.Stride;
            }
        }

        return (timeMin, timeMax);
    }

    /// <summary>Puts the number of the group of days into word 0 of each key when the rows have more days than a block may.</summary>
    private void GroupDays(SortKeyPlan plan, ulong* keys, ulong timeMin, ulong timeMax)
    {
        if ((timeMax / DaySeconds) - (timeMin / DaySeconds) < (ulong)blockDaysMax)
        {
            return; // Nearly always: there can't be more days than the span has.
        }

        var groups = _groupsByDay ??= new ushort[DayCount];
        Array.Clear(groups);
        for (var index = 0; index < _loadedCount; index++)
        {
            groups[Day(keys, index, plan)] = 1;
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

        for (var index = 0; index < _loadedCount; index++)
        {
            keys[(nint)index * plan.Stride] = groups[Day(keys, index, plan)];
        }
    }

    /// <summary>Puts the shard of servers, which the tags say and the time does not, above the group of days.</summary>
    private void GroupShardsOfServers(SortKeyPlan plan, ulong* keys, TextRanks texts)
    {
        for (var index = 0; index < _loadedCount; index++)
        {
            var key = keys + ((nint)index * plan.Stride);
            key[0] |= (ulong)JumpHash.BucketOf(plan.SeriesHash(key, texts), serverShardCount) << ShardShift;
        }
    }

    private static int Day(ulong* keys, int index, SortKeyPlan plan) =>
        (int)(*(ulong*)keys[((nint)index * plan.Stride) + plan.Words] / DaySeconds);

    private void Fold(SortKeyPlan plan, ulong* keys, SortEntry* entries, int keyBytes)
    {
        var rows = (byte**)_rows.Reserve((long)_loadedCount * sizeof(byte*));
        _ = _ranks.Reserve((long)_loadedCount * plan.Texts.Length * sizeof(uint));
        var words = plan.Words;
        var previous = keys + ((nint)entries[0].Index * plan.Stride);
        var kept = 0;
        for (var index = 0; index < _loadedCount; index++)
        {
            if (index + PrefetchAhead < _loadedCount)
            {
                Prefetch.Bytes((byte*)(keys + ((nint)entries[index + PrefetchAhead].Index * plan.Stride)), plan.Stride * sizeof(ulong));
            }

            var key = keys + ((nint)entries[index].Index * plan.Stride);

            // Equal keys were in the same runs of the sort, so they have equal prefixes; equal prefixes alone say nothing.
            if (index > 0 && entries[index].Prefix == entries[index - 1].Prefix && AreEqual(key, previous, words))
            {
                FoldMeters(rows[kept - 1] + keyBytes, (byte*)key[words] + keyBytes);
                continue;
            }

            if (key[0] != previous[0])
            {
                EndGroup(previous, kept);
            }

            for (var text = 0; text < plan.Texts.Length; text++)
            {
                Ranks(text)[kept] = (uint)(key[plan.Texts[text].Word] >> plan.Texts[text].Shift);
            }

            rows[kept++] = (byte*)key[words];
            previous = key;
        }

        EndGroup(previous, kept);
        Count = kept;
    }

    private void EndGroup(ulong* lastKey, int end)
    {
        _groupEnds.Add(end);
        _groupShards.Add((int)(lastKey[0] >> ShardShift));
    }

    private static bool AreEqual(ulong* left, ulong* right, int words)
    {
        for (var word = 0; word < words; word++)
        {
            if (left[word] != right[word])
            {
                return false;
            }
        }

        return true;
    }

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
