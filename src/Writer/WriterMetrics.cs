using Weir.Core.Telemetry;

namespace Weir.Writer;

/// <summary>The writer's counters as metrics.</summary>
internal static class WriterMetrics
{
    private static readonly string[] _causes =
        [.. Enum.GetNames<ReplyCause>().Select(System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName)];

    internal static void Collect(MetricReader reader, WriterSnapshot snapshot, DateTimeOffset now)
    {
        foreach (var view in snapshot.Views)
        {
            reader.Read(WeirMeter.WriterBlocksTotal, view.BlockCount, view.View);
            reader.Read(WeirMeter.WriterRowsTotal, view.RowCount, view.View);
            reader.Read(WeirMeter.WriterRawBytesTotal, view.RawBytes, view.View);
            reader.Read(WeirMeter.WriterEncodedBytesTotal, view.EncodedBytes, view.View);
            reader.Read(WeirMeter.WriterDroppedBlocksTotal, view.DroppedBlockCount, view.View);
            reader.Read(WeirMeter.WriterDroppedRowsTotal, view.DroppedRowCount, view.View);
            reader.Read(WeirMeter.WriterDroppedRecordsTotal, view.DroppedRecordCount, view.View);
            reader.Read(WeirMeter.WriterDeadLetterBlocksTotal, view.DeadLetterBlockCount, view.View);
            reader.Read(WeirMeter.WriterDeadLetterRecordsTotal, view.DeadLetterRecordCount, view.View);
        }

        var stored = snapshot.Stored;
        reader.Read(WeirMeter.WriterCutsTotal, snapshot.CutCount);
        reader.Read(WeirMeter.WriterStoredRecordsTotal, stored.ReadCount, "read");
        reader.Read(WeirMeter.WriterStoredRecordsTotal, stored.FoldedCount, "folded");
        reader.Read(WeirMeter.WriterStoredRecordsTotal, stored.RejectedCount, "rejected");
        reader.Read(WeirMeter.WriterStoredRecordsTotal, stored.LateCount, "late");
        reader.Read(WeirMeter.WriterStoredRecordsTotal, stored.DroppedCount, "dropped");
        reader.Read(WeirMeter.WriterStoredRecordsTotal, stored.OverwrittenCount, "overwritten");
        for (var cause = 1; cause < snapshot.RetryCounts.Length; cause++)
        {
            reader.Read(WeirMeter.WriterRetriesTotal, snapshot.RetryCounts[cause], _causes[cause]);
        }

        reader.Read(WeirMeter.WriterInsertSecondsTotal, snapshot.InsertTime.TotalSeconds);
        reader.Read(WeirMeter.WriterWaitingCuts, snapshot.WaitingCutCount);
        reader.Read(WeirMeter.WriterWaitingBytes, snapshot.WaitingBytes);
        reader.Read(WeirMeter.WriterIsWriting, snapshot.IsWriting ? 1 : 0);
        reader.Read(WeirMeter.WriterKnownBlocksTotal, snapshot.KnownBlockCount);
        reader.Read(WeirMeter.WriterUnsureBlocksTotal, snapshot.UnsureBlockCount);
        reader.Read(WeirMeter.WriterLedgerRowsTotal, snapshot.LedgerRowCount);
        reader.Read(WeirMeter.WriterLedgerInsertsTotal, snapshot.LedgerInsertCount);
        reader.Read(WeirMeter.WriterResolveFailuresTotal, snapshot.ResolveFailedCount);
        ReadHistogram(reader, WeirMeter.WriterInsertDuration, snapshot.InsertSeconds);
        ReadHistogram(reader, WeirMeter.WriterCutFreshness, snapshot.FreshnessSeconds);
        ReadHistogram(reader, WeirMeter.WriterCutStoreDuration, snapshot.StoreSeconds);
        ReadHistogram(reader, WeirMeter.WriterCutSize, snapshot.CutRecords);
        ReadHistogram(reader, WeirMeter.WriterBlockSize, snapshot.BlockRows);
        if (snapshot.Promise is { } promise)
        {
            reader.Read(WeirMeter.WriterExactlyOnce, promise.IsExactlyOnce ? 1 : 0);
        }

        if (snapshot.Freshness(now) is { } freshness)
        {
            reader.Read(WeirMeter.WriterFreshnessSeconds, freshness.TotalSeconds);
        }
    }

    private static void ReadHistogram(MetricReader reader, MetricDefinition metric, HistogramSnapshot? histogram)
    {
        if (histogram is not null)
        {
            reader.Read(metric, histogram);
        }
    }
}
