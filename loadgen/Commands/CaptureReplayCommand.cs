using System.CommandLine;
using Weir.Codecs.Flow;
using Weir.Loadgen.Capture;
using Weir.Loadgen.Kafka;
using Weir.Loadgen.Replay;

namespace Weir.Loadgen.Commands;

/// <summary>Options that both kinds of replay have.</summary>
internal sealed record SharedReplayOptions(
    TimeSpan? Duration, long? Times, double? RecordsPerSecond, bool IsRetimed, bool IsJson, string? ReportPath);

/// <summary>The part of <c>weir-loadgen replay</c> that replays captures and topics.</summary>
internal static class CaptureReplayCommand
{
    private static readonly Option<string?> _fromBootstrap =
        CommandOptions.Of<string>("--from-bootstrap", "brokers to read from, in the place of a file");
    private static readonly Option<string?> _fromTopic = CommandOptions.Of<string>("--from-topic", "topic to read from");
    private static readonly Option<string> _from = CommandOptions.Of("--from", "with --from-topic: beginning | end | a time", "beginning");
    private static readonly Option<bool> _untilEnd =
        CommandOptions.Of("--until-end", "with --from-topic: stop when all that was there at the start is sent", false);
    private static readonly Option<string?> _format =
        CommandOptions.Of<string>(
            "--format", $"format of the records, where the capture does not say it: {string.Join(" | ", FlowFormats.Names)}");
    private static readonly Option<string> _speed = CommandOptions.Of("--speed", "recorded seconds for each real one, or max", "1");
    private static readonly Option<double?> _messageRate = CommandOptions.Of<double?>("--rate-messages", "cap of messages a second");
    private static readonly Option<double?> _mbRate = CommandOptions.Of<double?>("--rate-mb", "cap of MB a second (10^6 bytes of values)");
    private static readonly Option<bool> _loop = CommandOptions.Of("--loop", "again and again, until it is stopped", false);
    private static readonly Option<int> _scale =
        CommandOptions.Of("--scale", "copies of each message; those after the first with renamed addresses", 1);
    private static readonly Option<PartitionMode> _partitions =
        CommandOptions.Of("--partitions", "same | key | tags | turn", PartitionMode.Same);
    private static readonly Option<bool> _count =
        CommandOptions.Of("--count", "count the records in the messages (needs the format)", false);
    private static readonly Option<string?> _control =
        CommandOptions.Of<string>("--control", "file with one word: pause, resume, stop or a speed; read when it changes");
    private static readonly Option<string> _codec = CommandOptions.Of("--codec", "none | gzip | snappy | lz4 | zstd", "lz4");
    private static readonly Option<double> _linger =
        CommandOptions.Of("--linger", "how long the client waits for more of a batch, ms", 5.0);
    private static readonly Option<string[]> _properties = CommandOptions.Properties();
    private static readonly Option<string[]> _fromProperties = new("--from-property")
    {
        Description = "with --from-topic: a property of librdkafka for those brokers; may be given several times",
        HelpName = "NAME=VALUE",
        DefaultValueFactory = _ => [],
    };

    private static readonly Option[] _all =
    [
        _fromBootstrap, _fromTopic, _from, _fromProperties, _untilEnd, _format, _speed, _messageRate, _mbRate, _loop, _scale, _partitions,
        _count, _control, _codec, _linger, _properties,
    ];

    /// <summary>Adds the options.</summary>
    public static void AddOptions(Command command)
    {
        foreach (var option in _all)
        {
            command.Add(option);
        }
    }

    /// <summary>Says which options mean nothing for pmacct records, so that none is passed over in silence.</summary>
    /// <exception cref="ArgumentException">One of them was given.</exception>
    public static void RefuseAll(ParseResult arguments)
    {
        if (_all.FirstOrDefault(option => arguments.GetResult(option) is { Implicit: false }) is { } given)
        {
            throw new ArgumentException($"{given.Name} is for captures and topics; a file of pmacct records has no such option.");
        }
    }

    /// <summary>Replays.</summary>
    public static async Task<int> RunAsync(
        ParseResult arguments, string? file, ProducerOptions target, PositionSource? positions, SharedReplayOptions shared,
            CancellationToken cancellation)
    {
        using var reader = file is null ? null : CaptureReader.Open(file);
        using var consumer = file is null ? OpenTopic(arguments) : null;
        using var producer = new TopicProducer(
            target with { Codec = arguments.GetValue(_codec)!, LingerMs = arguments.GetValue(_linger), Properties =
                arguments.GetValue(_properties)! }, positions);
        var clock = new ReplayClock(TimeProvider.System, ReadSpeed(arguments.GetValue(_speed)!));
        var format = arguments.GetValue(_format);
        using var replayer = new CaptureReplayer(
            new CaptureReplayOptions
            {
                Formats = reader is null ? [format] : [.. reader.Header.Topics.Select(topic => format ?? topic.Format)],
                MessagesPerSecond = arguments.GetValue(_messageRate),
                RecordsPerSecond = shared.RecordsPerSecond,
                BytesPerSecond = arguments.GetValue(_mbRate) * 1e6,
                Scale = arguments.GetValue(_scale) is >= 1 and <= 1_000 and var scale ? scale
                    : throw new ArgumentException("--scale: allowed are 1 to 1000."),
                IsRetimed = shared.IsRetimed,
                Partitions = arguments.GetValue(_partitions),
                CountsRecords = arguments.GetValue(_count),
                Duration = shared.Duration,
            },
            producer,
            clock);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var control = new ReplayControl(clock, arguments.GetValue(_control), stop);
        var times = arguments.GetValue(_loop) ? long.MaxValue : shared.Times ?? 1;
        var passes = reader is not null
            ? Repeat(() => ReadAhead<CapturedMessage>.Of(CaptureMerge.Of(reader)), times, reader)
            : [CaptureMerge.Of(consumer!, [arguments.GetValue(_fromTopic)!], arguments.GetValue(_untilEnd), stop.Token)];
        var recordedMs = reader is null || reader.Segments.Count == 0
            ? 0
            : reader.Segments.Max(segment => segment.MaxTimestampMs) - reader.Segments.Min(segment => segment.MinTimestampMs);
        var work = replayer.RunAsync(passes, stop.Token);
        var output = new ReplayOutput(replayer, producer, reader);
        await CommandOptions.ShowProgressAsync(work, () => output.Progress(recordedMs), output.Sample);
        await work;
        Console.Out.WriteLine(shared.IsJson ? output.ToJson() : output.ToText());
        if (shared.ReportPath is { } path)
        {
            output.ToReport(arguments).Write(path);
        }

        var isDamaged = reader is not null && CaptureFileCommands.ReportDamages(reader) != 0;
        return producer.Delivered.FailedMessageCount == 0 && !isDamaged ? 0 : 1;
    }

    private static TopicConsumer OpenTopic(ParseResult arguments)
    {
        if (arguments.GetValue(_fromBootstrap) is not { } bootstrap || arguments.GetValue(_fromTopic) is not { } topic)
        {
            throw new ArgumentException("What to replay: a file, or --from-bootstrap and --from-topic.");
        }

        var from = arguments.GetValue(_from)!;
        return new TopicConsumer(new ConsumerOptions
        {
            Bootstrap = bootstrap,
            Topics = [topic],
            Properties = arguments.GetValue(_fromProperties)!,
            Start = from switch { "beginning" => StartAt.Beginning, "end" => StartAt.End, _ => StartAt.Time },
            Time = from is "beginning" or "end" ? default : CommandOptions.Time("--from", from),
        });
    }

    // A damaged segment is met again in each pass and reported once.
    private static IEnumerable<IEnumerable<CapturedMessage>> Repeat(
        Func<IEnumerable<CapturedMessage>> pass, long times, CaptureReader reader)
    {
        for (long count = 0; count < times && reader.Segments.Count > 0; count++)
        {
            var damageCount = reader.Damages.Count;
            yield return pass();
            if (count > 0)
            {
                reader.Damages.RemoveRange(damageCount, reader.Damages.Count - damageCount);
            }
        }
    }

    private static double ReadSpeed(string text) => ReplayControl.TryReadSpeed(text, out var speed)
        ? speed
        : throw new ArgumentException($"--speed is '{text}'; allowed: a number above 0, or max");
}
