using System.Diagnostics;
using System.Runtime;

namespace Weir.Bench.Measure;

/// <summary>One way to do a job.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Run">Does the job once and returns a checksum of its result.</param>
/// <param name="ItemCount">Items of one run, where they are not as many as the others'.</param>
internal sealed record Contender(string Name, Func<ulong> Run, long? ItemCount = null);

/// <summary>What a round is measured by.</summary>
internal enum RoundClock
{
    /// <summary>CPU of the measuring thread: for jobs of one thread. What else runs on the machine does not count.</summary>
    ThreadCpu,

    /// <summary>CPU of the whole process: for jobs whose cost lies in several threads.</summary>
    ProcessCpu,

    /// <summary>Time on the wall: for jobs that are about threads working side by side.</summary>
    Wall,
}

/// <summary>How long to measure.</summary>
/// <param name="RoundCount">Rounds that count; the median of them is the figure.</param>
/// <param name="WarmUp">How long to run before at least, so that tier-1 code is there.</param>
/// <param name="IsQuick">True to measure little.</param>
internal sealed record RoundPlan(int RoundCount, TimeSpan WarmUp, bool IsQuick)
{
    /// <summary>The plan of a full run.</summary>
    public static RoundPlan Full { get; } = new(9, TimeSpan.FromSeconds(1), IsQuick: false);

    /// <summary>The plan of <c>--quick</c>.</summary>
    public static RoundPlan Quick { get; } = new(3, TimeSpan.FromMilliseconds(400), IsQuick: true);
}

/// <summary>The rounds of several contenders that took turns.</summary>
internal sealed class Rounds
{

    private static readonly TimeSpan _compilerQuiet = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan _compilerTimeout = TimeSpan.FromSeconds(10);

    private readonly double[][] _nanosPerItem;
    private readonly double[] _allocatedBytesPerItem;

    private Rounds(int contenderCount, int roundCount)
    {
        _nanosPerItem = [.. Enumerable.Range(0, contenderCount).Select(_ => new double[roundCount])];
        _allocatedBytesPerItem = new double[contenderCount];
    }

    /// <summary>The median of a contender's rounds, ns an item.</summary>
    public double Nanos(int contender) => Median(_nanosPerItem[contender]);

    /// <summary>Bytes that a contender's measuring thread allocated for an item in its last round.</summary>
    public double AllocatedBytes(int contender) => _allocatedBytesPerItem[contender];

    /// <summary>The median over the rounds of one contender's time through another's.</summary>
    /// <remarks>Round by round, since a machine that slows down slows both.</remarks>
    public double Ratio(int slow, int fast) =>
        Median([.. _nanosPerItem[slow].Zip(_nanosPerItem[fast], (one, other) => one / other)]);

    /// <summary>Runs the contenders in turns, first unpinned to warm up, then pinned and timed.</summary>
    /// <param name="plan">How long.</param>
    /// <param name="clock">By which clock. A thread is pinned for <see cref="RoundClock.ThreadCpu"/> only.</param>
    /// <param name="itemCount">Items of one run.</param>
    /// <param name="contenders">Who; each must return the same checksum, in each round.</param>
    /// <exception cref="ChecksumException">Two of them did not do the same job.</exception>
    public static Rounds Measure(RoundPlan plan, RoundClock clock, long itemCount, params Contender[] contenders)
    {
        var rounds = new Rounds(contenders.Length, plan.RoundCount);
        var begun = Stopwatch.GetTimestamp();
        ulong? checksum = null; // Of the first run of the first one: all run equally often.
        var (compiledCount, compiledAt) = (JitInfo.GetCompiledMethodCount(), begun);
        for (var warmUp = 0; warmUp < (plan.IsQuick ? 1 : 2) || !IsWarm(plan, begun, compiledAt); warmUp++)
        {
            foreach (var contender in contenders)
            {
                var found = contender.Run();
                checksum ??= found;
                Check(contenders[0], checksum.Value, contender, found);
            }

            if (JitInfo.GetCompiledMethodCount() is var count && count != compiledCount)
            {
                (compiledCount, compiledAt) = (count, Stopwatch.GetTimestamp());
            }
        }

        for (var round = 0; round < plan.RoundCount; round++)
        {
            for (var turn = 0; turn < contenders.Length; turn++)
            {
                var index = (turn + round) % contenders.Length; // Nobody always comes after the same one.
                Check(contenders[0], checksum!.Value, contenders[index], rounds.Time(index, round, clock, itemCount, contenders[index]));
            }
        }

        return rounds;
    }

    /// <summary>The value in the middle; of an even number, the upper of the two.</summary>
    internal static double Median(IReadOnlyCollection<double> values) => values.Order().ElementAt(values.Count / 2);

    /// <summary>True when the time is over and the compiler beside the run has been quiet for a while; it starves on a busy machine.</summary>
    private static bool IsWarm(RoundPlan plan, long begun, long compiledAt)
    {
        var elapsed = Stopwatch.GetElapsedTime(begun);
        var isCompiled = plan.WarmUp == TimeSpan.Zero
            || Stopwatch.GetElapsedTime(compiledAt) >= _compilerQuiet
            || elapsed >= plan.WarmUp + _compilerTimeout;
        return elapsed >= plan.WarmUp && isCompiled;
    }

    private ulong Time(int index, int round, RoundClock clock, long itemCount, Contender contender)
    {
        itemCount = contender.ItemCount ?? itemCount;
        using var pin = clock == RoundClock.ThreadCpu ? ThreadPin.ToLast() : null;
        var allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
        var from = Now(clock);
        var checksum = contender.Run();
        var elapsed = Now(clock) - from;
        _allocatedBytesPerItem[index] = (GC.GetAllocatedBytesForCurrentThread() - allocatedBefore) / (double)itemCount;
        _nanosPerItem[index][round] = elapsed / (double)itemCount;
        return checksum;
    }

    private static long Now(RoundClock clock) => clock switch
    {
        RoundClock.ThreadCpu => CpuClock.ThreadNanos(),
        RoundClock.ProcessCpu => CpuClock.ProcessNanos(),
        _ => (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency)),
    };

    private static void Check(Contender first, ulong expected, Contender other, ulong found)
    {
        if (found != expected)
        {
            throw new ChecksumException($"{other.Name} returned the checksum {found}, {first.Name} {expected}: not the same job.");
        }
    }
}

/// <summary>Two ways of doing a job came to different results: their times mean nothing, and the run fails.</summary>
internal sealed class ChecksumException(string message) : Exception(message);
