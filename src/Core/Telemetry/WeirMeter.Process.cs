namespace Weir.Core.Telemetry;

public static partial class WeirMeter
{
    /// <summary>Processor time.</summary>
    public static readonly MetricDefinition ProcessCpuTotal = new(
        "weir_process_cpu_seconds_total", MetricKind.Counter, "Time that the threads of a stage were on a processor.", "stage");

    /// <summary>Waiting for a processor.</summary>
    public static readonly MetricDefinition ProcessCpuWaitTotal = new(
        "weir_process_cpu_wait_seconds_total",
        MetricKind.Counter,
        "Time that the threads of a stage could have run and no processor was free.",
        "stage");

    /// <summary>Time held back by the control group.</summary>
    public static readonly MetricDefinition ProcessThrottledTotal = new(
        "weir_process_throttled_seconds_total", MetricKind.Counter, "Time that the quota of the control group kept its processes from running.");

    /// <summary>Quota of the control group.</summary>
    public static readonly MetricDefinition ProcessCpuLimit = new(
        "weir_process_cpu_limit_processors", MetricKind.Gauge, "Processors that the quota of the control group grants; absent without a quota.");

    /// <summary>Memory of the control group.</summary>
    public static readonly MetricDefinition ProcessGroupMemoryBytes = new(
        "weir_process_group_memory_bytes",
        MetricKind.Gauge,
        "Bytes in use by the control group, without pages of files; absent without a limit.");

    /// <summary>Limit of that memory.</summary>
    public static readonly MetricDefinition ProcessMemoryLimitBytes = new(
        "weir_process_memory_limit_bytes",
        MetricKind.Gauge,
        "Bytes of the control group at which the kernel kills the process; absent without a limit.");

    /// <summary>Pauses of the collector.</summary>
    public static readonly MetricDefinition ProcessGcPauseTotal = new(
        "weir_process_gc_pause_seconds_total", MetricKind.Counter, "Time that garbage collections stopped all managed threads.");

    /// <summary>Collections.</summary>
    public static readonly MetricDefinition ProcessGcCollectionsTotal = new(
        "weir_process_gc_collections_total", MetricKind.Counter, "Garbage collections, each counted for its own and all younger generations.", "generation");

    /// <summary>Managed heap.</summary>
    public static readonly MetricDefinition ProcessHeapBytes = new(
        "weir_process_heap_bytes", MetricKind.Gauge, "Bytes of the managed heap, garbage that is not collected yet among them.");

    /// <summary>Managed allocations.</summary>
    public static readonly MetricDefinition ProcessAllocatedBytesTotal = new(
        "weir_process_allocated_bytes_total", MetricKind.Counter, "Managed bytes allocated.");

    /// <summary>Resident memory.</summary>
    public static readonly MetricDefinition ProcessResidentBytes = new(
        "weir_process_resident_bytes", MetricKind.Gauge, "Bytes of the process that are resident in memory.");

    /// <summary>Threads.</summary>
    public static readonly MetricDefinition ProcessThreads = new(
        "weir_process_threads", MetricKind.Gauge, "Threads of the process, those of librdkafka and the embedded ClickHouse among them.");

    /// <summary>Causes found.</summary>
    public static readonly MetricDefinition DiagnosisFindings = new(
        "weir_diagnosis_findings", MetricKind.Gauge, "Causes that the diagnosis names now, by severity: info, warning, loss.", "severity");

    /// <summary>The busiest stage's free part.</summary>
    public static readonly MetricDefinition DiagnosisHeadroom = new(
        "weir_diagnosis_headroom_ratio", MetricKind.Gauge, "Part of the busiest stage's time that is free.");

    /// <summary>Rows of weir_system.</summary>
    public static readonly MetricDefinition SystemRowsTotal = new(
        "weir_system_rows_total", MetricKind.Counter, "Rows stored in the tables of the database weir_system.");

    /// <summary>Rows of weir_system that were given up.</summary>
    public static readonly MetricDefinition SystemDroppedRowsTotal = new(
        "weir_system_dropped_rows_total",
        MetricKind.Counter,
        "Rows for weir_system that ClickHouse did not take in time; their amounts are in the next ones.");

    private static readonly MetricDefinition[] _machine =
    [
        ProcessCpuTotal, ProcessCpuWaitTotal, ProcessThrottledTotal, ProcessCpuLimit, ProcessGroupMemoryBytes, ProcessMemoryLimitBytes,
        ProcessGcPauseTotal, ProcessGcCollectionsTotal, ProcessHeapBytes, ProcessAllocatedBytesTotal, ProcessResidentBytes, ProcessThreads, DiagnosisFindings, DiagnosisHeadroom,
        SystemRowsTotal, SystemDroppedRowsTotal,
    ];
}
