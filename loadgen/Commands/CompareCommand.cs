using System.CommandLine;
using Weir.Codecs.Flow;
using Weir.Loadgen.Capture;
using Weir.Loadgen.Replay;
using Weir.Loadgen.Reports;
using Weir.Loadgen.Shadow;

namespace Weir.Loadgen.Commands;

/// <summary><c>weir-loadgen compare</c>: two pipelines, the same replay, two databases, and what differs.</summary>
internal static class CompareCommand
{
    private const string Topic = "flows";
    private const int DifferencesShown = 20;
    private const string Description = """
        Feeds two weirs (versions or configurations) the same capture and compares their views, window by window and row by row.

        Each gets a consumer group, a database and an admin port of its own; the broker is weir broker, in memory, unless --bootstrap names one.
        Exit 0 when nothing differs, 1 when something does. Examples:
          weir-loadgen compare flows.weircap --a now.yaml --b new.yaml
          weir-loadgen compare flows.weircap --weir-a ../old/weir --weir-b ./weir --report compare.html
          weir-loadgen compare flows.weircap --a now.yaml --b new.yaml --clickhouse http://127.0.0.1:8123 --speed 1
        """;

    private static readonly Argument<string> _file = new("file") { Description = "a capture of one topic" };
    private static readonly Option<string?> _a =
        CommandOptions.Of<string>("--a", "configuration of the first; its broker, topics, group, database and admin address are replaced");
    private static readonly Option<string?> _b = CommandOptions.Of<string>("--b", "configuration of the second");
    private static readonly Option<string?> _weirA =
        CommandOptions.Of<string>("--weir-a", "program of the first (default: the weir beside this program)");
    private static readonly Option<string?> _weirB = CommandOptions.Of<string>("--weir-b", "program of the second");
    private static readonly Option<string?> _format =
        CommandOptions.Of<string>(
            "--format", $"format of the records, where the capture does not say it: {string.Join(" | ", FlowFormats.Names)}");
    private static readonly Option<string?> _bootstrap =
        CommandOptions.Of<string>("--bootstrap", "brokers; the topic weir-loadgen-compare must be empty");
    private static readonly Option<string?> _clickHouse =
        CommandOptions.Of<string>(
            "--clickhouse", "address of a ClickHouse server, databases weir_loadgen_a and weir_loadgen_b (default: embedded stores)");
    private static readonly Option<string> _speed = CommandOptions.Of("--speed", "recorded seconds for each real one, or max", "max");
    private static readonly Option<bool> _retime =
        CommandOptions.Of("--retime", "move the times to now: rows that old are else removed by the tables' TTL", false);
    private static readonly Option<string?> _directory =
        CommandOptions.Of<string>("--directory", "keep the stores here (default: a temporary directory)");
    private static readonly Option<string?> _report = CommandOptions.Of<string>("--report", "write a report: .md or .html");
    private static readonly Option<bool> _json = CommandOptions.Json();

    /// <summary>The command with its options.</summary>
    public static Command Create()
    {
        var command = new Command("compare", Description)
        {
            _file, _a, _b, _weirA, _weirB, _format, _bootstrap, _clickHouse, _speed, _retime, _directory, _report, _json,
        };
        command.SetAction((arguments, cancellation) => CommandOptions.GuardAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        using var capture = CaptureReader.Open(arguments.GetValue(_file)!);
        var header = capture.Header.Topics;
        var format = arguments.GetValue(_format) ?? header[0].Format ?? throw new ArgumentException(
            "The capture does not say the format of its records: --format.");
        if (header.Count != 1)
        {
            throw new ArgumentException("The capture has more than one topic: capture cut takes none apart, capture them apart.");
        }

        if (!ReplayControl.TryReadSpeed(arguments.GetValue(_speed)!, out var speed))
        {
            throw new ArgumentException("--speed: allowed are a number above 0, or max");
        }

        var kept = arguments.GetValue(_directory);
        var directory = kept is null ? Directory.CreateTempSubdirectory("weir-compare-") : Directory.CreateDirectory(kept);
        WeirProgram? broker = null;
        try
        {
            var bootstrap = arguments.GetValue(_bootstrap);
            var topic = bootstrap is null ? Topic : "weir-loadgen-compare";
            var program = WeirProgram.Find(arguments.GetValue(_weirB));
            if (bootstrap is null)
            {
                (broker, bootstrap) =
                    await WeirProgram.StartBrokerAsync(program, directory.FullName, [$"{topic}:{header[0].PartitionCount}"], cancellation);
            }

            PipelineOptions Pipeline(string name, string weir, string? config) => new()
            {
                Name = name, Program = weir, ConfigFile = config, Directory = Path.Combine(directory.FullName, name),
                ClickHouseUrl = arguments.GetValue(_clickHouse), Bootstrap = bootstrap, Topic = topic, Format = format,
            };
            using var a = new WeirPipeline(Pipeline("a", WeirProgram.Find(arguments.GetValue(_weirA)), arguments.GetValue(_a)));
            using var b = new WeirPipeline(Pipeline("b", program, arguments.GetValue(_b)));
            var run = new ShadowRun(a, b, bootstrap, topic) { Say = Console.Error.WriteLine };
            var result = await run.RunAsync(
                capture, new CaptureReplayOptions { Formats = [format], IsRetimed = arguments.GetValue(_retime) }, speed, cancellation);
            var report = ReportOf(result);
            Console.Out.WriteLine(arguments.GetValue(_json) ? ToJson(result) : report.ToMarkdown());
            if (arguments.GetValue(_report) is { } path)
            {
                report.Write(path);
            }

            return result.IsEqual && CaptureFileCommands.ReportDamages(capture) == 0 ? 0 : 1;
        }
        finally
        {
            broker?.Dispose();
            if (kept is null)
            {
                directory.Delete(recursive: true);
            }
        }
    }

    private static Report ReportOf(ShadowResult result)
    {
        var report = new Report("Shadow run");
        report.Text(CommandOptions.Text(
            $"{result.MessageCount:N0} messages to both in {result.Elapsed.TotalSeconds:0.0} s. {(result.IsEqual ? "Nothing differs." : "The views differ.")}"));
        report.Heading("Views");
        report.Table([
            (string[])["view", "windows", "different windows", "equal rows", "missing in b", "only in b", "other meters"],
            .. result.Views.Select(view => (string[])
            [
                view.View, Count(view.WindowCount), Count(view.DifferentWindows.Count), Count(view.EqualRowCount),
                    Count(view.MissingRowCount),
                Count(view.ExtraRowCount), Count(view.DifferentRowCount),
            ])]);
        if (result.Differences.Count > 0)
        {
            report.Heading("The largest differences");
            report.Table([
                (string[])["view, time, tags", "a", "b", "size"],
                .. result.Differences.Take(DifferencesShown).Select(difference => (string[])
                [
                    $"{difference.View} {difference.Key.Replace('\t', ' ')}", difference.A?.Replace('\t', ' ') ?? "missing",
                        difference.B?.Replace('\t', ' ') ?? "missing",
                    difference.Size.ToString(System.Globalization.CultureInfo.InvariantCulture),
                ])]);
        }

        report.Heading("Resources");
        report.Table([
            (string[])["", "a", "b", "b / a"],
            Row("CPU, s", result, bill => bill.CpuSeconds, "0.0"),
            Row("peak memory, MiB", result, bill => bill.PeakBytes / 1048576.0, "0"),
            Row("bytes to disk, MiB", result, bill => bill.DiskBytes / 1048576.0, "0.0"),
            Row("bytes to ClickHouse, MiB", result, bill => bill.SentBytes / 1048576.0, "0.0"),
            Row("freshness, mean s", result, bill => bill.FreshnessMean, "0.0"),
            Row("freshness, worst s", result, bill => bill.FreshnessMax, "0.0"),
        ]);
        report.Plot("CPU seconds over seconds of the run",
            [.. result.Bills.Select(bill => new PlotLine(bill.Name, [.. bill.Samples.Select(sample => (sample.At, sample.CpuSeconds))]))]);
        report.Plot("Memory resident, MiB, over seconds of the run",
            [.. result.Bills.Select(
                bill => new PlotLine(bill.Name, [.. bill.Samples.Select(sample => (sample.At, sample.ResidentBytes / 1048576.0))]))]);
        return report;
    }

    private static string[] Row(string name, ShadowResult result, Func<PipelineBill, double> read, string format)
    {
        var (a, b) = (read(result.Bills[0]), read(result.Bills[1]));
        string Text(double value) => value.ToString(format, System.Globalization.CultureInfo.InvariantCulture);
        return [name, Text(a), Text(b), a > 0 ? CommandOptions.Text($"{b / a:0.00}") : ""];
    }

    private static string Count(long count) => CommandOptions.Text($"{count:N0}");

    private static string ToJson(ShadowResult result) => CommandOptions.ToJson(json =>
    {
        json.WriteBoolean("equal", result.IsEqual);
        json.WriteNumber("messages", result.MessageCount);
        json.WriteStartArray("views");
        foreach (var view in result.Views)
        {
            json.WriteStartObject();
            json.WriteString("view", view.View);
            json.WriteNumber("windows", view.WindowCount);
            json.WriteNumber("different_windows", view.DifferentWindows.Count);
            json.WriteNumber("equal_rows", view.EqualRowCount);
            json.WriteNumber("missing_rows", view.MissingRowCount);
            json.WriteNumber("extra_rows", view.ExtraRowCount);
            json.WriteNumber("different_rows", view.DifferentRowCount);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("largest_differences");
        foreach (var difference in result.Differences.Take(DifferencesShown))
        {
            json.WriteStartObject();
            json.WriteString("view", difference.View);
            json.WriteString("key", difference.Key);
            json.WriteString("a", difference.A);
            json.WriteString("b", difference.B);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("pipelines");
        foreach (var bill in result.Bills)
        {
            json.WriteStartObject();
            json.WriteString("name", bill.Name);
            json.WriteNumber("cpu_s", bill.CpuSeconds);
            json.WriteNumber("peak_bytes", bill.PeakBytes);
            json.WriteNumber("disk_bytes", bill.DiskBytes);
            json.WriteNumber("sent_bytes", bill.SentBytes);
            json.WriteNumber("freshness_mean_s", Math.Round(bill.FreshnessMean, 3));
            json.WriteNumber("freshness_max_s", Math.Round(bill.FreshnessMax, 3));
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });
}
