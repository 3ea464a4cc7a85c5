using System.Diagnostics;
using Weir.Core.Model;

namespace Weir.Core.Telemetry;

/// <summary>When a cut reached each step of the writer, by the process's clock.</summary>
/// <param name="Partition">Its partition.</param>
/// <param name="FromOffset">First offset of its range.</param>
/// <param name="ToOffset">The offset after the last one.</param>
/// <param name="RecordCount">Records read for it.</param>
/// <param name="RowCount">Rows of its blocks.</param>
/// <param name="BlockCount">Its blocks.</param>
/// <param name="ClosedAt">Its end was decided.</param>
/// <param name="FoldedAt">All shards had met its marker and the builder began.</param>
/// <param name="BuiltAt">Its blocks were made.</param>
/// <param name="PlannedAt">The inserter had it, and its plan stood.</param>
/// <param name="InsertedAt">Its blocks were accepted.</param>
/// <param name="StoredAt">Its ledger rows were, too.</param>
public sealed record CutTrace(
    PartitionKey Partition,
    long FromOffset,
    long ToOffset,
    long RecordCount,
    long RowCount,
    int BlockCount,
    DateTimeOffset ClosedAt,
    DateTimeOffset FoldedAt,
    DateTimeOffset BuiltAt,
    DateTimeOffset PlannedAt,
    DateTimeOffset InsertedAt,
    DateTimeOffset StoredAt)
{
    /// <summary>Name of the source of spans; OpenTelemetry subscribes to it.</summary>
    public const string SourceName = "Weir";

    private static readonly ActivitySource _source = new(SourceName);

    /// <summary>From its end to its rows being readable and accounted for.</summary>
    public TimeSpan Duration => StoredAt - ClosedAt;

    /// <summary>The steps in order: name, beginning and end.</summary>
    public IReadOnlyList<(string Name, DateTimeOffset From, DateTimeOffset To)> Steps =>
    [
        ("fold", ClosedAt, FoldedAt), ("build", FoldedAt, BuiltAt), ("plan", BuiltAt, PlannedAt), ("insert", PlannedAt, InsertedAt),
        ("ledger", InsertedAt, StoredAt),
    ];

    /// <summary>Gives the cut and its steps to whoever listens, as one span with a child for each step; costs one branch when nobody does.</summary>
    public void Emit()
    {
        if (!_source.HasListeners())
        {
            return;
        }

        using var cut = _source.StartActivity("cut", ActivityKind.Internal, parentContext: default, startTime: ClosedAt);
        if (cut is null)
        {
            return; // Not sampled.
        }

        cut.SetTag("weir.block", $"{Partition} {FromOffset}-{ToOffset}");
        cut.SetTag("weir.records", RecordCount);
        cut.SetTag("weir.rows", RowCount);
        cut.SetTag("weir.blocks", BlockCount);
        foreach (var (name, from, to) in Steps)
        {
            using var step = _source.StartActivity(name, ActivityKind.Internal, cut.Context, startTime: from);
            step?.SetEndTime(to.UtcDateTime);
        }

        cut.SetEndTime(StoredAt.UtcDateTime);
    }
}
