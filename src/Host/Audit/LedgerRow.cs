using Weir.Core.Model;

namespace Weir.Host.Audit;

/// <summary>One row of the ledger: a block, or (with an empty <see cref="View"/>) a cut that made no rows.</summary>
/// <remarks>The members from <see cref="Account"/> on tell of the whole cut and are the same in each of its rows.</remarks>
internal sealed record LedgerRow
{
    /// <summary>Where the records came from.</summary>
    public required PartitionKey Partition { get; init; }

    /// <summary>First offset of the cut.</summary>
    public required long FromOffset { get; init; }

    /// <summary>The offset after the last one of the cut.</summary>
    public required long ToOffset { get; init; }

    /// <summary>The view, or empty for a cut without rows.</summary>
    public required string View { get; init; }

    /// <summary>Number of this piece of a block that was too large for one insert.</summary>
    public int Part { get; init; }

    /// <summary>Version of the layout that the block was made by.</summary>
    public int Layout { get; init; } = BlockName.LayoutVersion;

    /// <summary>True for a block that its table does not have, because ClickHouse refused it for ever: a named loss.</summary>
    public bool IsRefused { get; init; }

    /// <summary>Sums of the block.</summary>
    public MeterSums Sums { get; init; }

    /// <summary>The same sums for each UTC day that the block's rows lie in.</summary>
    public IReadOnlyList<DaySums> Days { get; init; } = [];

    /// <summary>What became of the records of the cut.</summary>
    public BlockAccount Account { get; init; }

    /// <summary>Rejected records of the cut by reason.</summary>
    public IReadOnlyList<ReasonCount> Reasons { get; init; } = [];

    /// <summary>Offsets of the cut that the broker did not deliver.</summary>
    public long GapOffsetCount { get; init; }

    /// <summary>Event time of the cut's earliest record, epoch seconds; 0 when there is none.</summary>
    public uint FirstEvent { get; init; }

    /// <summary>Event time of the cut's latest record, epoch seconds; 0 when there is none.</summary>
    public uint LastEvent { get; init; }

    /// <summary>Of two rows of one name the one with the larger version counts.</summary>
    public ulong Version { get; init; }

    /// <summary>When the row was stored, epoch seconds.</summary>
    public uint StoredAt { get; init; }

    /// <summary>True when both rows are of one cut.</summary>
    public bool IsOfCutOf(LedgerRow other) =>
        FromOffset == other.FromOffset && ToOffset == other.ToOffset && Partition == other.Partition;

    /// <summary>True when both rows name one block.</summary>
    public bool HasNameOf(LedgerRow other) => IsOfCutOf(other) && View == other.View && Part == other.Part;
}

/// <summary>Sums of the main meters. They wrap at 2^64 as ClickHouse's do.</summary>
/// <param name="Records">Records.</param>
/// <param name="Packets">Packets; 0 where the view has none.</param>
/// <param name="Bytes">Bytes; 0 where the view has none.</param>
internal readonly record struct MeterSums(ulong Records, ulong Packets, ulong Bytes)
{
    /// <summary>Adds, wrapping.</summary>
    public static MeterSums operator +(MeterSums left, MeterSums right) =>
        unchecked(new(left.Records + right.Records, left.Packets + right.Packets, left.Bytes + right.Bytes));
}

/// <summary>Sums of one UTC day.</summary>
/// <param name="Day">Days since 1970-01-01.</param>
/// <param name="Sums">The sums.</param>
internal readonly record struct DaySums(int Day, MeterSums Sums);

/// <summary>Rejected records of one reason.</summary>
/// <param name="Reason">The label of the reason.</param>
/// <param name="Count">Records.</param>
internal readonly record struct ReasonCount(string Reason, long Count);
