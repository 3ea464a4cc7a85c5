namespace Weir.Core.Telemetry;

public static partial class WeirMeter
{
    /// <summary>Blocks stored.</summary>
    public static readonly MetricDefinition WriterBlocksTotal = new(
        "weir_writer_blocks_total", MetricKind.Counter, "Blocks that ClickHouse has stored.", "view");

    /// <summary>Rows stored.</summary>
    public static readonly MetricDefinition WriterRowsTotal = new(
        "weir_writer_rows_total", MetricKind.Counter, "Rows that ClickHouse has stored.", "view");

    /// <summary>Bytes before compression.</summary>
    public static readonly MetricDefinition WriterRawBytesTotal = new(
        "weir_writer_raw_bytes_total", MetricKind.Counter, "Bytes of the stored blocks before compression.", "view");

    /// <summary>Bytes sent.</summary>
    public static readonly MetricDefinition WriterEncodedBytesTotal = new(
        "weir_writer_encoded_bytes_total", MetricKind.Counter, "Bytes of the stored blocks as they were sent.", "view");

    /// <summary>Blocks that were refused and dropped.</summary>
    public static readonly MetricDefinition WriterDroppedBlocksTotal = new(
        "weir_writer_dropped_blocks_total", MetricKind.Counter, "Blocks that ClickHouse refused for ever and that were dropped.", "view");

    /// <summary>Rows that were dropped with them.</summary>
    public static readonly MetricDefinition WriterDroppedRowsTotal = new(
        "weir_writer_dropped_rows_total", MetricKind.Counter, "Rows of dropped blocks.", "view");

    /// <summary>Records that one view lacks because of them.</summary>
    public static readonly MetricDefinition WriterDroppedRecordsTotal = new(
        "weir_writer_dropped_records_total", MetricKind.Counter, "Records that the view lacks because of dropped blocks.", "view");

    /// <summary>Blocks in the dead-letter directory.</summary>
    public static readonly MetricDefinition WriterDeadLetterBlocksTotal = new(
        "weir_writer_dead_letter_blocks_total", MetricKind.Counter,
        "Blocks that ClickHouse refused for ever and that went to clickhouse.refused_directory.", "view");

    /// <summary>Records that one view lacks because of them.</summary>
    public static readonly MetricDefinition WriterDeadLetterRecordsTotal = new(
        "weir_writer_dead_letter_records_total", MetricKind.Counter,
        "Records that the view lacks because of blocks in clickhouse.refused_directory.", "view");

    /// <summary>What the sink promises.</summary>
    public static readonly MetricDefinition WriterExactlyOnce = new(
        "weir_writer_exactly_once", MetricKind.Gauge,
        "1 when a block that is sent again is stored once, by the server's version and the tables' settings; 0 when it may count twice.");

    /// <summary>Blocks found in the ledger.</summary>
    public static readonly MetricDefinition WriterKnownBlocksTotal = new(
        "weir_writer_known_blocks_total", MetricKind.Counter,
        "Blocks that were not sent, because the ledger had them: stored by an earlier owner of the partition.");

    /// <summary>Blocks that may count twice.</summary>
    public static readonly MetricDefinition WriterUnsureBlocksTotal = new(
        "weir_writer_unsure_blocks_total", MetricKind.Counter,
        "Blocks sent again although an answer was lost longer ago than the server surely remembers: they may count twice.");

    /// <summary>Ledger rows.</summary>
    public static readonly MetricDefinition WriterLedgerRowsTotal = new(
        "weir_writer_ledger_rows_total", MetricKind.Counter, "Rows of the ledger that ClickHouse has stored.");

    /// <summary>Ledger inserts.</summary>
    public static readonly MetricDefinition WriterLedgerInsertsTotal = new(
        "weir_writer_ledger_inserts_total", MetricKind.Counter, "Inserts that stored rows of the ledger.");

    /// <summary>Cuts stored whole.</summary>
    public static readonly MetricDefinition WriterCutsTotal = new(
        "weir_writer_cuts_total", MetricKind.Counter, "Cuts whose blocks are all stored.");

    /// <summary>Records of stored cuts by what became of them.</summary>
    public static readonly MetricDefinition WriterStoredRecordsTotal = new(
        "weir_writer_account_records_total", MetricKind.Counter,
        "Records of stored cuts by what became of them: read = folded + rejected + late + dropped + overwritten.", "line");

    /// <summary>Attempts that failed and were repeated.</summary>
    public static readonly MetricDefinition WriterRetriesTotal = new(
        "weir_writer_retries_total", MetricKind.Counter, "Attempts to insert or connect that failed, by cause.", "cause");

    /// <summary>Time spent in inserts.</summary>
    public static readonly MetricDefinition WriterInsertSecondsTotal = new(
        "weir_writer_insert_seconds_total", MetricKind.Counter,
        "Time that attempts to insert or connect have taken, waits between them aside.");

    /// <summary>Cuts that wait.</summary>
    public static readonly MetricDefinition WriterWaitingCuts = new(
        "weir_writer_waiting_cuts", MetricKind.Gauge, "Folded cuts that are not stored yet.");

    /// <summary>Bytes that wait.</summary>
    public static readonly MetricDefinition WriterWaitingBytes = new(
        "weir_writer_waiting_bytes", MetricKind.Gauge, "Bytes of built blocks that are not stored yet.");

    /// <summary>Readiness.</summary>
    public static readonly MetricDefinition WriterIsWriting = new(
        "weir_writer_is_writing", MetricKind.Gauge, "1 when the last attempt reached ClickHouse and its tables are right.");

    /// <summary>How far the stored data is behind.</summary>
    public static readonly MetricDefinition WriterFreshnessSeconds = new(
        "weir_writer_freshness_seconds", MetricKind.Gauge,
        "Now minus the latest event time of the cut that was stored last; grows while nothing is stored.");

    /// <summary>Duration of inserts.</summary>
    public static readonly MetricDefinition WriterInsertDuration = new(
        "weir_writer_insert_duration_seconds", MetricKind.Histogram, "Time of each attempt that stored something, connecting among them.");

    /// <summary>Freshness of each cut.</summary>
    public static readonly MetricDefinition WriterCutFreshness = new(
        "weir_writer_cut_freshness_seconds", MetricKind.Histogram, "From the latest event time of a cut to its rows being readable.");

    /// <summary>Time to store a cut.</summary>
    public static readonly MetricDefinition WriterCutStoreDuration = new(
        "weir_writer_cut_store_duration_seconds", MetricKind.Histogram, "From the end of a cut to its rows being readable.");

    /// <summary>Size of cuts.</summary>
    public static readonly MetricDefinition WriterCutSize = new(
        "weir_writer_cut_size_records", MetricKind.Histogram, "Records read for each stored cut.");

    /// <summary>Size of blocks.</summary>
    public static readonly MetricDefinition WriterBlockSize = new(
        "weir_writer_block_size_rows", MetricKind.Histogram, "Rows of each stored block.");

    /// <summary>Names without an address.</summary>
    public static readonly MetricDefinition WriterResolveFailuresTotal = new(
        "weir_writer_resolve_failures_total", MetricKind.Counter, "Times that the name of a ClickHouse server had no address.");

    private static readonly MetricDefinition[] _writer =
    [
        WriterBlocksTotal, WriterRowsTotal, WriterRawBytesTotal, WriterEncodedBytesTotal, WriterDroppedBlocksTotal, WriterDroppedRowsTotal,
        WriterDroppedRecordsTotal, WriterDeadLetterBlocksTotal, WriterDeadLetterRecordsTotal, WriterExactlyOnce, WriterKnownBlocksTotal,
        WriterUnsureBlocksTotal, WriterLedgerRowsTotal, WriterLedgerInsertsTotal, WriterCutsTotal, WriterStoredRecordsTotal, WriterRetriesTotal, WriterInsertSecondsTotal,
        WriterWaitingCuts, WriterWaitingBytes, WriterIsWriting, WriterFreshnessSeconds, WriterInsertDuration, WriterCutFreshness,
        WriterCutStoreDuration, WriterCutSize, WriterBlockSize, WriterResolveFailuresTotal,
    ];
}
