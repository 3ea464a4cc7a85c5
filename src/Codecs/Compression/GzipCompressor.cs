using System.Buffers.Binary;
using System.IO.Compression;

namespace Weir.Codecs.Compression;

/// <summary>gzip at its fastest level, by .NET (zlib-ng).</summary>
/// <remarks>
/// A value is one member of the gzip format. One thread. .NET offers gzip as a stream only, and a stream keeps its own state:
/// unlike the others, each call allocates a few hundred bytes of managed memory and zlib's tables. It is for files and for
/// servers that take nothing better.
/// </remarks>
public sealed unsafe class GzipCompressor : ICompressor
{
    /// <summary>10 bytes of header, 8 of trailer, and the beginnings and ends of blocks of short values.</summary>
    private const int OverheadBytes = 64;

    /// <summary>Bytes of the shortest gzip file, which holds nothing.</summary>
    private const int EmptyBytes = 20;

    /// <inheritdoc/>
    public string Name => "gzip";

    /// <inheritdoc/>
    /// <remarks>The fastest level of zlib-ng codes with a fixed Huffman tree: 9 bits for a literal are the worst case.</remarks>
    public int BoundBytes(int rawBytes) => checked(rawBytes + (rawBytes / 8) + (rawBytes / 1024) + OverheadBytes);

    /// <inheritdoc/>
    public int Compress(ReadOnlySpan<byte> raw, Span<byte> destination)
    {
        if (destination.Length < BoundBytes(raw.Length))
        {
            Compressors.ThrowDestinationTooSmall(BoundBytes(raw.Length), destination.Length);
        }

        fixed (byte* to = destination)
        {
            using var target = new UnmanagedMemoryStream(to, destination.Length, destination.Length, FileAccess.Write);
            using (var gzip = new GZipStream(target, CompressionLevel.Fastest, leaveOpen: true))
            {
                gzip.Write(raw);
                if (raw.IsEmpty)
                {
                    gzip.Flush(); // Without it .NET writes no header for an empty value, and that is no gzip file.
                }
            }

            return target.Position > 0 ? (int)target.Position : WriteEmpty(destination);
        }
    }

    /// <inheritdoc/>
    public bool TryDecompress(ReadOnlySpan<byte> compressed, Span<byte> destination, out int rawBytes)
    {
        rawBytes = 0;
        if (compressed.Length < EmptyBytes)
        {
            return false;
        }

        fixed (byte* from = compressed)
        {
            using var source = new UnmanagedMemoryStream(from, compressed.Length);
            using var gzip = new GZipStream(source, CompressionMode.Decompress);
            try
            {
                var length = gzip.ReadAtLeast(destination, destination.Length, throwOnEndOfStream: false);

                // One more read meets the trailer, whose checksum zlib compares, and tells whether there is more.
                if (gzip.ReadByte() >= 0)
                {
                    return false;
                }

                // .NET takes an early end for the end; the trailer's last word, the length, tells.
                if (BinaryPrimitives.ReadUInt32LittleEndian(compressed[^sizeof(uint)..]) != (uint)length)
                {
                    return false;
                }

                rawBytes = length;
                return true;
            }
            catch (InvalidDataException)
            {
                return false;
            }
        }
    }

    /// <summary>Nothing to free.</summary>
    public void Dispose()
    {
    }

    private static int WriteEmpty(Span<byte> destination)
    {
        // Header without name or time, one final block of fixed codes that ends at once, checksum 0, length 0 (RFC 1952).
        ReadOnlySpan<byte> empty = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        empty.CopyTo(destination);
        return empty.Length;
    }
}
