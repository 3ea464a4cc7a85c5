using System.Diagnostics;
using System.Globalization;
using Weir.Bench.Flows;
using Weir.Bench.Measure;
using Weir.Bench.Paths;
using Weir.Bench.Processes;
using Weir.Bench.Report;
using Weir.Core.Faults;

namespace Weir.Bench.Lines;

/// <summary>What telemetry costs of a flow's CPU: everything on against everything off.</summary>
/// <remarks>
/// <para>
/// Two runs of the whole program at full speed differ by more than telemetry costs, so the difference is not looked for there. It is put
/// together from two parts that can be measured to a fraction of a percent of the whole, and set against the whole program's CPU a flow:
/// </para>
/// <para>
/// What is paid for records, by the threads that fold them: the path in memory with probes on and off, the same objects, in turns. What is
/// paid for time, whatever the rate is: CPU of the whole program under a light load (a batch in two seconds), once with registry, scrapes each second, a viewer
/// of the page, history, diagnosis, <c>weir_system</c> tables and traces, and once with none of them
/// (<c>WEIR_FAULT=no-telemetry</c>, <c>telemetry.tables: false</c>), side by side on the same topic, so that what else the machine does
/// happens to both; the programs hardly work otherwise, so thousandths of a core show. The embedded engine is a part of the program, and what
/// the tables cost it counts.
/// </para>
/// </remarks>
internal static class TelemetryLine
{
    private const string Id = "process.telemetry";
    private const int SeriesCount = 100_000;
    private const int RecordCount = 400_000;
    private const string Format = "weir"; // The cheapest to decode, so the one in which a fixed cost shows most.

    /// <summary>Rounds of the path for each one of the plan.</summary>
    private const int RoundsFactor = 5;

    private const int ThreadsShown = 6;

    private static readonly LineTarget _target = LineTarget.AtMost(1.01, 1.01);
    /// <summary>So few that what the engine does with their rows hardly shows: its merges come in bursts.</summary>
    private static readonly TimeSpan _batchInterval = TimeSpan.FromSeconds(2);

    /// <summary>Each has two writes of the tables, and two cuts of the partitions that get something.</summary>
    private static readonly TimeSpan _window = TimeSpan.FromSeconds(20);

    /// <summary>
    /// The compiler of .NET takes a method up anew after 30 calls, on a thread of its own, and what is done once in some seconds gets there long
    /// after the measurement. So it compiles everything once and for all here; the framework's own code stays a little slower than it becomes.
    /// </summary>
    private static readonly (string Name, string Value) _compilesOnce = ("DOTNET_TieredCompilation", "0");

    /// <summary>The group.</summary>
    public static LineGroup Group { get; } = new([Id], "whole program, CPU a flow with all telemetry on / all off", Run) { IsLong = true };

    private static IEnumerable<LineResult> Run(BenchContext context)
    {
        context.Log(Id);
        if (RepositoryRoot.FindWeir(out var reason) is not { } program)
        {
            yield return new LineResult(Id, "what telemetry costs", "ns/flow") { Skipped = reason, Target = _target };
            yield break;
        }

        var (probed, bare, ratio) = Probes(context);
        context.Forget();
        var now = (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var flows = new FlowSet(SeriesCount, RecordCount, timeSeconds: (now / 60 * 60) - 30);
        var full = ProcessLines.RunProgram(context, program, Format, flows);
        List<Light> windows = [.. SideBySide(context, program, flows, isOnFirst: true)];
        if (!context.Plan.IsQuick)
        {
            windows.AddRange(SideBySide(context, program, flows, isOnFirst: false));
        }

        var rate = full.RecordCount / full.Elapsed.TotalSeconds;
        var whole = full.ProcessNanos / full.RecordCount;
        var records = (ratio - 1) * bare; // The median of the rounds' own ratios, as everywhere.
        var cores = Rounds.Median([.. windows.Select(window => window.On - window.Off)]);
        var time = cores * 1e9 / rate;
        yield return new LineResult(Id, $"whole program, {Format}, CPU a flow with all telemetry on / all off", "ns/flow")
        {
            Ours = whole,
            Peer = whole - records - time,
            Ratio = whole / (whole - records - time),
            Target = context.Plan.IsQuick ? null : _target, // A few windows are not enough.
            Note = string.Create(
                CultureInfo.InvariantCulture,
                $"Probes: {records:F2} ns a flow, {records / whole:P2} (path in memory {probed:F2} and {bare:F2}, ratio {ratio:F4}). All else does not "
                + $"grow with the rate: {cores:F4} of a core under a light load ({Cores(windows.Select(window => window.On))} cores with telemetry, "
                + $"{Cores(windows.Select(window => window.Off))} without), which is {cores / full.Cores:P2} of the {full.Cores:F2} cores that the program "
                + $"uses at full speed, {time:F2} ns a flow at {rate / 1e6:F2} M flows/s. By thread, thousandths of a core: {ByThread(windows)}."),
        };
        context.Forget();
    }

    private static string Cores(IEnumerable<double> cores) =>
        string.Join(", ", cores.Select(value => value.ToString("F4", CultureInfo.InvariantCulture)));

    /// <summary>CPU a flow of the path in memory with probes and without them.</summary>
    private static (double Probed, double Bare, double Ratio) Probes(BenchContext context)
    {
        var flows = context.PathFlows(SeriesCount);
        var messages = flows.Messages(Format);
        using var path = new WeirPath(Format);
        ulong Pass(bool isProbed)
        {
            path.IsProbed = isProbed;
            return path.Run(messages).Checksum;
        }

        var rounds = Rounds.Measure(
            context.Plan with { RoundCount = context.Plan.RoundCount * RoundsFactor },
            RoundClock.ThreadCpu,
            flows.Count,
            new Contender("looked at", () => Pass(true)),
            new Contender("not looked at", () => Pass(false)));
        return (rounds.Nanos(0), rounds.Nanos(1), rounds.Ratio(0, 1));
    }

    /// <summary>Cores that two programs use for a few batches a second, with telemetry and without, in each window.</summary>
    private static List<Light> SideBySide(BenchContext context, string program, FlowSet flows, bool isOnFirst)
    {
        var directory = Directory.CreateTempSubdirectory("weir-bench-telemetry-").FullName;
        try
        {
            using var collector = new SpanCollector();
            var (broker, bootstrap) = WeirProgram.StartBroker(program, Feeder.Topic, Feeder.PartitionCount);
            using (broker)
            {
                using var feeder = new Feeder(bootstrap, flows, Format);
                using var first = Start(isOnFirst);
                using var second = Start(!isOnFirst);
                var (on, off) = isOnFirst ? (first, second) : (second, first);
                using var watchers = on.Watch();
                var windows = Measure(context, feeder, on, off);
                if (collector.RequestCount == 0 || watchers.ScrapeCount == 0 || watchers.EventBytes == 0)
                {
                    throw new ChecksumException($"Telemetry was not on: {collector.RequestCount} requests with spans, "
                        + $"{watchers.ScrapeCount} scrapes, {watchers.EventBytes} bytes of events.");
                }

                return windows;
            }

            WeirProgram Start(bool isOn)
            {
                var own = Directory.CreateDirectory(Path.Combine(directory, isOn ? "on" : "off")).FullName;
                var config = Path.Combine(own, "weir.yaml");
                File.WriteAllText(
                    config,
                    ProgramConfig.Text(bootstrap, Format, own, isOn ? "on" : "off")
                        + (isOn ? $"telemetry: {{ traces_url: \"{collector.Url}\" }}\n" : "telemetry: { tables: false }\n"));
                return WeirProgram.StartRun(program, config, isOn ? null : FaultPoint.NoTelemetry, _compilesOnce);
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static List<Light> Measure(BenchContext context, Feeder feeder, WeirProgram on, WeirProgram off)
    {
        var (warmUp, count) = context.Plan.IsQuick ? (TimeSpan.FromSeconds(20), 3) : (TimeSpan.FromSeconds(40), 6);
        Feed(feeder, warmUp);
        var windows = new List<Light>();
        for (var window = 0; window < count; window++)
        {
            var (onCpu, offCpu) = (CpuClock.ProcessNanos(on.Id), CpuClock.ProcessNanos(off.Id));
            var (onThreads, offThreads) = (CpuClock.ThreadNanos(on.Id), CpuClock.ThreadNanos(off.Id));
            var at = Stopwatch.GetTimestamp();
            Feed(feeder, _window);
            var nanos = Stopwatch.GetElapsedTime(at).TotalNanoseconds;
            windows.Add(new Light(
                (CpuClock.ProcessNanos(on.Id) - onCpu) / nanos,
                (CpuClock.ProcessNanos(off.Id) - offCpu) / nanos,
                Difference(onThreads, CpuClock.ThreadNanos(on.Id), offThreads, CpuClock.ThreadNanos(off.Id), nanos)));
        }

        return windows;
    }

    /// <summary>How much more each thread used with telemetry than without, in cores.</summary>
    private static Dictionary<string, double> Difference(
        IReadOnlyDictionary<string, long> onBefore,
        IReadOnlyDictionary<string, long> onAfter,
        IReadOnlyDictionary<string, long> offBefore,
        IReadOnlyDictionary<string, long> offAfter,
        double nanos) => onAfter.Keys.Union(offAfter.Keys).ToDictionary(
            name => name,
            name => (onAfter.GetValueOrDefault(name) - onBefore.GetValueOrDefault(name)
                - (offAfter.GetValueOrDefault(name) - offBefore.GetValueOrDefault(name))) / nanos);

    private static string ByThread(List<Light> windows) => string.Join(", ", windows
        .SelectMany(window => window.Threads)
        .GroupBy(thread => thread.Key, thread => thread.Value)
        .Select(thread => (Name: thread.Key, Cores: thread.Sum() / windows.Count))
        .OrderByDescending(thread => thread.Cores)
        .Take(ThreadsShown)
        .Select(thread => string.Create(CultureInfo.InvariantCulture, $"{thread.Name} {thread.Cores * 1000:F1}")));

    private static void Feed(Feeder feeder, TimeSpan duration)
    {
        var begun = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begun) < duration)
        {
            feeder.SendOne();
            Thread.Sleep(_batchInterval);
        }
    }

    /// <summary>One window of the two programs, in cores, and the difference by thread.</summary>
    private sealed record Light(double On, double Off, IReadOnlyDictionary<string, double> Threads);
}
