using Weir.Core.Queues;
using Weir.Ingest;
using Weir.Writer;

namespace Weir.Host.Options;

/// <summary>The table of all options, in the order of the file. Everything about an option is said here, once.</summary>
/// <remarks>Defaults are those of the option records: the table reads them from there.</remarks>
internal static class OptionSpecs
{
    /// <summary>Every option.</summary>
    public static IReadOnlyList<OptionSpec> All { get; } = [.. Input(), .. DeadLetters(), .. Output(), .. Stages(), .. Process(), new ViewsSpec()];

    /// <summary>The option of a path, or null.</summary>
    public static OptionSpec? Find(string path) => All.FirstOrDefault(spec => spec.Path == path);

    private static IEnumerable<OptionSpec> Input()
    {
        yield return Option(
            "kafka.bootstrap",
            OptionTypes.Brokers(),
            "Brokers to ask first for the others.",
            options => options.Ingest.Bootstrap,
            (options, value) => options with { Ingest = options.Ingest with { Bootstrap = value } });
        yield return Option(
            "kafka.group",
            OptionTypes.Text("text of 1 to 249 characters", 249),
            "Consumer group. Processes of one group share the partitions.",
            options => options.Ingest.Group,
            (options, value) => options with { Ingest = options.Ingest with { Group = value } });
        yield return new TopicsSpec();
        yield return Option(
            "kafka.revoke_timeout",
            OptionTypes.Duration("0s", "4m"),
            "How long a revoked partition may take to be stored; after it, the next owner reads the rest again.",
            options => options.Ingest.RevokeTimeout,
            (options, value) => options with { Ingest = options.Ingest with { RevokeTimeout = value } });
        yield return Option(
            "kafka.join_interval",
            OptionTypes.Duration("0s", "10m"),
            "Joining the group, and leaving it at a stop, wait for a whole multiple of this time of day (UTC): processes that start or stop "
            + "together then cost the group one rebalance, not one each. Until it leaves, a process goes on working, for at most half of "
            + "shutdown.timeout. 0s joins and leaves at once; with group.instance.id there is nothing to gather.",
            options => options.Ingest.JoinInterval,
            (options, value) => options with { Ingest = options.Ingest with { JoinInterval = value } });
        yield return new KafkaPropertiesSpec();
    }

    private static IEnumerable<OptionSpec> DeadLetters()
    {
        yield return Option(
            "dead_letters.topic",
            OptionTypes.Topic(),
            "Topic that gets rejected and late records, with headers that say from where and why. "
            + "Not together with dead_letters.directory.",
            options => options.Ingest.DeadLetters.Topic,
            (options, value) => With(options, letters => letters with { Topic = value }));
        yield return Option(
            "dead_letters.directory",
            OptionTypes.Directory(),
            "Directory that gets them, as files of JSON lines; for use without a broker to write to.",
            options => options.Ingest.DeadLetters.Directory,
            (options, value) => With(options, letters => letters with { Directory = value }));
        yield return Option(
            "dead_letters.rate_max",
            OptionTypes.Number(1, 1_000_000),
            "Letters a second; records above it are only counted.",
            options => options.Ingest.DeadLetters.RateMax,
            (options, value) => With(options, letters => letters with { RateMax = (int)value }));
        yield return Option(
            "dead_letters.directory_max",
            OptionTypes.Size(1L << 20, 1L << 50),
            "Bytes of all files of the directory; a full one takes no more, and records are only counted.",
            options => options.Ingest.DeadLetters.DirectoryBytesMax,
            (options, value) => With(options, letters => letters with { DirectoryBytesMax = value }));

        static WeirOptions With(WeirOptions options, Func<DeadLetterOptions, DeadLetterOptions> change) =>
            options with { Ingest = options.Ingest with { DeadLetters = change(options.Ingest.DeadLetters) } };
    }

    private static IEnumerable<OptionSpec> Output()
    {
        yield return Option(
            "clickhouse.url",
            OptionTypes.HttpAddress(),
            "HTTP address of the ClickHouse server. Not together with clickhouse.embedded.",
            options => options.Writer.Url,
            (options, value) => options with { Writer = options.Writer with { Url = value } });
        yield return Option(
            "clickhouse.urls",
            OptionTypes.ShardAddresses(),
            "HTTP addresses of the replicas of a shard, in the place of clickhouse.url: when one does not take a block, the next is tried. "
            + "More than one needs replicated tables (macros shard and replica, and a ZooKeeper or Keeper). Several shards are separated by "
            + "semicolons: a series of a view lives on the shard that its tags say. Their order and number are part of the blocks' layout.",
            options => options.Writer.Urls.Count == 0 ? [] : [options.Writer.Urls, .. options.Writer.MoreShards],
            (options, value) => options with { Writer = options.Writer with { Urls = value[0], MoreShards = [.. value.Skip(1)] } });
        yield return Option(
            "clickhouse.embedded",
            OptionTypes.Directory(),
            "Directory of an embedded ClickHouse, in the place of a server. A relative path is relative to the working directory. "
            + "One process at a time may open it.",
            options => options.Writer.EmbeddedPath,
            (options, value) => options with { Writer = options.Writer with { EmbeddedPath = value } });
        yield return Option(
            "clickhouse.user",
            OptionTypes.Text("text of 1 to 1000 characters"),
            "User of the server.",
            options => options.Writer.User,
            (options, value) => options with { Writer = options.Writer with { User = value } });
        yield return Option(
            "clickhouse.password",
            OptionTypes.AnyText(),
            "Password of the user. It is never printed; best given by the variable.",
            options => options.Writer.Password,
            (options, value) => options with { Writer = options.Writer with { Password = value } },
            isSecret: true);
        yield return Option(
            "clickhouse.password_file",
            OptionTypes.File(),
            "File with the password, in the place of clickhouse.password. It is read for each request, so a rotated password needs no restart.",
            options => options.Writer.PasswordFile,
            (options, value) => options with { Writer = options.Writer with { PasswordFile = value } });
        yield return Option(
            "clickhouse.tls_ca_file",
            OptionTypes.File(),
            "PEM certificates of the authorities that vouch for servers with https; without it, those of this machine. Certificates are always "
            + "checked. It is read for each connection.",
            options => options.Writer.TlsCaFile,
            (options, value) => options with { Writer = options.Writer with { TlsCaFile = value } });
        yield return Option(
            "clickhouse.tls_certificate_file",
            OptionTypes.File(),
            "PEM certificate to show to servers that ask for one (mutual TLS). It is read for each connection.",
            options => options.Writer.TlsCertificateFile,
            (options, value) => options with { Writer = options.Writer with { TlsCertificateFile = value } });
        yield return Option(
            "clickhouse.tls_key_file",
            OptionTypes.File(),
            "PEM key of clickhouse.tls_certificate_file, without a password; not set when that file has it too.",
            options => options.Writer.TlsKeyFile,
            (options, value) => options with { Writer = options.Writer with { TlsKeyFile = value } });
        yield return Option(
            "clickhouse.database",
            OptionTypes.Identifier(),
            "Database of all tables; made when it is absent.",
            options => options.Writer.Database,
            (options, value) => options with { Writer = options.Writer with { Database = value } });
        yield return Option(
            "clickhouse.compression",
            OptionTypes.Compression(),
            "Compression of the blocks sent to a server: lz4 on a LAN, zstd where bandwidth counts.",
            options => options.Writer.Compression,
            (options, value) => options with { Writer = options.Writer with { Compression = value } });
        yield return new RetentionSpec();
        yield return Option(
            "clickhouse.request_timeout",
            OptionTypes.Duration("1s", "1h"),
            "Time-out of one request to the server.",
            options => options.Writer.RequestTimeout,
            (options, value) => options with { Writer = options.Writer with { RequestTimeout = value } });
        yield return Option(
            "clickhouse.on_refused",
            OptionTypes.Choice(("stop", RefusedBlock.Stop), ("drop", RefusedBlock.Drop), ("dead-letter", RefusedBlock.DeadLetter)),
            "When the server refuses a block for good: stop (nothing is lost; weir ends with an error), dead-letter (it goes to "
            + "clickhouse.refused_directory, counted; weir goes on) or drop (counted; weir goes on).",
            options => options.Writer.OnRefused,
            (options, value) => options with { Writer = options.Writer with { OnRefused = value } });
        yield return Option(
            "clickhouse.fsync",
            OptionTypes.Switch(),
            "Tables bring each block and merge to the disk before they acknowledge it (fsync_after_insert and others, set on the tables). "
            + "Without it a loss of power may undo what was acknowledged shortly before; a crash of a process never does. Not on 18.16. "
            + "false leaves the settings of existing tables as they are.",
            options => options.Writer.Fsync,
            (options, value) => options with { Writer = options.Writer with { Fsync = value } });
        yield return Option(
            "clickhouse.refused_directory",
            OptionTypes.Directory(),
            "Where blocks go that the server refuses for good, with clickhouse.on_refused: dead-letter. Each is a file of Native bytes named "
            + "by the block, and one of JSON with the reason.",
            options => options.Writer.DeadLetterDirectory,
            (options, value) => options with { Writer = options.Writer with { DeadLetterDirectory = value } });
        yield return Option(
            "clickhouse.refused_directory_max",
            OptionTypes.Size(1L << 20, 1L << 50),
            "Bytes in clickhouse.refused_directory above which a further refused block stops weir instead.",
            options => options.Writer.DeadLetterBytesMax,
            (options, value) => options with { Writer = options.Writer with { DeadLetterBytesMax = value } });
    }

    private static IEnumerable<OptionSpec> Stages()
    {
        yield return Option(
            "ingest.workers",
            OptionTypes.Number(1, 256),
            "Threads that decode; each owns some of the partitions.",
            options => options.Ingest.Workers,
            (options, value) => options with { Ingest = options.Ingest with { Workers = (int)value } });
        yield return Option(
            "ingest.strings_max",
            OptionTypes.Number(16, 100_000_000),
            "Distinct texts of string tags for each cut of a partition; more become __overflow__.",
            options => options.Ingest.StringsMax,
            (options, value) => options with { Ingest = options.Ingest with { StringsMax = (int)value } });
        yield return Option(
            "aggregation.workers",
            OptionTypes.Number(0, 256),
            "Threads that fold; 0 folds in the decoding threads, with no queue between: right for one core.",
            options => options.Aggregation.Workers,
            (options, value) => options with { Aggregation = options.Aggregation with { Workers = (int)value } });
        yield return Option(
            "aggregation.queue.capacity_records",
            OptionTypes.Number(1_024, 100_000_000),
            "Records that the queue in front of each folding thread holds.",
            options => options.Aggregation.QueueCapacityRecords,
            (options, value) => options with { Aggregation = options.Aggregation with { QueueCapacityRecords = value } });
        yield return Option(
            "aggregation.queue.policy",
            OptionTypes.Choice(("block", FullPolicy.Block), ("overwrite", FullPolicy.Overwrite), ("drop", FullPolicy.Drop)),
            "When that queue is full: block (reading waits, nothing is lost), overwrite (the oldest records go, counted) "
            + "or drop (the new ones go, counted).",
            options => options.Aggregation.QueuePolicy,
            (options, value) => options with { Aggregation = options.Aggregation with { QueuePolicy = value } });
        yield return Option(
            "flush.interval",
            OptionTypes.Duration("100ms", "1h"),
            "How often each partition is cut and stored. Longer: fewer, larger inserts; shorter: fresher rows.",
            options => options.Ingest.FlushInterval,
            (options, value) => options with { Ingest = options.Ingest with { FlushInterval = value } });
        yield return Option(
            "time.past_max",
            OptionTypes.Duration("0s", "36500d"),
            "How far before the broker's time of its message a record may lie; an older one is late, and counted.",
            options => options.Ingest.PastMax,
            (options, value) => options with { Ingest = options.Ingest with { PastMax = value } });
        yield return Option(
            "time.future_max",
            OptionTypes.Duration("0s", "36500d"),
            "How far after the broker's time of its message a record may lie; a later one is late, and counted.",
            options => options.Ingest.FutureMax,
            (options, value) => options with { Ingest = options.Ingest with { FutureMax = value } });
    }

    private static IEnumerable<OptionSpec> Process()
    {
        yield return Option(
            "memory.limit",
            OptionTypes.Size(64L << 20, 1L << 40),
            "Bytes that chunks, sums and waiting blocks may hold together; at the limit, reading pauses. "
            + "The process needs about 300MiB more, the embedded ClickHouse another 300MiB.",
            options => options.MemoryLimitBytes,
            (options, value) => options with { MemoryLimitBytes = value });
        yield return Option(
            "shutdown.timeout",
            OptionTypes.Duration("1s", "1h"),
            "How long a stop may take to store what was read; after it, the next start reads the rest again.",
            options => options.ShutdownTimeout,
            (options, value) => options with { ShutdownTimeout = value });
        yield return Option(
            "admin.listen",
            OptionTypes.ListenAddress(),
            "Address of the admin endpoint: /healthz, /readyz, /metrics, /queues, /query.",
            options => options.Admin.Listen,
            (options, value) => options with { Admin = options.Admin with { Listen = value } });
        yield return Option(
            "admin.token",
            OptionTypes.Token(),
            "Secret that every request must bring (Authorization: Bearer …, or as the password of any user); needed where admin.listen is an "
            + "address that other machines reach. Best given by the variable or admin.token_file. /healthz and /readyz answer without it.",
            options => options.Admin.Token,
            (options, value) => options with { Admin = options.Admin with { Token = value } },
            isSecret: true);
        yield return Option(
            "admin.token_file",
            OptionTypes.Directory(),
            "File whose first line is that secret, in the place of admin.token.",
            options => options.Admin.TokenFile,
            (options, value) => options with { Admin = options.Admin with { TokenFile = value } });
        yield return Option(
            "admin.remote_queries",
            OptionTypes.Switch(),
            "Answer /query although admin.listen is an address that other machines reach. Whoever reaches it may read all rows.",
            options => options.Admin.RemoteQueries,
            (options, value) => options with { Admin = options.Admin with { RemoteQueries = value } });
        yield return Option(
            "diagnosis.window",
            OptionTypes.Duration("2s", "10m"),
            "Time that weir diagnose looks at: shorter sees a cause sooner, longer tells a burst from a state.",
            options => options.Telemetry.DiagnosisWindow,
            (options, value) => options with { Telemetry = options.Telemetry with { DiagnosisWindow = value } });
        yield return Option(
            "telemetry.tables",
            OptionTypes.Switch(),
            "Write what the stages have counted to the tables of the database weir_system in the same ClickHouse.",
            options => options.Telemetry.Tables,
            (options, value) => options with { Telemetry = options.Telemetry with { Tables = value } });
        yield return Option(
            "telemetry.tables_interval",
            OptionTypes.Duration("500ms", "1h"),
            "How often they are written; the rows of a time that ClickHouse was away are summed up in the next ones.",
            options => options.Telemetry.TablesInterval,
            (options, value) => options with { Telemetry = options.Telemetry with { TablesInterval = value } });
        yield return Option(
            "telemetry.traces_url",
            OptionTypes.HttpAddress(),
            "Address of an OpenTelemetry collector (OTLP over HTTP) that gets a span for each cut, with its steps and inserts. Not set: no traces.",
            options => options.Telemetry.TracesUrl,
            (options, value) => options with { Telemetry = options.Telemetry with { TracesUrl = value } });
        yield return Option(
            "log.level",
            OptionTypes.Choice(
                ("trace", LogLevel.Trace), ("debug", LogLevel.Debug), ("info", LogLevel.Information), ("warn", LogLevel.Warning),
                ("error", LogLevel.Error)),
            "The least level that is logged.",
            options => options.Log.Level,
            (options, value) => options with { Log = options.Log with { Level = value } });
        yield return Option(
            "log.format",
            OptionTypes.Choice(("text", LogFormat.Text), ("json", LogFormat.Json)),
            "One line of text, or one JSON object, for each message; on stderr.",
            options => options.Log.Format,
            (options, value) => options with { Log = options.Log with { Format = value } });
    }

    private static ScalarSpec<T> Option<T>(
        string path,
        OptionType<T> type,
        string description,
        Func<WeirOptions, T> get,
        Func<WeirOptions, T, WeirOptions> set,
        bool isSecret = false) => new(path, type, description, get, set) { IsSecret = isSecret };
}
