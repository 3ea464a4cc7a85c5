using System.CommandLine;
using System.Text;
using Weir.Codecs.Flow;
using Weir.Loadgen.Capture;
using Weir.Loadgen.CodecChoice;
using Weir.Loadgen.Generate;
using Weir.Loadgen.Kafka;
using Weir.Loadgen.Replay;

namespace Weir.Loadgen.Commands;

/// <summary><c>weir-loadgen codecs</c>: which codec fits one's own messages.</summary>
internal static class CodecsCommand
{
    private const int BrokerPartitions = 16;
    private const string Description = """
        Measures Kafka's codecs on your own messages: size, ratio and CPU time, alone and through a real producer, broker and consumer.

        The messages come from a capture, a topic, a file of lines (one message each), a broker's log segment, or the generator. Examples:
          weir-loadgen codecs flows.weircap
          weir-loadgen codecs --bootstrap kafka:9092 --topic flows --sample 64MiB --report codecs.html
          weir-loadgen codecs --log /var/lib/kafka/flows-0/00000000000012345678.log
          weir-loadgen codecs --generate goflow2 --records-per-message 1 --codec none --codec zstd:3 --codec zstd:6
        Prices (--price-cpu, --price-network, --price-disk) decide what is recommended; the currency is yours.
        """;

    private static readonly Argument<string?> _file =
        new("file") { Description = "a capture, or lines, one message each; .zst is decompressed", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Option<string?> _log =
        CommandOptions.Of<string>("--log", "a broker's log segment: its own batches, as their producers made them");
    private static readonly Option<string?> _bootstrap = CommandOptions.Of<string>("--bootstrap", "brokers of --topic, and of --broker");
    private static readonly Option<string?> _topic = CommandOptions.Of<string>("--topic", "topic to take the messages from");
    private static readonly Option<string?> _generate =
        CommandOptions.Of<string>("--generate", $"made messages: {string.Join(" | ", FlowFormats.Names)}");
    private static readonly Option<int> _perMessage = CommandOptions.Of("--records-per-message", "with --generate", 1);
    private static readonly Option<string> _sample = CommandOptions.Of("--sample", "bytes of messages to take", "16MiB");
    private static readonly Option<string[]> _codecs =
        new("--codec") { Description = "a codec, such as none, lz4, gzip:6, zstd:3; may be given several times", DefaultValueFactory =
            _ => [] };
    private static readonly Option<string[]> _batches =
        new("--batch") { Description = "bytes of a full batch; may be given several times", DefaultValueFactory = _ =>
            ["16KiB", "128KiB", "1MiB"] };
    private static readonly Option<bool> _noBroker = CommandOptions.Of("--no-broker", "measure the codecs alone", false);
    private static readonly Option<string?> _broker =
        CommandOptions.Of<string>(
            "--broker", "brokers for the second measurement (topics weir-codecs-N must exist or be made); default: weir broker, in memory");
    private static readonly Option<string?> _weir = CommandOptions.Of<string>("--weir", "the weir program, for its broker");
    private static readonly Option<double> _cpu = CommandOptions.Of("--price-cpu", "a core for an hour", new CodecPrices().CpuHour);
    private static readonly Option<double> _network =
        CommandOptions.Of("--price-network", "a GB over the network", new CodecPrices().NetworkGb);
    private static readonly Option<double> _disk =
        CommandOptions.Of("--price-disk", "a GB on disk for 30 days", new CodecPrices().DiskGbMonth);
    private static readonly Option<int> _consumers =
        CommandOptions.Of("--consumers", "consumer groups that read all", new CodecPrices().Consumers);
    private static readonly Option<int> _replicas = CommandOptions.Of("--replicas", "replicas of a partition", new CodecPrices().Replicas);
    private static readonly Option<double> _days =
        CommandOptions.Of("--retention-days", "days that messages are kept", new CodecPrices().RetentionDays);
    private static readonly Option<string[]> _properties = CommandOptions.Properties();
    private static readonly Option<string?> _report = CommandOptions.Of<string>("--report", "write a report: .md or .html");
    private static readonly Option<bool> _json = CommandOptions.Json();

    /// <summary>The command with its options.</summary>
    public static Command Create()
    {
        var command = new Command("codecs", Description)
        {
            _file, _log, _bootstrap, _topic, _generate, _perMessage, _sample, _codecs, _batches, _noBroker, _broker, _weir,
            _cpu, _network, _disk, _consumers, _replicas, _days, _properties, _report, _json,
        };
        command.SetAction((arguments, cancellation) => CommandOptions.GuardAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        IReadOnlyList<Codec> codecs =
            arguments.GetValue(_codecs)! is { Length: > 0 } named ? [.. named.Select(Codec.Parse)] : Codec.Defaults;
        var alone = new List<CodecResult>();
        var isUsual = true;
        List<CapturedMessage> messages = [];
        if (arguments.GetValue(_log) is { } log)
        {
            var batches = RecordBatches.ReadLog(await File.ReadAllBytesAsync(log, cancellation));
            isUsual = batches.All(batch => batch.HasUsualOffsets);
            alone.AddRange(CodecBench.Run(codecs, batches, 0, cancellation));
        }
        else
        {
            messages = ReadMessages(arguments, CommandOptions.Size("--sample", arguments.GetValue(_sample)!), cancellation);
            foreach (var batch in arguments.GetValue(_batches)!.TakeWhile(_ => !cancellation.IsCancellationRequested))
            {
                var bytes = (int)Math.Min(CommandOptions.Size("--batch", batch), 64 * 1024 * 1024);
                await Console.Error.WriteLineAsync($"codecs alone, batches of {batch}: {messages.Count} messages");
                alone.AddRange(await Task.Run(
                    () => CodecBench.Run(codecs, RecordBatches.Pack(messages, bytes), bytes, cancellation), CancellationToken.None));
            }
        }

        var real = arguments.GetValue(_noBroker) || messages.Count == 0 || cancellation.IsCancellationRequested
            ? []
            : await MeasureBrokerAsync(arguments, codecs, messages, cancellation);
        if (alone.Count + real.Count == 0)
        {
            throw new OperationCanceledException("Nothing is measured yet.", cancellation);
        }

        var prices = new CodecPrices
        {
            CpuHour = arguments.GetValue(_cpu), NetworkGb = arguments.GetValue(_network), DiskGbMonth = arguments.GetValue(_disk),
            Consumers = arguments.GetValue(_consumers), Replicas = arguments.GetValue(_replicas), RetentionDays = arguments.GetValue(_days),
        };
        var output = new CodecsOutput(alone, real, prices, isUsual);
        Console.Out.WriteLine(arguments.GetValue(_json) ? output.ToJson() : output.ToReport().ToMarkdown());
        if (arguments.GetValue(_report) is { } path)
        {
            output.ToReport().Write(path);
        }

        return 0;
    }

    private static async Task<List<CodecResult>> MeasureBrokerAsync(
        ParseResult arguments, IReadOnlyList<Codec> codecs, List<CapturedMessage> messages, CancellationToken cancellation)
    {
        var directory = Directory.CreateTempSubdirectory("weir-codecs-");
        var bootstrap = arguments.GetValue(_broker);
        WeirProgram? broker = null;
        try
        {
            if (bootstrap is null)
            {
                (broker, bootstrap) = await WeirProgram.StartBrokerAsync(
                    WeirProgram.Find(arguments.GetValue(_weir)), directory.FullName,
                    codecs.Select((_, index) => $"weir-codecs-{index}:{BrokerPartitions}").Append($"weir-codecs-warm:{BrokerPartitions}"),
                        cancellation);
            }

            const int BatchBytes = 1_000_000;
            var spread = messages.Select(
                (message, index) => message with { Partition = (int)((long)index * BrokerPartitions / messages.Count) }).ToList();
            var bench = new BrokerBench(bootstrap, arguments.GetValue(_properties)!, BatchBytes);
            var results = new List<CodecResult>();
            _ = await Task.Run(() => bench.Run(new Codec("none", null), "weir-codecs-warm", spread, cancellation), cancellation);
            for (var index = 0; index < codecs.Count && !cancellation.IsCancellationRequested; index++)
            {
                await Console.Error.WriteLineAsync($"through the broker: {codecs[index]}");
                var topic = $"weir-codecs-{index}";
                var codec = codecs[index];
                results.Add(await Task.Run(() => bench.Run(codec, topic, spread, CancellationToken.None), CancellationToken.None));
            }

            return results;
        }
        finally
        {
            broker?.Dispose();
            directory.Delete(recursive: true);
        }
    }

    private static List<CapturedMessage> ReadMessages(ParseResult arguments, long bytesMax, CancellationToken cancellation)
    {
        CaptureReader? reader = null;
        TopicConsumer? consumer = null;
        try
        {
            IEnumerable<CapturedMessage> source;
            if (arguments.GetValue(_generate) is { } format)
            {
                source = Made(format, arguments.GetValue(_perMessage));
            }
            else if (arguments.GetValue(_file) is { } file)
            {
                source = CaptureReader.IsCapture(file) ? CaptureMerge.Of(reader = CaptureReader.Open(file)) : Lines(file);
            }
            else if (arguments.GetValue(_bootstrap) is { } bootstrap && arguments.GetValue(_topic) is { } topic)
            {
                consumer = new TopicConsumer(
                    new ConsumerOptions { Bootstrap = bootstrap, Topics = [topic], Properties = arguments.GetValue(_properties)! });
                source = CaptureMerge.Of(consumer, [topic], stopsAtEnd: true, cancellation);
            }
            else
            {
                throw new ArgumentException("Where the messages come from: a file, --log, --bootstrap and --topic, or --generate.");
            }

            long bytes = 0;
            var messages = source.TakeWhile(message => (bytes += message.Bytes) <= bytesMax).ToList();
            return messages.Count > 0 ? messages : throw new InvalidDataException("There is no message.");
        }
        finally
        {
            reader?.Dispose();
            consumer?.Dispose();
        }
    }

    private static IEnumerable<CapturedMessage> Made(string format, int perMessage) =>
        new Generator(new GeneratorOptions { StartSecond = 1_767_225_600, Format = format, RecordsPerMessage =
            perMessage, PartitionCount = 1 }).Messages()
            .Select((message, index) => new CapturedMessage(0, message.Partition, index, message.TimestampMs, 1, null, message.Value, []));

    private static IEnumerable<CapturedMessage> Lines(string file) =>
        Encoding.UTF8.GetString(ReplayFile.ReadAll(file)).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select((line, index) =>
                new CapturedMessage(0, 0, index, 1_767_225_600_000 + index, 1, null, Encoding.UTF8.GetBytes(line), []));
}
