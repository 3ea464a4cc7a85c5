using System.Buffers.Text;
using System.Globalization;
using System.IO.Enumeration;
using System.Runtime.InteropServices;
using System.Text;

namespace Weir.Host.Telemetry;

/// <summary>What the threads of one stage have had of the processors since the start.</summary>
/// <param name="Cpu">Time on a processor.</param>
/// <param name="Wait">Time that they could have run and no processor was free for them.</param>
internal readonly record struct StageTime(TimeSpan Cpu, TimeSpan Wait)
{
    /// <summary>The sum.</summary>
    public static StageTime operator +(StageTime left, StageTime right) => new(left.Cpu + right.Cpu, left.Wait + right.Wait);

    /// <summary>The difference.</summary>
    public static StageTime operator -(StageTime left, StageTime right) => new(left.Cpu - right.Cpu, left.Wait - right.Wait);
}

/// <summary>Processor time of this process by stage, as the kernel counts it for each thread.</summary>
/// <remarks>
/// One thread at a time. Threads are told apart by the names that the stages give them. What a thread had used when it ended stays in
/// its stage's sum. Where the kernel has no <c>/proc</c> everything is empty.
/// </remarks>
internal sealed class ThreadTimes
{
    private const string TasksDirectory = "/proc/self/task";

    /// <summary>A thread without a name of Weir's.</summary>
    private const string OtherStage = "runtime";

    /// <summary>A thread begins with its maker's name and gets its own soon; after so many readings it keeps what it has.</summary>
    private const int NameReadingsMax = 3;

    /// <summary>Longer than a line of <c>schedstat</c> (three numbers) or <c>comm</c> (16 bytes).</summary>
    private const int LineBytesMax = 128;

    private static readonly EnumerationOptions _everything = new() { AttributesToSkip = 0 };

    private readonly Dictionary<int, TaskTimes> _tasks = [];
    private readonly Dictionary<string, StageTime> _ended = new(StringComparer.Ordinal);
    private long _readingCount;

    /// <summary>Threads at the last reading.</summary>
    public int Count => _tasks.Count;

    /// <summary>Time by thread for Weir's own workers (<c>ingest 0</c>, <c>fold 1</c>), and by stage for the rest.</summary>
    public IReadOnlyDictionary<string, StageTime> Read()
    {
        if (!Directory.Exists(TasksDirectory))
        {
            return _ended;
        }

        _readingCount++;
        foreach (var id in new FileSystemEnumerable<int>(TasksDirectory, IdOf, _everything))
        {
            if (!_tasks.TryGetValue(id, out var task))
            {
                _tasks.Add(id, task = new TaskTimes(id));
            }

            if (task.TryRead())
            {
                task.SeenAt = _readingCount;
            }
        }

        var sums = new Dictionary<string, StageTime>(_ended, StringComparer.Ordinal);
        foreach (var (id, task) in _tasks)
        {
            Add(sums, task);
            if (task.SeenAt != _readingCount)
            {
                Add(_ended, task);
                _tasks.Remove(id);
            }
        }

        return sums;
    }

    /// <summary>The worker or the stage that a thread of this name belongs to.</summary>
    internal static string StageOf(string threadName) => threadName switch
    {
        _ when threadName.StartsWith("ingest ", StringComparison.Ordinal) => threadName,
        _ when threadName.StartsWith("weir-fold-", StringComparison.Ordinal) => "fold " + threadName["weir-fold-".Length..],
        "source" => "source",
        "weir-builder" => "builder",
        "weir-inserter" => "inserter",
        "weir-diagnosis" => "telemetry",
        _ when threadName.StartsWith("rdk:", StringComparison.Ordinal) => "kafka client",
        _ when threadName.StartsWith(".NET TP", StringComparison.Ordinal) => "pool",
        _ when threadName.StartsWith(".NET", StringComparison.Ordinal) => OtherStage,
        _ => "native", // The embedded ClickHouse names its own.
    };

    private static void Add(Dictionary<string, StageTime> sums, TaskTimes task)
    {
        ref var sum = ref CollectionsMarshal.GetValueRefOrAddDefault(sums, task.Stage, out _);
        sum += task.Time;
    }

    private static int IdOf(ref FileSystemEntry entry) =>
        int.TryParse(entry.FileName, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : 0;

    /// <summary>One thread of the kernel's.</summary>
    private sealed class TaskTimes(int id)
    {
        private readonly KernelFile _times = new(string.Create(CultureInfo.InvariantCulture, $"{TasksDirectory}/{id}/schedstat"));
        private readonly KernelFile _name = new(string.Create(CultureInfo.InvariantCulture, $"{TasksDirectory}/{id}/comm"));
        private int _nameReadingCount;

        internal string Stage { get; private set; } = OtherStage;

        internal StageTime Time { get; private set; }

        internal long SeenAt { get; set; }

        /// <returns>False when the thread has ended.</returns>
        internal bool TryRead()
        {
            // "cpu_ns wait_ns slices"; precise, unlike the ticks of "stat".
            Span<byte> line = stackalloc byte[LineBytesMax];
            var count = _times.Read(line);
            if (count <= 0
                || !Utf8Parser.TryParse(line[..count], out long cpuNanoseconds, out var end)
                || end + 1 >= count
                || !Utf8Parser.TryParse(line[(end + 1)..count], out long waitNanoseconds, out _))
            {
                return false;
            }

            if (_nameReadingCount < NameReadingsMax)
            {
                var nameCount = _name.Read(line);
                if (nameCount <= 0)
                {
                    return false;
                }

                _nameReadingCount++;
                Stage = StageOf(Encoding.UTF8.GetString(line[..nameCount]).TrimEnd('\n'));
            }

            Time = new StageTime(TimeSpan.FromTicks(cpuNanoseconds / 100), TimeSpan.FromTicks(waitNanoseconds / 100));
            return true;
        }
    }
}
