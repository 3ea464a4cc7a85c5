using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Weir.Bench.Lines;
using Weir.Bench.Measure;
using Weir.Bench.Processes;
using Weir.Bench.Report;

namespace Weir.Bench;

/// <summary>One run of <c>weir-bench</c>: measures the lines that are wanted, prints them as they come, and judges.</summary>
internal sealed class BenchRun(BenchOptions options, IReadOnlyList<LineGroup> groups, TextWriter output, TextWriter error)
{
    private const int Ok = 0;
    private const int Failed = 1;
    private const int WrongUsage = 2;

    /// <summary>Set in CI: a line with a floor that could not be measured fails the gate there.</summary>
    private const string CiVariable = "CI";

    private readonly List<LineResult> _lines = [];
    private readonly List<string> _failures = [];
    private IReadOnlyDictionary<string, double> _baseline = new Dictionary<string, double>();

    /// <summary>Runs.</summary>
    /// <returns>The exit code.</returns>
    public int Run()
    {
        if (options.IsList)
        {
            foreach (var group in groups)
            {
                output.WriteLine($"{string.Join(", ", group.Ids)}\n    {group.What}");
            }

            return Ok;
        }

        var baselinePath = options.BaselinePath ?? DefaultBaselinePath();
        BenchReport? before;
        try
        {
            before = File.Exists(baselinePath) ? BenchReport.Parse(File.ReadAllText(baselinePath), baselinePath) : null;
        }
        catch (InvalidDataException problem)
        {
            error.WriteLine($"weir-bench: {problem.Message}");
            return WrongUsage;
        }

        _baseline = before?.Ratios() ?? _baseline;
        var plan = options.IsQuick ? RoundPlan.Quick : RoundPlan.Full;
        var begun = Stopwatch.GetTimestamp();
        output.WriteLine(
            $"{Machine()}; {(options.IsQuick ? "quick: " : "")}medians of {plan.RoundCount} interleaved rounds; baseline "
            + (before is null ? "none" : $"of {before.MadeAt:yyyy-MM-dd}{(before.Quick ? ", quick" : "")}") + ".\n"
            + "Lines of one thread count the CPU of the measuring thread, pinned after warm-up; the others say what they count.\n");
        output.WriteLine(ReportTable.Header());
        foreach (var group in groups.Where(options.Wants))
        {
            if (options.LeavesOut(group))
            {
                LeaveOut(group);
                continue;
            }

            Measure(group, new BenchContext(plan, what => error.WriteLine($"  [{Stopwatch.GetElapsedTime(begun):mm\\:ss}] {what}")));
        }

        var report = Report(plan);
        if (options.JsonPath is { } path)
        {
            File.WriteAllText(path, report.ToJson());
        }

        if (options.WritesBaseline)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(baselinePath))!);
            File.WriteAllText(baselinePath, (before is null ? report : report.With(before)).ToJson());
        }

        return Conclude(Stopwatch.GetElapsedTime(begun));
    }

    /// <summary>Where the baseline lies: in the repository that the program was built in.</summary>
    private static string DefaultBaselinePath() =>
        Path.Combine(RepositoryRoot.DirectoryPath ?? AppContext.BaseDirectory, "bench", "baseline", "weir-bench.json");

    /// <summary>Says that lines were not measured, and how to have them.</summary>
    private void LeaveOut(LineGroup group)
    {
        foreach (var id in group.Ids)
        {
            var line = new LineResult(id, group.What, "")
            {
                Skipped = $"--quick leaves it out, to end within five minutes; ./weir-bench --only {id}",
            };
            _lines.Add(line);
            output.WriteLine(ReportTable.Line(line, Before(line)));
        }
    }

    private void Measure(LineGroup group, BenchContext context)
    {
        try
        {
            foreach (var line in group.Run(context))
            {
                if (options.Wants(line.Id))
                {
                    _lines.Add(line);
                    output.WriteLine(ReportTable.Line(line, Before(line)));
                }
            }
        }
        catch (ChecksumException problem)
        {
            _failures.Add($"{string.Join(", ", group.Ids)}: {problem.Message}");
            error.WriteLine($"weir-bench: {problem.Message}");
        }
    }

    private double? Before(LineResult line) => _baseline.TryGetValue(line.Id, out var ratio) ? ratio : null;

    private BenchReport Report(RoundPlan plan) => new()
    {
        MadeAt = DateTimeOffset.UtcNow,
        Machine = Machine(),
        Quick = plan.IsQuick,
        Rounds = plan.RoundCount,
        Lines = [.. _lines.Select(line => BenchReportLine.Of(line, Before(line)))],
    };

    private int Conclude(TimeSpan elapsed)
    {
        var mustBeComplete = string.Equals(Environment.GetEnvironmentVariable(CiVariable), "true", StringComparison.OrdinalIgnoreCase);
        var beyond = _lines
            .Select(line => (Line: line, Verdict: Gate.Judge(line, Before(line))))
            .Where(judged => Gate.Fails(judged.Verdict, judged.Line, mustBeComplete))
            .Select(judged => $"{judged.Line.Id} ({ReportTable.Number(judged.Line.Ratio)}: {judged.Verdict})")
            .ToList();
        var goalCount = _lines.Count(line => Gate.Judge(line, Before(line)) == Verdict.ReachesGoal);
        var measuredCount = _lines.Count(line => line.Skipped is null);
        var heldCount = _lines.Count(line => line.Target is not null && line.Ratio is not null);
        output.WriteLine(
            $"\n{measuredCount} lines in {elapsed:mm\\:ss}; of {heldCount} with a floor, {goalCount} reach their goal"
            + (beyond.Count == 0 ? ", none is beyond its floor or baseline." : $", {beyond.Count} fail: {string.Join(", ", beyond)}."));
        foreach (var failure in _failures)
        {
            output.WriteLine($"FAILED {failure}");
        }

        return _failures.Count > 0 || (options.IsGate && beyond.Count > 0) ? Failed : Ok;
    }

    private static string Machine() =>
        $".NET {Environment.Version}, {Environment.ProcessorCount} cores {RuntimeInformation.ProcessArchitecture}"
        + $"{(Avx512F.IsSupported ? ", AVX-512" : Avx2.IsSupported ? ", AVX2" : "")}, load {LoadAverage()}";

    private static string LoadAverage() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";
}
