using System.CommandLine;
using System.Globalization;
using System.Text;
using Weir.Codecs.Flow;
using Weir.Loadgen.Capture;
using Weir.Loadgen.Kafka;
using Weir.Loadgen.Reports;

namespace Weir.Loadgen.Commands;

/// <summary><c>weir-loadgen capture</c>, <c>capture info</c> and <c>capture cut</c>.</summary>
internal static class CaptureCommand
{
    private const string Description = """
        Copies messages from Kafka topics into a file: keys, headers, times, partitions and offsets as they were.

        The file is compressed in segments, each with a checksum; --resume goes on where it ended, also after a crash.
        With --anonymise, addresses are replaced with their prefixes kept (Crypto-PAn), names and keys by keyed hashes. Examples:
          weir-loadgen capture --bootstrap kafka:9092 --topic flows --format goflow2 --out flows.weircap --for 10m
          weir-loadgen capture --bootstrap kafka:9092 --topic flows --format goflow2 --out flows.weircap --for 10m --resume
          weir-loadgen capture --bootstrap kafka:9092 --topic flows --format pmacct-json --out f.weircap --until-end --anonymise secret.key
          weir-loadgen capture --bootstrap kafka:9092 --topic flows --out flows.weircap --from end --for 1h --report capture.html
          weir-loadgen capture info flows.weircap --verify
          weir-loadgen capture cut flows.weircap five-minutes.weircap --from 2026-01-31T12:00:00Z --to 2026-01-31T12:05:00Z
        """;

    private static readonly Option<string> _bootstrap = CommandOptions.Bootstrap();
    private static readonly Option<string[]> _topics =
        new("--topic") { Description = "topic to read; may be given several times", Required = true };
    private static readonly Option<string?> _format =
        CommandOptions.Of<string>("--format", $"format of the records, kept in the file: {string.Join(" | ", FlowFormats.Names)}");
    private static readonly Option<string> _out = new("--out") { Description = "the file", Required = true };
    private static readonly Option<string> _from =
        CommandOptions.Of("--from", "beginning | end | offset:N | a time such as 2026-01-31T12:00:00Z", "beginning");
    private static readonly Option<string?> _for = CommandOptions.Of<string>("--for", "stop after this duration");
    private static readonly Option<long?> _messages = CommandOptions.Of<long?>("--messages", "stop after so many messages");
    private static readonly Option<string?> _bytes =
        CommandOptions.Of<string>("--bytes", "stop after so many bytes of keys and values, such as 10GiB");
    private static readonly Option<bool> _untilEnd =
        CommandOptions.Of("--until-end", "stop when all that was there at the start is read", false);
    private static readonly Option<bool> _resume =
        CommandOptions.Of("--resume", "go on with an existing file after its last message", false);
    private static readonly Option<string?> _anonymise =
        CommandOptions.Of<string>("--anonymise", "file with a secret of at least 16 bytes: the same secret maps the same way");
    private static readonly Option<int> _level = CommandOptions.Of("--level", "zstd level of the segments", 3);
    private static readonly Option<string[]> _properties = CommandOptions.Properties();
    private static readonly Option<string?> _report = CommandOptions.Report();
    private static readonly Option<bool> _json = CommandOptions.Json();

    /// <summary>The command with its options.</summary>
    public static Command Create()
    {
        var command = new Command("capture", Description)
        {
            _bootstrap, _topics, _format, _out, _from, _for, _messages, _bytes, _untilEnd, _resume, _anonymise, _level, _properties,
            _report, _json,
        };
        command.SetAction((arguments, cancellation) => CommandOptions.GuardAsync(() => RunAsync(arguments, cancellation)));
        command.Add(CaptureFileCommands.CreateInfo());
        command.Add(CaptureFileCommands.CreateCut());
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var topics = arguments.GetValue(_topics)!;
        var path = arguments.GetValue(_out)!;
        using var rewriting = arguments.GetValue(_anonymise) is { } secretFile ? ReadSecret(secretFile) : null;
        var isResumed = arguments.GetValue(_resume) && File.Exists(path);
        var appended = isResumed ? CaptureWriter.Append(path, arguments.GetValue(_level)) : null;
        try
        {
            if (appended is not null
                && (!appended.Header.Topics.Select(topic => topic.Name).SequenceEqual(topics)
                    || appended.Header.IsAnonymised != rewriting is not null))
            {
                throw new ArgumentException($"{path} is of other topics, or anonymised where this is not: it can't be gone on with.");
            }

            var (start, time, offset) = ReadStart(arguments.GetValue(_from)!);
            using var consumer = new TopicConsumer(new ConsumerOptions
            {
                Bootstrap = arguments.GetValue(_bootstrap)!,
                Topics = topics,
                Start = start,
                Time = time,
                Offset = offset,
                Properties = arguments.GetValue(_properties)!,
                Resume = appended?.NextOffsets.ToDictionary(next => (topics[next.Key.Topic], next.Key.Partition), next => next.Value) ?? [],
            });
            using var writer = appended ?? CaptureWriter.Create(path, new CaptureHeader(
                [.. topics.Select((topic, index) =>
                    new CapturedTopic(topic, arguments.GetValue(_format), consumer.PartitionCounts[index]))],
                DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(),
                rewriting is not null), arguments.GetValue(_level));
            var run = new CaptureRun(consumer, writer, ReadLimits(arguments), rewriting);
            var work = run.RunAsync(cancellation);
            var samples = new RunSamples(valueCount: 2);
            long shown = 0;
            await CommandOptions.ShowProgressAsync(work, () =>
            {
                var count = run.MessageCount;
                var line = CommandOptions.Text(
                    $"{run.Elapsed.TotalSeconds,6:0.0} s {count - shown,10:N0} messages/s {count,14:N0} messages {run.MessageBytes / 1e6,12:N1} MB  {consumer.Problem}");
                shown = count;
                return line;
            }, () => samples.Add(run.Elapsed.TotalSeconds, run.MessageCount, run.MessageBytes));
            await work;
            Print(run, writer, consumer, arguments.GetValue(_json));
            if (arguments.GetValue(_report) is { } report)
            {
                ReportOf(arguments, run, samples, consumer.GapOffsetCount, path).Write(report);
            }

            return 0;
        }
        finally
        {
            appended?.Dispose();
        }
    }

    private static void Print(CaptureRun run, CaptureWriter writer, TopicConsumer consumer, bool isJson)
    {
        writer.Dispose(); // With its index, so that its size is the file's.
        Console.Out.WriteLine(isJson
            ? CommandOptions.ToJson(json =>
            {
                json.WriteNumber("messages", run.MessageCount);
                json.WriteNumber("bytes", run.MessageBytes);
                json.WriteNumber("seconds", Math.Round(run.Elapsed.TotalSeconds, 3));
                json.WriteNumber("file_messages", writer.MessageCount);
                json.WriteNumber("gap_offsets", consumer.GapOffsetCount);
            })
            : CommandOptions.Text($"{Summary(run)}; {writer.MessageCount:N0} messages in the file; {consumer.GapOffsetCount:N0} offsets were gone"));
    }

    private static string Summary(CaptureRun run) => CommandOptions.Text(
        $"{run.MessageCount:N0} messages, {run.MessageBytes:N0} bytes in {run.Elapsed.TotalSeconds:0.0} s");

    private static Report ReportOf(ParseResult arguments, CaptureRun run, RunSamples samples, long gapCount, string path)
    {
        using var reader = CaptureReader.Open(path);
        var raw = reader.Segments.Sum(segment => (long)segment.RawBytes);
        var compressed = reader.Segments.Sum(segment => (long)segment.CompressedBytes);
        var report = new Report("Capture");
        report.Text(Summary(run));
        report.Heading("While it ran");
        report.Plot("Messages a second, over seconds", [samples.Rates("captured", 0)]);
        report.Plot("MB a second (10^6 bytes of keys and values)", [samples.Rates("captured", 1, 1e6)]);
        report.Heading("The file");
        report.Table([
            (string[])["", "all of it"],
            (string[])["messages", CommandOptions.Text($"{reader.Segments.Sum(segment => (long)segment.MessageCount):N0}")],
            (string[])["segments", CommandOptions.Text($"{reader.Segments.Count:N0}")],
            (string[])["bytes", CommandOptions.Text($"{raw:N0}")],
            (string[])["bytes, compressed", CommandOptions.Text($"{compressed:N0} ({(compressed == 0 ? 0 : (double)raw / compressed):0.00} : 1)")],
            (string[])["anonymised", reader.Header.IsAnonymised ? "yes" : "no"],
            (string[])["offsets that were gone, of this run", CommandOptions.Text($"{gapCount:N0}")],
        ]);
        report.Heading("Partitions");
        report.Table(CaptureFileCommands.PartitionTable(reader));
        report.Heading("Options");
        report.Table(CommandOptions.Used(arguments));
        return report;
    }

    private static CaptureLimits ReadLimits(ParseResult arguments) => new()
    {
        Duration = arguments.GetValue(_for) is { } duration ? CommandOptions.Duration("--for", duration) : null,
        MessageCount = arguments.GetValue(_messages) ?? long.MaxValue,
        MessageBytes = arguments.GetValue(_bytes) is { } bytes ? CommandOptions.Size("--bytes", bytes) : long.MaxValue,
        StopsAtEnd = arguments.GetValue(_untilEnd),
    };

    private static (StartAt Start, DateTimeOffset Time, long Offset) ReadStart(string text) => text switch
    {
        "beginning" => (StartAt.Beginning, default, 0),
        "end" => (StartAt.End, default, 0),
        _ when text.StartsWith("offset:", StringComparison.Ordinal)
            && long.TryParse(text.AsSpan(7), NumberStyles.None, CultureInfo.InvariantCulture, out var offset) =>
            (StartAt.Offset, default, offset),
        _ => (StartAt.Time, CommandOptions.Time("--from", text), 0),
    };

    private static Rewriting ReadSecret(string path)
    {
        var secret = Encoding.UTF8.GetBytes(File.ReadAllText(path).Trim());
        return secret.Length >= 16 ? Rewriting.Anonymise(secret)
            : throw new ArgumentException($"{path} has {secret.Length} bytes: too short for a secret, 16 are the least.");
    }
}
