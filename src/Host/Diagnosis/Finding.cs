namespace Weir.Host.Diagnosis;

/// <summary>How bad a finding is.</summary>
internal enum Severity
{
    /// <summary>Worth knowing; nothing is wrong.</summary>
    Info,

    /// <summary>Rows are late or will be, or a promise is weaker; nothing is lost.</summary>
    Warning,

    /// <summary>Records are lost, each counted.</summary>
    Loss,
}

/// <summary>A cause that was found: where, who, by what evidence, and which option to change.</summary>
/// <param name="Id">Name of the cause, of a closed set; runbooks and alerts use it.</param>
/// <param name="Severity">How bad it is.</param>
/// <param name="Stage">The stage where it acts: broker, ingest, aggregation, writer, clickhouse or process.</param>
/// <param name="Title">One sentence for people, with what to do.</param>
internal sealed record Finding(string Id, Severity Severity, string Stage, string Title)
{
    /// <summary>The queue, such as <c>aggregation[0]</c>; null where none is concerned.</summary>
    public string? Queue { get; init; }

    /// <summary>Who causes it: a partition, an agent, a tag, a server; null where nobody does.</summary>
    public string? Party { get; init; }

    /// <summary>What was measured.</summary>
    public IReadOnlyList<string> Evidence { get; init; } = [];

    /// <summary>The option to change, by its path in the configuration; null where none helps.</summary>
    public string? Option { get; init; }

    /// <summary>Its present value.</summary>
    public string? From { get; init; }

    /// <summary>The value to try.</summary>
    public string? To { get; init; }

    /// <summary>When it was first seen; null before the engine has set it.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>When it was last seen.</summary>
    public DateTimeOffset? Last { get; init; }

    /// <summary>Records a second that are lost by it, or whatever its evidence counts; null where there is no rate.</summary>
    public double? Rate { get; init; }

    /// <summary>What makes two findings of two moments the same.</summary>
    internal (string Id, string? Queue) Key => (Id, Queue);
}

/// <summary>The stage that bounds the flow now.</summary>
/// <param name="Stage">Its name; <c>input</c> while every stage waits for records.</param>
/// <param name="Why">What was measured.</param>
internal sealed record FlowLimit(string Stage, string Why);

/// <summary>What is wrong, or that nothing is.</summary>
/// <param name="Verdict"><c>healthy</c>, <c>degraded</c> or <c>losing</c>.</param>
/// <param name="Limit">What bounds the flow.</param>
/// <param name="Headroom">Part of the busiest stage's capacity that is free, 0 to 1; null where it is not known.</param>
/// <param name="WindowS">Seconds that were looked at.</param>
/// <param name="Findings">The worst first.</param>
internal sealed record DiagnosisReport(
    string Verdict, FlowLimit Limit, double? Headroom, double WindowS, IReadOnlyList<Finding> Findings)
{
    /// <summary>What ClickHouse's own log says of the inserts; null where it was not asked.</summary>
    public InsertLogReading? InsertLog { get; init; }

    /// <summary>The verdict that follows from findings.</summary>
    public static string VerdictOf(IReadOnlyList<Finding> findings) =>
        findings.Any(finding => finding.Severity == Severity.Loss) ? "losing"
        : findings.Any(finding => finding.Severity == Severity.Warning) ? "degraded"
        : "healthy";
}
