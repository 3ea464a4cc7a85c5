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
/// paid for time, whatever the rate is: CPU of the whole program under a light load, once with registry, scrapes each second, a viewer
/// of the page, history, diagnosis, <c>weir_system</c> tables and traces, and once with none of them
/// (<c>WEIR_FAULT=no-telemetry</c>, <c>telemetry.tables: false</c>); the program hardly works otherwise, so hundredths of a core show.
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

    private static readonly LineTarget _target = LineTarget.AtMost(1.01, 1.01);
    private static readonly TimeSpan _batchInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>The order cancels a machine that grows slower or faster.</summary>
    private static readonly bool[] _turns = [true, false, false, true, true, false];

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
        var (on, off) = (new List<double>(), new List<double>());
        foreach (var isOn in context.Plan.IsQuick ? _turns[..2] : _turns)
        {
            (isOn ? on : off).Add(LightCores(context, program, flows, isOn));
        }

        var rate = full.RecordCount / full.Elapsed.TotalSeconds;
        var whole = full.ProcessNanos / full.RecordCount;
        var records = (ratio - 1) * bare; // The median of the rounds' own ratios, as everywhere.
        var time = (Rounds.Median(on) - Rounds.Median(off)) * 1e9 / rate;
        yield return new LineResult(Id, $"whole program, {Format}, CPU a flow with all telemetry on / all off", "ns/flow")
        {
            Ours = whole,
            Peer = whole - records - time,
            Ratio = whole / (whole - records - time),
            Target = context.Plan.IsQuick ? null : _target, // One turn of each is not enough.
            Note = $"Probes: {records:F2} ns a flow (path in memory {probed:F2} and {bare:F2}, ratio {ratio:F4}). Under a light load "
                + $"{Cores(on)} cores with telemetry, {Cores(off)} without: {time:F2} ns a flow at {rate / 1e6:F2} M flows/s.",
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

    /// <summary>Cores that the program uses for a few batches a second.</summary>
    private static double LightCores(BenchContext context, string program, FlowSet flows, bool isOn)
    {
        var directory = Directory.CreateTempSubdirectory("weir-bench-telemetry-").FullName;
        try
        {
            using var collector = isOn ? new SpanCollector() : null;
            var (broker, bootstrap) = WeirProgram.StartBroker(program, Feeder.Topic, Feeder.PartitionCount);
            using (broker)
            {
                using var feeder = new Feeder(bootstrap, flows, Format);
                var config = Path.Combine(directory, "weir.yaml");
                File.WriteAllText(
                    config,
                    ProgramConfig.Text(bootstrap, Format, directory)
                        + (isOn ? $"telemetry: {{ traces_url: \"{collector!.Url}\" }}\n" : "telemetry: { tables: false }\n"));
                using var weir = WeirProgram.StartRun(program, config, isOn ? null : FaultPoint.NoTelemetry);
                using var watchers = isOn ? weir.Watch() : null;
                var (warmUp, duration) = context.Plan.IsQuick
                    ? (TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(15)) // A cut each 10 s, and its spans 5 s later.
                    : (TimeSpan.FromSeconds(45), TimeSpan.FromSeconds(40)); // The compiler is done by then.
                Feed(feeder, warmUp);
                var (cpu, at) = (CpuClock.ProcessNanos(weir.Id), Stopwatch.GetTimestamp());
                Feed(feeder, duration);
                var cores = (CpuClock.ProcessNanos(weir.Id) - cpu) / Stopwatch.GetElapsedTime(at).TotalNanoseconds;
                if (isOn && (collector!.RequestCount == 0 || watchers!.ScrapeCount == 0 || watchers.EventBytes == 0))
                {
                    throw new ChecksumException($"Telemetry was not on: {collector.RequestCount} requests with spans, "
                        + $"{watchers!.ScrapeCount} scrapes, {watchers.EventBytes} bytes of events.");
                }

                return cores;
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static void Feed(Feeder feeder, TimeSpan duration)
    {
        var begun = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begun) < duration)
        {
            feeder.SendOne();
            Thread.Sleep(_batchInterval);
        }
    }
}
