using System.Diagnostics;
using Weir.Bench.Flows;
using Weir.Bench.Lines;
using Weir.Bench.Measure;

namespace Weir.Bench.Processes;

/// <summary>How one of the two programs of a pair is run.</summary>
/// <param name="Name">Of its consumer group and directory.</param>
/// <param name="Fault">For <c>WEIR_FAULT</c>; null for none.</param>
/// <param name="Options">More lines of its configuration.</param>
internal sealed record ProgramSetting(string Name, string? Fault = null, string Options = "");

/// <summary>
/// Two settings of the program side by side: each in a consumer group of its own, they read the same topic at the same time, so what
/// else happens on the machine happens to both, and their CPU a flow may be compared to a percent.
/// </summary>
/// <remarks>
/// One run after the other differ by 10 to 20 % on a shared machine. The pair is run twice, started in the other order the second time.
/// A window is as long as the interval of flushes, so that each holds one. The two accounts must close.
/// </remarks>
internal static class ProgramPair
{
    private static readonly TimeSpan _catchUpTimeout = TimeSpan.FromSeconds(180);

    /// <summary>Runs the pair in both orders.</summary>
    /// <param name="context">Plan and log.</param>
    /// <param name="program">weir.dll.</param>
    /// <param name="format">Of the messages.</param>
    /// <param name="flows">What they hold.</param>
    /// <param name="one">The first setting.</param>
    /// <param name="other">The second one.</param>
    /// <returns>CPU a flow of both in each window, ns.</returns>
    public static IReadOnlyList<(double One, double Other)> Measure(
        BenchContext context, string program, string format, FlowSet flows, ProgramSetting one, ProgramSetting other)
    {
        var windows = new List<(double One, double Other)>();
        windows.AddRange(RunOnce(context, program, format, flows, [one, other]).Select(nanos => (nanos[0], nanos[1])));
        windows.AddRange(RunOnce(context, program, format, flows, [other, one]).Select(nanos => (nanos[1], nanos[0])));
        return windows;
    }

    private static List<double[]> RunOnce(
        BenchContext context, string program, string format, FlowSet flows, IReadOnlyList<ProgramSetting> settings)
    {
        var directory = Directory.CreateTempSubdirectory("weir-bench-pair-").FullName;
        var weirs = new List<WeirProgram>();
        try
        {
            var (broker, bootstrap) = WeirProgram.StartBroker(program, Feeder.Topic, Feeder.PartitionCount);
            using (broker)
            {
                using var feeder = new Feeder(bootstrap, flows, format);
                feeder.Fill();
                foreach (var setting in settings)
                {
                    var own = Directory.CreateDirectory(Path.Combine(directory, setting.Name)).FullName;
                    var config = Path.Combine(own, "weir.yaml");
                    File.WriteAllText(config, ProgramConfig.Text(bootstrap, format, own, setting.Name) + setting.Options);
                    weirs.Add(WeirProgram.StartRun(program, config, setting.Fault));
                }

                return Sustain(context, feeder, weirs);
            }
        }
        finally
        {
            weirs.ForEach(weir => weir.Dispose());
            Directory.Delete(directory, recursive: true);
        }
    }

    private static List<double[]> Sustain(BenchContext context, Feeder feeder, List<WeirProgram> weirs)
    {
        var (warmUp, windowCount) = context.Plan.IsQuick ? (TimeSpan.FromSeconds(15), 2) : (TimeSpan.FromSeconds(40), 9);
        Run(feeder, weirs, warmUp);
        var windows = new List<double[]>();
        var before = weirs.ConvertAll(Reading.Of);
        for (var window = 0; window < windowCount; window++)
        {
            Run(feeder, weirs, ProgramConfig.FlushInterval);
            var after = weirs.ConvertAll(Reading.Of);
            windows.Add([.. after.Zip(before, (end, begin) => (end.Nanos - begin.Nanos) / (end.RecordCount - begin.RecordCount))]);
            before = after;
        }

        foreach (var weir in weirs)
        {
            double Account(string line) => WeirProgram.Sum(weir.Metrics(), "weir_writer_account_records_total", $"line=\"{line}\"");
            weir.Await(() => (long)Account("read") >= feeder.SentCount, "store all that was sent", _catchUpTimeout);
            if ((long)Account("read") != feeder.SentCount || (long)Account("folded") != feeder.SentCount || weir.Stop() != 0)
            {
                throw new ChecksumException($"The account does not close: {feeder.SentCount} sent, {Account("read")} read.");
            }
        }

        return windows;
    }

    /// <summary>Feeds both for a while; the slower one leads.</summary>
    private static void Run(Feeder feeder, List<WeirProgram> weirs, TimeSpan duration)
    {
        var begun = Stopwatch.GetTimestamp();
        feeder.Run(
            () => weirs.SelectMany(weir => weir.NextOffsets())
                .GroupBy(position => position.Key)
                .ToDictionary(partition => partition.Key, partition => partition.Min(position => position.Value)),
            () => Stopwatch.GetElapsedTime(begun) >= duration);
    }

    private sealed record Reading(double RecordCount, long Nanos)
    {
        internal static Reading Of(WeirProgram weir) =>
            new(WeirProgram.Sum(weir.Metrics(), "weir_ingest_read_records_total"), CpuClock.ProcessNanos(weir.Id));
    }
}
