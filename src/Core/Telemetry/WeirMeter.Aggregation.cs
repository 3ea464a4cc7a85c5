namespace Weir.Core.Telemetry;

public static partial class WeirMeter
{
    /// <summary>Records folded.</summary>
    public static readonly MetricDefinition AggregationFoldedTotal = new(
        "weir_aggregation_folded_records_total", MetricKind.Counter, "Records that the worker folded, those of abandoned cuts too.", "worker");

    /// <summary>Cuts folded.</summary>
    public static readonly MetricDefinition AggregationCutsTotal = new(
        "weir_aggregation_cuts_total", MetricKind.Counter, "Cuts of which the worker has handed its part over.", "worker");

    /// <summary>Cuts abandoned.</summary>
    public static readonly MetricDefinition AggregationAbandonedCutsTotal = new(
        "weir_aggregation_abandoned_cuts_total",
        MetricKind.Counter,
        "Cuts given up since the partition was lost; its next owner reads their records again.",
        "worker");

    /// <summary>Cuts that are being filled.</summary>
    public static readonly MetricDefinition AggregationOpenCuts = new(
        "weir_aggregation_open_cuts", MetricKind.Gauge, "Cuts with records that wait for their marker.", "worker");

    /// <summary>Memory of the fold tables.</summary>
    public static readonly MetricDefinition AggregationTableBytes = new(
        "weir_aggregation_table_bytes", MetricKind.Gauge, "Bytes of open rows and of the slots that find them.", "worker");

    /// <summary>Load of the fold tables.</summary>
    public static readonly MetricDefinition AggregationTableLoad = new(
        "weir_aggregation_table_load_ratio",
        MetricKind.Gauge,
        "Rows of the worker's open fold tables through their slots; a table grows at 0.5, so it is seldom above.",
        "worker");

    /// <summary>Time at work.</summary>
    public static readonly MetricDefinition AggregationBusyTotal = new(
        "weir_aggregation_busy_seconds_total", MetricKind.Counter, "Time that the worker spent folding and rolling up.", "worker");

    /// <summary>Series of the open cuts.</summary>
    public static readonly MetricDefinition AggregationOpenSeries = new(
        "weir_aggregation_open_series", MetricKind.Gauge, "Series of all open cuts; 0 for views made from finer ones.", "worker", "view");

    /// <summary>Series of the last cut.</summary>
    public static readonly MetricDefinition AggregationCutSeries = new(
        "weir_aggregation_cut_series", MetricKind.Gauge, "Series of the worker's last cut.", "worker", "view");

    /// <summary>Records in overflow series.</summary>
    public static readonly MetricDefinition AggregationOverflowTotal = new(
        "weir_aggregation_overflow_records_total",
        MetricKind.Counter,
        "Records folded into the overflow series since their view had met its limit; totals stay exact, their tags are gone.",
        "worker",
        "view");

    /// <summary>Distinct values of a tag.</summary>
    public static readonly MetricDefinition AggregationTagValues = new(
        "weir_aggregation_tag_values", MetricKind.Gauge, "Distinct values of a tag of the finest view in the last one to two minutes, estimated.", "tag");

    private static readonly MetricDefinition[] _aggregation =
    [
        AggregationFoldedTotal, AggregationCutsTotal, AggregationAbandonedCutsTotal, AggregationOpenCuts, AggregationTableBytes,
        AggregationTableLoad, AggregationBusyTotal, AggregationOpenSeries, AggregationCutSeries, AggregationOverflowTotal,
        AggregationTagValues,
    ];
}
