using System.Runtime.InteropServices;

namespace Weir.Ingest;

/// <summary>Tells the C library's heap, which librdkafka takes its memory from, to keep what is freed for the next batch.</summary>
/// <remarks>
/// A batch that is fetched and decompressed is some hundred kilobytes to megabytes, freed as soon as it is read. By default the heap gives
/// such memory back to the system at once and takes it again for the next batch, and each page costs a fault and its zeroes. What it keeps
/// is bounded by what librdkafka had at one time, its prefetch (<c>queued.max.messages.kbytes</c>). Any thread; once is enough.
/// </remarks>
internal static partial class NativeHeap
{
    private const int TrimThreshold = -1; // M_TRIM_THRESHOLD of malloc.h
    private const int MapThreshold = -3; // M_MMAP_THRESHOLD

    /// <summary>Free bytes at the end of a heap above which they go back: as large as glibc's heaps of threads, so theirs never do.</summary>
    private const int TrimBytes = 64 << 20;

    /// <summary>Blocks above it are mapped one by one: the most that glibc allows.</summary>
    private const int MapBytes = 32 << 20;

    /// <summary>glibc's own variables: who sets one knows better.</summary>
    private static readonly string[] _variables = ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"];

    /// <summary>Sets it, where the C library is glibc and its user has said nothing.</summary>
    /// <returns>True when it is set.</returns>
    public static bool Keep()
    {
        if (!OperatingSystem.IsLinux() || Array.Exists(_variables, name => Environment.GetEnvironmentVariable(name) is { Length: > 0 }))
        {
            return false;
        }

        try
        {
            return SetOption(TrimThreshold, TrimBytes) != 0 && SetOption(MapThreshold, MapBytes) != 0;
        }
        catch (EntryPointNotFoundException)
        {
            return false; // musl has no such option.
        }
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetOption(int option, int value);
}
