using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Weir.Core.Hashing;
using Weir.Loadgen.Generate;

namespace Weir.Loadgen.Capture;

/// <summary>Rewrites JSON lines: every byte that need not change stays as it is.</summary>
internal sealed class JsonRewriter(string format) : PayloadRewriter
{
    private const int DateTimeBytes = 19;
    private const long NanosPerSecond = 1_000_000_000;
    private static readonly HashSet<string> _open =
    [
        "event_type", "type", "ip_proto", "proto", "etype", "tcp_flags", "tos", "ip_tos", "timestamp_start", "timestamp_end",
            "timestamp_min",
        "timestamp_max", "timestamp_arrival", "stamp_inserted", "stamp_updated", "time_received_ns", "time_flow_start_ns",
            "time_flow_end_ns",
        "packets", "bytes", "flows", "sampling_rate", "layer_stack",
    ];

    private readonly string[] _tags = format == "pmacct-json"
        ? ["ip_src", "ip_dst", "port_dst", "ip_proto", "peer_ip_src"]
        : ["src_addr", "dst_addr", "dst_port", "proto", "sampler_address"];

    private readonly ByteText _output = new();

    /// <inheritdoc/>
    public override byte[] Rewrite(byte[] value, Rewriting how)
    {
        _output.Truncate(0);
        foreach (var line in Lines(value))
        {
            var start = _output.Length;
            try
            {
                RewriteLine(value.AsSpan(line), how);
            }
            catch (Exception error) when (error is JsonException or FormatException or InvalidOperationException)
            {
                _output.Truncate(start);
                if (how.IsAnonymising)
                {
                    _output.Put(Encoding.ASCII.GetBytes(new string('x', value.AsSpan(line).TrimEnd((byte)'\n').Length)));
                    _output.Put(value[line.End.Value - 1] == '\n' ? "\n"u8 : ""u8);
                }
                else
                {
                    _output.Put(value.AsSpan(line));
                }
            }
        }

        return _output.Written.ToArray();
    }

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<int, byte[]>>? Split(byte[] value, int partitionCount)
    {
        var parts = new Parts();
        foreach (var line in Lines(value))
        {
            var to = parts.Of(PartitionOf(HashOf(value.AsSpan(line)), partitionCount));
            to.Put(value.AsSpan(line));
            if (value[line.End.Value - 1] != '\n')
            {
                to.Put("\n"u8);
            }
        }

        return parts.Take();
    }

    private static IEnumerable<Range> Lines(byte[] value)
    {
        for (var start = 0; start < value.Length;)
        {
            var length = value.AsSpan(start).IndexOf((byte)'\n');
            var end = length < 0 ? value.Length : start + length + 1;
            yield return start..end;
            start = end;
        }
    }

    private void RewriteLine(ReadOnlySpan<byte> line, Rewriting how)
    {
        if (line.Trim(" \t\r\n"u8).IsEmpty)
        {
            _output.Put(line);
            return;
        }

        var reader = new Utf8JsonReader(line);
        var copied = 0;
        var name = string.Empty;
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.PropertyName)
            {
                name = reader.GetString()!;
            }
            else if (reader.TokenType is JsonTokenType.String or JsonTokenType.Number && NewValue(ref reader, name, how) is { } replaced)
            {
                var quote = reader.TokenType == JsonTokenType.String ? 1 : 0;
                _output.Put(line[copied..((int)reader.TokenStartIndex + quote)]);
                _output.Put(replaced);
                copied = (int)reader.TokenStartIndex + quote + reader.ValueSpan.Length;
            }
        }

        _output.Put(line[copied..]);
    }

    /// <summary>What comes in the place of a value; null for the same.</summary>
    private static byte[]? NewValue(ref Utf8JsonReader reader, string name, Rewriting how)
    {
        if (name.StartsWith("time", StringComparison.Ordinal) || name.StartsWith("stamp_", StringComparison.Ordinal))
        {
            return how.AddSeconds == 0 ? null
                : Shift(reader.ValueSpan, name.EndsWith("_ns", StringComparison.Ordinal) ? NanosPerSecond : 1, how.AddSeconds);
        }

        if (reader.TokenType != JsonTokenType.String || !how.MapsAddresses || reader.ValueSpan.IsEmpty || _open.Contains(name))
        {
            return null;
        }

        var text = Encoding.UTF8.GetBytes(reader.GetString()!);
        if (!how.IsAnonymising && name is "peer_ip_src" or "sampler_address")
        {
            return null; // A copy has the same agents.
        }

        if (IsMac(text))
        {
            return how.IsAnonymising
                ? Mac(how.MapMac(ulong.Parse(
                    Encoding.ASCII.GetString(text).Replace(":", "", StringComparison.Ordinal), NumberStyles.HexNumber,
                        CultureInfo.InvariantCulture))) : null;
        }

        var slash = text.AsSpan().IndexOf((byte)'/');
        if (slash > 0)
        {
            var head = how.MapText(text.AsSpan(0, slash));
            return [.. head, .. how.IsAnonymising && !int.TryParse(text.AsSpan(slash + 1), CultureInfo.InvariantCulture, out _) ? []
                : text.AsSpan(slash)];
        }

        return how.MapText(text);
    }

    private static byte[] Shift(ReadOnlySpan<byte> text, long unit, long seconds)
    {
        if (text.Length >= DateTimeBytes && text[4] == '-'
            && DateTime.TryParseExact(
                Encoding.ASCII.GetString(text[..DateTimeBytes]).Replace('T', ' '), "yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture,
                    DateTimeStyles.None, out var time))
        {
            var shifted = Encoding.ASCII.GetBytes(time.AddSeconds(seconds).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture));
            shifted[10] = text[10];
            return [.. shifted, .. text[DateTimeBytes..]];
        }

        return Utf8Parser.TryParse(text, out long number, out var length) && number > 0
            ? [.. Encoding.ASCII.GetBytes((number + (seconds * unit)).ToString(CultureInfo.InvariantCulture)), .. text[length..]]
            : text.ToArray(); // 0 is no time.
    }

    private ulong HashOf(ReadOnlySpan<byte> line)
    {
        ulong hash = 0;
        try
        {
            var reader = new Utf8JsonReader(line);
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && Array.IndexOf(_tags, reader.GetString()) is >= 0 and var tag)
                {
                    reader.Read();
                    hash ^= TagHash.Combine(TagHash.OfText(reader.ValueSpan), (ulong)tag + 1); // In whatever order the keys come.
                }
            }
        }
        catch (JsonException)
        {
            return 0; // What can't be read goes where it goes, whole.
        }

        return TagHash.Combine(hash, 0);
    }

    private static bool IsMac(ReadOnlySpan<byte> text)
    {
        if (text.Length != 17)
        {
            return false;
        }

        for (var index = 0; index < text.Length; index++)
        {
            if (index % 3 == 2 ? text[index] != ':' : !char.IsAsciiHexDigit((char)text[index]))
            {
                return false;
            }
        }

        return true;
    }

    private static byte[] Mac(ulong mac) =>
        Encoding.ASCII.GetBytes(
            string.Join(':', Enumerable.Range(0, 6).Select(
                index => ((mac >> (40 - (8 * index))) & 255).ToString("x2", CultureInfo.InvariantCulture))));
}
