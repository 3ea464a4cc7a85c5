namespace Weir.Core.Telemetry;

/// <summary>How the values of a metric relate over time.</summary>
public enum MetricKind
{
    /// <summary>Only grows; its name ends in <c>_total</c>.</summary>
    Counter,

    /// <summary>Goes up and down.</summary>
    Gauge,

    /// <summary>Counts of values by size: <c>_bucket</c>, cumulative by <c>le</c>, <c>_sum</c> and <c>_count</c>.</summary>
    Histogram,
}

/// <summary>A metric: what the reference page, the Prometheus text and the dashboards know of it.</summary>
/// <param name="Name"><c>weir_&lt;stage&gt;_&lt;noun&gt;_&lt;unit&gt;</c>, base units.</param>
/// <param name="Kind">Counter, gauge or histogram.</param>
/// <param name="Help">One sentence.</param>
/// <param name="Labels">Names of its labels; values come from closed sets (queue, reason, topic and partition of the configuration).</param>
public sealed record MetricDefinition(string Name, MetricKind Kind, string Help, params string[] Labels);

/// <summary>Receives the values of one scrape.</summary>
public abstract class MetricReader
{
    /// <summary>Takes one value.</summary>
    /// <param name="metric">A member of <see cref="WeirMeter.All"/>.</param>
    /// <param name="value">In the unit of the metric's name.</param>
    /// <param name="labelValues">As many as the metric has labels.</param>
    public abstract void Read(MetricDefinition metric, double value, params ReadOnlySpan<string> labelValues);

    /// <summary>Takes one histogram; a reader that wants single values only passes it over.</summary>
    /// <inheritdoc cref="Read(MetricDefinition, double, ReadOnlySpan{string})"/>
    public virtual void Read(MetricDefinition metric, HistogramSnapshot histogram, params ReadOnlySpan<string> labelValues)
    {
    }
}

/// <summary>Something that has metrics. It keeps plain counters and is asked for them; nothing is pushed on the hot path.</summary>
public interface IMetricSource
{
    /// <summary>Gives the present values. Any thread.</summary>
    void Collect(MetricReader reader);
}
