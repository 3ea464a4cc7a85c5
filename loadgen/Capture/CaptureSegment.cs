using System.Buffers.Binary;
using Weir.Codecs.Flow;

namespace Weir.Loadgen.Capture;

/// <summary>The head of a segment: messages of one partition, in the order of their offsets, compressed together.</summary>
/// <remarks>docs/capture-format.md describes it byte by byte.</remarks>
public readonly record struct CaptureSegment
{
    /// <summary>Bytes of the head.</summary>
    public const int HeadBytes = 64;

    /// <summary>Bytes that the index repeats: the head without magic and its own checksum.</summary>
    internal const int BodyBytes = HeadBytes - 8;

    /// <summary>Most raw bytes of a segment that a reader accepts.</summary>
    public const int RawBytesMax = 64 * 1024 * 1024;

    /// <summary>Where the head is in the file.</summary>
    public long Position { get; init; }

    /// <summary>Bytes after the head.</summary>
    public int CompressedBytes { get; init; }

    /// <summary>Bytes of them when they are decompressed.</summary>
    public int RawBytes { get; init; }

    /// <summary>CRC-32C of the compressed bytes.</summary>
    public uint Checksum { get; init; }

    /// <summary>Messages.</summary>
    public int MessageCount { get; init; }

    /// <summary>Index of the topic.</summary>
    public int Topic { get; init; }

    /// <summary>Partition.</summary>
    public int Partition { get; init; }

    /// <summary>Offset of the first message.</summary>
    public long FirstOffset { get; init; }

    /// <summary>Offset of the last message.</summary>
    public long LastOffset { get; init; }

    /// <summary>Earliest time of a message, ms.</summary>
    public long MinTimestampMs { get; init; }

    /// <summary>Latest time of a message, ms.</summary>
    public long MaxTimestampMs { get; init; }

    private static ReadOnlySpan<byte> Magic => "WSEG"u8;

    /// <summary>Writes the head.</summary>
    internal void WriteHead(Span<byte> to)
    {
        Magic.CopyTo(to);
        WriteBody(to[8..]);
        BinaryPrimitives.WriteUInt32LittleEndian(to[4..], Crc32C.Of(to.Slice(8, BodyBytes)));
    }

    /// <summary>Writes what the index repeats.</summary>
    internal void WriteBody(Span<byte> to)
    {
        BinaryPrimitives.WriteInt32LittleEndian(to, CompressedBytes);
        BinaryPrimitives.WriteInt32LittleEndian(to[4..], RawBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(to[8..], Checksum);
        BinaryPrimitives.WriteInt32LittleEndian(to[12..], MessageCount);
        BinaryPrimitives.WriteInt32LittleEndian(to[16..], Topic);
        BinaryPrimitives.WriteInt32LittleEndian(to[20..], Partition);
        BinaryPrimitives.WriteInt64LittleEndian(to[24..], FirstOffset);
        BinaryPrimitives.WriteInt64LittleEndian(to[32..], LastOffset);
        BinaryPrimitives.WriteInt64LittleEndian(to[40..], MinTimestampMs);
        BinaryPrimitives.WriteInt64LittleEndian(to[48..], MaxTimestampMs);
    }

    /// <summary>Reads what <see cref="WriteBody"/> has written.</summary>
    internal static CaptureSegment ReadBody(long position, ReadOnlySpan<byte> from) => new()
    {
        Position = position,
        CompressedBytes = BinaryPrimitives.ReadInt32LittleEndian(from),
        RawBytes = BinaryPrimitives.ReadInt32LittleEndian(from[4..]),
        Checksum = BinaryPrimitives.ReadUInt32LittleEndian(from[8..]),
        MessageCount = BinaryPrimitives.ReadInt32LittleEndian(from[12..]),
        Topic = BinaryPrimitives.ReadInt32LittleEndian(from[16..]),
        Partition = BinaryPrimitives.ReadInt32LittleEndian(from[20..]),
        FirstOffset = BinaryPrimitives.ReadInt64LittleEndian(from[24..]),
        LastOffset = BinaryPrimitives.ReadInt64LittleEndian(from[32..]),
        MinTimestampMs = BinaryPrimitives.ReadInt64LittleEndian(from[40..]),
        MaxTimestampMs = BinaryPrimitives.ReadInt64LittleEndian(from[48..]),
    };

    /// <summary>Reads a head.</summary>
    /// <returns>False when it is none, is damaged, or says what can't be.</returns>
    internal static bool TryReadHead(long position, ReadOnlySpan<byte> from, out CaptureSegment segment)
    {
        segment = default;
        if (from.Length < HeadBytes || !from.StartsWith(Magic)
            || BinaryPrimitives.ReadUInt32LittleEndian(from[4..]) != Crc32C.Of(from.Slice(8, BodyBytes)))
        {
            return false;
        }

        segment = ReadBody(position, from[8..]);
        return segment.IsPossible;
    }

    /// <summary>False when a number can't be.</summary>
    internal bool IsPossible =>
        CompressedBytes >= 0 && RawBytes is >= 0 and <= RawBytesMax && MessageCount >= 0 && Topic >= 0 && Partition >= 0;
}
