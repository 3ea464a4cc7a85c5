using System.Numerics;
using System.Runtime.InteropServices;
using Weir.Core.Buffers;

namespace Weir.Aggregator;

/// <summary>Zeroed arrays of 8-byte slots, a power of two long, used again from cut to cut.</summary>
/// <remarks>
/// <para>One owner: the thread of its aggregation worker. <see cref="FreeBytes"/> and <see cref="RentedBytes"/> may be read by any.</para>
/// <para>
/// Arrays that lay free through a whole period of <see cref="TrimPeriodCuts"/> cuts go back to the system, so one cut with
/// millions of series does not hold its slots for ever. The budget is charged for what is rented, as by <see cref="SlabPool"/>:
/// free arrays must never be what keeps reading paused.
/// </para>
/// </remarks>
internal sealed unsafe class SlotPool(MemoryBudget budget) : IDisposable
{
    /// <summary>Cuts between two trims: with a cut each 10 s for each of 16 partitions, the time of one interval.</summary>
    internal const int TrimPeriodCuts = 16;

    /// <summary>Largest array: 2^30 slots, for 2^29 rows.</summary>
    internal const int ShiftMax = 30;

    private const int AlignmentBytes = 64; // A cache line.

    private readonly Stack<nint>[] _free = [.. Enumerable.Range(0, ShiftMax + 1).Select(_ => new Stack<nint>())];
    private readonly int[] _freeMin = new int[ShiftMax + 1]; // Fewest free arrays of each size in this period: nobody needed them.
    private int _cutsToTrim = TrimPeriodCuts;
    private long _freeBytes;
    private long _rentedBytes;

    /// <summary>Bytes kept for the next rent.</summary>
    internal long FreeBytes => Volatile.Read(ref _freeBytes);

    /// <summary>Bytes of arrays in use.</summary>
    internal long RentedBytes => Volatile.Read(ref _rentedBytes);

    /// <summary>Slots of those.</summary>
    internal long RentedSlotCount => RentedBytes / sizeof(ulong);

    /// <summary>Takes an array of 2^<paramref name="shift"/> slots, all 0.</summary>
    internal ulong* Rent(int shift)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shift, ShiftMax);
        var bytes = Bytes(shift);
        ulong* slots;
        if (_free[shift].TryPop(out var address))
        {
            slots = (ulong*)address;
            Volatile.Write(ref _freeBytes, _freeBytes - bytes);
            _freeMin[shift] = Math.Min(_freeMin[shift], _free[shift].Count);
        }
        else
        {
            slots = (ulong*)(bytes < HugePages.PageBytes ? NativeMemory.AlignedAlloc((nuint)bytes, AlignmentBytes) : HugePages.Allocate(bytes));
        }

        budget.Add(bytes);
        Volatile.Write(ref _rentedBytes, _rentedBytes + bytes);
        NativeMemory.Clear(slots, (nuint)bytes);
        return slots;
    }

    /// <summary>Gives an array of 2^<paramref name="shift"/> slots back; the caller must not touch it again.</summary>
    internal void Return(ulong* slots, int shift)
    {
        var bytes = Bytes(shift);
        budget.Add(-bytes);
        Volatile.Write(ref _rentedBytes, _rentedBytes - bytes);
        Volatile.Write(ref _freeBytes, _freeBytes + bytes);
        _free[shift].Push((nint)slots);
    }

    /// <summary>Tells the pool that a cut has been folded; at the end of a period, frees what nobody needed in it.</summary>
    internal void EndCut()
    {
        if (--_cutsToTrim > 0)
        {
            return;
        }

        _cutsToTrim = TrimPeriodCuts;
        for (var shift = 0; shift <= ShiftMax; shift++)
        {
            Free(shift, _freeMin[shift]);
            _freeMin[shift] = _free[shift].Count;
        }
    }

    /// <summary>Frees the arrays that are not rented.</summary>
    public void Dispose()
    {
        for (var shift = 0; shift <= ShiftMax; shift++)
        {
            Free(shift, _free[shift].Count);
            _freeMin[shift] = 0;
        }
    }

    /// <summary>The smallest array, as its power of two, that holds <paramref name="rowCount"/> rows at half load.</summary>
    internal static int ShiftFor(int rowCount) => BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)rowCount)) + 1;

    private static long Bytes(int shift) => sizeof(ulong) * (1L << shift);

    private void Free(int shift, int count)
    {
        for (; count > 0; count--)
        {
            var slots = _free[shift].Pop();
            if (Bytes(shift) < HugePages.PageBytes)
            {
                NativeMemory.AlignedFree((void*)slots);
            }
            else
            {
                HugePages.Free((byte*)slots, Bytes(shift));
            }

            Volatile.Write(ref _freeBytes, _freeBytes - Bytes(shift));
        }
    }
}
