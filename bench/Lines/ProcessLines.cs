using System.Diagnostics;
using Weir.Bench.Flows;
using Weir.Bench.Measure;
using Weir.Bench.Paths;
using Weir.Bench.Processes;
using Weir.Bench.Report;

namespace Weir.Bench.Lines;

/// <summary>
/// The whole program: <c>weir broker</c> and <c>weir run</c> as processes, LZ4 batches over TCP, the embedded engine, all telemetry on.
/// </summary>
/// <remarks>
/// 100,000 series by zipf over 16 partitions, both edge views, options as they come. The account must close: every record that the broker
/// took is read, folded and stored.
/// </remarks>
internal static class ProcessLines
{
    private const int SeriesCount = 100_000;
    private const int RecordCount = 400_000;

    /// <summary>
    /// How many times the in-memory path reads the records in one cut, so that as many fold into a row as in the
    /// process.
    /// </summary>
    private const int RepeatCount = 5;

    /// <summary>Threads that take less of a flow are not told.</summary>
    private const double ShownNanosMin = 0.05;

    private static readonly string[] _consumerThreads = ["ingest ", "source", "dead letters", "weir", "rdk:", ".NET", "dotnet"];

    /// <summary>Records before the compiler of .NET has come to an end, on a machine that leaves it time.</summary>
    private const long WarmUpRecords = 10_000_000;

    private static readonly TimeSpan _warmUpMax = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan _catchUpTimeout = TimeSpan.FromSeconds(180);

    private static readonly (string Format, string Name, double RequiredMillions, LineTarget? Cpu)[] _formats =
    [
        ("weir-proto", "proto", 3, LineTarget.AtMost(1.35, 1.35)),
        ("weir", "native", 4.5, LineTarget.AtMost(1.35, 1.35)),
        ("pmacct-json", "json", 1, null),
    ];

    /// <summary>A group for each format.</summary>
    public static IReadOnlyList<LineGroup> Groups { get; } = [.. _formats.Select(format => new LineGroup(
        Ids(format.Name, hasLimit: format.Cpu is not null),
        $"whole program, {format.Format}, sustained: M flows/s / the rate required; CPU a flow / the in-memory path's, / that with "
            + "librdkafka's own; gen-2 collections",
        context => Run(context, format.Format, format.Name, format.RequiredMillions, format.Cpu))
    {
        IsLong = format.Name == "json", // The other two tell whether a change made the program slower.
    })];

    private static string[] Ids(string name, bool hasLimit)
    {
        string[] limit = hasLimit ? [$"process.{name}.limit"] : [];
        return [$"process.{name}.rate", $"process.{name}.cpu", .. limit, $"process.{name}.gen2"];
    }

    private static IEnumerable<LineResult> Run(BenchContext context, string format, string name, double required, LineTarget? cpu)
    {
        context.Log($"process.{name}");
        if (RepositoryRoot.FindWeir(out var reason) is not { } program)
        {
            yield return new LineResult($"process.{name}.rate", $"whole program, {format}", "M flows/s")
            {
                Skipped = reason,
                Target = LineTarget.AtLeast(1, 1),
            };
            yield break;
        }

        foreach (var line in Measure(context, program, format, name, required, cpu))
        {
            yield return line;
        }

        context.Forget();
    }

    private static IEnumerable<LineResult> Measure(
        BenchContext context, string program, string format, string name, double required, LineTarget? cpuTarget)
    {
        var now = (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var flows = new FlowSet(SeriesCount, RecordCount, timeSeconds: (now / 60 * 60) - 30);
        var inMemory = InMemoryNanos(context, format, flows);
        var run = RunProgram(context, program, format, flows);
        var rate = run.RecordCount / run.Elapsed.TotalSeconds / 1e6;
        yield return new LineResult(
            $"process.{name}.rate",
            $"whole program, {format}, sustained for {run.Elapsed.TotalSeconds:F0} s / the rate required",
            "M flows/s")
        {
            Ours = rate,
            Peer = required,
            Ratio = rate / required,
            Target = LineTarget.AtLeast(1, 1),
            Note = $"{run.ReadCount:N0} records read = folded, none lost; resident {run.ResidentBytes >> 20} MiB at the end; "
                + $"broker and feeder share the {Environment.ProcessorCount} cores: {run.BrokerCores:F2} and {run.FeederCores:F2} of a core, "
                + $"weir {run.Cores:F2}.",
        };
        foreach (var line in Cpu(context, program, flows, format, name, inMemory, run, cpuTarget))
        {
            yield return line;
        }

        yield return new LineResult($"process.{name}.gen2", "gen-2 collections of the program in that time", "count")
        {
            Ours = run.Gen2Count,
            Ratio = run.Gen2Count,
            Target = run.Gen2Count is null ? null : LineTarget.AtMost(0, 0),
            Skipped = run.Gen2Count is null ? "this build of weir has no metric of its collections" : null,
        };
    }

    /// <summary>The consumer's CPU beside what cannot be less: the path in memory, and that with librdkafka's own consuming.</summary>
    private static IEnumerable<LineResult> Cpu(
        BenchContext context,
        string program,
        FlowSet flows,
        string format,
        string name,
        double inMemory,
        ProgramRun run,
        LineTarget? target)
    {
        var consumer = run.ConsumerNanos / run.RecordCount;
        var threads = run.ConsumerThreads
            .Select(thread => (thread.Name, Nanos: thread.Nanos / run.RecordCount))
            .Where(thread => thread.Nanos >= ShownNanosMin)
            .Select(thread => $"{thread.Name} {thread.Nanos:F1}");
        yield return new LineResult($"process.{name}.cpu", $"CPU a flow of the consumer's side / the in-memory path, {format}", "ns/flow")
        {
            Ours = consumer,
            Peer = inMemory,
            Ratio = consumer / inMemory,
            Target = target,
            Note = $"All threads of weir but those of the embedded engine: {string.Join(", ", threads)}; with the engine "
                + $"{run.ProcessNanos / run.RecordCount:F0} ns. Engine: {run.EngineThreads}.",
        };
        if (target is null)
        {
            yield break;
        }

        var client = BareConsumer.NanosPerFlow(context.Plan, program, flows, format);
        yield return new LineResult(
            $"process.{name}.limit",
            $"CPU a flow of the consumer's side / (the in-memory path + librdkafka's own consuming), {format}",
            "ns/flow")
        {
            Ours = consumer,
            Peer = inMemory + client,
            Ratio = consumer / (inMemory + client),
            Note = $"librdkafka alone, the same batches and settings, messages gone through and released: {client:F1} ns. So the "
                + $"consumer's side takes at least {(inMemory + client) / inMemory:F2} times what the in-memory path takes.",
        };
    }

    /// <summary>CPU a flow of the path without Kafka and ClickHouse, over a cut in which about as many flows fold into a row.</summary>
    private static double InMemoryNanos(BenchContext context, string format, FlowSet flows)
    {
        var messages = flows.Messages(format);
        byte[][] cut = [.. Enumerable.Repeat(messages, RepeatCount).SelectMany(once => once)];
        using var path = new WeirPath(format);
        var plan = context.Plan with { RoundCount = Math.Max(3, context.Plan.RoundCount / 3) };
        var inMemory = new Contender("Weir in memory", () => path.Run(cut).Checksum);
        return Rounds.Measure(plan, RoundClock.ThreadCpu, (long)flows.Count * RepeatCount, inMemory).Nanos(0);
    }

    /// <summary>Runs broker and weir, and feeds them.</summary>
    /// <param name="context">Plan and log.</param>
    /// <param name="program">weir.dll.</param>
    /// <param name="format">Of the messages.</param>
    /// <param name="flows">What they hold.</param>
    internal static ProgramRun RunProgram(BenchContext context, string program, string format, FlowSet flows)
    {
        var directory = Directory.CreateTempSubdirectory("weir-bench-run-").FullName;
        try
        {
            var (broker, bootstrap) = WeirProgram.StartBroker(program, Feeder.Topic, Feeder.PartitionCount);
            using (broker)
            {
                using var feeder = new Feeder(bootstrap, flows, format);
                feeder.Fill();
                var config = Path.Combine(directory, "weir.yaml");
                File.WriteAllText(config, ProgramConfig.Text(bootstrap, format, directory));
                using var weir = WeirProgram.StartRun(program, config);
                return Sustain(context, broker, feeder, weir);
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static ProgramRun Sustain(BenchContext context, WeirProgram broker, Feeder feeder, WeirProgram weir)
    {
        var (warmUp, duration) = context.Plan.IsQuick
            ? (TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(8))
            : (TimeSpan.FromSeconds(12), TimeSpan.FromSeconds(60));
        var begun = Stopwatch.GetTimestamp();
        feeder.Run(weir.NextOffsets, () => Stopwatch.GetElapsedTime(begun) >= (feeder.SentCount < WarmUpRecords ? _warmUpMax : warmUp));
        var before = Reading.Of(broker, weir);
        begun = Stopwatch.GetTimestamp();
        feeder.Run(weir.NextOffsets, () => Stopwatch.GetElapsedTime(begun) >= duration);
        var after = Reading.Of(broker, weir);

        double Account(string line) => WeirProgram.Sum(weir.Metrics(), "weir_writer_account_records_total", $"line=\"{line}\"");
        weir.Await(() => (long)Account("read") >= feeder.SentCount, "store all that was sent", _catchUpTimeout);
        var (read, folded) = ((long)Account("read"), (long)Account("folded"));
        var resident = ProcessMemory.ResidentBytes(weir.Id);
        var code = weir.Stop();
        if (read != feeder.SentCount || folded != read || code != 0)
        {
            throw new ChecksumException($"The account does not close: {feeder.SentCount} sent, {read} read, {folded} folded, "
                + $"exit code {code}.");
        }

        return before.To(after, read, resident);
    }

    /// <summary>Counters at one moment.</summary>
    private sealed record Reading(
        long At,
        double ReadCount,
        double? Gen2Count,
        long WeirNanos,
        long BrokerNanos,
        long OwnNanos,
        IReadOnlyDictionary<string, long> Threads)
    {
        internal static Reading Of(WeirProgram broker, WeirProgram weir)
        {
            var metrics = weir.Metrics();
            var gen2 = metrics.Where(series => IsGen2(series.Key)).Select(series => (double?)series.Value).FirstOrDefault();
            return new Reading(
                Stopwatch.GetTimestamp(),
                WeirProgram.Sum(metrics, "weir_ingest_read_records_total"),
                gen2,
                CpuClock.ProcessNanos(weir.Id),
                CpuClock.ProcessNanos(broker.Id),
                CpuClock.ProcessNanos(),
                CpuClock.ThreadNanos(weir.Id));
        }

        internal ProgramRun To(Reading after, long readCount, long residentBytes)
        {
            var elapsed = Stopwatch.GetElapsedTime(At, after.At);
            var threads = after.Threads.ToDictionary(thread => thread.Key, thread => thread.Value - Threads.GetValueOrDefault(thread.Key));
            var process = after.WeirNanos - WeirNanos;
            var consumer = threads.Where(thread => IsConsumer(thread.Key))
                .GroupBy(thread => KindOf(thread.Key))
                .Select(kind => (Name: kind.Key, Nanos: (double)kind.Sum(thread => thread.Value)))
                .OrderByDescending(kind => kind.Nanos)
                .ToList();
            var engine = threads.Where(thread => !IsConsumer(thread.Key) && thread.Value > 0)
                .OrderByDescending(thread => thread.Value)
                .Take(4)
                .Select(thread => $"{thread.Key} {100.0 * thread.Value / Math.Max(1, process):F0} %");
            double Cores(long nanos) => nanos / elapsed.TotalNanoseconds;
            return new ProgramRun(
                elapsed,
                after.ReadCount - ReadCount,
                readCount,
                residentBytes,
                process,
                consumer.Sum(kind => kind.Nanos),
                consumer,
                string.Join(", ", engine),
                after.Gen2Count - Gen2Count,
                Cores(process),
                Cores(after.BrokerNanos - BrokerNanos),
                Cores(after.OwnNanos - OwnNanos));
        }

        /// <summary>
        /// Weir's own threads, .NET's and librdkafka's; what is left is the embedded engine's. The kernel keeps 15
        /// characters.
        /// </summary>
        private static bool IsConsumer(string thread) =>
            !thread.StartsWith("weir-store", StringComparison.Ordinal)
            && _consumerThreads.Any(name => thread.StartsWith(name, StringComparison.Ordinal));

        /// <summary>Threads of one kind are told apart by a number at the end.</summary>
        private static string KindOf(string thread) => thread.TrimEnd([' ', '-', .. "0123456789"]);

        private static bool IsGen2(string series) =>
            series.Contains("gc", StringComparison.Ordinal) && series.Contains("generation=\"2\"", StringComparison.Ordinal);
    }

    /// <summary>What a run came to.</summary>
    internal sealed record ProgramRun(
        TimeSpan Elapsed,
        double RecordCount,
        long ReadCount,
        long ResidentBytes,
        double ProcessNanos,
        double ConsumerNanos,
        IReadOnlyList<(string Name, double Nanos)> ConsumerThreads,
        string EngineThreads,
        double? Gen2Count,
        double Cores,
        double BrokerCores,
        double FeederCores);
}
