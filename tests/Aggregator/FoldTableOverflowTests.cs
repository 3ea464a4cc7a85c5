using Weir.Aggregator;
using Weir.Core.Model;
using Xunit;

namespace Weir.Tests.Aggregator;

public class FoldTableOverflowTests
{
    [Fact]
    public unsafe void Above_the_limit_totals_stay_exact_in_an_overflow_series_for_each_window()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        using var slots = new SlotPool(bed.Budget);
        var plan = bed.Schema.Views[0];
        var records = bed.MakeRecords(new Random(31), 6_000, 3_000, 4);
        using var table = bed.MakeTable(plan, slots, rowsMax: 500);
        FoldAll(bed, table, records);

        Assert.Equal(504, table.RowCount); // Four windows.
        AssertTotals(bed, plan, records, table);
        var inOverflow = 0UL;
        for (var index = 500; index < 504; index++)
        {
            var row = table.Rows[index];
            inOverflow += *(ulong*)(row + plan.KeyBytes);
            foreach (var slot in plan.Tags)
            {
                var value = new Span<byte>(row + slot.OffsetBytes, slot.Tag.Type.WidthBytes()).ToArray();
                var expected = new byte[value.Length];
                expected[0] = slot.Tag.Type == TagType.String ? (byte)StringDictionary.OverflowId : (byte)0;
                Assert.Equal(expected, value);
            }
        }

        Assert.Equal((ulong)table.OverflowRecordCount, inOverflow);
        Assert.True(table.OverflowRecordCount > 4_000);
    }

    [Fact]
    public void Series_within_the_limit_keep_folding_after_it_is_met()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        using var slots = new SlotPool(bed.Budget);
        var plan = bed.Schema.Views[0];
        var known = bed.MakeRecords(new Random(32), 10, 1_000_000, 1);
        var others = bed.MakeRecords(new Random(33), 500, 1_000_000, 1);
        using var table = bed.MakeTable(plan, slots, rowsMax: 10);
        FoldAll(bed, table, [.. known, .. others, .. known]);

        Assert.Equal(11, table.RowCount);
        Assert.Equal(500, table.OverflowRecordCount);
        var rows = bed.Read(plan, [table.Rows]);
        foreach (var (key, meters) in bed.Oracle(plan, [.. known, .. known]))
        {
            Assert.Equal(meters, rows[key]);
        }
    }

    [Fact]
    public void Clocks_that_name_any_second_cannot_make_the_overflow_series_unbounded()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        using var slots = new SlotPool(bed.Budget);
        var plan = bed.Schema.Views[0];
        var records = bed.MakeRecords(new Random(34), 20_000, 20_000, secondCount: 10 * 86_400);
        using var table = bed.MakeTable(plan, slots, rowsMax: 1);
        FoldAll(bed, table, records);

        Assert.InRange(table.RowCount, FoldTable.OverflowRowsMax + 1, FoldTable.OverflowRowsMax + 1 + 11); // Ten days touch eleven.
        AssertTotals(bed, plan, records, table);
    }

    [Fact]
    public unsafe void A_child_view_keeps_the_overflow_of_its_parent_and_counts_only_its_own_in_records()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        using var slots = new SlotPool(bed.Budget);
        var child = bed.Schema.Views.First(plan => plan.ParentIndex == 0);
        var records = bed.MakeRecords(new Random(35), 5_000, 300, 3);
        using var parentTable = bed.MakeTable(bed.Schema.Views[0], slots, rowsMax: 400);
        using var childTable = bed.MakeTable(child, slots, rowsMax: 20);
        FoldAll(bed, parentTable, records);
        childTable.FoldRows(parentTable.Rows);

        AssertTotals(bed, child, records, childTable);
        var keptCount = 0L;
        for (var index = 0; index < 20; index++)
        {
            keptCount += *(long*)(childTable.Rows[index] + child.KeyBytes);
        }

        Assert.Equal(records.Count - keptCount - parentTable.OverflowRecordCount, childTable.OverflowRecordCount);
        Assert.True(childTable.OverflowRecordCount > 2_000);
        Assert.InRange(childTable.RowCount, 21, 23);
    }

    [Fact]
    public void Slots_that_one_large_cut_needed_go_back_to_the_system()
    {
        using var bed = new FoldBed(FoldBed.MixedSchema());
        using var slots = new SlotPool(bed.Budget);
        using var table = bed.MakeTable(bed.Schema.Views[0], slots);
        FoldAll(bed, table, bed.MakeRecords(new Random(36), 30_000, 1_000_000, 1));
        table.Clear();
        slots.EndCut();
        var largeBytes = slots.FreeBytes;
        Assert.True(largeBytes >= 2 * 30_000 * sizeof(ulong));

        for (var cut = 0; cut < 2 * SlotPool.TrimPeriodCuts; cut++)
        {
            table.Open(int.MaxValue);
            table.Clear();
            slots.EndCut();
        }

        Assert.Equal(1024 * sizeof(ulong), slots.FreeBytes); // The one array that each cut uses again.
        Assert.Equal(0, slots.RentedBytes);
    }

    private static void AssertTotals(FoldBed bed, ViewPlan plan, List<TestRecord> records, FoldTable table)
    {
        var rows = bed.Read(plan, [table.Rows]).Values;
        for (var meter = 0; meter < bed.Schema.SumCount; meter++)
        {
            var expected = records.Aggregate(0UL, (sum, record) => unchecked(sum + record.Meters[meter]));
            Assert.Equal(expected, rows.Aggregate(0UL, (sum, meters) => unchecked(sum + meters[meter])));
        }
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
