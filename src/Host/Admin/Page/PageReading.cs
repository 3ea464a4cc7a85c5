using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weir.Host.Admin.Page;

/// <summary>Everything that the page and <c>weir top</c> show, read at one moment.</summary>
/// <param name="At">The moment.</param>
/// <param name="Parts">The parts as JSON in UTF-8, each with its name.</param>
/// <param name="Metrics">Every series of <c>/metrics</c>.</param>
internal sealed record PageReading(
    DateTimeOffset At, IReadOnlyList<KeyValuePair<string, byte[]>> Parts, IReadOnlyDictionary<string, double> Metrics)
{
    private static readonly JsonSerializerOptions _json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // It is read as JSON only, never as a part of HTML.
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>How JSON of this page is written: series' names have many quotes, which need no six letters each.</summary>
    internal static JsonWriterOptions WriterOptions { get; } = new() { Encoder = _json.Encoder };

    /// <summary>Reads the sources.</summary>
    public static PageReading Take(DateTimeOffset now, AdminSources sources, IReadOnlyDictionary<string, double> metrics)
    {
        var health = sources.Health();
        var account = sources.Account();
        var writer = sources.Writer?.Invoke();
        return new PageReading(
            now,
            [
                Part("health", health),
                Part("queues", sources.Queues().Select(queue => new QueueReading(queue))),
                Part("positions", sources.Positions().Select(partition => new PositionReading(partition, sources.Time.GetUtcNow()))),
                Part("account", account),
                Part("sink", new
                {
                    sources.Sink,
                    writer?.Promise?.IsExactlyOnce,
                    Promise = writer?.Promise?.ToString() ?? "not known before the tables were read",
                    writer?.IsWriting,
                }),
                Part("errors", writer?.Errors ?? []),
            ],
            metrics);
    }

    /// <summary>Writes the reading as one JSON object, or what of it differs from an earlier one.</summary>
    /// <param name="output">Gets it.</param>
    /// <param name="earlier">What the receiver has; null for nothing.</param>
    public void WriteTo(IBufferWriter<byte> output, PageReading? earlier)
    {
        using var writer = new Utf8JsonWriter(output, WriterOptions);
        writer.WriteStartObject();
        writer.WriteNumber("time", At.ToUnixTimeMilliseconds() / 1000.0);
        writer.WriteBoolean("is_whole", earlier is null);
        for (var index = 0; index < Parts.Count; index++)
        {
            var (name, json) = Parts[index];
            if (earlier is null || !earlier.Parts[index].Value.AsSpan().SequenceEqual(json))
            {
                writer.WritePropertyName(name);
                writer.WriteRawValue(json);
            }
        }

        WriteMetrics(writer, earlier?.Metrics);
        writer.WriteEndObject();
    }

    private void WriteMetrics(Utf8JsonWriter writer, IReadOnlyDictionary<string, double>? earlier)
    {
        writer.WriteStartObject("metrics");
        foreach (var (series, value) in Metrics)
        {
            if (earlier is null || !earlier.TryGetValue(series, out var had) || !had.Equals(value))
            {
                writer.WriteNumber(series, value);
            }
        }

        foreach (var series in earlier?.Keys ?? [])
        {
            if (!Metrics.ContainsKey(series))
            {
                writer.WriteNull(series);
            }
        }

        writer.WriteEndObject();
    }

    private static KeyValuePair<string, byte[]> Part<T>(string name, T value) => new(name, JsonSerializer.SerializeToUtf8Bytes(value, _json));
}
