using System.Diagnostics;
using Weir.Core.Buffers;

namespace Weir.Writer;

/// <summary>Arrays of one size for encoded blocks, used again from cut to cut and charged to the memory budget while rented.</summary>
/// <remarks>Any thread: the builder rents, the inserter gives back. The arrays are pinned, so that native code can read them.</remarks>
internal sealed class PiecePool(MemoryBudget budget)
{
    /// <summary>
    /// Size of an array: all blocks of a cut share them, so a small cut holds one. Smaller ones cost more calls of the sink,
    /// larger ones hold more memory for many small partitions.
    /// </summary>
    internal const int PieceBytes = 128 << 10;

    /// <summary>Free arrays above which more are left to the garbage collector: 64 MiB.</summary>
    private const int FreeMax = 512;

    private readonly Lock _lock = new();
    private readonly Stack<byte[]> _free = new();

    /// <summary>Takes an array; its contents are undefined.</summary>
    internal byte[] Rent()
    {
        budget.Add(PieceBytes);
        lock (_lock)
        {
            if (_free.TryPop(out var piece))
            {
                return piece;
            }
        }

        return GC.AllocateUninitializedArray<byte>(PieceBytes, pinned: true);
    }

    /// <summary>Gives arrays back; nobody may touch them again.</summary>
    internal void Return(IReadOnlyList<byte[]> pieces)
    {
        budget.Add(-(long)pieces.Count * PieceBytes);
        lock (_lock)
        {
            for (var index = 0; index < pieces.Count; index++)
            {
                Debug.Assert(!_free.Contains(pieces[index]), "A piece is given back once.");
                if (_free.Count < FreeMax)
                {
                    _free.Push(pieces[index]);
                }
            }
        }
    }
}

/// <summary>Writes the blocks of one cut into pooled arrays, one block after another.</summary>
/// <remarks>One thread.</remarks>
internal sealed class PieceWriter(PiecePool pool)
{
    private readonly List<ReadOnlyMemory<byte>> _blockPieces = [];
    private List<byte[]> _arrays = [];
    private int _used = PiecePool.PieceBytes; // Of the last array.
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
                _arrays.Add(pool.Rent());
                _used = 0;
                _blockFrom = 0;
            }

            var length = Math.Min(source.Length, PiecePool.PieceBytes - _used);
            source[..length].CopyTo(_arrays[^1].AsSpan(_used));
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

    /// <summary>Ends the cut and hands its arrays over.</summary>
    internal IReadOnlyList<byte[]> EndCut()
    {
        var arrays = _arrays;
        _arrays = [];
        _blockPieces.Clear();
        _blockBytes = 0;
        _used = PiecePool.PieceBytes;
        _blockFrom = PiecePool.PieceBytes;
        return arrays;
    }

    private void EndPiece()
    {
        if (_arrays.Count > 0 && _used > _blockFrom)
        {
            _blockPieces.Add(_arrays[^1].AsMemory(_blockFrom, _used - _blockFrom));
        }

        _blockFrom = _used;
    }
}
