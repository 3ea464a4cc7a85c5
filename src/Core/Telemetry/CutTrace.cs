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
    private const string InsertStep = "insert";

    /// <summary>Name of the source of spans; OpenTelemetry subscribes to it.</summary>
    public const string SourceName = "Weir";

    private static readonly ActivitySource _source = new(SourceName);

    /// <summary>Its inserts, in order.</summary>
    public IReadOnlyList<InsertTrace> Inserts { get; init; } = [];

    /// <summary>From its end to its rows being readable and accounted for.</summary>
    public TimeSpan Duration => StoredAt - ClosedAt;

    /// <summary>The steps in order: name, beginning and end.</summary>
    public IReadOnlyList<(string Name, DateTimeOffset From, DateTimeOffset To)> Steps =>
    [
        ("fold", ClosedAt, FoldedAt), ("build", FoldedAt, BuiltAt), ("plan", BuiltAt, PlannedAt), (InsertStep, PlannedAt, InsertedAt),
        ("ledger", InsertedAt, StoredAt),
    ];

    /// <summary>Gives the cut and its steps to whoever listens, as one span with a child for each step and each insert; costs one branch when nobody does.</summary>
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
            if (step is not null && name == InsertStep)
            {
                EmitInserts(step.Context);
            }
        }

        cut.SetEndTime(StoredAt.UtcDateTime);
    }

    private void EmitInserts(ActivityContext parent)
    {
        foreach (var insert in Inserts)
        {
            using var span = _source.StartActivity("block", ActivityKind.Client, parent, startTime: insert.From);
            span?.SetTag("weir.view", insert.View);
            span?.SetTag("weir.part", insert.Part);
            span?.SetTag("weir.rows", insert.RowCount);
            span?.SetTag("weir.attempts", insert.AttemptCount);
            if (insert.LastError is { } error)
            {
                span?.SetTag("weir.last_error", error);
            }

            span?.SetEndTime(insert.To.UtcDateTime);
        }
    }
}

/// <summary>One block on its way into its table.</summary>
/// <param name="View">Its view.</param>
/// <param name="Part">Its number among the view's blocks of the cut.</param>
/// <param name="RowCount">Its rows.</param>
/// <param name="AttemptCount">Attempts until it was stored, or refused for ever; those that found no server among them.</param>
/// <param name="From">The first attempt.</param>
/// <param name="To">The last one's answer.</param>
/// <param name="LastError">What the last failed attempt was answered; null when none failed.</param>
public sealed record InsertTrace(
    string View, int Part, int RowCount, int AttemptCount, DateTimeOffset From, DateTimeOffset To, string? LastError)
{
    /// <summary>From the first attempt to the last one's answer.</summary>
    public TimeSpan Duration => To - From;
}
