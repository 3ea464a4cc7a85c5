using System.Buffers;
using Weir.Core.Buffers;

namespace Weir.Writer;

/// <summary>A run of native memory that encoded blocks lie in, as .NET's streams want it.</summary>
/// <remarks>One owner at a time. Once it has been given back, reading what was made of it fails instead of showing another block.</remarks>
internal sealed unsafe class Piece : MemoryManager<byte>
{
    private byte* _start;

    /// <summary>Its memory; null while it has none.</summary>
    internal byte* Start
    {
        get => _start;
        set => _start = value;
    }

    /// <inheritdoc/>
    public override Span<byte> GetSpan()
    {
        ObjectDisposedException.ThrowIf(_start is null, this);
        return new Span<byte>(_start, PiecePool.PieceBytes);
    }

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ObjectDisposedException.ThrowIf(_start is null, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)PiecePool.PieceBytes, nameof(elementIndex));
        return new MemoryHandle(_start + elementIndex); // Native memory does not move.
    }

    /// <inheritdoc/>
    public override void Unpin()
    {
    }

    /// <summary>The pool takes the memory back.</summary>
    protected override void Dispose(bool disposing)
    {
    }
}

/// <summary>Pieces of one size for encoded blocks, used again from cut to cut and charged to the memory budget while rented.</summary>
/// <remarks>
/// <para>Any thread: the builder rents, the inserter gives back.</para>
/// <para>
/// Native memory, not arrays: some hundred megabytes of blocks a flush, as arrays, are what a collection of the oldest generation is
/// started for, again and again.
/// </para>
/// </remarks>
internal sealed unsafe class PiecePool(MemoryBudget budget) : IDisposable
{
    /// <summary>
    /// Size of a piece: all blocks of a cut share them, so a small cut holds one. Smaller ones cost more calls of the sink,
    /// larger ones hold more memory for many small partitions.
    /// </summary>
    internal const int PieceBytes = 128 << 10;

    /// <summary>Share of the budget, as a divisor, that free pieces may keep; above it they go back to the system.</summary>
    private const int KeptShare = 8;

    private readonly Lock _lock = new();
    private readonly SlabPool _slabs = new(PieceBytes, budget.LimitBytes / KeptShare, budget);
    private readonly Stack<Piece> _free = new(); // Without memory: objects alone, as many as were rented at one time.

    /// <summary>Bytes taken from the system and not given back.</summary>
    internal long HeldBytes => _slabs.HeldBytes;

    /// <summary>Takes a piece; its contents are undefined.</summary>
    internal Piece Rent()
    {
        var start = _slabs.Rent();
        lock (_lock)
        {
            var piece = _free.TryPop(out var known) ? known : new Piece();
            piece.Start = start;
            return piece;
        }
    }

    /// <summary>Gives pieces back; nobody may touch them again.</summary>
    internal void Return(IReadOnlyList<Piece> pieces)
    {
        lock (_lock)
        {
            for (var index = 0; index < pieces.Count; index++)
            {
                var piece = pieces[index];
                ObjectDisposedException.ThrowIf(piece.Start is null, piece); // A piece is given back once.
                _slabs.Return(piece.Start);
                piece.Start = null;
                _free.Push(piece);
            }
        }
    }

    /// <summary>Frees what is not rented; the rest goes back to the system when it is given back.</summary>
    public void Dispose() => _slabs.Dispose();
}

/// <summary>Writes the blocks of one cut into pooled pieces, one block after another.</summary>
/// <remarks>One thread.</remarks>
internal sealed class PieceWriter(PiecePool pool)
{
    private readonly List<ReadOnlyMemory<byte>> _blockPieces = [];
    private List<Piece> _pieces = [];
    private int _used = PiecePool.PieceBytes; // Of the last piece.
    private int _blockFrom;
    private long _blockBytes;

    /// <summary>Adds bytes to the present block.</summary>
    internal void Write(ReadOnlySpan<byte> source)
    {
        _blockBytes += source.Length;
        while (!source.IsEmpty)
        {
            if (_used == PiecePool.PieceBytes)
            {
                EndPiece();
                _pieces.Add(pool.Rent());
                _used = 0;
                _blockFrom = 0;
            }

            var length = Math.Min(source.Length, PiecePool.PieceBytes - _used);
            source[..length].CopyTo(_pieces[^1].GetSpan()[_used..]);
            _used += length;
            source = source[length..];
        }
    }

    /// <summary>Ends the present block; the next one starts after it.</summary>
    internal BlockBytes EndBlock()
    {
        EndPiece();
        var bytes = new BlockBytes(_blockPieces.ToArray(), _blockBytes);
        _blockPieces.Clear();
        _blockBytes = 0;
        return bytes;
    }

    /// <summary>Ends the cut and hands its pieces over.</summary>
    internal IReadOnlyList<Piece> EndCut()
    {
        var pieces = _pieces;
        _pieces = [];
        _blockPieces.Clear();
        _blockBytes = 0;
        _used = PiecePool.PieceBytes;
        _blockFrom = PiecePool.PieceBytes;
        return pieces;
    }

    private void EndPiece()
    {
        if (_pieces.Count > 0 && _used > _blockFrom)
        {
            _blockPieces.Add(_pieces[^1].Memory[_blockFrom.._used]);
        }

        _blockFrom = _used;
    }
}
