namespace Weir.Core.Telemetry;

/// <summary>Every metric of the program. <c>docs/metrics.md</c> is made from this list.</summary>
public static partial class WeirMeter
{
    /// <summary>The program and its version.</summary>
    public static readonly MetricDefinition BuildInfo = new(
        "weir_build_info", MetricKind.Gauge, "1, with the version of the program as a label.", "version");

    /// <summary>Bytes of rows, chunks and waiting blocks.</summary>
    public static readonly MetricDefinition MemoryUsedBytes = new(
        "weir_memory_used_bytes", MetricKind.Gauge, "Bytes that rows, chunks, waiting blocks and decoded tags hold; reading pauses at the limit.");

    /// <summary>Limit of those bytes.</summary>
    public static readonly MetricDefinition MemoryLimitBytes = new(
        "weir_memory_limit_bytes", MetricKind.Gauge, "The limit of weir_memory_used_bytes (memory.limit).");

    /// <summary>Records offered to a queue.</summary>
    public static readonly MetricDefinition QueueOfferedTotal = new(
        "weir_queue_offered_records_total", MetricKind.Counter, "Records that producers brought to the queue.", "queue", "index");

    /// <summary>Records taken in by a queue.</summary>
    public static readonly MetricDefinition QueueEnqueuedTotal = new(
        "weir_queue_enqueued_records_total", MetricKind.Counter, "Records that the queue took in.", "queue", "index");

    /// <summary>Records taken out of a queue.</summary>
    public static readonly MetricDefinition QueueDequeuedTotal = new(
        "weir_queue_dequeued_records_total", MetricKind.Counter, "Records that the consumer took out of the queue.", "queue", "index");

    /// <summary>Records refused by a full queue.</summary>
    public static readonly MetricDefinition QueueDroppedTotal = new(
        "weir_queue_dropped_records_total", MetricKind.Counter, "Records refused on arrival at the full queue.", "queue", "index");

    /// <summary>Records pushed out of a queue.</summary>
    public static readonly MetricDefinition QueueOverwrittenTotal = new(
        "weir_queue_overwritten_records_total", MetricKind.Counter, "Records pushed out of the full queue by newer ones.", "queue", "index");

    /// <summary>Records in a queue.</summary>
    public static readonly MetricDefinition QueueDepth = new(
        "weir_queue_depth_records", MetricKind.Gauge, "Records in the queue now.", "queue", "index");

    /// <summary>Most records in a queue.</summary>
    public static readonly MetricDefinition QueueDepthMax = new(
        "weir_queue_depth_max_records", MetricKind.Gauge, "Most records in the queue since the start.", "queue", "index");

    /// <summary>Capacity of a queue.</summary>
    public static readonly MetricDefinition QueueCapacity = new(
        "weir_queue_capacity_records", MetricKind.Gauge, "Records above which the queue is full.", "queue", "index");

    /// <summary>Waiting of a queue's producers.</summary>
    public static readonly MetricDefinition QueueProducerWaitTotal = new(
        "weir_queue_producer_wait_seconds_total", MetricKind.Counter, "Time that producers waited for room in the queue.", "queue", "index");

    /// <summary>Waiting of a queue's consumer.</summary>
    public static readonly MetricDefinition QueueConsumerWaitTotal = new(
        "weir_queue_consumer_wait_seconds_total", MetricKind.Counter, "Time that the consumer waited for records.", "queue", "index");

    private static readonly MetricDefinition[] _process =
    [
        BuildInfo, MemoryUsedBytes, MemoryLimitBytes, QueueOfferedTotal, QueueEnqueuedTotal, QueueDequeuedTotal, QueueDroppedTotal,
        QueueOverwrittenTotal, QueueDepth, QueueDepthMax, QueueCapacity, QueueProducerWaitTotal, QueueConsumerWaitTotal,
    ];

    /// <summary>All metrics, in the order of the data path.</summary>
    public static IReadOnlyList<MetricDefinition> All => [.. _process, .. _config, .. _ingest, .. _aggregation, .. _writer, .. _machine];
}
