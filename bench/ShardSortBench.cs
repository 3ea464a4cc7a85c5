using Weir.Core.Buffers;
using Weir.Core.Hashing;
using Weir.Core.Model;
using Weir.Writer;

namespace Weir.Bench;

/// <summary>The rows of a cut that goes to several shards of servers: the shard as the first bits of the prefix, against whole keys.</summary>
internal static unsafe class ShardSortBench
{
    private const int ShardCount = 4;

    /// <summary>All three in turns. The checksum is the number of rows that differ; that they are in order is what SortedRowsTests are for.</summary>
    internal static void MeasureRatios()
    {
        foreach (var rowCount in (int[])[10_000, 100_000, 1_000_000])
        {
            using var cuts = new BenchCuts();
            var cut = cuts.Make(rowCount);
            var view = cuts.Schema.Views[0];
            var plan = new SortKeyPlan(view);
            var texts = new TextRanks();
            texts.Load(cut.Strings);
            using var sharded = new SortedRows(cuts.Schema, blockDaysMax: 10, ShardCount, cuts.Budget);
            using var single = new SortedRows(cuts.Schema, blockDaysMax: 10, 1, cuts.Budget);
            using var keys = new WholeKeys(plan, rowCount, cuts.Budget);
            Ratios.MeasureOnThread(
                FormattableString.Invariant($"rows of a cut for {ShardCount} shards, {rowCount:N0} rows, a row"),
                rowCount,
                new Peer("by shard and whole key", () => keys.Sort(cut.Rows(0, 0)!, texts)),
                new Peer("shard in the prefix", () => Load(sharded, cut, view, plan, texts)),
                new Peer("one shard", () => Load(single, cut, view, plan, texts)));
        }
    }

    private static ulong Load(SortedRows rows, Cut cut, ViewPlan view, SortKeyPlan plan, TextRanks texts)
    {
        rows.Load(cut, view, plan, texts);
        return (ulong)rows.Count;
    }

    /// <summary>A key of all words for each row, with the shard before it, and a radix sort of those.</summary>
    private sealed class WholeKeys(SortKeyPlan plan, int rowCount, MemoryBudget budget) : IDisposable
    {
        private readonly NativeBuffer _keys = new(budget);
        private readonly NativeBuffer _entries = new(budget);
        private readonly KeySort _sort = new();

        /// <returns>Number of rows that differ in their keys.</returns>
        internal ulong Sort(RowStore rows, TextRanks texts)
        {
            var keys = (ulong*)_keys.Reserve((long)rowCount * plan.Stride * sizeof(ulong));
            var entries = (SortEntry*)_entries.Reserve(2L * rowCount * sizeof(SortEntry));
            for (var index = 0; index < rowCount; index++)
            {
                var key = keys + ((nint)index * plan.Stride);
                plan.Compose(rows[index], rows.RowBytes, 1, key, texts.RanksById);
                key[0] = (ulong)JumpHash.BucketOf(plan.SeriesHash(key, texts), ShardCount);
                entries[index] = new SortEntry(0, (uint)index);
            }

            _sort.Sort(keys, plan.Words, plan.Stride, entries, entries + rowCount, rowCount);
            var count = 0UL;
            for (var place = 0; place < rowCount; place++)
            {
                count += place == 0 || !KeyOf(place).SequenceEqual(KeyOf(place - 1)) ? 1UL : 0UL;
            }

            return count;

            ReadOnlySpan<ulong> KeyOf(int place) => new(keys + ((nint)entries[place].Index * plan.Stride), plan.Words);
        }

        public void Dispose()
        {
            _keys.Dispose();
            _entries.Dispose();
        }
    }
}
