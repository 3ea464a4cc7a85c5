using System.Runtime.InteropServices;

namespace Weir.Core.Buffers;

/// <summary>Native memory in pieces of one size, used again from cut to cut: the first touch of a fresh page costs 2 µs.</summary>
/// <remarks>Any thread; rented by the slab, not by the row, so the lock is rare.</remarks>
public sealed unsafe class SlabPool : IDisposable
{
    /// <summary>Slabs start at a cache line.</summary>
    private const int AlignmentBytes = 64;

    private readonly Lock _lock = new();
    private readonly Stack<nint> _free = new();
    private readonly MemoryBudget _budget;
    private readonly int _freeMax;
    private bool _isDisposed;
    private long _rentedCount;

    /// <summary>Makes an empty pool.</summary>
    /// <param name="slabBytes">Size of each slab.</param>
    /// <param name="freeBytesMax">Free bytes above which slabs go back to the system.</param>
    /// <param name="budget">Charged for the slabs that are rented.</param>
    public SlabPool(int slabBytes, long freeBytesMax, MemoryBudget budget)
    {
        SlabBytes = slabBytes;
        _freeMax = (int)Math.Min(freeBytesMax / slabBytes, int.MaxValue);
        _budget = budget;
    }

    /// <summary>Size of each slab.</summary>
    public int SlabBytes { get; }

    /// <summary>Slabs that are rented now; 0 when everything has been given back.</summary>
    public long RentedCount => Interlocked.Read(ref _rentedCount);

    /// <summary>Takes a slab; its contents are undefined.</summary>
    public byte* Rent()
    {
        _budget.Add(SlabBytes);
        Interlocked.Increment(ref _rentedCount);
        lock (_lock)
        {
            if (_free.TryPop(out var slab))
            {
                return (byte*)slab;
            }
        }

        return (byte*)NativeMemory.AlignedAlloc((nuint)SlabBytes, AlignmentBytes);
    }

    /// <summary>Gives a slab back; the caller must not touch it again.</summary>
    public void Return(byte* slab)
    {
        _budget.Add(-SlabBytes);
        Interlocked.Decrement(ref _rentedCount);
        lock (_lock)
        {
            if (!_isDisposed && _free.Count < _freeMax)
            {
                _free.Push((nint)slab);
                return;
            }
        }

        NativeMemory.AlignedFree(slab);
    }

    /// <summary>Frees the slabs that are not rented; those that are go back to the system when they are returned.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            while (_free.TryPop(out var slab))
            {
                NativeMemory.AlignedFree((byte*)slab);
            }
        }
    }
}
