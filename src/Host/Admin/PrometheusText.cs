using System.Globalization;
using System.Text;
using Weir.Core.Telemetry;

namespace Weir.Host.Admin;

/// <summary>Writes one scrape as Prometheus text, version 0.0.4.</summary>
/// <remarks>One object for each scrape, one thread. Values that are not finite have no meaning as a reading and are left out.</remarks>
internal sealed class PrometheusText : MetricReader
{
    /// <summary>The content type of the text.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    // Samples of one metric must stand together, whichever source gives them.
    private readonly Dictionary<string, (MetricDefinition Metric, StringBuilder Samples)> _samplesByName = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public override void Read(MetricDefinition metric, double value, params ReadOnlySpan<string> labelValues)
    {
        if (labelValues.Length != metric.Labels.Length)
        {
            throw new ArgumentException(
                $"{metric.Name} has {metric.Labels.Length} labels and was given {labelValues.Length}.", nameof(labelValues));
        }

        if (!double.IsFinite(value))
        {
            return;
        }

        if (!_samplesByName.TryGetValue(metric.Name, out var known))
        {
            known = (metric, new StringBuilder());
            _samplesByName.Add(metric.Name, known);
        }

        var samples = known.Samples.Append(metric.Name);
        for (var index = 0; index < labelValues.Length; index++)
        {
            samples.Append(index == 0 ? '{' : ',').Append(metric.Labels[index]).Append("=\"");
            AppendEscaped(samples, labelValues[index], isQuoted: true);
            samples.Append('"');
        }

        samples.Append(labelValues.Length > 0 ? "} " : " ");
        samples.Append(CultureInfo.InvariantCulture, $"{value:R}").Append('\n');
    }

    /// <summary>The text of everything that was read, in the order of <see cref="WeirMeter.All"/>.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        var order = WeirMeter.All.Select((metric, index) => (metric.Name, index)).ToDictionary(pair => pair.Name, pair => pair.index);
        foreach (var (metric, samples) in _samplesByName.Values.OrderBy(known => order.GetValueOrDefault(known.Metric.Name, int.MaxValue)))
        {
            text.Append("# HELP ").Append(metric.Name).Append(' ');
            AppendEscaped(text, metric.Help, isQuoted: false);
            text.Append("\n# TYPE ").Append(metric.Name).Append(metric.Kind == MetricKind.Counter ? " counter\n" : " gauge\n");
            text.Append(samples);
        }

        return text.ToString();
    }

    private static void AppendEscaped(StringBuilder text, string value, bool isQuoted)
    {
        foreach (var letter in value)
        {
            _ = letter switch
            {
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '"' when isQuoted => text.Append("\\\""),
                _ => text.Append(letter),
            };
        }
    }
}
