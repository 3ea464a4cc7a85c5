using System.Buffers.Text;
using System.Collections.Concurrent;
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

    /// <summary>The kernel keeps 15 letters of a name, and three numbers.</summary>
    private const int FileBytesMax = 128;

    /// <summary>Names whose stage is remembered; a native library may name its threads as it likes.</summary>
    private const int StagesMax = 1_024;

    private static readonly ConcurrentDictionary<string, string> _stages = new(StringComparer.Ordinal);

    private readonly Dictionary<string, (string Name, StageTime Time)> _threads = new(StringComparer.Ordinal);
    private readonly Dictionary<string, StageTime> _ended = new(StringComparer.Ordinal);

    /// <summary>Threads at the last reading.</summary>
    public int Count => _threads.Count;

    /// <summary>Time by thread for Weir's own workers (<c>ingest 0</c>, <c>weir-fold-1</c>), and by stage for the rest.</summary>
    public IReadOnlyDictionary<string, StageTime> Read()
    {
        if (!Directory.Exists(TasksDirectory))
        {
            return _ended;
        }

        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var directory in Directory.EnumerateDirectories(TasksDirectory))
        {
            if (TryRead(directory, out var name, out var time))
            {
                seen.Add(directory);
                _threads[directory] = (name, time);
            }
        }

        foreach (var (directory, thread) in _threads.Where(thread => !seen.Contains(thread.Key)).ToList())
        {
            _threads.Remove(directory);
            _ended[thread.Name] = _ended.GetValueOrDefault(thread.Name) + thread.Time;
        }

        var sums = new Dictionary<string, StageTime>(_ended, StringComparer.Ordinal);
        foreach (var (name, time) in _threads.Values)
        {
            sums[name] = sums.GetValueOrDefault(name) + time;
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

    /// <summary>Reads one thread; there are a hundred, and they are read each second, so without a text for each file.</summary>
    private static bool TryRead(string directory, out string name, out StageTime time)
    {
        time = default;
        name = OtherStage;
        try
        {
            // "cpu_ns wait_ns slices"; precise, unlike the ticks of "stat".
            Span<byte> bytes = stackalloc byte[FileBytesMax];
            var fields = ReadFile(directory, "schedstat", bytes);
            if (!Utf8Parser.TryParse(fields, out long cpuNanoseconds, out var length)
                || length >= fields.Length
                || !Utf8Parser.TryParse(fields[(length + 1)..], out long waitNanoseconds, out _))
            {
                return false;
            }

            name = StageOf(ReadFile(directory, "comm", bytes).TrimEnd((byte)'\n'));
            time = new StageTime(TimeSpan.FromTicks(cpuNanoseconds / 100), TimeSpan.FromTicks(waitNanoseconds / 100));
            return true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false; // The thread has ended meanwhile.
        }
    }

    private static ReadOnlySpan<byte> ReadFile(string directory, string name, Span<byte> bytes)
    {
        using var file = File.OpenHandle(Path.Combine(directory, name));
        return bytes[..RandomAccess.Read(file, bytes, fileOffset: 0)];
    }

    /// <inheritdoc cref="StageOf(string)"/>
    private static string StageOf(ReadOnlySpan<byte> threadName)
    {
        Span<char> chars = stackalloc char[FileBytesMax];
        var name = chars[..Encoding.UTF8.GetChars(threadName, chars)];
        var known = _stages.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!known.TryGetValue(name, out var stage))
        {
            var text = name.ToString();
            stage = StageOf(text);
            if (_stages.Count < StagesMax)
            {
                _stages.TryAdd(text, stage);
            }
        }

        return stage;
    }
}
