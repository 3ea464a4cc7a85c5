using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using Weir.Codecs.Compression;
using Weir.Codecs.Flow;

namespace Weir.Loadgen.Capture;

/// <summary>Something in a capture that can't be read, and what is lost by it.</summary>
/// <param name="Position">Where it is in the file.</param>
/// <param name="Segment">The segment, where its head is known.</param>
/// <param name="Reason">Why it can't be read.</param>
public sealed record CaptureDamage(long Position, CaptureSegment? Segment, string Reason)
{
    /// <summary>The damage in one line.</summary>
    public string Describe(CaptureHeader header) => Segment is { } segment
        ? FormattableString.Invariant(
            $"segment at byte {Position}: {Reason}; lost are {segment.MessageCount} messages of {TopicName(header, segment)} [{segment.Partition}], offsets {segment.FirstOffset} to {segment.LastOffset}")
        : FormattableString.Invariant($"byte {Position}: {Reason}");

    private static string TopicName(CaptureHeader header, in CaptureSegment segment) =>
        segment.Topic < header.Topics.Count ? header.Topics[segment.Topic].Name : "?";
}

/// <summary>Reads a capture: its head, the list of its segments, and each segment by itself.</summary>
/// <remarks>One thread.</remarks>
public sealed class CaptureReader : IDisposable
{
    internal const int FooterBytes = 16;
    internal const int IndexHeadBytes = 16;
    internal const int IndexEntryBytes = 8 + CaptureSegment.BodyBytes;
    private const int ScanBytes = 1 << 20;
    private const int HeaderBytesMax = 16 * 1024 * 1024;

    private readonly SafeFileHandle _file;
    private readonly ZstdCompressor _zstd = new();
    private byte[] _raw = [];

    private CaptureReader(SafeFileHandle file, CaptureHeader header, long segmentsStart)
    {
        _file = file;
        Header = header;
        SegmentsStart = segmentsStart;
    }

    /// <summary>Magic of the file.</summary>
    internal static ReadOnlySpan<byte> Magic => "WEIRCAP1"u8;

    /// <summary>Magic of the index.</summary>
    internal static ReadOnlySpan<byte> IndexMagic => "WIDX"u8;

    /// <summary>The last bytes of a file that was closed.</summary>
    internal static ReadOnlySpan<byte> EndMagic => "WEIRCEND"u8;

    /// <summary>The head of the file.</summary>
    public CaptureHeader Header { get; }

    /// <summary>All segments whose head is known, in the order of the file.</summary>
    public IReadOnlyList<CaptureSegment> Segments { get; private set; } = [];

    /// <summary>True when the file was closed and its index is whole.</summary>
    public bool HasIndex { get; private set; }

    /// <summary>What could not be read so far.</summary>
    public List<CaptureDamage> Damages { get; } = [];

    /// <summary>Where the index begins, or where the last good segment ends.</summary>
    internal long SegmentsEnd { get; private set; }

    private long SegmentsStart { get; }

    /// <summary>True when the file begins like a capture.</summary>
    public static bool IsCapture(string path)
    {
        using var file = File.OpenHandle(path);
        Span<byte> start = stackalloc byte[8];
        return RandomAccess.Read(file, start, 0) == start.Length && start.SequenceEqual(Magic);
    }

    /// <summary>Opens a capture. One without an index (it was not closed) is searched for its segments.</summary>
    /// <exception cref="InvalidDataException">It is no capture, or its head is damaged.</exception>
    public static CaptureReader Open(string path)
    {
        var file = File.OpenHandle(path);
        try
        {
            var header = ReadHeader(file, path, out var segmentsStart);
            var reader = new CaptureReader(file, header, segmentsStart);
            if (!reader.TryReadIndex())
            {
                reader.Scan();
            }

            return reader;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Reads a segment.</summary>
    /// <returns>False when it is damaged: then <see cref="Damages"/> has one more.</returns>
    public bool TryRead(in CaptureSegment segment, [NotNullWhen(true)] out List<CapturedMessage>? messages)
    {
        messages = null;
        try
        {
            var compressed = ReadCompressed(segment);
            if (_raw.Length < segment.RawBytes)
            {
                _raw = GC.AllocateUninitializedArray<byte>(segment.RawBytes); // Kept: large arrays would make the collector work while a replay is due.
            }

            var raw = _raw.AsSpan(0, segment.RawBytes);
            if (!_zstd.TryDecompress(compressed, raw, out var rawBytes) || rawBytes != raw.Length)
            {
                throw new InvalidDataException("it does not decompress");
            }

            messages = MessageCodec.ReadAll(segment, raw);
            return true;
        }
        catch (InvalidDataException error)
        {
            Damages.Add(new CaptureDamage(segment.Position, segment, error.Message));
            return false;
        }
    }

    /// <summary>The compressed bytes of a segment, checked.</summary>
    /// <exception cref="InvalidDataException">They are damaged.</exception>
    internal byte[] ReadCompressed(in CaptureSegment segment)
    {
        var compressed = GC.AllocateUninitializedArray<byte>(segment.CompressedBytes);
        if (RandomAccess.Read(_file, compressed, segment.Position + CaptureSegment.HeadBytes) != compressed.Length)
        {
            throw new InvalidDataException("the file ends in it");
        }

        return Crc32C.Of(compressed) == segment.Checksum ? compressed : throw new InvalidDataException("its checksum is wrong");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _zstd.Dispose();
        _file.Dispose();
    }

    private static CaptureHeader ReadHeader(SafeFileHandle file, string path, out long end)
    {
        Span<byte> start = stackalloc byte[16];
        if (RandomAccess.Read(file, start, 0) != start.Length || !start.StartsWith(Magic))
        {
            throw new InvalidDataException($"{path} is no capture.");
        }

        var length = BinaryPrimitives.ReadInt32LittleEndian(start[8..]);
        var json = new byte[length is >= 0 and <= HeaderBytesMax ? length : 0];
        end = start.Length + json.Length;
        if (json.Length != length || RandomAccess.Read(file, json, start.Length) != length
            || Crc32C.Of(json) != BinaryPrimitives.ReadUInt32LittleEndian(start[12..]))
        {
            throw new InvalidDataException($"{path}: its head is damaged.");
        }

        return JsonSerializer.Deserialize(json, CaptureJsonContext.Default.CaptureHeader)!;
    }

    private bool TryReadIndex()
    {
        var length = RandomAccess.GetLength(_file);
        Span<byte> footer = stackalloc byte[FooterBytes];
        if (length < SegmentsStart + FooterBytes || RandomAccess.Read(_file, footer, length - FooterBytes) != FooterBytes
            || !footer[8..].SequenceEqual(EndMagic))
        {
            return false;
        }

        var position = BinaryPrimitives.ReadInt64LittleEndian(footer);
        if (position < SegmentsStart || position > length - FooterBytes - IndexHeadBytes)
        {
            return false;
        }

        var index = new byte[length - FooterBytes - position];
        RandomAccess.Read(_file, index, position);
        var count = BinaryPrimitives.ReadInt32LittleEndian(index.AsSpan(4));
        var entries = index.AsSpan(IndexHeadBytes);
        if (!index.AsSpan().StartsWith(IndexMagic) || (long)count * IndexEntryBytes != entries.Length
            || Crc32C.Of(entries) != BinaryPrimitives.ReadUInt32LittleEndian(index.AsSpan(8)))
        {
            return false;
        }

        var segments = new CaptureSegment[count];
        for (var entry = 0; entry < count; entry++)
        {
            var from = entries.Slice(entry * IndexEntryBytes, IndexEntryBytes);
            segments[entry] = CaptureSegment.ReadBody(BinaryPrimitives.ReadInt64LittleEndian(from), from[8..]);
        }

        Segments = segments;
        SegmentsEnd = position;
        HasIndex = true;
        return true;
    }

    /// <summary>Goes from head to head; after a damaged one, on to the next that is whole.</summary>
    private void Scan()
    {
        var segments = new List<CaptureSegment>();
        var length = RandomAccess.GetLength(_file);
        var head = new byte[CaptureSegment.HeadBytes];
        var position = SegmentsStart;
        SegmentsEnd = position;
        while (position + CaptureSegment.HeadBytes <= length)
        {
            RandomAccess.Read(_file, head, position);
            if (head.AsSpan().StartsWith(IndexMagic))
            {
                break; // The index of a file whose end is gone.
            }

            if (CaptureSegment.TryReadHead(position, head, out var segment))
            {
                var end = position + CaptureSegment.HeadBytes + segment.CompressedBytes;
                if (end > length)
                {
                    Damages.Add(new CaptureDamage(position, segment, "the file ends in it"));
                    return;
                }

                segments.Add(segment);
                position = SegmentsEnd = end;
                Segments = segments;
                continue;
            }

            var next = FindHead(position + 1, length);
            Damages.Add(new CaptureDamage(
                position, null, $"{next - position} bytes are no segment, and how many messages they held is not known"));
            position = next;
        }

        Segments = segments;
    }

    private long FindHead(long from, long length)
    {
        var bytes = new byte[ScanBytes];
        while (from + CaptureSegment.HeadBytes <= length)
        {
            var read = RandomAccess.Read(_file, bytes, from);
            for (var index = 0; index + CaptureSegment.HeadBytes <= read; index++)
            {
                if (CaptureSegment.TryReadHead(from + index, bytes.AsSpan(index, CaptureSegment.HeadBytes), out _))
                {
                    return from + index;
                }
            }

            from += Math.Max(1, read - CaptureSegment.HeadBytes + 1);
        }

        return length;
    }
}
