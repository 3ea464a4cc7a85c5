namespace Weir.Core.Telemetry;

public static partial class WeirMeter
{
    /// <summary>Messages read.</summary>
    public static readonly MetricDefinition IngestMessagesTotal = new(
        "weir_ingest_messages_total", MetricKind.Counter, "Messages read from Kafka.", "topic");

    /// <summary>Bytes of messages read.</summary>
    public static readonly MetricDefinition IngestMessageBytesTotal = new(
        "weir_ingest_message_bytes_total", MetricKind.Counter, "Bytes of the values of the messages read, uncompressed.", "topic");

    /// <summary>Records read.</summary>
    public static readonly MetricDefinition IngestReadTotal = new(
        "weir_ingest_read_records_total", MetricKind.Counter, "Records read: accepted, rejected and late ones.", "topic");

    /// <summary>Records rejected.</summary>
    public static readonly MetricDefinition IngestRejectedTotal = new(
        "weir_ingest_rejected_records_total", MetricKind.Counter, "Records that did not decode, by reason.", "topic", "reason");

    /// <summary>Records that are late.</summary>
    public static readonly MetricDefinition IngestLateTotal = new(
        "weir_ingest_late_records_total",
        MetricKind.Counter,
        "Records outside time.past_max and time.future_max around the broker's time of their message.",
        "topic");

    /// <summary>Markers of agents.</summary>
    public static readonly MetricDefinition IngestMarkersTotal = new(
        "weir_ingest_markers_total", MetricKind.Counter, "Markers of agents (such as pmacct's purge_init), which are no records.", "topic");

    /// <summary>Records of unknown sampling rate.</summary>
    public static readonly MetricDefinition IngestSamplingUnknownTotal = new(
        "weir_ingest_sampling_unknown_records_total",
        MetricKind.Counter,
        "Records with a sampling rate of 0, which means unknown and was taken as 1.",
        "topic");

    /// <summary>Offsets not delivered.</summary>
    public static readonly MetricDefinition IngestGapOffsetsTotal = new(
        "weir_ingest_gap_offsets_total",
        MetricKind.Counter,
        "Offsets that the broker did not deliver: deleted before they were read, compacted away, or markers of transactions.",
        "topic");

    /// <summary>Messages read before.</summary>
    public static readonly MetricDefinition IngestRepeatedMessagesTotal = new(
        "weir_ingest_repeated_messages_total", MetricKind.Counter, "Messages that had been read before and were passed over.", "topic");

    /// <summary>Messages of leaving partitions.</summary>
    public static readonly MetricDefinition IngestLeavingMessagesTotal = new(
        "weir_ingest_leaving_messages_total",
        MetricKind.Counter,
        "Messages passed over because their partition was leaving; its next owner reads them.",
        "topic");

    /// <summary>Records of abandoned cuts.</summary>
    public static readonly MetricDefinition IngestAbandonedTotal = new(
        "weir_ingest_abandoned_records_total",
        MetricKind.Counter,
        "Records read for partitions that were lost or given up before they were stored; the next owner reads them again.");

    /// <summary>Partitions assigned.</summary>
    public static readonly MetricDefinition IngestPartitions = new(
        "weir_ingest_partitions", MetricKind.Gauge, "Partitions assigned to this process.", "topic");

    /// <summary>Lag of the topic.</summary>
    public static readonly MetricDefinition IngestLagMessages = new(
        "weir_ingest_lag_messages", MetricKind.Gauge, "Messages in the assigned partitions that are not yet read, as of the last fetch.", "topic");

    /// <summary>Messages read and not yet stored.</summary>
    public static readonly MetricDefinition IngestUncommittedMessages = new(
        "weir_ingest_uncommitted_messages",
        MetricKind.Gauge,
        "Messages of the assigned partitions that are read and not yet stored.",
        "topic");

    /// <summary>Pauses for memory.</summary>
    public static readonly MetricDefinition IngestMemoryPauseTotal = new(
        "weir_ingest_memory_pause_seconds_total", MetricKind.Counter, "Time that workers did not read because memory.limit was reached.", "worker");

    /// <summary>Commits.</summary>
    public static readonly MetricDefinition IngestCommitsTotal = new(
        "weir_ingest_commits_total", MetricKind.Counter, "Commits sent to Kafka: one for all partitions at each flush, and those tried again.");

    /// <summary>Replays.</summary>
    public static readonly MetricDefinition IngestReplaysTotal = new(
        "weir_ingest_replays_total", MetricKind.Counter, "Ranges read again because an earlier owner of the partition had planned them.");

    /// <summary>Failed commits.</summary>
    public static readonly MetricDefinition IngestCommitErrorsTotal = new(
        "weir_ingest_commit_errors_total", MetricKind.Counter, "Commits that failed; each is tried again while the partition is ours.");

    /// <summary>Errors of the consumer.</summary>
    public static readonly MetricDefinition IngestConsumeErrorsTotal = new(
        "weir_ingest_consume_errors_total", MetricKind.Counter, "Errors that the Kafka client reported for partitions, brokers or the group.");

    /// <summary>Rebalances.</summary>
    public static readonly MetricDefinition IngestRebalancesTotal = new(
        "weir_ingest_rebalances_total", MetricKind.Counter, "Assignments, revocations and losses of partitions.");

    /// <summary>Records whose dead letters were written.</summary>
    public static readonly MetricDefinition IngestDeadLettersWrittenTotal = new(
        "weir_dead_letters_written_records_total",
        MetricKind.Counter,
        "Rejected and late records that were written to dead_letters.topic or dead_letters.directory.",
        "reason");

    /// <summary>Records whose dead letters were not written.</summary>
    public static readonly MetricDefinition IngestDeadLettersUnwrittenTotal = new(
        "weir_dead_letters_unwritten_records_total",
        MetricKind.Counter,
        "Rejected and late records that were counted only: above dead_letters.rate_max, a full queue or directory, or an error.",
        "reason");

    /// <summary>Lag in time.</summary>
    public static readonly MetricDefinition IngestLagSeconds = new(
        "weir_ingest_lag_seconds",
        MetricKind.Gauge,
        "How long ago the broker got the message that was read last, in the partition furthest behind; 0 when nothing waits.",
        "topic");

    /// <summary>Connected brokers.</summary>
    public static readonly MetricDefinition IngestBrokersConnected = new(
        "weir_ingest_connected_brokers", MetricKind.Gauge, "Brokers that the Kafka client is connected to.");

    /// <summary>Answers of brokers.</summary>
    public static readonly MetricDefinition IngestBrokerRoundTrip = new(
        "weir_ingest_broker_round_trip_seconds",
        MetricKind.Gauge,
        "Mean time of an answer of the slowest broker in the last second; fetches that wait for data are among them.");

    /// <summary>Broken connections.</summary>
    public static readonly MetricDefinition IngestBrokerDisconnectsTotal = new(
        "weir_ingest_broker_disconnects_total", MetricKind.Counter, "Connections to brokers that ended.");

    /// <summary>Prefetched messages.</summary>
    public static readonly MetricDefinition IngestPrefetchedMessages = new(
        "weir_ingest_prefetched_messages", MetricKind.Gauge, "Messages that the Kafka client holds and that are not yet read.");

    private static readonly MetricDefinition[] _ingest =
    [
        IngestMessagesTotal, IngestMessageBytesTotal, IngestReadTotal, IngestRejectedTotal, IngestLateTotal, IngestMarkersTotal,
        IngestSamplingUnknownTotal, IngestGapOffsetsTotal, IngestRepeatedMessagesTotal, IngestLeavingMessagesTotal,
        IngestAbandonedTotal, IngestPartitions, IngestLagMessages, IngestUncommittedMessages, IngestMemoryPauseTotal,
        IngestCommitsTotal, IngestReplaysTotal, IngestCommitErrorsTotal, IngestConsumeErrorsTotal, IngestRebalancesTotal,
        IngestDeadLettersWrittenTotal, IngestDeadLettersUnwrittenTotal, IngestLagSeconds, IngestBrokersConnected,
        IngestBrokerRoundTrip, IngestBrokerDisconnectsTotal, IngestPrefetchedMessages,
    ];
}
