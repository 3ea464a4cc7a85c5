using System.CommandLine;
using Weir.Loadgen.Generate;
using Weir.Loadgen.Kafka;
using Weir.Loadgen.Reports;

namespace Weir.Loadgen.Commands;

/// <summary>What <c>weir-loadgen generate</c> says at its end: as text, as JSON, and as a report.</summary>
/// <remarks>One thread: readings are taken while the run goes on, the rest when it has ended.</remarks>
internal sealed class GenerateOutput(GeneratorOptions options, IGenerateRun run, TopicProducer? producer, bool isPaced)
{
    private const double Megabyte = 1e6;
    private readonly RunSamples _samples = new(valueCount: 4);

    private GeneratedTotals Totals => run.Totals;

    private double RecordsPerSecond => Totals.RecordCount / Math.Max(run.Elapsed.TotalSeconds, 1e-9);

    private double CpuNanos => run.GeneratorCpu.TotalMicroseconds * 1_000 / Math.Max(Totals.RecordCount, 1);

    /// <summary>Records that nothing took.</summary>
    public long NotTakenCount => run.UnsentRecordCount + (producer?.Delivered.FailedRecordCount ?? 0);

    /// <summary>Takes a reading for the plots.</summary>
    public void Sample() => _samples.Add(
        run.Elapsed.TotalSeconds, run.HandledRecordCount, run.HandledBytes,
        producer?.Delivered.RecordCount ?? run.HandledRecordCount, run.BehindSeconds);

    /// <summary>The totals as one JSON object.</summary>
    public string ToJson(bool withWindows) => CommandOptions.ToJson(json =>
    {
        json.WriteString("format", options.Format);
        json.WriteNumber("seed", options.Seed);
        json.WriteNumber("start", options.StartSecond);
        json.WriteNumber("seconds", Math.Round(run.Elapsed.TotalSeconds, 3));
        json.WriteNumber("records_per_s", Math.Round(RecordsPerSecond));
        json.WriteNumber("cpu_ns_per_record", Math.Round(CpuNanos, 1));
        json.WriteNumber("waited_s", Math.Round(run.WaitedSeconds, 3));
        json.WriteNumber("failed_records", NotTakenCount);
        json.WriteString("sha256", run.Hash);
        if (run is LoopRun loop)
        {
            json.WriteNumber("batches", loop.BatchCount);
            json.WriteNumber("stored_bytes", loop.StoredBytes);
        }

        Totals.WriteTo(json, withWindows);
    });

    /// <summary>The totals in words.</summary>
    public string ToText()
    {
        var lines = new List<string>
        {
            Summary(),
            Waited(),
            CommandOptions.Text(
                $"seed {options.Seed}, start {options.StartSecond}, {Totals.SeriesMadeCount:N0} series made{(run.Hash is null ? "" : $", sha256 {run.Hash}")}"),
            CommandOptions.Text(
                $"must be folded {Totals.MeterSums[0]:N0}, rejected {Totals.MalformedCount:N0}, late {Totals.LateCount:N0} (out of order {Totals.OutOfOrderCount:N0})"),
            "each view must add up to",
        };
        for (var meter = 0; meter < GeneratedTotals.Meters.Count; meter++)
        {
            lines.Add(CommandOptions.Text($"  {GeneratedTotals.Meters[meter],-16} {Totals.MeterSums[meter],24:N0}"));
        }

        for (var view = 0; view < GeneratedTotals.Views.Count && options.CountsRows; view++)
        {
            lines.Add(CommandOptions.Text($"rows of {GeneratedTotals.Views[view].Name,-12} {Totals.RowCount(view),24:N0}"));
        }

        if (run is LoopRun loop)
        {
            lines.Add(CommandOptions.Text(
                $"{loop.BatchCount:N0} finished batches, {loop.StoredBytes:N0} bytes as stored: event times and records repeat"));
        }

        if (NotTakenCount > 0 && run.Problem is { } problem)
        {
            lines.Add($"not all was taken: {problem}");
        }

        return string.Join(Environment.NewLine, lines);
    }

    /// <summary>The report.</summary>
    public Report ToReport(ParseResult arguments)
    {
        var report = new Report("Generated load");
        report.Text(Summary());
        report.Text(Waited());
        report.Heading("While it ran");
        var rates = new List<PlotLine> { _samples.Rates("sent", 0) };
        if (producer is not null)
        {
            rates.Add(_samples.Rates("acknowledged", 2));
        }

        if (isPaced && !options.IsRateInBytes)
        {
            rates.Add(new PlotLine("asked for", [.. rates[0].Points.Select(point => (point.X, options.Rate.At(point.X)))]));
        }

        report.Plot("Records a second, over seconds", rates);
        report.Plot("MB a second (10^6 bytes of message values, before compression)", [_samples.Rates("sent", 1, Megabyte)]);
        if (isPaced)
        {
            report.Plot("Behind the schedule, s", [_samples.Values("behind", 3)]);
        }

        report.Heading("Records");
        report.Table([
            (string[])["", "records"],
            Row("made", Totals.RecordCount),
            Row("must be folded", (long)Totals.MeterSums[0]),
            Row("must be rejected", Totals.MalformedCount),
            Row("must be late", Totals.LateCount),
            Row("out of order", Totals.OutOfOrderCount),
            Row("not taken", NotTakenCount),
        ]);
        report.Heading("What each view must add up to");
        report.Table(ViewTable());
        report.Heading("Options");
        report.Table(CommandOptions.Used(arguments));
        return report;
    }

    private string Waited() => CommandOptions.Text(
        $"{100 * run.WaitedSeconds / Math.Max(run.Elapsed.TotalSeconds, 1e-9):0} % of the time broker or consumer had no room for more");

    private string Summary() => CommandOptions.Text(
        $"{Totals.RecordCount:N0} records, {Totals.MessageBytes:N0} bytes in {Totals.MessageCount:N0} messages, {run.Elapsed.TotalSeconds:0.0} s, {RecordsPerSecond:N0} records/s, {CpuNanos:0} ns CPU a record, {NotTakenCount:N0} not taken");

    private List<IReadOnlyList<string>> ViewTable()
    {
        var views = Enumerable.Range(0, GeneratedTotals.Views.Count).ToList();
        var table = new List<IReadOnlyList<string>> { (string[])["meter", .. views.Select(view => GeneratedTotals.Views[view].Name)] };
        for (var meter = 0; meter < GeneratedTotals.Meters.Count; meter++)
        {
            var sum = CommandOptions.Text($"{Totals.MeterSums[meter]:N0}");
            table.Add((string[])[GeneratedTotals.Meters[meter], .. views.Select(_ => sum)]);
        }

        table.Add((string[])["windows", .. views.Select(view => CommandOptions.Text($"{Totals.Windows(view).Count:N0}"))]);
        if (options.CountsRows)
        {
            table.Add((string[])["rows", .. views.Select(view => CommandOptions.Text($"{Totals.RowCount(view):N0}"))]);
        }

        return table;
    }

    private static string[] Row(string name, long count) => [name, CommandOptions.Text($"{count:N0}")];
}
