using Weir.Core.Model;

namespace Weir.Aggregator;

/// <summary>What one worker has folded of one cut that is still open.</summary>
/// <remarks>One owner: the worker's thread. Used again for other cuts.</remarks>
internal sealed class OpenCut(int viewCount)
{
    /// <summary>Tables by view; null for a view that is made from a finer one at the marker.</summary>
    internal FoldTable?[] Tables { get; } = new FoldTable?[viewCount];

    /// <summary>Rows of the partition's last cut, by view; written when this one ends.</summary>
    internal int[] LastRowCounts { get; set; } = [];

    /// <summary>Records folded.</summary>
    internal long FoldedCount { get; set; }
}

/// <summary>Tables to use again, by view, and the slots that they share.</summary>
/// <remarks>One owner: the worker's thread.</remarks>
internal sealed class TablePool : IDisposable
{
    private readonly StreamSchema _schema;
    private readonly RowPools _rows;
    private readonly Stack<FoldTable>[] _free;

    internal TablePool(StreamSchema schema, RowPools rows)
    {
        _schema = schema;
        _rows = rows;
        Slots = new SlotPool(rows.Budget);
        _free = [.. schema.Views.Select(_ => new Stack<FoldTable>())];
    }

    /// <summary>Slots of all tables of the worker.</summary>
    internal SlotPool Slots { get; }

    /// <summary>An open, empty table for a cut that <paramref name="shardCount"/> shards fold.</summary>
    internal FoldTable Rent(ViewPlan plan, int shardCount, int rowsExpected)
    {
        if (!_free[plan.Index].TryPop(out var table))
        {
            table = new FoldTable(_schema, plan, _rows.For(RowPools.RowBytes(_schema, plan)), Slots);
        }

        table.Open(Math.Max(plan.Definition.SeriesMax / shardCount, 1), rowsExpected);
        return table;
    }

    /// <summary>Takes an empty table back. It holds some hundred bytes: as many are kept as cuts were ever open at once.</summary>
    internal void Return(FoldTable table)
    {
        table.Clear();
        _free[table.Plan.Index].Push(table);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var tables in _free)
        {
            while (tables.TryPop(out var table))
            {
                table.Dispose();
            }
        }

        Slots.Dispose();
    }
}
