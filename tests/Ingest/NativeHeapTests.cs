using System.Globalization;
using System.Runtime.InteropServices;
using Weir.Ingest;
using Xunit;

namespace Weir.Tests.Ingest;

/// <summary>What the C library's heap does with memory that librdkafka frees.</summary>
public sealed unsafe class NativeHeapTests
{
    private const int BlockBytes = 4 << 20;
    private const int BlockCount = 8;
    private const int RoundCount = 6;

    [Fact]
    public void Freed_batches_are_used_again_without_a_fault_for_each_page()
    {
        Assert.True(NativeHeap.Keep());
        var pages = BlockBytes / Environment.SystemPageSize * BlockCount;

        var kept = LeastFaults(BlockBytes, BlockCount);
        var mapped = LeastFaults((nuint)BlockBytes * BlockCount * 2, 1); // The control: too large to be kept.

        Assert.InRange(kept, 0, pages / 10);
        Assert.InRange(mapped, pages, int.MaxValue);
    }

    /// <summary>On a thread of its own, and so a heap of its own where there are not more threads than heaps.</summary>
    private static long LeastFaults(nuint blockBytes, int blockCount)
    {
        var least = long.MaxValue;
        var thread = new Thread(() =>
        {
            for (var round = 0; round < RoundCount; round++)
            {
                var before = OwnFaults();
                TakeAndGiveBack(blockBytes, blockCount);
                least = Math.Min(least, OwnFaults() - before);
            }
        });
        thread.Start();
        thread.Join();
        return least;
    }

    private static void TakeAndGiveBack(nuint blockBytes, int blockCount)
    {
        var blocks = stackalloc byte*[blockCount];
        for (var index = 0; index < blockCount; index++)
        {
            blocks[index] = (byte*)NativeMemory.Alloc(blockBytes);
            for (nuint offset = 0; offset < blockBytes; offset += (nuint)Environment.SystemPageSize)
            {
                blocks[index][offset] = 1;
            }
        }

        for (var index = 0; index < blockCount; index++)
        {
            NativeMemory.Free(blocks[index]);
        }
    }

    /// <summary>Minor faults of this thread.</summary>
    private static long OwnFaults()
    {
        var line = File.ReadAllText("/proc/thread-self/stat");
        return long.Parse(line[(line.LastIndexOf(')') + 2)..].Split(' ')[7], CultureInfo.InvariantCulture);
    }
}
