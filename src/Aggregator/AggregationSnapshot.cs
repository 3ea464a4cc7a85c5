using System.Collections.Immutable;

namespace Weir.Aggregator;

/// <summary>One reading of an aggregation worker. Counts are since the start unless their name says otherwise.</summary>
/// <remarks>Each number is right for some moment during the reading; they are not one instant, since the worker does not stop.</remarks>
/// <param name="Index">Number of the worker.</param>
/// <param name="FoldedCount">Records folded, those of abandoned cuts among them.</param>
/// <param name="CutCount">Cuts handed over.</param>
/// <param name="AbandonedCutCount">Cuts among them whose rows were given back, since the partition was lost.</param>
/// <param name="OpenCutCount">Cuts with records now.</param>
/// <param name="TableBytes">Bytes of open rows, and of slots in use and free.</param>
/// <param name="BusyTime">Time spent folding and rolling up.</param>
/// <param name="Views">Each view, in the order of the schema.</param>
public sealed record AggregationSnapshot(
    int Index,
    long FoldedCount,
    long CutCount,
    long AbandonedCutCount,
    int OpenCutCount,
    long TableBytes,
    TimeSpan BusyTime,
    ImmutableArray<ViewFoldSnapshot> Views)
{
    /// <summary>Slots of the tables of all open cuts.</summary>
    public long SlotCount { get; init; }

    /// <summary>Rows of the open tables through their slots; 0 while none is open. A table grows when it is half full.</summary>
    public double TableLoad => SlotCount == 0 ? 0 : Views.Sum(view => view.OpenSeriesCount) / (double)SlotCount;
}

/// <summary>One view of an aggregation worker.</summary>
/// <param name="View">Name of the view.</param>
/// <param name="OpenSeriesCount">Series of all open cuts; 0 for views that are made from finer ones when a cut ends.</param>
/// <param name="CutSeriesCount">Series of the last cut.</param>
/// <param name="OverflowRecordCount">Records that this view's own limit put into its overflow series.</param>
public readonly record struct ViewFoldSnapshot(string View, long OpenSeriesCount, long CutSeriesCount, long OverflowRecordCount);
