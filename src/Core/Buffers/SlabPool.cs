using System.Diagnostics;

namespace Weir.Core.Buffers;

/// <summary>Native memory in pieces of one size, used again from cut to cut: the first touch of a fresh page costs 2 µs.</summary>
/// <remarks>
/// <para>Any thread; rented by the slab, not by the row, so the lock is rare.</para>
/// <para>
/// Slabs are cut from blocks of <see cref="HugePages"/>. A block that has slabs in use gives the next one before an empty block
/// is begun, so that blocks fall empty; above the limit of free bytes empty ones go back to the system.
/// </para>
/// </remarks>
public sealed unsafe class SlabPool : IDisposable
{
    /// <summary>Slabs start at a cache line.</summary>
    private const int AlignmentBytes = 64;

    /// <summary>Part of a block, as a divisor, that may be left over behind its last slab.</summary>
    private const int RestShare = 32;

    private readonly Lock _lock = new();
    private readonly Dictionary<nint, SlabBlock> _blockByStart = [];
    private readonly LinkedList<SlabBlock> _partBlocks = new(); // Those with rented slabs and free ones.
    private readonly LinkedList<SlabBlock> _emptyBlocks = new(); // Those without a rented slab.
    private readonly MemoryBudget _budget;
    private readonly long _freeBytesMax;
    private readonly int _strideBytes;
    private readonly int _slabsPerBlock;
    private bool _isDisposed;
    private long _rentedCount;
    private long _heldBytes;

    /// <summary>Makes an empty pool.</summary>
    /// <param name="slabBytes">Size of each slab.</param>
    /// <param name="freeBytesMax">Bytes of blocks without a rented slab, above which they go back to the system.</param>
    /// <param name="budget">Charged for the slabs that are rented.</param>
    public SlabPool(int slabBytes, long freeBytesMax, MemoryBudget budget)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(slabBytes, 1);
        SlabBytes = slabBytes;
        _freeBytesMax = freeBytesMax;
        _budget = budget;
        _strideBytes = (slabBytes + AlignmentBytes - 1) & ~(AlignmentBytes - 1);

        // A power of two of pages, so that a mask finds the block of a slab; the smallest one that leaves little over.
        BlockBytes = HugePages.PageBytes;
        while (BlockBytes < _strideBytes || BlockBytes % _strideBytes > BlockBytes / RestShare)
        {
            BlockBytes *= 2;
        }

        _slabsPerBlock = (int)(BlockBytes / _strideBytes);
    }

    /// <summary>Size of each slab.</summary>
    public int SlabBytes { get; }

    /// <summary>Bytes that the pool takes from the system at a time.</summary>
    public long BlockBytes { get; }

    /// <summary>Slabs that are rented now; 0 when everything has been given back.</summary>
    public long RentedCount => Interlocked.Read(ref _rentedCount);

    /// <summary>Bytes taken from the system and not given back.</summary>
    public long HeldBytes => Interlocked.Read(ref _heldBytes);

    /// <summary>Takes a slab; its contents are undefined.</summary>
    /// <exception cref="InsufficientMemoryException">The system has no memory left.</exception>
    public byte* Rent()
    {
        _budget.Add(SlabBytes);
        Interlocked.Increment(ref _rentedCount);
        lock (_lock)
        {
            var block = (_partBlocks.First ?? _emptyBlocks.First)?.Value ?? AddBlock();
            if (block.IsEmpty)
            {
                _emptyBlocks.Remove(block.Node);
                _partBlocks.AddFirst(block.Node);
            }

            var slab = block.Start + ((nint)block.Take() * _strideBytes);
            if (block.IsFull)
            {
                _partBlocks.Remove(block.Node);
            }

            return slab;
        }
    }

    /// <summary>Gives a slab back; the caller must not touch it again.</summary>
    public void Return(byte* slab)
    {
        _budget.Add(-SlabBytes);
        Interlocked.Decrement(ref _rentedCount);
        lock (_lock)
        {
            var block = _blockByStart[(nint)slab & ~(nint)(BlockBytes - 1)];
            if (block.IsFull)
            {
                _partBlocks.AddFirst(block.Node);
            }

            block.Put((int)((slab - block.Start) / _strideBytes));
            if (block.IsEmpty)
            {
                _partBlocks.Remove(block.Node);
                _emptyBlocks.AddFirst(block.Node);
                FreeEmptyBlocks(_isDisposed ? 0 : _freeBytesMax);
            }
        }
    }

    /// <summary>Frees what is not rented; the rest goes back to the system when it is returned.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            FreeEmptyBlocks(0);
        }
    }

    private SlabBlock AddBlock()
    {
        var block = new SlabBlock(HugePages.Allocate(BlockBytes, BlockBytes), _slabsPerBlock);
        _blockByStart.Add((nint)block.Start, block);
        _emptyBlocks.AddFirst(block.Node);
        Interlocked.Add(ref _heldBytes, BlockBytes);
        return block;
    }

    private void FreeEmptyBlocks(long keptBytesMax)
    {
        while (_emptyBlocks.Count * BlockBytes > keptBytesMax)
        {
            var block = _emptyBlocks.Last!.Value; // Longest unused.
            _emptyBlocks.RemoveLast();
            _blockByStart.Remove((nint)block.Start);
            HugePages.Free(block.Start, BlockBytes);
            Interlocked.Add(ref _heldBytes, -BlockBytes);
        }
    }

    /// <summary>A run of slabs and which of them are free; under the pool's lock.</summary>
    private sealed class SlabBlock
    {
        private readonly int[] _free; // A stack: the slab given back last is warm.
        private int _freeCount;

        internal SlabBlock(byte* start, int slabCount)
        {
            Start = start;
            Node = new LinkedListNode<SlabBlock>(this);
            _free = new int[slabCount];
            while (_freeCount < slabCount)
            {
                _free[_freeCount] = slabCount - ++_freeCount; // The first slab is taken first.
            }
        }

        internal byte* Start { get; }

        /// <summary>Its place in the pool's lists: made once, so that moving it allocates nothing.</summary>
        internal LinkedListNode<SlabBlock> Node { get; }

        internal bool IsEmpty => _freeCount == _free.Length;

        internal bool IsFull => _freeCount == 0;

        internal int Take() => _free[--_freeCount];

        internal void Put(int slab)
        {
            Debug.Assert(!_free.AsSpan(0, _freeCount).Contains(slab), "A slab is given back once.");
            _free[_freeCount++] = slab;
        }
    }
}
