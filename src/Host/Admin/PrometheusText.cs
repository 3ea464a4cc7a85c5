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
        if (double.IsFinite(value))
        {
            var samples = SamplesOf(metric, labelValues.Length);
            AppendName(samples, metric, "", labelValues, bound: null);
            samples.Append(CultureInfo.InvariantCulture, $"{value:R}").Append('\n');
        }
    }

    /// <inheritdoc/>
    public override void Read(MetricDefinition metric, HistogramSnapshot histogram, params ReadOnlySpan<string> labelValues)
    {
        var samples = SamplesOf(metric, labelValues.Length);
        var cumulative = 0L;
        for (var index = 0; index < histogram.Counts.Length; index++)
        {
            cumulative += histogram.Counts[index];
            var bound = index < histogram.Bounds.Length
                ? histogram.Bounds[index].ToString("0.######", CultureInfo.InvariantCulture)
                : "+Inf";
            AppendName(samples, metric, "_bucket", labelValues, bound);
            samples.Append(cumulative).Append('\n');
        }

        AppendName(samples, metric, "_sum", labelValues, bound: null);
        samples.Append(CultureInfo.InvariantCulture, $"{histogram.Sum:R}").Append('\n');
        AppendName(samples, metric, "_count", labelValues, bound: null);
        samples.Append(cumulative).Append('\n');
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
            text.Append("\n# TYPE ").Append(metric.Name).Append(KindOf(metric));
            text.Append(samples);
        }

        return text.ToString();
    }

    private static string KindOf(MetricDefinition metric) => metric.Kind switch
    {
        MetricKind.Counter => " counter\n",
        MetricKind.Histogram => " histogram\n",
        _ => " gauge\n",
    };

    private StringBuilder SamplesOf(MetricDefinition metric, int labelCount)
    {
        if (labelCount != metric.Labels.Length)
        {
            throw new ArgumentException($"{metric.Name} has {metric.Labels.Length} labels and was given {labelCount}.", nameof(labelCount));
        }

        if (!_samplesByName.TryGetValue(metric.Name, out var known))
        {
            known = (metric, new StringBuilder());
            _samplesByName.Add(metric.Name, known);
        }

        return known.Samples;
    }

    private static void AppendName(
        StringBuilder samples, MetricDefinition metric, string suffix, ReadOnlySpan<string> labelValues, string? bound)
    {
        samples.Append(metric.Name).Append(suffix);
        for (var index = 0; index < labelValues.Length; index++)
        {
            samples.Append(index == 0 ? '{' : ',').Append(metric.Labels[index]).Append("=\"");
            AppendEscaped(samples, labelValues[index], isQuoted: true);
            samples.Append('"');
        }

        if (bound is not null)
        {
            samples.Append(labelValues.Length == 0 ? '{' : ',').Append("le=\"").Append(bound).Append('"');
        }

        samples.Append(labelValues.Length > 0 || bound is not null ? "} " : " ");
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
