namespace Weir.Bench.Lines;

/// <summary>All lines, in the order of the table.</summary>
internal static class LineCatalog
{
    /// <summary>The groups.</summary>
    public static IReadOnlyList<LineGroup> Groups { get; } =
    [
        DecodeLines.Group,
        FoldLines.GroupZipf,
        FoldLines.GroupUniform,
        Ns1Lines.Group,
        FlushLines.Group,
        HandoffLine.Group,
        PathLines.Group,
        TwoCoreLine.Group,
        PathLines.GroupIdiomatic,
        PathLines.Group1m,
        PathLines.GroupStages,
        .. ClickHouseLines.Groups,
        .. ProcessLines.Groups,
        ExactnessLine.Group,
        TelemetryLine.Group,
        MemoryLines.Group,
        FloorLines.Group,
        FloorLines.Consume,
    ];
}
