using System.Text.Json;

namespace Weir.Host.Top;

/// <summary>One look at a running weir.</summary>
/// <param name="Time">When, in epoch seconds by the process's clock.</param>
/// <param name="NotReady">Why it does not work, or not yet; empty while it does.</param>
/// <param name="Queues">Every queue.</param>
/// <param name="Partitions">Every partition that is assigned.</param>
/// <param name="Account">The account since the start, by line.</param>
/// <param name="Sink">The sink and its promise.</param>
/// <param name="Errors">The writer's last errors, newest first.</param>
/// <param name="Metrics">Every series of <c>/metrics</c>.</param>
/// <param name="Verdict">What the diagnosis says; null where the process has none.</param>
internal sealed record TopReading(
    double Time,
    IReadOnlyList<string> NotReady,
    IReadOnlyList<TopQueue> Queues,
    IReadOnlyList<TopPartition> Partitions,
    IReadOnlyList<KeyValuePair<string, long>> Account,
    string Sink,
    IReadOnlyList<string> Errors,
    IReadOnlyDictionary<string, double> Metrics,
    TopVerdict? Verdict)
{
    private const string CountSuffix = "_count";

    /// <summary>Reads the answer of <c>/reading</c>.</summary>
    public static TopReading Parse(JsonElement json, TopVerdict? verdict) => new(
        json.GetProperty("time").GetDouble(),
        [.. Reasons(json, "dead_reasons"), .. Reasons(json, "not_ready_reasons")],
        [.. json.GetProperty("queues").EnumerateArray().Select(TopQueue.Parse)],
        [.. json.GetProperty("positions").EnumerateArray().Select(TopPartition.Parse)],
        [.. json.GetProperty("account").EnumerateObject()
            .Where(line => line.Name.EndsWith(CountSuffix, StringComparison.Ordinal))
            .Select(line => KeyValuePair.Create(line.Name[..^CountSuffix.Length], line.Value.GetInt64()))],
        $"{json.GetProperty("sink").GetProperty("sink").GetString()}: {json.GetProperty("sink").GetProperty("promise").GetString()}",
        [.. json.GetProperty("errors").EnumerateArray().Select(ErrorText)],
        json.GetProperty("metrics").EnumerateObject().ToDictionary(series => series.Name, series => series.Value.GetDouble()),
        verdict);

    private static string ErrorText(JsonElement error) =>
        $"{error.GetProperty("cause").GetString()}, {error.GetProperty("count").GetInt64()} times: "
        + error.GetProperty("message").GetString();

    private static IEnumerable<string> Reasons(JsonElement json, string name) =>
        json.GetProperty("health").GetProperty(name).EnumerateArray().Select(reason => reason.GetString()!);

    /// <summary>The sum of a metric over those of its series that have the label; null where there is none.</summary>
    /// <param name="name">The metric.</param>
    /// <param name="label">As it is printed, such as <c>queue="cuts"</c>; null for all series.</param>
    public double? Value(string name, string? label = null)
    {
        double? sum = null;
        foreach (var (series, value) in Metrics)
        {
            if (series.StartsWith(name, StringComparison.Ordinal)
                && (series.Length == name.Length || series[name.Length] == '{')
                && (label is null || series.Contains(label, StringComparison.Ordinal)))
            {
                sum = (sum ?? 0) + value;
            }
        }

        return sum;
    }

    /// <summary>By how much a counter grew a second since an earlier look.</summary>
    public double? Rate(TopReading earlier, string name, string? label = null) =>
        Value(name, label) is { } now && Time > earlier.Time
            ? Math.Max(0, now - (earlier.Value(name, label) ?? 0)) / (Time - earlier.Time)
            : null;
}

/// <summary>A queue as the endpoint shows it; counts and depths are in records.</summary>
internal sealed record TopQueue(
    string Name,
    int Index,
    string Policy,
    long Capacity,
    long Offered,
    long Dequeued,
    long Dropped,
    long Overwritten,
    long Depth,
    long Deepest)
{
    /// <summary>Reads one queue.</summary>
    public static TopQueue Parse(JsonElement json) => new(
        json.GetProperty("name").GetString()!,
        json.GetProperty("index").GetInt32(),
        json.GetProperty("policy").GetString()!,
        json.GetProperty("capacity_records").GetInt64(),
        json.GetProperty("offered_count").GetInt64(),
        json.GetProperty("dequeued_count").GetInt64(),
        json.GetProperty("dropped_count").GetInt64(),
        json.GetProperty("overwritten_count").GetInt64(),
        json.GetProperty("depth").GetInt64(),
        json.GetProperty("depth_max").GetInt64());
}

/// <summary>A partition and how far it is behind.</summary>
internal sealed record TopPartition(string Topic, int Partition, long LagMessages, long NextOffset, long CommittedOffset)
{
    /// <summary>Reads one partition.</summary>
    public static TopPartition Parse(JsonElement json) => new(
        json.GetProperty("topic").GetString()!,
        json.GetProperty("partition").GetInt32(),
        json.GetProperty("lag_messages").GetInt64(),
        json.GetProperty("next_offset").GetInt64(),
        json.GetProperty("committed_offset").GetInt64());
}

/// <summary>The verdict of <c>/diagnose</c>.</summary>
/// <param name="State"><c>healthy</c>, <c>degraded</c> or <c>losing</c>.</param>
/// <param name="Limit">Which stage limits the flow, and why.</param>
/// <param name="Findings">Severity, title, and the option to change, one line each.</param>
internal sealed record TopVerdict(string State, string Limit, IReadOnlyList<(string Severity, string Text)> Findings)
{
    /// <summary>Reads the verdict.</summary>
    public static TopVerdict Parse(JsonElement json)
    {
        var hasLimit = json.TryGetProperty("limit", out var limit) && limit.ValueKind == JsonValueKind.Object;
        return new TopVerdict(
            json.GetProperty("verdict").GetString()!,
            hasLimit ? $"{limit.GetProperty("stage").GetString()}: {limit.GetProperty("why").GetString()}" : "",
            [.. json.GetProperty("findings").EnumerateArray().Select(ParseFinding)]);
    }

    private static (string Severity, string Text) ParseFinding(JsonElement finding)
    {
        var text = finding.GetProperty("title").GetString()!;
        if (Text(finding, "option") is { } option)
        {
            text += $"; set {option}";
            text += Text(finding, "from") is { } from ? $" from {from}" : "";
            text += Text(finding, "to") is { } to ? $" to {to}" : "";
        }

        return (finding.GetProperty("severity").GetString()!, text);
    }

    private static string? Text(JsonElement finding, string name) =>
        finding.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value.ToString() : null;
}
