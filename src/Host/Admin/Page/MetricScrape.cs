using System.Globalization;

namespace Weir.Host.Admin.Page;

/// <summary>One scrape as a map: the series as Prometheus prints it, such as <c>weir_x{queue="cuts"}</c>, and its value.</summary>
/// <remarks>
/// The page is fed by the very text that Prometheus gets, so it can show no other numbers, and a metric that comes new to the
/// registry, histograms among them, is on the page without a line of code here.
/// </remarks>
internal static class MetricScrape
{
    /// <summary>Reads Prometheus text.</summary>
    public static Dictionary<string, double> Parse(string text)
    {
        var series = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var range in text.AsSpan().Split('\n'))
        {
            var line = text.AsSpan(range);
            var space = line.LastIndexOf(' '); // A label value may have spaces; the number has none, and no time follows it.
            if (space > 0
                && line[0] != '#'
                && double.TryParse(line[(space + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
                && double.IsFinite(value))
            {
                series[line[..space].ToString()] = value;
            }
        }

        return series;
    }
}
