using Weir.Core.Model;

namespace Weir.Host.Audit;

/// <summary>What an audit compares with the ledger.</summary>
internal sealed record AuditScope
{
    /// <summary>The views of the configuration.</summary>
    public required IReadOnlyList<AuditView> Views { get; init; }

    /// <summary>Positions of the consumer group by partition; null when Kafka was not asked.</summary>
    public IReadOnlyDictionary<PartitionKey, GroupPosition>? Positions { get; init; }

    /// <summary>
    /// When the first block of each view was stored, epoch seconds. A cut stored before that is not expected to have the view:
    /// it was added to the configuration later.
    /// </summary>
    public required IReadOnlyDictionary<string, uint> ViewsSince { get; init; }

    /// <summary>The only topic whose ranges and accounts are looked at; null for all. Sums in the tables are of all topics.</summary>
    public string? Topic { get; init; }

    /// <summary>The first UTC day that is looked at, in days since 1970; 0 for all. Ranges before it are not expected.</summary>
    public int SinceDay { get; init; }

    /// <summary>The server's time: retention is counted from it.</summary>
    public required DateTimeOffset Now { get; init; }
}

/// <summary>A view to compare.</summary>
/// <param name="Name">Name of the view and its table.</param>
/// <param name="HasPackets">It sums packets.</param>
/// <param name="HasBytes">It sums bytes.</param>
/// <param name="Retention">How long its rows are kept; null for ever.</param>
internal sealed record AuditView(string Name, bool HasPackets, bool HasBytes, TimeSpan? Retention)
{
    /// <summary>What an audit needs to know of a view.</summary>
    public static AuditView Of(ViewDefinition view, IReadOnlyDictionary<int, TimeSpan> retention) => new(
        view.Name,
        HasSum(view, StandardSchema.Packets.Name),
        HasSum(view, StandardSchema.Bytes.Name),
        retention.TryGetValue(view.GranularitySeconds, out var age) ? age : null);

    private static bool HasSum(ViewDefinition view, string meter) =>
        view.Meters.Any(other => other.Name == meter && other.Fold == MeterFold.Sum);
}

/// <summary>Where the consumer group and the broker are in one partition.</summary>
/// <param name="CommittedOffset">The committed offset; null when there is none.</param>
/// <param name="PlannedTo">The end of the cut that was planned from there and may be in flight; null when none is.</param>
/// <param name="LogStart">The offset from which the group has to count; null when it is not known or was chosen otherwise.</param>
internal readonly record struct GroupPosition(long? CommittedOffset, long? PlannedTo, long? LogStart);
