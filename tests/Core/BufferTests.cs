using Weir.Core.Buffers;
using Weir.Core.Model;
using Xunit;

namespace Weir.Tests.Core;

public unsafe class BufferTests
{
    [Fact]
    public void Rows_keep_their_place_and_contents_while_a_store_grows()
    {
        var budget = new MemoryBudget(long.MaxValue);
        using var pool = new SlabPool(24 * RowStore.RowsPerSlab, 1 << 20, budget);
        using var rows = new RowStore(pool, 24);
        var addresses = new List<nint>();
        for (var index = 0; index < 10_000; index++)
        {
            var row = (long*)rows.Append();
            (row[0], row[1], row[2]) = (index, -index, index * 7L);
            addresses.Add((nint)row);
        }

        Assert.Equal(10_000, rows.Count);
        for (var index = 0; index < rows.Count; index++)
        {
            var row = (long*)rows[index];
            Assert.Equal((addresses[index], index, -index, index * 7L), ((nint)row, row[0], row[1], row[2]));
        }

        Assert.Equal(10, pool.RentedCount);
        rows.Clear();
        Assert.Equal((0L, 0), (pool.RentedCount, rows.Count));
    }

    [Fact]
    public void A_store_refuses_a_pool_of_another_size()
    {
        using var pool = new SlabPool(24 * RowStore.RowsPerSlab, 0, new MemoryBudget(1));

        Assert.Throws<ArgumentException>(() => new RowStore(pool, 32));
    }

    [Fact]
    public void Slabs_are_used_again_up_to_the_limit_of_free_bytes_and_charged_while_rented()
    {
        var budget = new MemoryBudget(1 << 20);
        using var pool = new SlabPool(4096, freeBytesMax: 8192, budget);
        var slabs = Enumerable.Range(0, 3).Select(_ => (nint)pool.Rent()).ToList();
        Assert.Equal((3L, 3 * 4096L), (pool.RentedCount, budget.UsedBytes));
        Assert.All(slabs, slab => Assert.Equal(0, slab % 64));

        slabs.ForEach(slab => pool.Return((byte*)slab));

        Assert.Equal((0L, 0L), (pool.RentedCount, budget.UsedBytes));
        var again = new List<nint> { (nint)pool.Rent(), (nint)pool.Rent() };
        Assert.Equal(slabs.Take(2).Order(), again.Order()); // The third went back to the system.
        again.ForEach(slab => pool.Return((byte*)slab));
    }

    [Fact]
    public void Chunks_come_back_empty_and_are_counted()
    {
        var budget = new MemoryBudget(long.MaxValue);
        var schema = StreamSchema.Compile(StandardSchema.Views);
        var pool = new ChunkPool(schema, budget);
        var cut = new Cut(new PartitionKey("flows", 1), 5, 1, schema.Views.Length, new StringDictionary(10));
        var chunk = pool.Rent(cut);
        chunk.RecordCount = 7;
        Assert.Equal(1, pool.RentedCount);
        pool.Return(chunk);
        Assert.Equal(0, pool.RentedCount);

        var again = pool.Rent(cut);

        Assert.Same(chunk, again);
        Assert.Equal(0, again.RecordCount);
        Assert.Same(cut, again.Cut);
        Assert.False(again.IsMarker);
        pool.Return(again);
        pool.Dispose();
        Assert.Equal(0, budget.UsedBytes);
    }

    [Fact]
    public void A_budget_knows_its_peak_and_when_it_is_used_up()
    {
        var budget = new MemoryBudget(100);
        budget.Add(60);
        budget.Add(60);
        Assert.True(budget.IsExhausted);
        budget.Add(-100);

        Assert.False(budget.IsExhausted);
        Assert.Equal((20L, 120L, 100L), (budget.UsedBytes, budget.UsedBytesMax, budget.LimitBytes));
    }

    [Fact]
    public void A_budget_adds_up_over_threads()
    {
        var budget = new MemoryBudget(long.MaxValue);
        Parallel.For(0, 4, _ =>
        {
            for (var round = 0; round < 10_000; round++)
            {
                budget.Add(8);
                budget.Add(-8);
            }
        });

        Assert.Equal(0, budget.UsedBytes);
        Assert.InRange(budget.UsedBytesMax, 8, 32);
    }
}
