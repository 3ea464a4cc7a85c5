using System.Globalization;
using System.Runtime.InteropServices;

namespace Weir.Bench.Measure;

/// <summary>Processor time: of the calling thread, of this process, of another one, and of another one's threads by name.</summary>
internal static unsafe partial class CpuClock
{
    private const int ProcessClock = 2; // CLOCK_PROCESS_CPUTIME_ID
    private const int ThreadClock = 3; // CLOCK_THREAD_CPUTIME_ID

    /// <summary>CPU of the calling thread so far, ns. What other threads and programs use does not count.</summary>
    public static long ThreadNanos() => Read(ThreadClock);

    /// <summary>CPU of this process so far, all its threads, ns.</summary>
    public static long ProcessNanos() => Read(ProcessClock);

    /// <summary>CPU of another process so far, all its threads, in ns; as fine as the kernel's tick, 10 ms.</summary>
    public static long ProcessNanos(int processId) => StatNanos($"/proc/{processId}/stat");

    /// <summary>CPU of each thread of a process by the thread's name, ns. Threads that have ended are not among them.</summary>
    public static IReadOnlyDictionary<string, long> ThreadNanos(int processId)
    {
        var nanosByName = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var task in Directory.EnumerateDirectories($"/proc/{processId}/task"))
        {
            try
            {
                var name = File.ReadAllText(Path.Combine(task, "comm")).Trim();
                nanosByName[name] = nanosByName.GetValueOrDefault(name) + TaskNanos(task);
            }
            catch (IOException)
            {
                // It has just ended.
            }
        }

        return nanosByName;
    }

    /// <summary>CPU of one thread: the scheduler's own count, in ns, or the kernel's ticks where it keeps none.</summary>
    private static long TaskNanos(string task)
    {
        var schedule = Path.Combine(task, "schedstat");
        return File.Exists(schedule)
            ? long.Parse(File.ReadAllText(schedule).Split(' ')[0], CultureInfo.InvariantCulture)
            : StatNanos(Path.Combine(task, "stat"));
    }

    /// <summary>User and system time of a line of <c>/proc/…/stat</c>, in ticks.</summary>
    internal static long StatTicks(string line)
    {
        // The name of the program, in brackets, may hold blanks and brackets; what follows it are numbers.
        var fields = line[(line.LastIndexOf(')') + 2)..].Split(' ');
        return long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
    }

    private static long StatNanos(string path) => StatTicks(File.ReadAllText(path)) * 1_000_000_000L / TicksPerSecond();

    private static long TicksPerSecond() => SystemConfiguration(2); // _SC_CLK_TCK

    private static long Read(int clock)
    {
        long* time = stackalloc long[2];
        _ = GetTime(clock, time);
        return (time[0] * 1_000_000_000L) + time[1];
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    [SuppressGCTransition]
    private static partial int GetTime(int clock, long* time);

    [LibraryImport("libc", EntryPoint = "sysconf")]
    private static partial long SystemConfiguration(int name);
}
