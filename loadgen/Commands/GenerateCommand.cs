using System.CommandLine;
using System.Globalization;
using Weir.Codecs.Flow;
using Weir.Loadgen.Generate;
using Weir.Loadgen.Kafka;
using Weir.Loadgen.Replay;

namespace Weir.Loadgen.Commands;

/// <summary><c>weir-loadgen generate</c>: seeded flow records into Kafka.</summary>
internal static class GenerateCommand
{
    private const long LoopRecordsMax = 100_000_000;
    private const string Description = """
        Makes flow records, sends them to Kafka, and prints what each view must add up to.

        The same options and --start give the same bytes. Examples:
          weir-loadgen generate --bootstrap 127.0.0.1:9092 --topic flows --format goflow2 --rate 100000 --seconds 60
          weir-loadgen generate --bootstrap 127.0.0.1:9092 --topic flows --rate max --records 10000000 --keyed --json
          weir-loadgen generate --bootstrap 127.0.0.1:9092 --topic flows --shape sine:600:0.8 --late 0.001 --malformed 0.001
          weir-loadgen generate --bootstrap 127.0.0.1:9092 --topic flows --attack src_addr:0.5 --tag dst_port=zipf:100:1.3
          weir-loadgen generate --dry-run --records 1000000 --seed 7 --start 2026-01-01T00:00:00Z --hash
          weir-loadgen generate --bootstrap 127.0.0.1:9092 --topic flows --rate max --seconds 60 --loop 2000000 --follow http://127.0.0.1:9526
          weir-loadgen generate --bootstrap 127.0.0.1:9092 --topic flows --shape ramp:0.1:300 --seconds 600 --report load.html
        """;

    private static readonly Option<string?> _bootstrap = CommandOptions.Of<string>("--bootstrap", "Kafka brokers, host:port");
    private static readonly Option<string?> _topic = CommandOptions.Of<string>("--topic", "topic to produce to");
    private static readonly Option<string> _format = CommandOptions.Of("--format", string.Join(" | ", FlowFormats.Names), "weir");
    private static readonly Option<ulong> _seed = CommandOptions.Of("--seed", "seed of all that is drawn", 1UL);
    private static readonly Option<string> _start = CommandOptions.Of("--start", "event time of the first record", "now");
    private static readonly Option<string> _rate = CommandOptions.Of("--rate", "records a second, or max", "100000");
    private static readonly Option<double?> _rateMb =
        CommandOptions.Of<double?>("--rate-mb", "MB a second (10^6 bytes of message values), in the place of --rate");
    private static readonly Option<double> _eventRate =
        CommandOptions.Of("--event-rate", "with --rate max: records for each second of event time", 1_000_000.0);
    private static readonly Option<string> _shape =
        CommandOptions.Of("--shape", "steady | ramp:FROM:SECONDS | sine:PERIOD:AMPLITUDE | bursts:PERIOD:LENGTH:FACTOR | step:AT:FACTOR",
            "steady");
    private static readonly Option<double?> _seconds = CommandOptions.Of<double?>("--seconds", "stop after so many seconds");
    private static readonly Option<long?> _records = CommandOptions.Of<long?>("--records", "stop after so many records");
    private static readonly Option<int> _perMessage = CommandOptions.Of("--records-per-message", "records of a message", 1_000);
    private static readonly Option<bool> _keyed =
        CommandOptions.Of("--keyed",
            "each series to its own partition, by the hash of its tag set (default: message after message in turn)", false);
    private static readonly Option<int> _series = CommandOptions.Of("--series", "series that exist at a time", 100_000);
    private static readonly Option<double> _exponent =
        CommandOptions.Of("--series-exponent", "zipf exponent by which series are drawn; 0 = all alike", 1.1);
    private static readonly Option<double> _churn =
        CommandOptions.Of("--churn", "share of the series replaced each second of event time", 0.0);
    private static readonly Option<int> _pops = CommandOptions.Of("--pops", "sites", 20);
    private static readonly Option<int> _agents = CommandOptions.Of("--agents", "agents (exporters) of a site", 5);
    private static readonly Option<int> _customers = CommandOptions.Of("--customers", "customers: values of dst_as", 200);
    private static readonly Option<int> _zones = CommandOptions.Of("--zones", "zones of a customer: destination networks", 20);
    private static readonly Option<int> _perZone = CommandOptions.Of("--records-per-zone", "records of a zone: destination addresses", 10);
    private static readonly Option<int> _clients = CommandOptions.Of("--clients", "source addresses", 50_000);
    private static readonly Option<double> _ipv6 = CommandOptions.Of("--ipv6", "share of the series that speak IPv6", 0.1);
    private static readonly Option<string[]> _tags = new("--tag")
    {
        Description = $"distribution of one tag, NAME=zipf:N[:S] | uniform:N | file:PATH | capture:PATH | fixed:VALUE; NAME is one of {string.Join(", ", TagValues.Names)}",
        HelpName = "NAME=DIST", DefaultValueFactory = _ => [],
    };
    private static readonly Option<string> _hot =
        CommandOptions.Of("--hot", "hot keys: how many, and the share of all records they get", "1:0", "KEYS:SHARE");
    private static readonly Option<string> _attack =
        CommandOptions.Of("--attack",
            "cardinality attack: tag (src_addr, dst_addr, src_port, exporter) and share of records with a new value", "src_addr:0",
                "TAG:SHARE");
    private static readonly Option<double> _late = CommandOptions.Of("--late", "share of records that lie --late-by back", 0.0);
    private static readonly Option<string> _lateBy = CommandOptions.Of("--late-by", "how far back", "8d");
    private static readonly Option<double> _future = CommandOptions.Of("--future", "share of records that lie --future-by ahead", 0.0);
    private static readonly Option<string> _futureBy = CommandOptions.Of("--future-by", "how far ahead", "20m");
    private static readonly Option<double> _malformed = CommandOptions.Of("--malformed", "share of records that do not decode", 0.0);
    private static readonly Option<double> _disorder =
        CommandOptions.Of("--out-of-order", "share of records that come up to --out-of-order-by late", 0.0);
    private static readonly Option<string> _disorderBy = CommandOptions.Of("--out-of-order-by", "how late at most", "60s");
    private static readonly Option<double> _skewed = CommandOptions.Of("--skewed-agents", "share of the agents with a wrong clock", 0.0);
    private static readonly Option<string> _skew = CommandOptions.Of("--skew", "how wrong at most, either way", "5m");
    private static readonly Option<ulong> _sampling = CommandOptions.Of("--sampling-rate", "sampling rate in each record", 1UL);
    private static readonly Option<string> _pastMax =
        CommandOptions.Of("--past-max", "time.past_max of the weir that reads: for the totals", "7d");
    private static readonly Option<string> _futureMax =
        CommandOptions.Of("--future-max", "time.future_max of the weir that reads: for the totals", "10m");
    private static readonly Option<string> _codec = CommandOptions.Of("--codec", "none | gzip | snappy | lz4 | zstd", "lz4");
    private static readonly Option<int?> _level = CommandOptions.Of<int?>("--level", "level of the codec");
    private static readonly Option<bool> _plain = CommandOptions.Of("--no-idempotence", "the plain producer, acks=1", false);
    private static readonly Option<Uri?> _follow = CommandOptions.Follow();
    private static readonly Option<long> _ahead =
        CommandOptions.Of("--ahead", "with --follow: most bytes of a partition beyond the position", 4L * 1024 * 1024);
    private static readonly Option<string[]> _properties = CommandOptions.Properties();
    private static readonly Option<bool> _rows =
        CommandOptions.Of("--rows", "count the rows that each view must have (24 B of memory each)", false);
    private static readonly Option<bool> _windows = CommandOptions.Of("--windows", "with --json: the sums of each window too", false);
    private static readonly Option<bool> _hash = CommandOptions.Of("--hash", "print the SHA-256 of all messages", false);
    private static readonly Option<bool> _dry = CommandOptions.Of("--dry-run", "make the messages and send nothing", false);
    private static readonly Option<int> _partitions = CommandOptions.Of("--partitions", "with --dry-run: partitions of the topic", 4);
    private static readonly Option<long?> _loop = CommandOptions.Of<long?>(
        "--loop", "make so many records once, as finished record batches, and send these again and again: records and event times repeat; plain"
            + " connections only",
        "RECORDS");
    private static readonly Option<string?> _report = CommandOptions.Report();
    private static readonly Option<bool> _json = CommandOptions.Json();
    private static readonly Option[] _notLooped = [_dry, _partitions, _hash, _plain, _properties];

    /// <summary>The command with its options.</summary>
    public static Command Create()
    {
        var command = new Command("generate", Description)
        {
            _bootstrap, _topic, _format, _rate, _rateMb, _eventRate, _shape, _seconds, _records, _perMessage, _keyed, _seed, _start,
            _series, _exponent, _churn, _pops, _agents, _customers, _zones, _perZone, _clients, _ipv6, _tags, _hot, _attack,
            _late, _lateBy, _future, _futureBy, _malformed, _disorder, _disorderBy, _skewed, _skew, _sampling, _pastMax, _futureMax,
            _codec, _level, _plain, _follow, _ahead, _properties, _rows, _windows, _hash, _dry, _partitions, _loop, _report,
            _json,
        };
        command.SetAction((arguments, cancellation) => CommandOptions.GuardAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var isDry = arguments.GetValue(_dry);
        if (!isDry && (arguments.GetValue(_bootstrap) is null || arguments.GetValue(_topic) is null))
        {
            throw new ArgumentException("--bootstrap and --topic are required, but for --dry-run.");
        }

        using var positions = arguments.GetValue(_follow) is { } admin ? new AdminPositions(admin) : null;
        if (arguments.GetValue(_loop) is { } loop)
        {
            return await LoopAsync(arguments, loop, positions, cancellation);
        }

        using var producer = isDry ? null : new TopicProducer(ReadProducer(arguments), positions is null ? null : positions.ReadAsync);
        var options = ReadOptions(arguments, producer?.PartitionCount ?? arguments.GetValue(_partitions));
        var isPaced = !isDry && IsPaced(arguments);
        using var run = new GenerateRun(new Generator(options), producer, isPaced, arguments.GetValue(_hash));
        return await ShowAsync(
            arguments, run, new GenerateOutput(options, run, producer, isPaced),
            run.RunAsync(arguments.GetValue(_records) ?? long.MaxValue, Duration(arguments), cancellation));
    }

    private static async Task<int> LoopAsync(
        ParseResult arguments, long recordCount, AdminPositions? positions, CancellationToken cancellation)
    {
        if (_notLooped.FirstOrDefault(option => arguments.GetResult(option) is { Implicit: false }) is { } given)
        {
            throw new ArgumentException($"{given.Name} has no meaning with --loop.");
        }

        if (arguments.GetValue(_level) is not null && arguments.GetValue(_codec) is not ("gzip" or "zstd"))
        {
            throw new ArgumentException("--level with --loop is for gzip and zstd.");
        }

        if (recordCount is < 1 or > LoopRecordsMax)
        {
            throw new ArgumentException($"--loop: allowed are 1 to {LoopRecordsMax} records.");
        }

        var (bootstrap, topic) = (arguments.GetValue(_bootstrap)!, arguments.GetValue(_topic)!);
        var options = ReadOptions(arguments, Topics.CountPartitions(bootstrap, topic));
        var isPaced = IsPaced(arguments);
        await Console.Error.WriteLineAsync(CommandOptions.Text($"making {recordCount:N0} records, to be sent again and again"));
        var batches = await Task.Run(
            () => FinishedBatch.Make(options, recordCount, arguments.GetValue(_codec)!, arguments.GetValue(_level), cancellation),
            cancellation);
        using var run = new LoopRun(
            new LoopOptions
            {
                Bootstrap = bootstrap,
                Topic = topic,
                RecordsMax = arguments.GetValue(_records) ?? long.MaxValue,
                Duration = Duration(arguments),
                Rate = isPaced ? options.Rate : null,
                IsRateInBytes = options.IsRateInBytes,
                AheadBytesMax = arguments.GetValue(_ahead),
            },
            batches,
            positions is null ? null : positions.ReadAsync);
        return await ShowAsync(arguments, run, new GenerateOutput(options, run, null, isPaced), run.RunAsync(cancellation));
    }

    private static async Task<int> ShowAsync(ParseResult arguments, IGenerateRun run, GenerateOutput output, Task work)
    {
        long shown = 0;
        await CommandOptions.ShowProgressAsync(
            work,
            () =>
            {
                var count = run.HandledRecordCount;
                var line = CommandOptions.Text(
                    $"{run.Elapsed.TotalSeconds,6:0.0} s {count - shown,12:N0} records/s {count,16:N0} records  behind {run.BehindSeconds:0.000} s  {run.Problem}");
                shown = count;
                return line;
            },
            output.Sample);
        await work;
        Console.Out.WriteLine(arguments.GetValue(_json) ? output.ToJson(arguments.GetValue(_windows)) : output.ToText());
        if (arguments.GetValue(_report) is { } path)
        {
            output.ToReport(arguments).Write(path);
        }

        return output.NotTakenCount == 0 ? 0 : 1;
    }

    private static bool IsPaced(ParseResult arguments) => arguments.GetValue(_rate) != "max" || arguments.GetValue(_rateMb) is not null;

    private static TimeSpan? Duration(ParseResult arguments) =>
        arguments.GetValue(_seconds) is { } seconds ? TimeSpan.FromSeconds(seconds) : null;

    private static ProducerOptions ReadProducer(ParseResult arguments) => new()
    {
        Bootstrap = arguments.GetValue(_bootstrap)!,
        Topic = arguments.GetValue(_topic)!,
        Codec = arguments.GetValue(_codec)!,
        Level = arguments.GetValue(_level),
        IsIdempotent = !arguments.GetValue(_plain),
        AheadBytesMax = arguments.GetValue(_ahead),
        Properties = arguments.GetValue(_properties)!,
    };

    private static GeneratorOptions ReadOptions(ParseResult arguments, int partitionCount)
    {
        TimeSpan Duration(Option<string> option) => CommandOptions.Duration(option.Name, arguments.GetValue(option)!);
        var (hotKeys, hotShare) = Pair("--hot", arguments.GetValue(_hot)!);
        var (attackTag, attackShare) = Pair("--attack", arguments.GetValue(_attack)!);
        var rateMb = arguments.GetValue(_rateMb);
        return new GeneratorOptions
        {
            Format = arguments.GetValue(_format)!,
            Seed = arguments.GetValue(_seed),
            StartSecond = CommandOptions.Time("--start", arguments.GetValue(_start)!).ToUnixTimeSeconds(),
            PartitionCount = partitionCount,
            RecordsPerMessage = arguments.GetValue(_perMessage),
            IsKeyed = arguments.GetValue(_keyed),
            SeriesCount = arguments.GetValue(_series),
            SeriesExponent = arguments.GetValue(_exponent),
            ChurnPerSecond = arguments.GetValue(_churn),
            PopCount = arguments.GetValue(_pops),
            AgentsPerPop = arguments.GetValue(_agents),
            CustomerCount = arguments.GetValue(_customers),
            ZonesPerCustomer = arguments.GetValue(_zones),
            RecordsPerZone = arguments.GetValue(_perZone),
            ClientCount = arguments.GetValue(_clients),
            Ipv6Share = arguments.GetValue(_ipv6),
            Tags = ReadTags(arguments.GetValue(_tags)!),
            HotKeyCount = int.TryParse(hotKeys, NumberStyles.None, CultureInfo.InvariantCulture, out var count) ? count : 0,
            HotShare = hotShare,
            AttackTag = attackTag,
            AttackShare = attackShare,
            LateShare = arguments.GetValue(_late),
            LateBy = Duration(_lateBy),
            FutureShare = arguments.GetValue(_future),
            FutureBy = Duration(_futureBy),
            MalformedShare = arguments.GetValue(_malformed),
            OutOfOrderShare = arguments.GetValue(_disorder),
            OutOfOrderBy = Duration(_disorderBy),
            SkewedAgentShare = arguments.GetValue(_skewed),
            SkewMax = Duration(_skew),
            SamplingRate = arguments.GetValue(_sampling),
            PastMax = Duration(_pastMax),
            FutureMax = Duration(_futureMax),
            Rate = RateShape.Parse(arguments.GetValue(_shape)!, rateMb * 1e6 ?? Rate(arguments)),
            IsRateInBytes = rateMb is not null,
            CountsRows = arguments.GetValue(_rows),
        };
    }

    private static double Rate(ParseResult arguments)
    {
        var text = arguments.GetValue(_rate)!;
        return text == "max" ? arguments.GetValue(_eventRate)
            : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var rate) ? rate
            : throw new ArgumentException($"--rate is '{text}'; allowed: records a second, or max");
    }

    private static (string Name, double Share) Pair(string option, string text)
    {
        var colon = text.LastIndexOf(':');
        return colon > 0 && double.TryParse(text[(colon + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out var share)
            ? (text[..colon], share)
            : throw new ArgumentException($"{option} is '{text}'; allowed: such as {(option == "--hot" ? "3:0.5" : "src_addr:0.5")}");
    }

    private static Dictionary<string, TagValues> ReadTags(string[] texts)
    {
        var tags = new Dictionary<string, TagValues>();
        foreach (var text in texts)
        {
            var equals = text.IndexOf('=', StringComparison.Ordinal);
            var name = equals > 0 ? text[..equals] : text;
            tags[name] = TagValues.Parse(name, equals > 0 ? text[(equals + 1)..] : string.Empty, CapturedValues.Count);
        }

        return tags;
    }
}
