using System.Runtime.InteropServices;

namespace Weir.Bench.Measure;

/// <summary>Holds the calling thread on one core while it lives; where the system refuses, nothing happens.</summary>
/// <remarks>
/// The measuring thread only, and only while it is timed: a process that is pinned whole starves its compiler, and a thread that
/// is made by a pinned one is pinned, too (facts/PERFORMANCE.md, 'Pitfalls of measuring').
/// </remarks>
internal sealed unsafe partial class ThreadPin : IDisposable
{
    /// <summary>1,024 cores, as glibc's <c>cpu_set_t</c> has.</summary>
    private const int MaskWords = 16;

    private readonly ulong[] _before = new ulong[MaskWords];
    private readonly bool _isPinned;

    private ThreadPin(int coreIndex)
    {
        fixed (ulong* before = _before)
        {
            if (GetAffinity(0, MaskWords * sizeof(ulong), before) < 0)
            {
                return;
            }
        }

        var cores = Enumerable.Range(0, MaskWords * 64).Where(IsAllowed).ToArray();
        if (cores.Length == 0)
        {
            return;
        }

        var mask = stackalloc ulong[MaskWords];
        new Span<ulong>(mask, MaskWords).Clear();
        var chosen = cores[coreIndex < 0 ? cores.Length - 1 : coreIndex % cores.Length];
        mask[chosen / 64] = 1UL << (chosen % 64);
        _isPinned = SetAffinity(0, MaskWords * sizeof(ulong), mask) == 0;
    }

    /// <summary>Pins the calling thread to the last core it may use: the first ones take the interrupts.</summary>
    public static ThreadPin ToLast() => new(-1);

    /// <summary>Pins the calling thread to the core of this index among those it may use, round again above their number.</summary>
    public static ThreadPin To(int coreIndex) => new(coreIndex);

    /// <summary>Lets the thread go where it could before. The same thread.</summary>
    public void Dispose()
    {
        if (_isPinned)
        {
            fixed (ulong* before = _before)
            {
                _ = SetAffinity(0, MaskWords * sizeof(ulong), before);
            }
        }
    }

    private bool IsAllowed(int core) => (_before[core / 64] & (1UL << (core % 64))) != 0;

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    private static partial int SetAffinity(int thread, nuint maskBytes, ulong* mask);

    [LibraryImport("libc", EntryPoint = "sched_getaffinity")]
    private static partial int GetAffinity(int thread, nuint maskBytes, ulong* mask);
}
