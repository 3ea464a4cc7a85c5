using Weir.Core.Buffers;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

/// <summary>The native memory that encoded blocks lie in.</summary>
public sealed class PiecePoolTests
{
    [Fact]
    public void Pieces_are_charged_while_rented_and_their_memory_is_used_again()
    {
        var budget = new MemoryBudget(1L << 30);
        using var pool = new PiecePool(budget);
        Piece[] pieces = [pool.Rent(), pool.Rent()];
        var heldBytes = pool.HeldBytes;
        Assert.Equal(2 * PiecePool.PieceBytes, budget.UsedBytes);

        for (var round = 0; round < 100; round++)
        {
            pool.Return(pieces);
            Assert.Equal(0, budget.UsedBytes);
            pieces = [pool.Rent(), pool.Rent()];
        }

        Assert.Equal(heldBytes, pool.HeldBytes);
        pool.Return(pieces);
    }

    [Fact]
    public void What_is_free_beyond_a_share_of_the_budget_goes_back_to_the_system()
    {
        const int Count = 256;
        using var pool = new PiecePool(new MemoryBudget(8 * 4 * HugePages.PageBytes)); // An eighth: four large pages.
        Piece[] pieces = [.. Enumerable.Range(0, Count).Select(_ => pool.Rent())];
        Assert.InRange(pool.HeldBytes, (long)Count * PiecePool.PieceBytes, long.MaxValue);

        pool.Return(pieces);

        Assert.Equal(4 * HugePages.PageBytes, pool.HeldBytes);
    }

    [Fact]
    public void A_piece_that_was_given_back_shows_nobody_elses_bytes()
    {
        using var pool = new PiecePool(new MemoryBudget(1L << 30));
        var piece = pool.Rent();
        ReadOnlyMemory<byte> memory = piece.Memory;
        piece.GetSpan().Fill(7);
        using (var pinned = memory[5..].Pin())
        {
            Assert.Equal(7, memory.Span[5]);
        }

        pool.Return([piece]);

        Assert.Throws<ObjectDisposedException>(() => memory.Span[5]);
        Assert.Throws<ObjectDisposedException>(() => memory.Pin());
        Assert.Throws<ObjectDisposedException>(() => pool.Return([piece]));
    }

    [Fact]
    public void Pieces_of_a_pool_that_has_ended_stay_until_they_are_given_back()
    {
        var pool = new PiecePool(new MemoryBudget(1L << 30));
        var piece = pool.Rent();
        pool.Dispose();

        piece.GetSpan().Fill(7);
        Assert.Equal(7, piece.GetSpan()[PiecePool.PieceBytes - 1]);
        pool.Return([piece]);

        Assert.Equal(0, pool.HeldBytes);
    }
}
