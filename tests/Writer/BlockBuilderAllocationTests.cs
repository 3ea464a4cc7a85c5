using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

public sealed class BlockBuilderAllocationTests
{
    /// <summary>The built cut, its lists, four blocks, and 16 B for each 128 KiB piece.</summary>
    private const long BytesPerCutMax = 4_096;

    [Theory]
    [InlineData(BlockCompression.None)]
    [InlineData(BlockCompression.Lz4)]
    [InlineData(BlockCompression.Zstd)]
    public void A_cut_allocates_a_few_objects_and_a_row_nothing(BlockCompression compression)
    {
        using var fixture = new CutFixture(TestRecords.Standard);
        using var builder = new BlockBuilder(fixture.Schema, new WriterOptions { Compression = compression }, fixture.Budget);
        _ = AllocatedBytes(fixture, builder, 20_000); // Working memory grows once.
        _ = AllocatedBytes(fixture, builder, 20_000);

        // The least of several: a collection for another test in the middle counts the rest of the thread's free block.
        var small = Enumerable.Range(0, 5).Min(_ => AllocatedBytes(fixture, builder, 200));
        var large = Enumerable.Range(0, 5).Min(_ => AllocatedBytes(fixture, builder, 20_000));

        Assert.InRange(small, 1, BytesPerCutMax); // At least 1: the control that this way of measuring sees bytes.
        Assert.InRange(large, 1, BytesPerCutMax + 1_024);
    }

    /// <summary>Blocks in arrays are what a collection of the oldest generation would be started for, in each flush.</summary>
    [Fact]
    public void Blocks_lie_outside_the_heap_from_the_first_cut_on()
    {
        const int RowCount = 20_000;
        using var fixture = new CutFixture(TestRecords.Standard);
        using var builder = new BlockBuilder(fixture.Schema, new WriterOptions { Compression = BlockCompression.None }, fixture.Budget);
        _ = AllocatedBytes(fixture, builder, 10); // Code and static data.
        var cut = fixture.Make(TestRecords.Random(fixture.Schema, new Random(1), RowCount, spread: RowCount), 1, _ => 0);

        var before = GC.GetAllocatedBytesForCurrentThread();
        using var built = builder.Build(cut);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        var blockBytes = built.Blocks.Sum(block => block.EncodedBytes);
        Assert.InRange(blockBytes, 64 * PiecePool.PieceBytes, long.MaxValue); // The control: they are large.
        Assert.InRange(allocated, 1, blockBytes / 10); // What grows once: ranks of texts, lists.
    }

    private static long AllocatedBytes(CutFixture fixture, BlockBuilder builder, int count)
    {
        var cut = fixture.Make(TestRecords.Random(fixture.Schema, new Random(count), count, spread: 5_000), 2, index => index & 1);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var built = builder.Build(cut);
        built.Dispose();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
