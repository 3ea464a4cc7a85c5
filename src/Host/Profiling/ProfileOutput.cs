using System.Globalization;
using System.Net;
using System.Text.Json;

namespace Weir.Host.Profiling;

/// <summary>Writes call stacks for people: speedscope's JSON, and a flame graph as SVG.</summary>
internal static class ProfileOutput
{
    private const int WidthPixels = 1200;
    private const int RowPixels = 17;
    private const double LeastPixels = 0.3;
    private const double LetterPixels = 6.6;

    /// <summary>Writes the file format of speedscope, one sampled profile.</summary>
    public static void WriteSpeedscope(StackTree root, ProfileKind kind, Stream output)
    {
        var frames = new Dictionary<string, int>(StringComparer.Ordinal);
        var samples = new List<(int[] Stack, double Weight)>();
        Collect(root, [], frames, samples);
        using var json = new Utf8JsonWriter(output);
        json.WriteStartObject();
        json.WriteString("$schema", "https://www.speedscope.app/file-format-schema.json");
        json.WriteString("exporter", "weir");
        json.WriteStartObject("shared");
        json.WriteStartArray("frames");
        foreach (var frame in frames.OrderBy(frame => frame.Value))
        {
            json.WriteStartObject();
            json.WriteString("name", frame.Key);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteStartArray("profiles");
        json.WriteStartObject();
        json.WriteString("type", "sampled");
        json.WriteString("name", root.Name);
        json.WriteString("unit", kind == ProfileKind.Alloc ? "bytes" : "milliseconds");
        json.WriteNumber("startValue", 0);
        json.WriteNumber("endValue", root.Weight);
        json.WriteStartArray("samples");
        foreach (var (stack, _) in samples)
        {
            json.WriteStartArray();
            foreach (var frame in stack)
            {
                json.WriteNumberValue(frame);
            }

            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteStartArray("weights");
        foreach (var (_, weight) in samples)
        {
            json.WriteNumberValue(weight);
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Writes a flame graph: the callers below, a box as wide as its weight; hovering shows name and weight.</summary>
    public static void WriteSvg(StackTree root, TextWriter output)
    {
        var height = (DepthOf(root) * RowPixels) + RowPixels;
        output.Write(string.Create(
            CultureInfo.InvariantCulture,
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WidthPixels} {height}\" width=\"100%\" font-family=\"monospace\" font-size=\"11\">\n"));
        output.Write("<rect width=\"100%\" height=\"100%\" fill=\"#fdf6e3\"/>\n");
        if (root.Weight > 0)
        {
            Draw(root, 0, 0, height, root.Weight, output);
        }

        output.Write("</svg>\n");
    }

    private static void Collect(StackTree node, List<int> stack, Dictionary<string, int> frames, List<(int[] Stack, double Weight)> samples)
    {
        if (node.OwnWeight > 0 && stack.Count > 0)
        {
            samples.Add(([.. stack], node.OwnWeight));
        }

        foreach (var callee in node.Callees)
        {
            if (!frames.TryGetValue(callee.Name, out var frame))
            {
                frames.Add(callee.Name, frame = frames.Count);
            }

            stack.Add(frame);
            Collect(callee, stack, frames, samples);
            stack.RemoveAt(stack.Count - 1);
        }
    }

    private static int DepthOf(StackTree node) => 1 + node.Callees.Select(DepthOf).DefaultIfEmpty().Max();

    private static void Draw(StackTree node, double left, int depth, int height, double whole, TextWriter output)
    {
        var width = node.Weight / whole * WidthPixels;
        if (width < LeastPixels)
        {
            return;
        }

        var top = height - ((depth + 1) * RowPixels);
        var hue = 20 + (string.GetHashCode(node.Name, StringComparison.Ordinal) & 31); // Warm, and different beside one another.
        var letters = (int)((width - 4) / LetterPixels);
        var label = letters < 3 ? "" : node.Name.Length <= letters ? node.Name : node.Name[..(letters - 1)] + "…";
        output.Write(string.Create(
            CultureInfo.InvariantCulture,
            $"<g><title>{WebUtility.HtmlEncode(node.Name)}: {node.Weight:N0}, {node.Weight / whole:P1}</title><rect x=\"{left:0.##}\" y=\"{top}\" width=\"{width:0.##}\" height=\"{RowPixels - 1}\" fill=\"hsl({hue},85%,65%)\"/><text x=\"{left + 2:0.##}\" y=\"{top + 12}\">{WebUtility.HtmlEncode(label)}</text></g>\n"));
        foreach (var callee in node.Callees)
        {
            Draw(callee, left, depth + 1, height, whole, output);
            left += callee.Weight / whole * WidthPixels;
        }
    }
}
