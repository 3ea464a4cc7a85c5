using Weir.Codecs.ClickHouse;
using Weir.Core.Model;
using Weir.Writer;

namespace Weir.Bench.Paths;

/// <summary>What a path has made of its flows.</summary>
/// <param name="RowCount">Rows of all views.</param>
/// <param name="RecordsSum">Their records.</param>
/// <param name="BytesSum">Their bytes, modulo 2^64.</param>
/// <param name="EncodedBytes">Bytes of the compressed blocks.</param>
internal readonly record struct PathResult(long RowCount, ulong RecordsSum, ulong BytesSum, long EncodedBytes)
{
    /// <summary>
    /// Equal where the same flows have become the same rows. The size of the blocks is not in it: frames may be split in other
    /// places.
    /// </summary>
    public ulong Checksum => unchecked((((ulong)RowCount * 0x9E37_79B9_7F4A_7C15) + RecordsSum) * 0x85EB_CA6B) ^ BytesSum;

    /// <summary>Adds the result of another part of the flows.</summary>
    public PathResult Plus(PathResult other) => new(
        RowCount + other.RowCount, RecordsSum + other.RecordsSum, unchecked(BytesSum + other.BytesSum), EncodedBytes + other.EncodedBytes);

    /// <summary>The result of a cut that Weir has built.</summary>
    public static PathResult Of(BuiltCut built)
    {
        var result = default(PathResult);
        foreach (var block in built.Blocks)
        {
            result = result.Plus(new PathResult(block.RowCount, block.Sums.Records, block.Sums.Bytes, block.EncodedBytes));
        }

        return result;
    }
}

/// <summary>The views and the form of all paths: 1 s and 1 min of the standard edge view, LZ4 frames of sorted Native blocks.</summary>
internal static class PathViews
{
    /// <summary><c>edge_1s</c> and <c>edge_1m</c>.</summary>
    public static IReadOnlyList<ViewDefinition> Definitions { get; } =
        [.. StandardSchema.Views.Where(view => view.Name.StartsWith("edge", StringComparison.Ordinal))];

    /// <summary>The same, compiled.</summary>
    public static StreamSchema Compile() => StreamSchema.Compile(Definitions);

    /// <summary>The raw bytes of framed pieces, for a comparison byte by byte.</summary>
    public static byte[] Unframe(IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        using var joined = new MemoryStream();
        foreach (var piece in pieces)
        {
            joined.Write(piece.Span);
        }

        using var frame = new CompressedFrame(FrameMethod.Lz4);
        using var raw = new MemoryStream();
        var scratch = new byte[CompressedFrame.RawBytesMax];
        var rest = joined.ToArray().AsSpan();
        while (!rest.IsEmpty)
        {
            var status = frame.TryRead(rest, scratch, out var frameBytes, out var rawBytes);
            if (status != DecodeStatus.Ok)
            {
                throw new InvalidDataException($"A frame is {status}.");
            }

            raw.Write(scratch, 0, rawBytes);
            rest = rest[frameBytes..];
        }

        return raw.ToArray();
    }
}
