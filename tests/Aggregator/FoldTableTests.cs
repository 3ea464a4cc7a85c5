using Weir.Aggregator;
using Weir.Core.Buffers;
using Weir.Core.Model;
using Xunit;

namespace Weir.Tests.Aggregator;

public class FoldTableTests
{
    [Theory]
    [InlineData(1, 5_000, 40, 3, false)] // Few series, many records each.
    [InlineData(2, 20_000, 20_000, 5, false)] // Mostly new series: the slots grow several times.
    [InlineData(3, 3_000, 400, 2, true)] // All tag sets share two hashes: long walks, and fragments that match other keys.
    [InlineData(4, 31, 10, 1, false)] // Less than the distance of two steps.
    [InlineData(5, 33, 100, 1, false)]
    [InlineData(6, 65, 100, 1, false)] // One more than are in flight.
    public void Rows_equal_those_of_a_dictionary(int seed, int recordCount, int tagSetCount, int secondCount, bool hashesCollide)
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        using var slots = new SlotPool(bed.Budget);
        var records = bed.MakeRecords(new Random(seed), recordCount, tagSetCount, secondCount, hashesCollide);
        foreach (var plan in bed.Schema.Views.Where(plan => plan.ParentIndex < 0))
        {
            using var table = bed.MakeTable(plan, slots);
            FoldAll(bed, table, records);

            FoldBed.AssertSame(bed.Oracle(plan, records), bed.Read(plan, [table.Rows]));
            Assert.True(table.SlotCount >= 2L * table.RowCount, "The load is at most a half.");
        }
    }

    [Theory]
    [InlineData(1, 1_024)]
    [InlineData(20_000, 65_536)] // As many as expected: the slots never move.
    [InlineData(int.MaxValue, 4_096)] // No more than the limit of rows needs.
    public void Slots_are_there_for_the_rows_expected(int rowsExpected, long slotCount)
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        using var slots = new SlotPool(bed.Budget);
        var records = bed.MakeRecords(new Random(7), 20_000, 20_000, 1);
        using var table = bed.MakeTable(bed.Schema.Views[0], slots);
        table.Clear();
        table.Open(rowsExpected == int.MaxValue ? 2_000 : int.MaxValue, rowsExpected);
        Assert.Equal(slotCount, table.SlotCount);
        if (rowsExpected == int.MaxValue)
        {
            return;
        }

        FoldAll(bed, table, records);

        FoldBed.AssertSame(bed.Oracle(table.Plan, records), bed.Read(table.Plan, [table.Rows]));
    }

    [Fact]
    public void Records_of_a_coarse_view_with_all_tags_fold_into_its_windows()
    {
        using var bed = new FoldBed(FoldBed.MinuteSchema());
        using var slots = new SlotPool(bed.Budget);
        var plan = Assert.Single(bed.Schema.Views);
        Assert.True(plan.HasSourceKeys);
        var records = bed.MakeRecords(new Random(11), 4_000, 30, 200);
        using var table = bed.MakeTable(plan, slots);

        FoldAll(bed, table, records);

        FoldBed.AssertSame(bed.Oracle(plan, records), bed.Read(plan, [table.Rows]));
    }

    [Theory]
    [InlineData(21, 8_000, 60, 130)]
    [InlineData(22, 8_000, 8_000, 2)]
    public void Rolling_rows_up_equals_folding_the_records(int seed, int recordCount, int tagSetCount, int secondCount)
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        using var slots = new SlotPool(bed.Budget);
        var records = bed.MakeRecords(new Random(seed), recordCount, tagSetCount, secondCount);
        var tables = bed.Schema.Views.Select(plan => bed.MakeTable(plan, slots)).ToList();
        Assert.True(bed.Schema.Views.Count(plan => plan.ParentIndex >= 0) >= 4, "The schema has children and grandchildren.");
        foreach (var plan in bed.Schema.Views)
        {
            if (plan.ParentIndex < 0)
            {
                FoldAll(bed, tables[plan.Index], records);
            }
            else
            {
                tables[plan.Index].FoldRows(tables[plan.ParentIndex].Rows);
            }

            FoldBed.AssertSame(bed.Oracle(plan, records), bed.Read(plan, [tables[plan.Index].Rows]));
        }

        tables.ForEach(table => table.Dispose());
        Assert.Equal(0, bed.Rows.RentedCount);
    }

    [Fact]
    public void Sums_wrap_and_extremes_hold_at_the_ends_of_64_bits()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        using var slots = new SlotPool(bed.Budget);
        var schema = bed.Schema;
        var first = bed.MakeRecords(new Random(5), 1, 1, 1)[0] with { Meters = [1, ulong.MaxValue, 5, 0, 1UL << 63, 0, ulong.MaxValue, ulong.MaxValue] };
        var second = first with { Meters = [1, 2, ulong.MaxValue, 0, 1UL << 63, 1UL << 63, 3, 0] };
        using var table = bed.MakeTable(schema.Views[0], slots);

        FoldAll(bed, table, [first, second]);

        var sums = Assert.Single(bed.Read(schema.Views[0], [table.Rows])).Value;
        Assert.Equal([2, 1, 4, 0, 0, 1UL << 63, ulong.MaxValue, 0], sums);
    }

    [Fact]
    public void A_table_used_again_holds_nothing_of_the_cut_before()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        using var slots = new SlotPool(bed.Budget);
        var plan = bed.Schema.Views[0];
        var random = new Random(8);
        using var table = bed.MakeTable(plan, slots);
        foreach (var recordCount in (int[])[9_000, 10, 2_000, 1])
        {
            var records = bed.MakeRecords(random, recordCount, 5_000, 2);
            FoldAll(bed, table, records);
            using var rows = table.TakeRows();

            FoldBed.AssertSame(bed.Oracle(plan, records), bed.Read(plan, [rows]));
            Assert.Equal(0, table.RowCount);
            table.Open(int.MaxValue);
        }

        table.Clear();
        Assert.Null(table.TakeRows());
        Assert.Equal(0, bed.Rows.RentedCount);
        Assert.Equal(0, slots.RentedBytes);
    }

    [Theory]
    [InlineData(1_000)]
    [InlineData(100_000)]
    public void A_series_costs_its_row_and_at_most_32_bytes_of_slots(int seriesCount)
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        using var slots = new SlotPool(bed.Budget);
        using var table = bed.MakeTable(bed.Schema.Views[0], slots);
        var cut = bed.OpenCut();
        var usedBefore = bed.Budget.UsedBytes - (table.SlotCount * sizeof(ulong));
        var records = bed.MakeRecords(new Random(3), 1, 1, 1);
        var chunk = bed.MakeChunk(cut, records);
        usedBefore += bed.Budget.UsedBytes - usedBefore - (table.SlotCount * sizeof(ulong)); // The chunk's own slab.
        for (var series = 0; series < seriesCount; series++)
        {
            SetKey(chunk, (ulong)series);
            table.Fold(chunk);
        }

        var rowBytes = RowPools.RowBytes(bed.Schema, table.Plan);
        var usedBytes = bed.Budget.UsedBytes - usedBefore;
        Assert.Equal(seriesCount, table.RowCount);
        var slabRest = (long)rowBytes * RowStore.RowsPerSlab;
        Assert.InRange(usedBytes, (long)rowBytes * seriesCount, (long)(1.25 * rowBytes * seriesCount) + (32L * seriesCount) + slabRest);
        Assert.InRange(table.SlotCount, 2L * seriesCount, 4L * (seriesCount + 1));
    }

    [Fact]
    public void Folding_known_series_allocates_nothing()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        using var slots = new SlotPool(bed.Budget);
        using var table = bed.MakeTable(bed.Schema.Views[0], slots);
        using var child = bed.MakeTable(bed.Schema.Views.First(plan => plan.ParentIndex == 0), slots);
        var chunk = bed.MakeChunk(bed.OpenCut(), bed.MakeRecords(new Random(3), 1_000, 300, 2));
        for (var warmUp = 0; warmUp < 100; warmUp++)
        {
            table.Fold(chunk);
            child.FoldRows(table.Rows);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var round = 0; round < 100; round++)
        {
            table.Fold(chunk);
            child.FoldRows(table.Rows);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        // The control: the same measure sees one object for each record.
        before = GC.GetAllocatedBytesForCurrentThread();
        for (var record = 0; record < chunk.RecordCount; record++)
        {
            GC.KeepAlive(new object());
        }

        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before >= chunk.RecordCount * 16);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(11)]
    [InlineData(13)]
    [InlineData(20)]
    [InlineData(31)]
    public unsafe void Vector_operations_touch_each_word_and_no_other(int wordCount)
    {
        var random = new Random(wordCount);
        var left = Enumerable.Range(0, wordCount + 1).Select(_ => (ulong)random.NextInt64() << 1).ToArray();
        var right = Enumerable.Range(0, wordCount + 1).Select(_ => (ulong)random.NextInt64() << 1).ToArray();
        fixed (ulong* from = left)
        {
            AssertEach(left, right, static (into, from) => unchecked(into + from), RowVectors.Add);
            AssertEach(left, right, Math.Max, RowVectors.Max);
            AssertEach(left, right, Math.Min, RowVectors.Min);
            AssertEach(left, right, static (_, from) => from, static (into, from, count) => RowVectors.Copy(from, into, count));
            for (var changed = 0; changed < wordCount; changed++)
            {
                var other = left.ToArray();
                other[changed] ^= 1UL << (changed * 5 % 64);
                fixed (ulong* into = other)
                {
                    Assert.False(RowVectors.AreEqual(into, from, wordCount));
                    Assert.True(RowVectors.AreEqual(from, from, wordCount));
                }
            }
        }
    }

    private unsafe delegate void Operation(ulong* into, ulong* from, int count);

    private static unsafe void AssertEach(ulong[] from, ulong[] into, Func<ulong, ulong, ulong> expected, Operation operation)
    {
        var actual = into.ToArray();
        fixed (ulong* intoWords = actual, fromWords = from)
        {
            operation(intoWords, fromWords, into.Length - 1);
        }

        Assert.Equal([.. into.Zip(from, expected).Take(into.Length - 1), into[^1]], actual);
    }

    private static unsafe void SetKey(RecordChunk chunk, ulong series)
    {
        *(ulong*)chunk.Rows = series;
        *(ulong*)(chunk.Rows + StreamSchema.HashBytes + StreamSchema.TimeBytes) = series;
    }

    private static void FoldAll(FoldBed bed, FoldTable table, List<TestRecord> records)
    {
        foreach (var chunk in bed.MakeChunks(bed.OpenCut(), records))
        {
            table.Fold(chunk);
            bed.Chunks.Return(chunk);
        }
    }
}
