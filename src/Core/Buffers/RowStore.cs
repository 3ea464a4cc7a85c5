using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Weir.Core.Buffers;

/// <summary>Rows of one fixed size in native slabs, addressed by number. Rows never move.</summary>
/// <remarks>One owner at a time: the aggregation worker while it folds, then the block builder, handed over with the cut.</remarks>
public sealed unsafe class RowStore : IDisposable
{
    /// <summary>Rows of a slab; a power of two, so that a row's number splits by a shift. 1,024 rows of 136 B are 139 KB.</summary>
    public const int RowsPerSlab = 1 << RowsPerSlabShift;

    private const int RowsPerSlabShift = 10;
    private readonly SlabPool _pool;
    private byte*[] _slabs = new byte*[4];
    private int _slabCount;

    /// <summary>Makes an empty store whose rows are <paramref name="rowBytes"/> long.</summary>
    /// <param name="pool">Gives slabs of <see cref="RowsPerSlab"/> × <paramref name="rowBytes"/> bytes.</param>
    /// <param name="rowBytes">Bytes of a row, a multiple of 8.</param>
    public RowStore(SlabPool pool, int rowBytes)
    {
        if (pool.SlabBytes != rowBytes * RowsPerSlab || rowBytes % 8 != 0)
        {
            throw new ArgumentException($"A pool of {pool.SlabBytes} B slabs does not fit rows of {rowBytes} B.", nameof(pool));
        }

        _pool = pool;
        RowBytes = rowBytes;
    }

    /// <summary>Bytes of a row.</summary>
    public int RowBytes { get; }

    /// <summary>Number of rows.</summary>
    public int Count { get; private set; }

    /// <summary>Address of row <paramref name="index"/>, which must be less than <see cref="Count"/>.</summary>
    public byte* this[int index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            Debug.Assert((uint)index < (uint)Count, "The row exists.");
            return _slabs[index >> RowsPerSlabShift] + ((nint)(index & (RowsPerSlab - 1)) * RowBytes);
        }
    }

    /// <summary>Adds a row and returns its address; its contents are undefined until the caller writes them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Append()
    {
        var index = Count;
        if (index >> RowsPerSlabShift == _slabCount)
        {
            AddSlab();
        }

        Count = index + 1;
        return this[index];
    }

    /// <summary>Gives all slabs back to the pool; the store is empty and may be filled again.</summary>
    public void Clear()
    {
        for (var index = 0; index < _slabCount; index++)
        {
            _pool.Return(_slabs[index]);
        }

        _slabCount = 0;
        Count = 0;
    }

    /// <inheritdoc cref="Clear"/>
    public void Dispose() => Clear();

    private void AddSlab()
    {
        if (_slabCount == _slabs.Length)
        {
            var larger = new byte*[_slabs.Length * 2];
            Array.Copy(_slabs, larger, _slabCount);
            _slabs = larger;
        }

        _slabs[_slabCount++] = _pool.Rent();
    }
}
