using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Weir.Ingest;

/// <summary>
/// How far a partition of a rekeyed topic has come in each partition that its messages were made from. A message that is not beyond
/// its mark was written twice, by a rekeyer that began again after a crash, and is passed over.
/// </summary>
/// <remarks>
/// A rekeyer writes the messages of one origin to one partition in the order of their offsets and leaves none out, so one number for
/// each origin is enough. The marks stand in Kafka beside each commit: a range of the log is folded the same by every process that
/// folds it. One thread at a time.
/// </remarks>
internal sealed partial class OriginMarks
{
    /// <summary>Origins of one partition: with offsets of 12 digits their text stays below the 4,096 bytes that a broker takes.</summary>
    public const int OriginsMax = 200;

    /// <summary>The header of a message that says where it comes from: <c>topic/partition@offset</c>.</summary>
    public const string Header = "weir-origin";

    private readonly SortedDictionary<int, long> _offsets = [];

    /// <summary>Takes note of a message.</summary>
    /// <returns>False when it was written before. Origins beyond <see cref="OriginsMax"/> always pass; a rekeyer refuses so many.</returns>
    public bool TryPass(int partition, long offset)
    {
        if (_offsets.TryGetValue(partition, out var mark))
        {
            _offsets[partition] = Math.Max(mark, offset);
            return offset > mark;
        }

        if (_offsets.Count < OriginsMax)
        {
            _offsets.Add(partition, offset);
        }

        return true;
    }

    /// <summary>The marks as text: <c>0:17,3:9000</c>.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (var (partition, offset) in _offsets)
        {
            text.Append(text.Length == 0 ? "" : ",").Append(CultureInfo.InvariantCulture, $"{partition}:{offset}");
        }

        return text.ToString();
    }

    /// <summary>The marks in the metadata of a commit; null where there are none.</summary>
    public static OriginMarks? Parse(string metadata)
    {
        if (Pattern().Match(metadata) is not { Success: true } match)
        {
            return null;
        }

        var marks = new OriginMarks();
        foreach (var pair in match.Groups["marks"].Value.Split(','))
        {
            var colon = pair.IndexOf(':', StringComparison.Ordinal);
            marks._offsets[int.Parse(pair.AsSpan(0, colon), CultureInfo.InvariantCulture)] =
                long.Parse(pair.AsSpan(colon + 1), CultureInfo.InvariantCulture);
        }

        return marks;
    }

    /// <summary>The value of the header.</summary>
    public static string HeaderOf(string topic, int partition, long offset) =>
        string.Create(CultureInfo.InvariantCulture, $"{topic}/{partition}@{offset}");

    /// <summary>Reads the value of the header.</summary>
    public static bool TryReadHeader(ReadOnlySpan<byte> value, out ReadOnlySpan<byte> topic, out int partition, out long offset)
    {
        (partition, offset) = (0, 0);
        var at = value.LastIndexOf((byte)'@');
        var slash = at < 0 ? -1 : value[..at].LastIndexOf((byte)'/');
        topic = slash < 0 ? default : value[..slash];
        return slash >= 0
            && System.Buffers.Text.Utf8Parser.TryParse(value[(slash + 1)..at], out partition, out var read) && read == at - slash - 1
            && System.Buffers.Text.Utf8Parser.TryParse(value[(at + 1)..], out offset, out read) && read == value.Length - at - 1
            && partition >= 0 && offset >= 0;
    }

    [GeneratedRegex(@"^weir-(plan layout=\d{1,9} to=\d{1,18}|end) origins=(?<marks>\d{1,9}:\d{1,18}(,\d{1,9}:\d{1,18})*)\z", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
