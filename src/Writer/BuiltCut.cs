using Weir.Core.Model;

namespace Weir.Writer;

/// <summary>A cut whose rows have become blocks: what goes from the builder to the inserter.</summary>
/// <remarks>One owner at a time. Whoever ends the life of the cut disposes it; the bytes of its blocks are used again after that.</remarks>
public sealed class BuiltCut : IDisposable
{
    private readonly PiecePool _pool;
    private readonly IReadOnlyList<Piece> _pieces;
    private int _isDisposed;

    internal BuiltCut(Cut cut, BlockAccount account, IReadOnlyList<Block> blocks, IReadOnlyList<Piece> pieces, PiecePool pool)
    {
        Cut = cut;
        Account = account;
        Blocks = blocks;
        _pieces = pieces;
        _pool = pool;
        BytesHeld = (long)pieces.Count * PiecePool.PieceBytes;
    }

    /// <summary>The cut; its rows are gone.</summary>
    public Cut Cut { get; }

    /// <summary>What became of its records; it closes.</summary>
    public BlockAccount Account { get; }

    /// <summary>The blocks, views in the schema's order, parts in theirs; none for a cut without folded records.</summary>
    public IReadOnlyList<Block> Blocks { get; }

    /// <summary>When the builder began with it.</summary>
    public DateTimeOffset FoldedAt { get; internal set; }

    /// <summary>When its blocks were made.</summary>
    public DateTimeOffset BuiltAt { get; internal set; }

    /// <summary>What became of each block that was sent; the inserter's.</summary>
    internal List<Core.Telemetry.InsertTrace> Inserts { get; } = [];

    /// <summary>Bytes that the memory budget is charged with until <see cref="Dispose"/>.</summary>
    public long BytesHeld { get; }

    /// <summary>Gives the bytes of the blocks back. Any thread; a second call does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            _pool.Return(_pieces);
        }
    }
}
