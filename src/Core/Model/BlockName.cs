using System.Globalization;

namespace Weir.Core.Model;

/// <summary>The name of a block: all rows of one view made from one cut. Equal names mean equal contents.</summary>
/// <param name="Partition">The partition that the records came from.</param>
/// <param name="FromOffset">First offset of the cut.</param>
/// <param name="ToOffset">The offset after the last one of the cut.</param>
/// <param name="View">Name of the view.</param>
/// <param name="Part">0, or the number of this piece of a block that was too large for one insert.</param>
public readonly record struct BlockName(PartitionKey Partition, long FromOffset, long ToOffset, string View, int Part)
{
    /// <summary>
    /// Version of how a cut becomes blocks (grouping, sort order, split). It is part of each name: a change of the layout
    /// must never reuse a name for other bytes.
    /// </summary>
    public const int LayoutVersion = 1;

    /// <summary>The name as a text that is the same on every machine: the deduplication token of the block's insert.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"weir{LayoutVersion}:{Partition.Topic}:{Partition.Partition}:{FromOffset}-{ToOffset}:{View}:{Part}");
}
