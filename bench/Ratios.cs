using System.Diagnostics;
using System.Globalization;
using Weir.Bench.Measure;

namespace Weir.Bench;

/// <summary>One way to do a job, to be measured against others that do the same job.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Run">Does the job once and returns a checksum that proves it.</param>
internal sealed record Peer(string Name, Func<ulong> Run);

/// <summary>Peers that run in turns in one process, so that a busy machine slows all of them alike.</summary>
internal static class Ratios
{
    private const int RoundCount = 9;
    private const int WarmUpRoundsMin = 3;

    // Tier-1 code comes 100 ms after the last new method, compiled beside the run: short jobs need many rounds to get there.
    private static readonly TimeSpan _warmUp = TimeSpan.FromSeconds(1);

    private static readonly Dictionary<string, Action> _suites = new()
    {
        ["decode"] = DecodeBench.MeasureRatios,
        ["fold"] = FoldTableBench.MeasureRatios,
        ["probe"] = ProbeBench.MeasureRatios,
        ["queue"] = StageQueueBench.MeasureRatios,
        ["shard-sort"] = ShardSortBench.MeasureRatios,
        ["sort"] = SortBench.MeasureRatios,
        ["transpose"] = TransposeBench.MeasureRatios,
        ["compression"] = CompressionBench.MeasureRatios,
    };

    /// <summary>Runs the suites named, or all.</summary>
    /// <returns>The exit code.</returns>
    internal static int Run(string[] names)
    {
        var unknown = names.FirstOrDefault(name => !_suites.ContainsKey(name));
        if (unknown is not null)
        {
            Console.Error.WriteLine($"No suite is called {unknown}; there are: {string.Join(", ", _suites.Keys)}.");
            return 2;
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $".NET {Environment.Version}, {Environment.ProcessorCount} cores, {DateTime.UtcNow:yyyy-MM-dd}; "
            + $"medians of {RoundCount} interleaved rounds"));
        foreach (var name in names.Length == 0 ? [.. _suites.Keys] : names)
        {
            _suites[name]();
        }

        return 0;
    }

    /// <summary>Measures peers that must return one checksum and prints ns an item and the ratio to the first one.</summary>
    internal static void Measure(string title, int itemCount, params Peer[] peers) =>
        Measure(title, itemCount, () => (long)Stopwatch.GetElapsedTime(0, Stopwatch.GetTimestamp()).TotalNanoseconds, peers);

    /// <summary>The same in processor time of the thread, for work that one thread does: others on the machine do not count.</summary>
    internal static void MeasureOnThread(string title, int itemCount, params Peer[] peers) =>
        Measure(title, itemCount, CpuClock.ThreadNanos, peers);

    private static void Measure(string title, int itemCount, Func<long> nanos, Peer[] peers)
    {
        var times = peers.Select(_ => new double[RoundCount]).ToArray();
        var begun = Stopwatch.GetTimestamp();
        for (var round = -WarmUpRoundsMin; round < RoundCount; round++)
        {
            if (round == 0 && Stopwatch.GetElapsedTime(begun) < _warmUp)
            {
                round--;
            }

            var checksum = 0UL;
            for (var index = 0; index < peers.Length; index++)
            {
                var from = nanos();
                var found = peers[index].Run();
                var elapsed = nanos() - from;
                if (index > 0 && found != checksum)
                {
                    throw new InvalidOperationException(
                        $"{peers[index].Name} returned {found}, {peers[0].Name} {checksum}: not the same job.");
                }

                checksum = found;
                if (round >= 0)
                {
                    times[index][round] = (double)elapsed / itemCount;
                }
            }
        }

        Console.WriteLine(title);
        var first = Median(times[0]);
        for (var index = 0; index < peers.Length; index++)
        {
            var median = Median(times[index]);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"  {peers[index].Name,-44} {median,8:F1} ns  x {median / first:F2}"));
        }
    }

    private static double Median(double[] times) => times.Order().ElementAt(times.Length / 2);
}
