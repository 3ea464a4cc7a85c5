using System.Buffers.Binary;
using Weir.Codecs.Compression;
using Weir.Codecs.Hashing;
using Weir.Core.Model;

namespace Weir.Codecs.ClickHouse;

/// <summary>How the data of a frame is compressed; the values are ClickHouse's.</summary>
public enum FrameMethod : byte
{
    /// <summary>Not at all; the frame still carries its checksum.</summary>
    None = 0x02,

    /// <summary>LZ4 block format.</summary>
    Lz4 = 0x82,

    /// <summary>Zstandard.</summary>
    Zstd = 0x90,
}

/// <summary>ClickHouse's compressed frames: what <c>decompress=1</c> takes over HTTP, and what its column files are made of.</summary>
/// <remarks>
/// A frame is a CityHash128 of all that follows, then the method, the compressed size (with these 9 bytes) and the raw size,
/// both u32 little endian, then the data. One thread: the object keeps the working memory of its compressors.
/// </remarks>
public sealed class CompressedFrame : IDisposable
{
    /// <summary>Bytes of the checksum.</summary>
    public const int ChecksumBytes = 16;

    /// <summary>Bytes before the data: checksum, method and two sizes.</summary>
    public const int HeaderBytes = ChecksumBytes + SizesBytes;

    /// <summary>Most raw bytes of a frame that is written, ClickHouse's own <c>max_compress_block_size</c>.</summary>
    public const int RawBytesMax = 1 << 20;

    /// <summary>Most bytes of a frame that is read, raw or not: ClickHouse's limit, so that a damaged size can't ask for more.</summary>
    public const int ReadBytesMax = 1 << 30;

    /// <summary>The method and two sizes, which the compressed size counts too.</summary>
    private const int SizesBytes = 9;

    private readonly FrameMethod _method;
    private readonly int _zstdLevel;
    private Lz4Compressor? _lz4;
    private ZstdCompressor? _zstd;

    /// <summary>Prepares for writing frames of <paramref name="method"/>, and for reading frames of any.</summary>
    /// <param name="method">How data is compressed when written.</param>
    /// <param name="zstdLevel">Level of Zstandard.</param>
    public CompressedFrame(FrameMethod method, int zstdLevel = ZstdCompressor.LevelDefault)
    {
        _method = method;
        _zstdLevel = zstdLevel;
        if (method != FrameMethod.None)
        {
            _ = Compressor(method); // A missing library is said at the start, not at the first block.
        }
    }

    /// <summary>Most bytes of a frame made from <paramref name="rawBytes"/> bytes.</summary>
    public int BoundBytes(int rawBytes) =>
        HeaderBytes + (_method == FrameMethod.None ? rawBytes : Compressor(_method).BoundBytes(rawBytes));

    /// <summary>Writes one frame.</summary>
    /// <param name="raw">1 to <see cref="RawBytesMax"/> bytes.</param>
    /// <param name="destination">At least <see cref="BoundBytes"/>.</param>
    /// <returns>Bytes of the frame.</returns>
    public int Write(ReadOnlySpan<byte> raw, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfZero(raw.Length, nameof(raw));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(raw.Length, RawBytesMax, nameof(raw));
        int dataBytes;
        if (_method == FrameMethod.None)
        {
            raw.CopyTo(destination[HeaderBytes..]);
            dataBytes = raw.Length;
        }
        else
        {
            dataBytes = Compressor(_method).Compress(raw, destination[HeaderBytes..]);
        }

        var covered = destination.Slice(ChecksumBytes, SizesBytes + dataBytes);
        covered[0] = (byte)_method;
        BinaryPrimitives.WriteUInt32LittleEndian(covered[1..], (uint)covered.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(covered[5..], (uint)raw.Length);
        BinaryPrimitives.WriteUInt128LittleEndian(destination, CityHash128.Hash(covered));
        return HeaderBytes + dataBytes;
    }

    /// <summary>Reads the sizes of the frame at the start of <paramref name="source"/>, which may end anywhere after its header.</summary>
    /// <param name="source">A frame, or its beginning.</param>
    /// <param name="frameBytes">Bytes of the whole frame.</param>
    /// <param name="rawBytes">Bytes of its contents.</param>
    /// <returns><c>Ok</c>, <c>Truncated</c>, <c>UnknownVersion</c> (a method that is not known), or <c>LengthOverLimit</c>.</returns>
    public static DecodeStatus TryReadHeader(ReadOnlySpan<byte> source, out int frameBytes, out int rawBytes)
    {
        frameBytes = 0;
        rawBytes = 0;
        if (source.Length < HeaderBytes)
        {
            return source.IsEmpty ? DecodeStatus.Empty : DecodeStatus.Truncated;
        }

        if ((FrameMethod)source[ChecksumBytes] is not (FrameMethod.None or FrameMethod.Lz4 or FrameMethod.Zstd))
        {
            return DecodeStatus.UnknownVersion;
        }

        var covered = BinaryPrimitives.ReadUInt32LittleEndian(source[(ChecksumBytes + 1)..]);
        var raw = BinaryPrimitives.ReadUInt32LittleEndian(source[(ChecksumBytes + 5)..]);
        if (covered < SizesBytes)
        {
            return DecodeStatus.Malformed;
        }

        if (covered > ReadBytesMax || raw > ReadBytesMax)
        {
            return DecodeStatus.LengthOverLimit;
        }

        frameBytes = ChecksumBytes + (int)covered;
        rawBytes = (int)raw;
        return DecodeStatus.Ok;
    }

    /// <summary>Reads the frame at the start of <paramref name="source"/> and verifies its checksum. Never throws on bad data.</summary>
    /// <param name="source">One frame; more may follow it.</param>
    /// <param name="destination">Room for the raw bytes; undefined contents after a failure.</param>
    /// <param name="frameBytes">Bytes of the frame: the next one starts there.</param>
    /// <param name="rawBytes">Bytes written.</param>
    /// <returns>
    /// <c>Ok</c>; <c>LengthOverLimit</c> also when <paramref name="destination"/> is smaller than the raw size; <c>Malformed</c>
    /// when the checksum is right and the data is not.
    /// </returns>
    public DecodeStatus TryRead(ReadOnlySpan<byte> source, Span<byte> destination, out int frameBytes, out int rawBytes)
    {
        var status = TryReadHeader(source, out frameBytes, out rawBytes);
        if (status != DecodeStatus.Ok)
        {
            return status;
        }

        if (frameBytes > source.Length)
        {
            return DecodeStatus.Truncated;
        }

        if (rawBytes > destination.Length)
        {
            return DecodeStatus.LengthOverLimit;
        }

        var covered = source[ChecksumBytes..frameBytes];
        if (BinaryPrimitives.ReadUInt128LittleEndian(source) != CityHash128.Hash(covered))
        {
            return DecodeStatus.ChecksumMismatch;
        }

        var data = covered[SizesBytes..];
        if ((FrameMethod)covered[0] == FrameMethod.None)
        {
            if (data.Length != rawBytes)
            {
                return DecodeStatus.Malformed;
            }

            data.CopyTo(destination);
            return DecodeStatus.Ok;
        }

        var compressor = Compressor((FrameMethod)covered[0]);
        var isWhole = compressor.TryDecompress(data, destination[..rawBytes], out var length) && length == rawBytes;
        return isWhole ? DecodeStatus.Ok : DecodeStatus.Malformed;
    }

    /// <summary>Frees the compressors.</summary>
    public void Dispose()
    {
        _lz4?.Dispose();
        _zstd?.Dispose();
        _lz4 = null;
        _zstd = null;
    }

    private ICompressor Compressor(FrameMethod method) => method == FrameMethod.Lz4
        ? _lz4 ??= new Lz4Compressor()
        : _zstd ??= new ZstdCompressor(_zstdLevel);
}
