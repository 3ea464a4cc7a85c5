using Weir.Core.Model;

namespace Weir.Host.Audit;

/// <summary>What an audit found.</summary>
internal enum AuditVerdict
{
    /// <summary>Everything adds up.</summary>
    Exact,

    /// <summary>Something does not.</summary>
    Differences,

    /// <summary>Blocks were being stored all the time, or are stored in part: it cannot be told yet.</summary>
    Unsettled,
}

/// <summary>The result of an audit.</summary>
/// <remarks>Immutable. Lists hold the first <see cref="ListedMax"/> of their kind, counts are of all.</remarks>
internal sealed record AuditReport
{
    /// <summary>Most entries of a list: beyond it only counts grow, so that a ledger of years cannot fill the memory.</summary>
    public const int ListedMax = 1_000;

    /// <summary>Partitions that were looked at.</summary>
    public required int PartitionCount { get; init; }

    /// <summary>Blocks in the ledger.</summary>
    public required long BlockCount { get; init; }

    /// <summary>Cuts in the ledger.</summary>
    public required long CutCount { get; init; }

    /// <summary>The accounts of all cuts, added up.</summary>
    public required BlockAccount Account { get; init; }

    /// <summary>Rejected records by reason.</summary>
    public required IReadOnlyDictionary<string, long> RejectedByReason { get; init; }

    /// <summary>Offsets that the broker no longer had: named gaps, which the ledger tells.</summary>
    public required long GapOffsetCount { get; init; }

    /// <summary>Committed ranges that no cut holds.</summary>
    public required IReadOnlyList<RangeFinding> Gaps { get; init; }

    /// <summary>Ranges that more than one cut holds.</summary>
    public required IReadOnlyList<RangeFinding> Overlaps { get; init; }

    /// <summary>Cuts that do not add up.</summary>
    public required IReadOnlyList<string> Problems { get; init; }

    /// <summary>The tables of the views.</summary>
    public required IReadOnlyList<ViewFinding> Views { get; init; }

    /// <summary>What was set apart and why; no differences.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Differences in all, those that are not listed among them.</summary>
    public required long DifferenceCount { get; init; }

    /// <summary>The verdict.</summary>
    public required AuditVerdict Verdict { get; init; }
}

/// <summary>A range of a partition that is held by no cut, or by two.</summary>
/// <param name="Partition">The partition.</param>
/// <param name="FromOffset">First offset.</param>
/// <param name="ToOffset">The offset after the last.</param>
/// <param name="Text">What is wrong, for people.</param>
internal sealed record RangeFinding(PartitionKey Partition, long FromOffset, long ToOffset, string Text);

/// <summary>One view's table beside the ledger.</summary>
/// <param name="Name">The view.</param>
/// <param name="Table">Sums of the table.</param>
/// <param name="Ledger">Sums of the ledger.</param>
/// <param name="Differences">Days that differ, for people.</param>
/// <param name="SetApartRecords">Records of days past their retention that the table no longer has.</param>
/// <param name="SetApartDays">Days past their retention that the table no longer has, or not whole.</param>
/// <param name="IsAhead">True when the only differences are rows that no ledger row tells of yet.</param>
internal sealed record ViewFinding(
    string Name,
    MeterSums Table,
    MeterSums Ledger,
    IReadOnlyList<string> Differences,
    ulong SetApartRecords,
    int SetApartDays,
    bool IsAhead)
{
    /// <summary>Blocks that ClickHouse refused for ever.</summary>
    public long RefusedBlockCount { get; init; }

    /// <summary>Records of such blocks that the table does not have: a named loss of this view.</summary>
    public ulong RefusedRecords { get; init; }

    /// <summary>Records of such blocks that the table has all the same: somebody has inserted them since.</summary>
    public ulong MendedRecords { get; init; }

    /// <summary>True when table and ledger agree, days past their retention aside.</summary>
    public bool IsEqual => Differences.Count == 0;
}
