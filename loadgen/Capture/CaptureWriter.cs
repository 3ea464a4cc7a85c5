using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization;
using Weir.Codecs.Compression;
using Weir.Codecs.Flow;
using Weir.Loadgen.Generate;

namespace Weir.Loadgen.Capture;

/// <summary>Writes a capture, a segment after another; what was written stays readable whatever happens to the process.</summary>
/// <remarks>One thread. Disposing it closes the open segments and writes the index.</remarks>
public sealed class CaptureWriter : IDisposable
{
    /// <summary>Raw bytes at which a segment is closed.</summary>
    public const int SegmentBytesMax = 1024 * 1024;

    private const int LevelDefault = 3; // Captures are written once and kept: smaller at half the speed of level 1.

    private readonly FileStream _file;
    private readonly ZstdCompressor _zstd;
    private readonly List<CaptureSegment> _segments = [];
    private readonly Dictionary<(int Topic, int Partition), OpenSegment> _open = [];
    private byte[] _compressed = [];
    private bool _isClosed;

    private CaptureWriter(FileStream file, CaptureHeader header, int level)
    {
        _file = file;
        Header = header;
        _zstd = new ZstdCompressor(level);
    }

    /// <summary>The head of the file.</summary>
    public CaptureHeader Header { get; }

    /// <summary>Messages added, those that were in the file before among them.</summary>
    public long MessageCount { get; private set; }

    /// <summary>Bytes of their keys and values.</summary>
    public long MessageBytes { get; private set; }

    /// <summary>Bytes of the file so far.</summary>
    public long FileBytes => _file.Position;

    /// <summary>The offset after the last message of each partition that is in the file.</summary>
    public Dictionary<(int Topic, int Partition), long> NextOffsets { get; } = [];

    /// <summary>Begins a capture.</summary>
    /// <exception cref="IOException">The file exists already, or can't be written.</exception>
    public static CaptureWriter Create(string path, CaptureHeader header, int level = LevelDefault)
    {
        var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        var json = JsonSerializer.SerializeToUtf8Bytes(header, CaptureJsonContext.Default.CaptureHeader);
        Span<byte> start = stackalloc byte[16];
        CaptureReader.Magic.CopyTo(start);
        BinaryPrimitives.WriteInt32LittleEndian(start[8..], json.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(start[12..], Crc32C.Of(json));
        file.Write(start);
        file.Write(json);
        return new CaptureWriter(file, header, level);
    }

    /// <summary>Goes on with a capture that was closed or not: what is half written at its end is cut off.</summary>
    /// <exception cref="InvalidDataException">It is no capture.</exception>
    public static CaptureWriter Append(string path, int level = LevelDefault)
    {
        using var reader = CaptureReader.Open(path);
        var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.Read);
        file.SetLength(reader.SegmentsEnd);
        file.Position = reader.SegmentsEnd;
        var writer = new CaptureWriter(file, reader.Header, level);
        foreach (var segment in reader.Segments)
        {
            writer._segments.Add(segment);
            writer.MessageCount += segment.MessageCount;
            writer.NextOffsets[(segment.Topic, segment.Partition)] = segment.LastOffset + 1;
        }

        return writer;
    }

    /// <summary>Adds a message.</summary>
    /// <exception cref="ArgumentException">Its offset is not after the last one of its partition.</exception>
    public void Add(CapturedMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        var key = (message.Topic, message.Partition);
        if (message.Offset < NextOffsets.GetValueOrDefault(key))
        {
            throw new ArgumentException($"Offset {message.Offset} comes after {NextOffsets[key] - 1}.", nameof(message));
        }

        if (!_open.TryGetValue(key, out var open))
        {
            _open.Add(key, open = new OpenSegment());
        }

        open.Add(message);
        NextOffsets[key] = message.Offset + 1;
        MessageCount++;
        MessageBytes += message.Bytes;
        if (open.Raw.Length >= SegmentBytesMax)
        {
            Close(message.Topic, message.Partition, open);
        }
    }

    /// <summary>Closes all open segments, so that what was added survives a crash.</summary>
    public void Flush()
    {
        foreach (var ((topic, partition), open) in _open)
        {
            Close(topic, partition, open);
        }

        _file.Flush(flushToDisk: false);
    }

    /// <summary>Copies a segment of another capture as it is.</summary>
    internal void Copy(CaptureReader from, in CaptureSegment segment, int topic)
    {
        var compressed = from.ReadCompressed(segment);
        Write(segment with { Topic = topic }, compressed);
        NextOffsets[(topic, segment.Partition)] = segment.LastOffset + 1;
        MessageCount += segment.MessageCount;
        MessageBytes += segment.RawBytes;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_isClosed)
        {
            return;
        }

        _isClosed = true;
        Flush();
        WriteIndex();
        _file.Dispose();
        _zstd.Dispose();
    }

    private void Close(int topic, int partition, OpenSegment open)
    {
        if (open.Segment.MessageCount == 0)
        {
            return;
        }

        var bound = _zstd.BoundBytes(open.Raw.Length);
        if (_compressed.Length < bound)
        {
            _compressed = new byte[bound];
        }

        var length = _zstd.Compress(open.Raw.Written, _compressed);
        var compressed = _compressed.AsSpan(0, length);
        Write(open.Segment with { Topic = topic, Partition = partition, RawBytes = open.Raw.Length, Checksum = Crc32C.Of(compressed) },
            compressed);
        open.Clear();
    }

    private void Write(CaptureSegment segment, ReadOnlySpan<byte> compressed)
    {
        segment = segment with { Position = _file.Position, CompressedBytes = compressed.Length };
        Span<byte> head = stackalloc byte[CaptureSegment.HeadBytes];
        segment.WriteHead(head);
        _file.Write(head);
        _file.Write(compressed);
        _segments.Add(segment);
    }

    private void WriteIndex()
    {
        var position = _file.Position;
        var index = new byte[CaptureReader.IndexHeadBytes + (_segments.Count * CaptureReader.IndexEntryBytes) + CaptureReader.FooterBytes];
        for (var entry = 0; entry < _segments.Count; entry++)
        {
            var to = index.AsSpan(CaptureReader.IndexHeadBytes + (entry * CaptureReader.IndexEntryBytes));
            BinaryPrimitives.WriteInt64LittleEndian(to, _segments[entry].Position);
            _segments[entry].WriteBody(to[8..]);
        }

        CaptureReader.IndexMagic.CopyTo(index);
        BinaryPrimitives.WriteInt32LittleEndian(index.AsSpan(4), _segments.Count);
        BinaryPrimitives.WriteUInt32LittleEndian(
            index.AsSpan(8), Crc32C.Of(index.AsSpan(CaptureReader.IndexHeadBytes, _segments.Count * CaptureReader.IndexEntryBytes)));
        var footer = index.AsSpan(index.Length - CaptureReader.FooterBytes);
        BinaryPrimitives.WriteInt64LittleEndian(footer, position);
        CaptureReader.EndMagic.CopyTo(footer[8..]);
        _file.Write(index);
    }

    private sealed class OpenSegment
    {
        public ByteText Raw { get; } = new();

        public CaptureSegment Segment { get; private set; }

        private long LastTimestampMs { get; set; }

        public void Add(CapturedMessage message)
        {
            var isFirst = Segment.MessageCount == 0;
            MessageCodec.Write(Raw, message, isFirst ? message.Offset : Segment.LastOffset, LastTimestampMs);
            LastTimestampMs = message.TimestampMs;
            Segment = Segment with
            {
                MessageCount = Segment.MessageCount + 1,
                FirstOffset = isFirst ? message.Offset : Segment.FirstOffset,
                LastOffset = message.Offset,
                MinTimestampMs = isFirst ? message.TimestampMs : Math.Min(Segment.MinTimestampMs, message.TimestampMs),
                MaxTimestampMs = isFirst ? message.TimestampMs : Math.Max(Segment.MaxTimestampMs, message.TimestampMs),
            };
        }

        public void Clear()
        {
            Raw.Truncate(0);
            Segment = default;
            LastTimestampMs = 0;
        }
    }
}

/// <summary>The head of a capture as JSON.</summary>
[JsonSerializable(typeof(CaptureHeader))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
internal sealed partial class CaptureJsonContext : JsonSerializerContext;
