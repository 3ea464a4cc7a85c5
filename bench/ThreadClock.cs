using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Weir.Bench;

/// <summary>Processor time of the calling thread: what other processes take on a shared machine is not in it.</summary>
/// <remarks>A reading is a system call of about 0.2 µs: take it for a chunk, not for a record.</remarks>
internal static partial class ThreadClock
{
    private const int ThreadCpuTime = 3; // CLOCK_THREAD_CPUTIME_ID of Linux.

    /// <summary>Nanoseconds of processor time of this thread.</summary>
    internal static long NowNs()
    {
        if (GetTime(ThreadCpuTime, out var time) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }

        return (time.Seconds * 1_000_000_000) + time.Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime", SetLastError = true)]
    private static partial int GetTime(int clock, out TimeSpec time);

    private struct TimeSpec
    {
        internal long Seconds;
        internal long Nanoseconds;
    }
}
