using Confluent.Kafka;

namespace Weir.Ingest;

/// <summary>The properties that Weir gives to librdkafka, and which of them a user may change.</summary>
internal static class ConsumerSettings
{
    /// <summary>Properties that Weir's account depends on, or that have a key of their own, and why they cannot be passed through.</summary>
    public static IReadOnlyDictionary<string, string> Reserved { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["bootstrap.servers"] = "it has its own key, kafka.bootstrap",
        ["metadata.broker.list"] = "it has its own key, kafka.bootstrap",
        ["group.id"] = "it has its own key, kafka.group",
        ["enable.auto.commit"] = "Weir commits what is stored, and only that",
        ["auto.commit.enable"] = "Weir commits what is stored, and only that",
        ["enable.auto.offset.store"] = "Weir commits what is stored, and only that",
        ["enable.partition.eof"] = "Weir needs it to notice that a planned range has no end any more",
        ["consume.callback.max.messages"] = "Weir does not use it",
    };

    /// <summary>The configuration of the consumer: Weir's defaults, then the user's properties, then those that cannot be changed.</summary>
    public static ConsumerConfig Build(IngestOptions options)
    {
        var properties = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["client.id"] = "weir",
            ["auto.offset.reset"] = "earliest",

            // A full queue is looked at again soon: with the default of 1 s throughput falls to a tenth (facts/KAFKA.md).
            ["fetch.queue.backoff.ms"] = "5",

            // For each ingest worker: a partition's queue is measured where it is forwarded to.
            ["queued.max.messages.kbytes"] = "65536",
            ["queued.min.messages"] = "100000",
            ["fetch.max.bytes"] = "16777216",

            // Bounds what a batch may be when it is decompressed, too: a partition stands still at a larger one. A message of 1 MB, which
            // brokers take, may well be one of 100 MB, librdkafka's default.
            ["receive.message.max.bytes"] = "268435456",
            ["fetch.wait.max.ms"] = "100",
            ["topic.metadata.refresh.interval.ms"] = "30000", // A topic that is made later is found within half a minute.
            ["socket.keepalive.enable"] = "true",
            ["statistics.interval.ms"] = "1000", // For the diagnosis; it is made and read off the data path.
            ["socket.nagle.disable"] = "true",
        };
        if (IsClassic(options))
        {
            properties["partition.assignment.strategy"] = "cooperative-sticky"; // With the new protocol the broker decides.
        }

        foreach (var (name, value) in options.KafkaProperties)
        {
            properties[name] = value;
        }

        properties["bootstrap.servers"] = options.Bootstrap;
        properties["group.id"] = options.Group;
        properties["enable.auto.commit"] = "false";
        properties["enable.auto.offset.store"] = "false";
        properties["enable.partition.eof"] = "true";
        return new ConsumerConfig(properties);
    }

    /// <summary>False where the broker assigns the partitions: <c>group.protocol=consumer</c>.</summary>
    public static bool IsClassic(IngestOptions options) => options.KafkaProperties.GetValueOrDefault("group.protocol") != "consumer";

    /// <summary>Where a partition without a commit begins: the end of its log with <c>auto.offset.reset=latest</c>, its beginning otherwise.</summary>
    public static Offset FirstOffset(IngestOptions options) =>
        Build(options).Get("auto.offset.reset") is "latest" or "largest" or "end" ? Offset.End : Offset.Beginning;
}
