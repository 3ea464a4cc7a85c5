using System.Text.Json;
using Weir.Core.Telemetry;

namespace Weir.Host.Telemetry;

/// <summary>Every metric as one element of a JSON list: static tags, variable tags with the values seen, sum and count.</summary>
/// <remarks>
/// <c>{"name", "time", "stags": {…}, "utags": […], "T": {tag: [values]}, "V": sum, "N": count}</c>, the form of NS1's talk. A histogram's
/// V is the sum of its values and N their number. One object for each answer, one thread.
/// </remarks>
internal sealed class SnapshotJson(DateTimeOffset time, IReadOnlyDictionary<string, string> staticTags) : MetricReader
{
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public override void Read(MetricDefinition metric, double value, params ReadOnlySpan<string> labelValues)
    {
        if (double.IsFinite(value))
        {
            Add(metric, value, 1, labelValues);
        }
    }

    /// <inheritdoc/>
    public override void Read(MetricDefinition metric, HistogramSnapshot histogram, params ReadOnlySpan<string> labelValues) =>
        Add(metric, histogram.Sum, histogram.Count, labelValues);

    /// <summary>The list, in the order in which the metrics came.</summary>
    public override string ToString()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            foreach (var entry in _entries.Values)
            {
                Write(json, entry);
            }

            json.WriteEndArray();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length) + "\n";
    }

    private void Add(MetricDefinition metric, double value, long count, ReadOnlySpan<string> labelValues)
    {
        if (!_entries.TryGetValue(metric.Name, out var entry))
        {
            _entries.Add(metric.Name, entry = new Entry(metric, [.. metric.Labels.Select(_ => new SortedSet<string>(StringComparer.Ordinal))]));
        }

        for (var index = 0; index < labelValues.Length; index++)
        {
            entry.Values[index].Add(labelValues[index]);
        }

        entry.Sum += value;
        entry.Count += count;
    }

    private void Write(Utf8JsonWriter json, Entry entry)
    {
        json.WriteStartObject();
        json.WriteString("name", entry.Metric.Name);
        json.WriteNumber("time", time.ToUnixTimeMilliseconds() / 1000.0);
        json.WriteStartObject("stags");
        foreach (var (name, value) in staticTags)
        {
            json.WriteString(name, value);
        }

        json.WriteEndObject();
        json.WriteStartArray("utags");
        foreach (var label in entry.Metric.Labels)
        {
            json.WriteStringValue(label);
        }

        json.WriteEndArray();
        json.WriteStartObject("T");
        for (var index = 0; index < entry.Values.Count; index++)
        {
            json.WriteStartArray(entry.Metric.Labels[index]);
            foreach (var value in entry.Values[index])
            {
                json.WriteStringValue(value);
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
        json.WriteNumber("V", entry.Sum);
        json.WriteNumber("N", entry.Count);
        json.WriteEndObject();
    }

    private sealed record Entry(MetricDefinition Metric, IReadOnlyList<SortedSet<string>> Values)
    {
        internal double Sum { get; set; }

        internal long Count { get; set; }
    }
}
