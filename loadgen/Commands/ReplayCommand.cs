using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Weir.Loadgen.Capture;
using Weir.Loadgen.Kafka;
using Weir.Loadgen.Replay;
using Weir.Loadgen.Reports;

namespace Weir.Loadgen.Commands;

/// <summary><c>weir-loadgen replay</c>: recorded flow records into Kafka.</summary>
internal static class ReplayCommand
{
    private const string Description = """
        Sends recorded messages to Kafka and prints what the broker acknowledged.

        FILE is a capture (weir-loadgen capture) or pmacct records, one JSON object a line. A capture, or a topic of another cluster, is
        replayed with the gaps between its times. While it runs: space pauses and resumes, + and - double and halve the speed, 1 and m set it to
        the recorded one and to as fast as can be, q stops. SIGUSR1 pauses and resumes, SIGUSR2 goes back to the first speed. Examples:
          weir-loadgen replay flows.weircap --bootstrap 127.0.0.1:9092 --topic flows
          weir-loadgen replay flows.weircap --bootstrap 127.0.0.1:9092 --topic flows --speed 10 --retime --loop --scale 5
          weir-loadgen replay --from-bootstrap prod:9092 --from-topic flows --from end --bootstrap test:9092 --topic flows --rate-mb 20
          weir-loadgen replay flows.weircap --bootstrap 127.0.0.1:9092 --topic flows --control speed.txt   (echo 0.5 > speed.txt)
          weir-loadgen replay flows.weircap --bootstrap 127.0.0.1:9092 --topic flows --count --report replay.html
          weir-loadgen replay flows.ndjson.zst --bootstrap 127.0.0.1:9092 --topic flows --rate 100000 --retime
        """;

    private static readonly Argument<string?> _file =
        new("file") { Description = "a capture, or pmacct records, one JSON object a line; .zst is decompressed", Arity =
            ArgumentArity.ZeroOrOne };
    private static readonly Option<string> _bootstrap = CommandOptions.Bootstrap();
    private static readonly Option<string> _topic = CommandOptions.Topic();
    private static readonly Option<double?> _seconds = new("--seconds") { Description = "stop after so many seconds" };
    private static readonly Option<long?> _times =
        new("--times") { Description = "stop after sending the file so many times (a capture: once, where nothing else is said)" };
    private static readonly Option<double?> _rate =
        new("--rate") { Description =
            "records a second (default: as fast as they are taken); for a capture a cap, which needs the format" };
    private static readonly Option<int> _recordsPerMessage =
        new("--records-per-message") { Description = "records in one message", DefaultValueFactory = _ => 200 };
    private static readonly Option<bool> _retime = new("--retime") { Description = "move the times of the records to now" };
    private static readonly Option<string?> _key =
        new("--key") { Description = "JSON key that chooses the partition, such as ip_dst (default: in turn)" };
    private static readonly Option<Uri?> _follow = CommandOptions.Follow();
    private static readonly Option<long> _ahead =
        new("--ahead") { Description = "with --follow: most bytes of a partition beyond the position", DefaultValueFactory = _ =>
            4 * 1024 * 1024 };
    private static readonly Option<string?> _report = CommandOptions.Report();
    private static readonly Option<bool> _json = CommandOptions.Json();

    /// <summary>The command with its options.</summary>
    public static Command Create()
    {
        var command = new Command("replay", Description)
        {
            _file, _bootstrap, _topic, _seconds, _times, _rate, _recordsPerMessage, _retime, _key, _follow, _ahead, _report, _json,
        };
        CaptureReplayCommand.AddOptions(command);
        command.SetAction((arguments, cancellation) => CommandOptions.GuardAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        using AdminPositions? positions = arguments.GetValue(_follow) is { } admin ? new AdminPositions(admin) : null;
        string? file = arguments.GetValue(_file);
        if (file is null || CaptureReader.IsCapture(file))
        {
            var target = new ProducerOptions
            {
                Bootstrap = arguments.GetValue(_bootstrap)!, Topic = arguments.GetValue(_topic)!, AheadBytesMax =
                    arguments.GetValue(_ahead),
            };
            var shared = new SharedReplayOptions(
                arguments.GetValue(_seconds) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                arguments.GetValue(_times), arguments.GetValue(_rate), arguments.GetValue(_retime), arguments.GetValue(_json),
                arguments.GetValue(_report));
            return await CaptureReplayCommand.RunAsync(
                arguments, file, target, positions is null ? null : positions.ReadAsync, shared, cancellation);
        }

        CaptureReplayCommand.RefuseAll(arguments);
        var replayer = new FlowReplayer(ReadOptions(arguments), TimeProvider.System, positions is null ? null : positions.ReadAsync);
        Task<ReplayTotals> run = replayer.RunAsync(cancellation);
        var samples = new RunSamples(valueCount: 2);
        await ShowProgressAsync(replayer, run, samples);
        ReplayTotals totals = await run;
        Console.Out.WriteLine(arguments.GetValue(_json) ? ToJson(totals) : ToText(totals));
        if (arguments.GetValue(_report) is { } path)
        {
            ReportOf(arguments, totals, samples).Write(path);
        }

        return totals.FailedRecordCount == 0 ? 0 : 1;
    }

    private static ReplayOptions ReadOptions(ParseResult arguments) => new()
    {
        File = arguments.GetValue(_file)!,
        Bootstrap = arguments.GetValue(_bootstrap)!,
        Topic = arguments.GetValue(_topic)!,
        Duration = arguments.GetValue(_seconds) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
        Times = arguments.GetValue(_times),
        RecordsPerSecond = arguments.GetValue(_rate),
        RecordsPerMessage = arguments.GetValue(_recordsPerMessage),
        IsRetimed = arguments.GetValue(_retime),
        PartitionKey = arguments.GetValue(_key),
        AheadBytesMax = arguments.GetValue(_ahead),
    };

    /// <summary>One line a second on stderr, so that stdout holds the totals alone.</summary>
    private static async Task ShowProgressAsync(FlowReplayer replayer, Task run, RunSamples samples)
    {
        long shown = 0;
        await CommandOptions.ShowProgressAsync(
            run,
            () =>
            {
                ReplayTotals totals = replayer.Snapshot();
                long recordCount = totals.Sums.RecordCount;
                string problem = replayer.PositionProblem is { } text ? $"   no position: {text}" : string.Empty;
                string line = CommandOptions.Text(
                    $"{totals.Elapsed.TotalSeconds,6:0.0} s {recordCount - shown,12:N0} records/s {recordCount,16:N0} records{problem}");
                shown = recordCount;
                return line;
            },
            () =>
            {
                ReplayTotals totals = replayer.Snapshot();
                samples.Add(totals.Elapsed.TotalSeconds, totals.Sums.RecordCount, totals.MessageBytes);
            });
    }

    private static Report ReportOf(ParseResult arguments, ReplayTotals totals, RunSamples samples)
    {
        string[] Row(string name, FlowSums sums) =>
            [name, CommandOptions.Text($"{sums.RecordCount:N0}"), CommandOptions.Text($"{sums.PacketCount:N0}"),
                CommandOptions.Text($"{sums.ByteCount:N0}")];
        var report = new Report("Replay of pmacct records");
        report.Text(ToText(totals));
        report.Heading("While it ran");
        report.Plot("Records a second, over seconds", [samples.Rates("acknowledged", 0)]);
        report.Plot("MB a second (10^6 bytes of values, before compression)", [samples.Rates("acknowledged", 1, 1e6)]);
        report.Heading("By protocol");
        report.Table([
            (string[])["protocol", "records", "packets", "bytes"],
            .. totals.Protocols.Select(protocol => Row(protocol.Key, protocol.Value)),
            Row("all", totals.Sums),
        ]);
        report.Heading("Options");
        report.Table(CommandOptions.Used(arguments));
        return report;
    }

    private static string ToText(ReplayTotals totals) => string.Create(
        CultureInfo.InvariantCulture,
        $"{totals.Sums.RecordCount:N0} records, {totals.Sums.PacketCount:N0} packets, {totals.Sums.ByteCount:N0} bytes in {totals.MessageCount:N0} messages, {totals.Elapsed.TotalSeconds:0.0} s, {totals.RecordsPerSecond:N0} records/s, {totals.FailedRecordCount:N0} not taken");

    private static string ToJson(ReplayTotals totals)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteNumber("seconds", Math.Round(totals.Elapsed.TotalSeconds, 3));
            json.WriteNumber("records_per_s", Math.Round(totals.RecordsPerSecond));
            json.WriteNumber("messages", totals.MessageCount);
            json.WriteNumber("message_bytes", totals.MessageBytes);
            WriteSums(json, totals.Sums);
            json.WriteNumber("failed_records", totals.FailedRecordCount);
            json.WriteStartObject("protocols");
            foreach ((string protocol, FlowSums sums) in totals.Protocols)
            {
                json.WriteStartObject(protocol);
                WriteSums(json, sums);
                json.WriteEndObject();
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static void WriteSums(Utf8JsonWriter json, FlowSums sums)
    {
        json.WriteNumber("records", sums.RecordCount);
        json.WriteNumber("packets", sums.PacketCount);
        json.WriteNumber("bytes", sums.ByteCount);
    }
}
