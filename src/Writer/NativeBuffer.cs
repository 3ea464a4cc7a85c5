using System.Runtime.InteropServices;
using Weir.Core.Buffers;

namespace Weir.Writer;

/// <summary>Native working memory that grows and is used again: the first touch of a fresh page costs 2 µs.</summary>
/// <remarks>One thread. The contents do not survive growing.</remarks>
internal sealed unsafe class NativeBuffer(MemoryBudget budget) : IDisposable
{
    /// <summary>A cache line.</summary>
    private const int AlignmentBytes = 64;

    /// <summary>Bytes held now.</summary>
    internal long CapacityBytes { get; private set; }

    /// <summary>The memory; null before the first <see cref="Reserve"/>.</summary>
    internal byte* Start { get; private set; }

    /// <summary>Sees to it that there are <paramref name="bytes"/>; what was there is undefined afterwards.</summary>
    internal byte* Reserve(long bytes)
    {
        if (bytes > CapacityBytes)
        {
            var capacity = Math.Max(bytes, CapacityBytes + (CapacityBytes / 2));
            Dispose();
            if (capacity < HugePages.PageBytes)
            {
                Start = (byte*)NativeMemory.AlignedAlloc((nuint)capacity, AlignmentBytes);
            }
            else
            {
                // A transpose writes into as many pages at once as there are columns, a sort into as many as a digit has values.
                capacity = HugePages.RoundUp(capacity);
                Start = HugePages.Allocate(capacity);
            }

            CapacityBytes = capacity;
            budget.Add(capacity);
        }

        return Start;
    }

    /// <summary>Frees the memory; <see cref="Reserve"/> may bring new.</summary>
    public void Dispose()
    {
        if (CapacityBytes < HugePages.PageBytes)
        {
            NativeMemory.AlignedFree(Start);
        }
        else
        {
            HugePages.Free(Start, CapacityBytes);
        }

        Start = null;
        budget.Add(-CapacityBytes);
        CapacityBytes = 0;
    }
}
