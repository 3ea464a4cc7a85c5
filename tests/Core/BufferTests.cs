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

    [Theory]
    [InlineData(4096, 2 << 20)]
    [InlineData(136 * 1024, 2 << 20)]
    [InlineData(1_100_000, 16 << 20)] // One to a large page would waste half of it.
    [InlineData(3_000_001, 32 << 20)]
    public void Slabs_lie_apart_and_are_charged_while_rented(int slabBytes, long blockBytes)
    {
        var budget = new MemoryBudget(1 << 20);
        using var pool = new SlabPool(slabBytes, freeBytesMax: 0, budget);
        Assert.Equal(blockBytes, pool.BlockBytes);
        var slabs = Enumerable.Range(0, 20).Select(_ => (nint)pool.Rent()).ToList();
        foreach (var slab in slabs)
        {
            new Span<byte>((byte*)slab, slabBytes).Fill((byte)slabs.IndexOf(slab));
        }

        Assert.Equal((20L, 20L * slabBytes), (pool.RentedCount, budget.UsedBytes));
        Assert.All(slabs, slab => Assert.Equal(0, slab % 64));
        Assert.All(slabs, slab => Assert.False(new Span<byte>((byte*)slab, slabBytes).ContainsAnyExcept((byte)slabs.IndexOf(slab))));
        slabs.ForEach(slab => pool.Return((byte*)slab));
        Assert.Equal((0L, 0L, 0L), (pool.RentedCount, budget.UsedBytes, pool.HeldBytes));
    }

    [Fact]
    public void Blocks_of_slabs_are_used_again_and_go_back_above_the_limit_of_free_bytes()
    {
        using var pool = new SlabPool(128 << 10, freeBytesMax: 2 << 20, new MemoryBudget(1 << 20));
        var slabs = Enumerable.Range(0, 48).Select(_ => (nint)pool.Rent()).ToList(); // 16 to a block.
        Assert.Equal(3 * pool.BlockBytes, pool.HeldBytes);

        slabs.ForEach(slab => pool.Return((byte*)slab));

        Assert.Equal(pool.BlockBytes, pool.HeldBytes);
        var again = Enumerable.Range(0, 16).Select(_ => (nint)pool.Rent()).ToList();
        Assert.Equal(pool.BlockBytes, pool.HeldBytes);
        Assert.Subset(slabs.ToHashSet(), again.ToHashSet());

        // A block that has slabs in use gives the next one, so the other one falls empty.
        again.Add((nint)pool.Rent());
        pool.Return((byte*)again[0]);
        Assert.Equal(2 * pool.BlockBytes, pool.HeldBytes);
        again[0] = (nint)pool.Rent();
        pool.Dispose();
        Assert.Equal(2 * pool.BlockBytes, pool.HeldBytes);
        again.ForEach(slab => pool.Return((byte*)slab));
        Assert.Equal(0, pool.HeldBytes);
    }

    [Fact]
    public void Renting_slabs_again_allocates_nothing()
    {
        using var pool = new SlabPool(128 << 10, freeBytesMax: 8 << 20, new MemoryBudget(long.MaxValue));
        var slabs = new nint[40];
        RentAndReturn(pool, slabs);
        var before = GC.GetAllocatedBytesForCurrentThread();
        RentAndReturn(pool, slabs);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        // The control: a pool without free blocks makes them anew.
        using var other = new SlabPool(128 << 10, freeBytesMax: 0, new MemoryBudget(long.MaxValue));
        before = GC.GetAllocatedBytesForCurrentThread();
        RentAndReturn(other, slabs);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() > before);
    }

    [Theory]
    [InlineData(2 << 20, 2 << 20)]
    [InlineData(6 << 20, 16 << 20)]
    public void Large_pages_are_aligned_and_zeroed(long bytes, long alignmentBytes)
    {
        for (var round = 0; round < 3; round++)
        {
            var memory = HugePages.Allocate(bytes, alignmentBytes);
            Assert.Equal(0, (nint)memory % alignmentBytes);
            var span = new Span<byte>(memory, (int)bytes);
            Assert.False(span.ContainsAnyExcept((byte)0));
            span.Fill(1);
            HugePages.Free(memory, bytes);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => HugePages.Allocate(bytes + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => HugePages.Allocate(bytes, 4096));
    }

    [Fact]
    public void Chunks_come_back_empty_and_are_counted()
    {
        var budget = new MemoryBudget(long.MaxValue);
        var (pool, cut) = NewChunks(budget);
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
    public void Chunks_rest_before_they_are_given_out_again()
    {
        var budget = new MemoryBudget(long.MaxValue);
        var (pool, cut) = NewChunks(budget);
        var chunks = Enumerable.Range(0, 100).Select(_ => pool.Rent(cut)).ToList();
        Assert.Equal(100, chunks.Distinct().Count());
        var heldBytes = budget.UsedBytes;
        chunks.ForEach(pool.Return);

        // One at a time: the same few take turns, so that no more memory is touched than was in use, and none of it just now.
        var turns = new List<RecordChunk>();
        for (var turn = 0; turn < 320; turn++)
        {
            turns.Add(pool.Rent(cut));
            pool.Return(turns[^1]);
        }

        Assert.InRange(turns.Distinct().Count(), 16, 33);
        Assert.All(turns.Zip(turns.Skip(1)), pair => Assert.NotSame(pair.First, pair.Second));
        Assert.Equal(heldBytes, budget.UsedBytes);

        // Many at a time: all of them are there.
        var again = Enumerable.Range(0, 100).Select(_ => pool.Rent(cut)).ToList();
        Assert.Equal(100, again.Distinct().Count());
        Assert.Equal(heldBytes, budget.UsedBytes);
        again.ForEach(pool.Return);
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

    private static void RentAndReturn(SlabPool pool, nint[] slabs)
    {
        for (var index = 0; index < slabs.Length; index++)
        {
            slabs[index] = (nint)pool.Rent();
        }

        foreach (var slab in slabs)
        {
            pool.Return((byte*)slab);
        }
    }

    private static (ChunkPool Pool, Cut Cut) NewChunks(MemoryBudget budget)
    {
        var schema = StreamSchema.Compile(StandardSchema.Views);
        return (new ChunkPool(schema, budget), new Cut(new PartitionKey("flows", 1), 5, 1, schema.Views.Length, new StringDictionary(10)));
    }
}
