using System.Runtime.InteropServices;

namespace Weir.Core.Buffers;

/// <summary>Memory for large tables, straight from the system, in pages of 2 MB where it has them.</summary>
/// <remarks>
/// A table that is read at random walks one page table entry for each row: with pages of 4 KB a million rows need 33,000 of them,
/// more than any processor keeps. It also comes 512 times less often to the first touch of a page. Any thread.
/// </remarks>
public static unsafe partial class HugePages
{
    /// <summary>Size and alignment of a large page; memory given out is a multiple of it.</summary>
    public const int PageBytes = 2 << 20;

    private const int ReadWrite = 0x3; // PROT_READ | PROT_WRITE
    private const int PrivateAnonymous = 0x22; // MAP_PRIVATE | MAP_ANONYMOUS
    private const int AdviseHugePage = 14; // MADV_HUGEPAGE

    /// <summary>Bytes that a request takes: the next multiple of <see cref="PageBytes"/>.</summary>
    public static long RoundUp(long bytes) => (bytes + PageBytes - 1) & ~(long)(PageBytes - 1);

    /// <summary>Takes zeroed memory.</summary>
    /// <param name="bytes">A multiple of <see cref="PageBytes"/>.</param>
    /// <param name="alignmentBytes">The memory starts at a multiple of it; a power of two, at least <see cref="PageBytes"/>.</param>
    /// <exception cref="InsufficientMemoryException">The system has none left.</exception>
    public static byte* Allocate(long bytes, long alignmentBytes = PageBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes, RoundUp(bytes));
        ArgumentOutOfRangeException.ThrowIfLessThan(alignmentBytes, PageBytes);
        if (!OperatingSystem.IsLinux())
        {
            var memory = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, (nuint)alignmentBytes);
            NativeMemory.Clear(memory, (nuint)bytes);
            return memory;
        }

        // A longer run than asked for holds an aligned start; what lies before and after goes back at once.
        var mapped = Map(0, (nuint)(bytes + alignmentBytes), ReadWrite, PrivateAnonymous, -1, 0);
        if (mapped == -1)
        {
            throw new InsufficientMemoryException($"The system has no {bytes} bytes for rows (mmap: error {Marshal.GetLastPInvokeError()}).");
        }

        var start = (nint)((mapped + alignmentBytes - 1) & ~(alignmentBytes - 1));
        Unmap(mapped, (nuint)(start - mapped));
        Unmap(start + (nint)bytes, (nuint)(mapped + alignmentBytes - start));

        // Only advice: a kernel without large pages, or one whose administrator forbids them, gives small ones.
        _ = Advise(start, (nuint)bytes, AdviseHugePage);
        return (byte*)start;
    }

    /// <summary>Gives memory back to the system.</summary>
    public static void Free(byte* start, long bytes)
    {
        if (OperatingSystem.IsLinux())
        {
            Unmap((nint)start, (nuint)bytes);
        }
        else
        {
            NativeMemory.AlignedFree(start);
        }
    }

    private static void Unmap(nint start, nuint bytes)
    {
        if (bytes > 0 && UnmapPages(start, bytes) != 0)
        {
            throw new InvalidOperationException($"Memory cannot be given back (munmap: error {Marshal.GetLastPInvokeError()}).");
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint bytes, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int UnmapPages(nint address, nuint bytes);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int Advise(nint address, nuint bytes, int advice);
}
