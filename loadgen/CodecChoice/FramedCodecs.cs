using System.Buffers.Binary;
using Weir.Codecs.Compression;

namespace Weir.Loadgen.CodecChoice;

/// <summary>The frames that Kafka's clients put around snappy (xerial's) and lz4 (the LZ4 frame format with blocks of their own).</summary>
internal static class FramedCodecs
{
    private const int XerialHeadBytes = 16;
    private const uint Lz4Magic = 0x184d2204;
    private const int Lz4BlockBytesMax = 4 * 1024 * 1024;

    private static ReadOnlySpan<byte> XerialMagic => [0x82, (byte)'S', (byte)'N', (byte)'A', (byte)'P', (byte)'P', (byte)'Y', 0];

    /// <summary>Snappy, in xerial's blocks or bare.</summary>
    public static byte[] DecompressSnappy(ReadOnlySpan<byte> bytes)
    {
        using var snappy = new SnappyCompressor();
        if (!bytes.StartsWith(XerialMagic))
        {
            return SnappyBlock(snappy, bytes);
        }

        var raw = new MemoryStream();
        for (var rest = bytes[XerialHeadBytes..]; rest.Length >= 4;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(rest);
            if (length < 0 || length > rest.Length - 4)
            {
                throw new InvalidDataException("A snappy batch ends early.");
            }

            raw.Write(SnappyBlock(snappy, rest.Slice(4, length)));
            rest = rest[(4 + length)..];
        }

        return raw.ToArray();
    }

    /// <summary>An LZ4 frame whose blocks do not lean on each other, as Kafka's clients write it.</summary>
    public static byte[] DecompressLz4(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 7 || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Lz4Magic)
        {
            throw new InvalidDataException("An lz4 batch is no LZ4 frame.");
        }

        var flags = bytes[4];
        var hasBlockChecksums = (flags & 0x10) != 0;
        var rest = bytes[(7 + ((flags & 0x08) != 0 ? 8 : 0) + ((flags & 0x01) != 0 ? 4 : 0))..];
        using var lz4 = new Lz4Compressor();
        var block = new byte[Lz4BlockBytesMax];
        var raw = new MemoryStream();
        while (rest.Length >= 4)
        {
            var word = BinaryPrimitives.ReadUInt32LittleEndian(rest);
            var length = (int)(word & 0x7fff_ffff);
            if (length == 0)
            {
                return raw.ToArray();
            }

            if (length > rest.Length - 4)
            {
                break;
            }

            var data = rest.Slice(4, length);
            if ((word & 0x8000_0000) != 0)
            {
                raw.Write(data);
            }
            else if (lz4.TryDecompress(data, block, out var rawBytes))
            {
                raw.Write(block, 0, rawBytes);
            }
            else
            {
                break;
            }

            rest = rest[(4 + length + (hasBlockChecksums ? 4 : 0))..];
        }

        throw new InvalidDataException("An lz4 batch does not decompress.");
    }

    private static byte[] SnappyBlock(SnappyCompressor snappy, ReadOnlySpan<byte> bytes)
    {
        uint length = 0; // Snappy begins with the raw length as a varint.
        for (var index = 0; index < Math.Min(5, bytes.Length); index++)
        {
            length |= (uint)(bytes[index] & 0x7f) << (7 * index);
            if (bytes[index] < 0x80)
            {
                break;
            }
        }

        if (length > 256 * 1024 * 1024)
        {
            throw new InvalidDataException("A snappy batch says that it is larger than 256 MiB.");
        }

        var raw = new byte[length];
        return snappy.TryDecompress(bytes, raw, out var rawBytes) && rawBytes == raw.Length
            ? raw
            : throw new InvalidDataException("A snappy batch does not decompress.");
    }
}
