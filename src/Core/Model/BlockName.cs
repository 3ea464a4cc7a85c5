using System.Globalization;

namespace Weir.Core.Model;

/// <summary>The name of a block: all rows of one view made from one cut. Equal names mean equal contents.</summary>
/// <param name="Partition">The partition that the records came from.</param>
/// <param name="FromOffset">First offset of the cut.</param>
/// <param name="ToOffset">The offset after the last one of the cut.</param>
/// <param name="View">Name of the view.</param>
/// <param name="Part">0, or the number of this piece of a block that was too large for one insert, or that is of several servers' shards.</param>
/// <param name="Layout">How the cut became blocks; see <see cref="LayoutOf"/>.</param>
public readonly record struct BlockName(
    PartitionKey Partition, long FromOffset, long ToOffset, string View, int Part, int Layout = BlockName.LayoutVersion)
{
    /// <summary>Most shards of servers that blocks are split over: a layout stands in 16 bits of the ledger.</summary>
    public const int ServerShardsMax = 64;

    private const int LayoutsAServerShard = 1_000;

    /// <summary>
    /// Version of how a cut becomes blocks (grouping, sort order, split). It is part of each name: a change of the layout
    /// must never reuse a name for other bytes.
    /// </summary>
    public const int LayoutVersion = 1;

    /// <summary>
    /// The layout of blocks that are split over so many shards of servers. Another number of shards makes other blocks of a range, so
    /// it is another layout.
    /// </summary>
    public static int LayoutOf(int serverShardCount) => LayoutVersion + (LayoutsAServerShard * (serverShardCount - 1));

    /// <summary>The name as a text that is the same on every machine: the deduplication token of the block's insert.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"weir{Layout}:{Partition.Topic}:{Partition.Partition}:{FromOffset}-{ToOffset}:{View}:{Part}");
}
