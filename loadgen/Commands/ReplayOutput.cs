using System.CommandLine;
using Weir.Loadgen.Capture;
using Weir.Loadgen.Kafka;
using Weir.Loadgen.Replay;
using Weir.Loadgen.Reports;

namespace Weir.Loadgen.Commands;

/// <summary>What <c>weir-loadgen replay</c> says of a capture or a topic: while it runs, and at its end as text, JSON and a report.</summary>
/// <remarks>One thread: readings are taken while the replay goes on, the rest when it has ended.</remarks>
internal sealed class ReplayOutput(CaptureReplayer replayer, TopicProducer producer, CaptureReader? reader)
{
    private const double Megabyte = 1e6;
    private const double Milli = 1_000;
    private readonly RunSamples _samples = new(valueCount: 5);
    private long _shownCount;

    /// <summary>Takes a reading for the plots.</summary>
    public void Sample()
    {
        var delivered = producer.Delivered;
        _samples.Add(
            replayer.Elapsed.TotalSeconds, delivered.MessageCount, delivered.MessageBytes, delivered.RecordCount,
            replayer.BehindSeconds * Milli, replayer.Clock.IsPaused ? 0 : replayer.Clock.Speed);
    }

    /// <summary>A line of progress.</summary>
    /// <param name="recordedMs">Recorded time of one pass; 0 when it is not known.</param>
    public string Progress(long recordedMs)
    {
        var delivered = producer.Delivered;
        var left = double.IsPositiveInfinity(replayer.Clock.Speed) || recordedMs == 0
            ? string.Empty
            : CommandOptions.Text(
                $"  {Math.Max(0, recordedMs - replayer.RecordedElapsed.TotalMilliseconds) / Milli / replayer.Clock.Speed:0} s left of this pass");
        var line = CommandOptions.Text(
            $"{replayer.Elapsed.TotalSeconds,6:0.0} s {delivered.MessageCount - _shownCount,10:N0} messages/s {delivered.MessageCount,12:N0} messages {delivered.MessageBytes / Megabyte,10:N1} MB  {(replayer.Clock.IsPaused ? "paused" : $"speed {SpeedText(replayer.Clock.Speed)}")}  behind {replayer.BehindSeconds * Milli:0.0} ms{left}  {producer.Problem}");
        _shownCount = delivered.MessageCount;
        return line;
    }

    /// <summary>The totals as one JSON object.</summary>
    public string ToJson() => CommandOptions.ToJson(json =>
    {
        var delivered = producer.Delivered;
        json.WriteNumber("seconds", Math.Round(replayer.Elapsed.TotalSeconds, 3));
        json.WriteNumber("messages", delivered.MessageCount);
        json.WriteNumber("message_bytes", delivered.MessageBytes);
        json.WriteNumber("records", delivered.RecordCount);
        json.WriteNumber("failed_messages", delivered.FailedMessageCount);
        json.WriteNumber("moved_messages", replayer.MovedMessageCount);
        json.WriteNumber("lateness_p50_ms", Math.Round(replayer.Lateness.Quantile(0.5) * Milli, 3));
        json.WriteNumber("lateness_p99_ms", Math.Round(replayer.Lateness.Quantile(0.99) * Milli, 3));
        json.WriteNumber("lateness_max_ms", Math.Round(replayer.Lateness.MaxSeconds * Milli, 3));
        json.WriteNumber("lost_messages", LostCount);
        json.WriteNumber("damages", reader?.Damages.Count ?? 0);
    });

    /// <summary>The totals in words.</summary>
    public string ToText() => $"{Summary()}{Environment.NewLine}{Lateness()}";

    /// <summary>The report.</summary>
    public Report ToReport(ParseResult arguments)
    {
        var delivered = producer.Delivered;
        var lateness = replayer.Lateness;
        var report = new Report("Replay");
        report.Text(Summary());
        report.Text(Lateness());
        report.Heading("While it ran");
        report.Plot("Messages a second, over seconds", [_samples.Rates("acknowledged", 0)]);
        report.Plot("MB a second (10^6 bytes of values, before compression)", [_samples.Rates("acknowledged", 1, Megabyte)]);
        if (delivered.RecordCount > 0)
        {
            report.Plot("Records a second", [_samples.Rates("acknowledged", 2)]);
        }

        report.Plot("Behind the schedule, ms", [_samples.Values("last send", 3)]);
        report.Plot("Speed: recorded seconds a second; 0 while paused, nothing where it is max", [_samples.Values("speed", 4)]);
        report.Heading("Lateness of the sends");
        report.Bars("Sends by lateness against the schedule", [.. lateness.Octaves().Select(octave => (
            CommandOptions.Text($"up to {octave.SecondsMax * Milli:0.###} ms"), (double)octave.Count,
            CommandOptions.Text($"{octave.Count:N0} ({100.0 * octave.Count / Math.Max(1, lateness.Count):0.##} %)")))]);
        report.Heading("Totals");
        report.Table([
            (string[])["", "count"],
            Row("messages acknowledged", delivered.MessageCount),
            Row("bytes of their values", delivered.MessageBytes),
            Row("records counted in them", delivered.RecordCount),
            Row("messages not taken", delivered.FailedMessageCount),
            Row("messages moved to another partition", replayer.MovedMessageCount),
            Row("messages lost in damaged segments", LostCount),
        ]);
        foreach (var damage in reader?.Damages ?? [])
        {
            report.Text($"Damaged: {damage.Describe(reader!.Header)}");
        }

        report.Heading("Options");
        report.Table(CommandOptions.Used(arguments));
        return report;
    }

    private long LostCount => reader?.Damages.Sum(damage => damage.Segment?.MessageCount ?? 0) ?? 0;

    private static string SpeedText(double speed) => double.IsPositiveInfinity(speed) ? "max" : CommandOptions.Text($"{speed:0.###}");

    private static string[] Row(string name, long count) => [name, CommandOptions.Text($"{count:N0}")];

    private string Summary()
    {
        var delivered = producer.Delivered;
        return CommandOptions.Text(
            $"{delivered.MessageCount:N0} messages, {delivered.MessageBytes:N0} bytes, {delivered.RecordCount:N0} records counted in {replayer.Elapsed.TotalSeconds:0.0} s; {delivered.FailedMessageCount:N0} messages not taken, {replayer.MovedMessageCount:N0} moved to another partition");
    }

    private string Lateness() => CommandOptions.Text(
        $"lateness of a send: p50 {replayer.Lateness.Quantile(0.5) * Milli:0.00} ms, p99 {replayer.Lateness.Quantile(0.99) * Milli:0.00} ms, most {replayer.Lateness.MaxSeconds * Milli:0.00} ms");
}
