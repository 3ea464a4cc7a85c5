using System.Text;
using Weir.Core.Telemetry;

namespace Weir.Host;

/// <summary>Writes <c>docs/metrics.md</c> from the metrics that the program has.</summary>
internal static class MetricsReference
{
    private const string Head = """
        # Metrics

        <!-- Made by `weir docs metrics` from src/Core/Telemetry. Change it there; a test compares. -->

        `GET /metrics` of the admin endpoint gives them as Prometheus text. Counters start at 0 with the process. Records lost have five
        names, and only these: rejected, late, dropped, overwritten, sampled.

        | metric | kind | labels | what it says |
        |---|---|---|---|

        """;

    /// <summary>The page.</summary>
    public static string Write()
    {
        var page = new StringBuilder(Head);
        foreach (var metric in WeirMeter.All)
        {
            var labels = string.Join(", ", metric.Labels.Select(label => $"`{label}`"));
            var kind = metric.Kind.ToString().ToLowerInvariant();
            page.Append($"| `{metric.Name}` | {kind} | {labels} | {metric.Help.Replace("|", "\\|", StringComparison.Ordinal)} |\n");
        }

        return page.ToString();
    }
}
