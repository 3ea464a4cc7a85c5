using System.Runtime.InteropServices;

namespace Weir.Loadgen;

/// <summary>CPU time as Linux counts it.</summary>
internal static partial class CpuClock
{
    private const int ProcessClock = 2; // CLOCK_PROCESS_CPUTIME_ID
    private const int ThreadClock = 3; // CLOCK_THREAD_CPUTIME_ID
    private const long TicksPerNanosecondInverse = 100;

    /// <summary>Of the calling thread.</summary>
    public static TimeSpan OfThread() => Read(ThreadClock);

    /// <summary>Of this process, all threads.</summary>
    public static TimeSpan OfProcess() => Read(ProcessClock);

    private static TimeSpan Read(int clock)
    {
        if (GetTime(clock, out var time) != 0)
        {
            throw new IOException($"clock_gettime({clock}) failed.");
        }

        return TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromTicks(time.Nanoseconds / TicksPerNanosecondInverse);
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, out TimeSpec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
