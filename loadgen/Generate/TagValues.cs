using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Buffers.Binary;
using Weir.Codecs.Flow;

namespace Weir.Loadgen.Generate;

/// <summary>The values of one tag and how often each comes: <c>zipf:N[:S]</c>, <c>uniform:N</c>, <c>file:PATH</c>, <c>capture:PATH</c>,
/// <c>fixed:VALUE</c>.</summary>
/// <remarks>Immutable; any thread.</remarks>
public sealed class TagValues
{
    /// <summary>Tags that can have a distribution of their own.</summary>
    public static IReadOnlyList<string> Names { get; } =
        ["src_addr", "dst_addr", "src_port", "dst_port", "proto", "exporter", "tos", "src_as", "dst_as", "in_if", "out_if", "vlan"];

    private const double ExponentDefault = 1.1;
    private static readonly Dictionary<string, ulong> _numbersMax = new()
    {
        ["src_port"] = ushort.MaxValue, ["dst_port"] = ushort.MaxValue, ["proto"] = byte.MaxValue, ["tos"] = byte.MaxValue,
        ["src_as"] = uint.MaxValue, ["dst_as"] = uint.MaxValue, ["in_if"] = uint.MaxValue, ["out_if"] = uint.MaxValue, ["vlan"] = 4094,
    };

    private readonly string _tag;
    private readonly UInt128[]? _values;
    private readonly WeightedDraw _draw;

    private TagValues(string tag, WeightedDraw draw, UInt128[]? values)
    {
        _tag = tag;
        _draw = draw;
        _values = values;
    }

    /// <summary>Texts of a tag of texts, to which drawn values are indices; null for the other tags.</summary>
    public IReadOnlyList<byte[]>? Texts { get; private init; }

    /// <summary>Reads a distribution.</summary>
    /// <param name="tag">One of <see cref="Names"/>.</param>
    /// <param name="text">Such as <c>zipf:1000:1.2</c>.</param>
    /// <param name="countValues">Counts the values of a tag in a capture: path and tag to text and count.</param>
    /// <exception cref="ArgumentException">It can't be read; the message says why.</exception>
    public static TagValues Parse(string tag, string text, Func<string, string, IReadOnlyDictionary<string, long>>? countValues = null)
    {
        if (!Names.Contains(tag))
        {
            throw new ArgumentException($"--tag {tag}: allowed are {string.Join(", ", Names)}");
        }

        var parts = text.Split(':', 2);
        var rest = parts.Length == 2 ? parts[1] : string.Empty;
        switch (parts[0])
        {
            case "zipf":
                return Numbered(tag, ZipfOf(tag, rest));
            case "uniform":
                return Numbered(tag, WeightedDraw.Uniform(Count(tag, rest)));
            case "fixed":
                return Listed(tag, [(rest, 1)]);
            case "file":
                return Listed(tag, [.. File.ReadLines(rest).Where(line => line.Trim().Length > 0).Select(WeightedLine)]);
            case "capture" when countValues is not null:
                return Listed(tag, [.. countValues(rest, tag).OrderBy(value => value.Key, StringComparer.Ordinal).Select(
                    value => (value.Key, (double)value.Value))]);
            default:
                throw new ArgumentException(
                    $"--tag {tag}={text}: allowed are zipf:N[:S], uniform:N, file:PATH, capture:PATH and fixed:VALUE");
        }
    }

    /// <summary>A value: an address, a number, or the index of a text.</summary>
    public UInt128 Draw(ref SeededRandom random)
    {
        var index = _draw.Draw(ref random);
        return _values is not null ? _values[index] : _tag switch
        {
            "src_addr" => FlowRecord.Ipv4(0x0a00_0001 + (uint)index),
            "dst_addr" => FlowRecord.Ipv4(0x6440_0001 + (uint)index), // 100.64.0.0/10, shared address space.
            _ => (UInt128)index,
        };
    }

    private static TagValues Numbered(string tag, WeightedDraw draw)
    {
        if (_numbersMax.TryGetValue(tag, out var max) && (ulong)draw.Count - 1 > max)
        {
            throw new ArgumentException($"--tag {tag}: {draw.Count} values do not fit; at most {max + 1}");
        }

        return tag == "exporter"
            ? new TagValues(tag, draw, null) { Texts =
                [.. Enumerable.Range(0, draw.Count).Select(
                    index => Encoding.UTF8.GetBytes($"10.{192 + (index >> 16)}.{(index >> 8) & 255}.{index & 255}"))] }
            : new TagValues(tag, draw, null);
    }

    private static TagValues Listed(string tag, IReadOnlyList<(string Value, double Weight)> values)
    {
        if (values.Count == 0)
        {
            throw new ArgumentException($"--tag {tag}: there is no value");
        }

        var draw = WeightedDraw.Of(values.Select(value => value.Weight).ToArray());
        return tag == "exporter"
            ? new TagValues(tag, draw, null) { Texts = [.. values.Select(value => Encoding.UTF8.GetBytes(value.Value))] }
            : new TagValues(tag, draw, [.. values.Select(value => Read(tag, value.Value))]);
    }

    private static UInt128 Read(string tag, string text)
    {
        if (_numbersMax.TryGetValue(tag, out var max))
        {
            return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= max
                ? number
                : throw new ArgumentException($"--tag {tag}: '{text}' is no number up to {max}");
        }

        return IPAddress.TryParse(text, out var address)
            ? Address(address)
            : throw new ArgumentException($"--tag {tag}: '{text}' is no address");
    }

    private static UInt128 Address(IPAddress address)
    {
        var mapped = address.AddressFamily == AddressFamily.InterNetwork ? address.MapToIPv6() : address;
        return BinaryPrimitives.ReadUInt128BigEndian(mapped.GetAddressBytes());
    }

    /// <summary>A line of a file: a value, and after white space its weight, 1 where there is none.</summary>
    private static (string Value, double Weight) WeightedLine(string line)
    {
        var words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return words.Length == 1 ? (words[0], 1)
            : double.TryParse(words[1], NumberStyles.Float, CultureInfo.InvariantCulture, out var weight) ? (words[0], weight)
            : throw new ArgumentException($"'{words[1]}' is no weight");
    }

    private static WeightedDraw ZipfOf(string tag, string text)
    {
        var parts = text.Split(':');
        var exponent = ExponentDefault;
        if (parts.Length > 1 && !double.TryParse(parts[1], NumberStyles.Float, CultureInfo.InvariantCulture, out exponent))
        {
            throw new ArgumentException($"--tag {tag}: '{parts[1]}' is no exponent");
        }

        return WeightedDraw.Zipf(Count(tag, parts[0]), exponent);
    }

    private static int Count(string tag, string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is >= 1 and <= 16_000_000
            ? count
            : throw new ArgumentException($"--tag {tag}: '{text}' is no count of 1 to 16000000");
}
