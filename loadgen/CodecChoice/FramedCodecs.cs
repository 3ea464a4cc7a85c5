using System.Buffers.Binary;
using System.IO.Compression;
using Weir.Codecs.Compression;

namespace Weir.Loadgen.CodecChoice;

/// <summary>The frames that Kafka's clients put around snappy (xerial's) and lz4 (the LZ4 frame format with blocks of their own).</summary>
internal static class FramedCodecs
{
    private const int XerialHeadBytes = 16;
    private const int XerialBlockBytes = 32 * 1024; // As Java's clients cut it.
    private const int Lz4BlockBytes = 64 * 1024; // As librdkafka cuts it.
    private const uint Lz4StoredBlock = 0x8000_0000;
    private const uint Lz4Magic = 0x184d2204;
    private const int Lz4BlockBytesMax = 4 * 1024 * 1024;
    private const int GzipLevel = 6; // zlib's own.

    // The frame's flags say: version 1, blocks that do not lean on each other, of 64 KiB at most; the third byte is their checksum.
    private static ReadOnlySpan<byte> Lz4Flags => [0x60, 0x40, 0x82];

    private static ReadOnlySpan<byte> XerialVersions => [0, 0, 0, 1, 0, 0, 0, 1];

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
            if ((word & Lz4StoredBlock) != 0)
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

    /// <summary>Compresses as Kafka's clients do.</summary>
    /// <param name="codec">none, gzip, snappy, lz4 or zstd.</param>
    /// <param name="level">Level of gzip or zstd; null for the usual one. The others have one level.</param>
    /// <param name="raw">The records of a batch.</param>
    /// <exception cref="ArgumentException">The codec is not known.</exception>
    public static byte[] Compress(string codec, int? level, ReadOnlySpan<byte> raw)
    {
        var to = new MemoryStream();
        switch (codec)
        {
            case "none":
                to.Write(raw);
                break;
            case "gzip":
                using (var gzip = new GZipStream(to, new ZLibCompressionOptions { CompressionLevel = level ?? GzipLevel }, leaveOpen: true))
                {
                    gzip.Write(raw);
                }

                break;
            case "snappy":
                CompressSnappy(raw, to);
                break;
            case "lz4":
                CompressLz4(raw, to);
                break;
            case "zstd":
                using (var zstd = new ZstdCompressor(level ?? ZstdCompressor.LevelDefault))
                {
                    var buffer = new byte[zstd.BoundBytes(raw.Length)];
                    to.Write(buffer, 0, zstd.Compress(raw, buffer));
                }

                break;
            default:
                throw new ArgumentException($"--codec is '{codec}'; allowed: none, gzip, snappy, lz4, zstd");
        }

        return to.ToArray();
    }

    private static void CompressSnappy(ReadOnlySpan<byte> raw, MemoryStream to)
    {
        using var snappy = new SnappyCompressor();
        var buffer = new byte[snappy.BoundBytes(XerialBlockBytes)];
        Span<byte> head = stackalloc byte[sizeof(int)];
        to.Write(XerialMagic);
        to.Write(XerialVersions);
        for (; !raw.IsEmpty; raw = raw[Math.Min(raw.Length, XerialBlockBytes)..])
        {
            var length = snappy.Compress(raw[..Math.Min(raw.Length, XerialBlockBytes)], buffer);
            BinaryPrimitives.WriteInt32BigEndian(head, length);
            to.Write(head);
            to.Write(buffer, 0, length);
        }
    }

    private static void CompressLz4(ReadOnlySpan<byte> raw, MemoryStream to)
    {
        using var lz4 = new Lz4Compressor();
        var buffer = new byte[lz4.BoundBytes(Lz4BlockBytes)];
        Span<byte> head = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(head, Lz4Magic);
        to.Write(head);
        to.Write(Lz4Flags);
        for (; !raw.IsEmpty; raw = raw[Math.Min(raw.Length, Lz4BlockBytes)..])
        {
            var block = raw[..Math.Min(raw.Length, Lz4BlockBytes)];
            var length = lz4.Compress(block, buffer);
            var isStored = length >= block.Length;
            BinaryPrimitives.WriteUInt32LittleEndian(head, isStored ? Lz4StoredBlock | (uint)block.Length : (uint)length);
            to.Write(head);
            to.Write(isStored ? block : buffer.AsSpan(0, length));
        }

        head.Clear(); // The end of the frame.
        to.Write(head);
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
