namespace Weir.Ingest;

/// <summary>Where records come from and how they are read.</summary>
public sealed record IngestOptions
{
    /// <summary>Brokers, <c>host:port</c> separated by commas.</summary>
    public string Bootstrap { get; init; } = "127.0.0.1:9092";

    /// <summary>Consumer group.</summary>
    public string Group { get; init; } = "weir";

    /// <summary>Topics and their formats; at least one.</summary>
    public IReadOnlyList<TopicOptions> Topics { get; init; } = [new TopicOptions("flows", "pmacct-json")];

    /// <summary>librdkafka properties, passed through after Weir's own, which they override where that is safe.</summary>
    public IReadOnlyDictionary<string, string> KafkaProperties { get; init; } = new Dictionary<string, string>();

    /// <summary>Threads that decode; each owns some of the partitions.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>Distinct texts of string tags for each cut; more become <c>__overflow__</c>.</summary>
    public int StringsMax { get; init; } = 100_000;

    /// <summary>How often each partition is cut and stored.</summary>
    public TimeSpan FlushInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How far before the broker's time of its message a record may lie.</summary>
    public TimeSpan PastMax { get; init; } = TimeSpan.FromDays(7);

    /// <summary>How far after the broker's time of its message a record may lie.</summary>
    public TimeSpan FutureMax { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a revoked partition may take to be stored; after it, the next owner reads the rest again.</summary>
    public TimeSpan RevokeTimeout { get; init; } = TimeSpan.FromSeconds(15);
}

/// <summary>A topic to read.</summary>
/// <param name="Name">Kafka's name.</param>
/// <param name="Format">One of <c>pmacct-json</c>, <c>goflow2</c>, <c>goflow2-json</c>, <c>weir-proto</c>, <c>weir</c>.</param>
public sealed record TopicOptions(string Name, string Format);
