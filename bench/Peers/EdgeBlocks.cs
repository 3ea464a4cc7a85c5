using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Weir.Bench.Paths;
using Weir.Codecs.ClickHouse;

namespace Weir.Bench.Peers;

/// <summary>Rows of the edge view to a sorted Native block in LZ4 frames, without tricks: Array.Sort, then one column after another.</summary>
/// <remarks>The bytes, compressor and frame are Weir's own, so that the output is the same to the byte. One thread.</remarks>
internal sealed unsafe class EdgeBlocks : IDisposable
{
    private const int AddressBytes = 16;

    private readonly NativeBlockWriter _writer = new(
    [
        new("time", NativeColumnType.DateTime),
        new("src_addr", NativeColumnType.FixedString16),
        new("dst_addr", NativeColumnType.FixedString16),
        new("dst_port", NativeColumnType.UInt16),
        new("proto", NativeColumnType.UInt8),
        new("exporter", NativeColumnType.LowCardinalityString),
        .. new[] { "records", "flows", "packets", "bytes", "tcp_syn", "tcp_fin", "tcp_rst", "retransmissions", "rtt_us", "rtt_count", "duration_ms" }
            .Select(name => new NativeColumn(name, NativeColumnType.UInt64)),
    ]);

    private readonly CompressedFrame _frame = new(FrameMethod.Lz4);
    private readonly List<ReadOnlyMemory<byte>> _pieces = [];
    private EdgeKey[] _keys = [];
    private EdgeSums[] _sums = [];
    private byte[] _raw = [];
    private byte[] _compressed = [];

    /// <summary>The frames of the last block; valid until the next one.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Pieces => _pieces;

    /// <summary>Makes the block of a view.</summary>
    /// <param name="series">Its rows.</param>
    /// <param name="exporters">Texts of the exporters by their number.</param>
    public PathResult Build(Dictionary<EdgeKey, EdgeSums> series, IReadOnlyList<string> exporters)
    {
        var count = series.Count;
        if (_keys.Length < count)
        {
            _keys = new EdgeKey[count];
            _sums = new EdgeSums[count];
        }

        var index = 0;
        foreach (var (key, sums) in series)
        {
            _keys[index] = key;
            _sums[index++] = sums;
        }

        var ranks = Ranks(exporters);
        Array.Sort(_keys, _sums, 0, count, Comparer<EdgeKey>.Create((left, right) => Compare(left, right, ranks)));
        return Write(count, exporters, ranks);
    }

    public void Dispose() => _frame.Dispose();

    /// <summary>The place of each exporter in ordinal order.</summary>
    private static int[] Ranks(IReadOnlyList<string> exporters)
    {
        var ranks = new int[exporters.Count];
        var rank = 0;
        foreach (var exporter in Enumerable.Range(0, exporters.Count).OrderBy(index => exporters[index], StringComparer.Ordinal))
        {
            ranks[exporter] = rank++;
        }

        return ranks;
    }

    private static int Compare(in EdgeKey left, in EdgeKey right, int[] ranks)
    {
        var order = left.DstAddr.CompareTo(right.DstAddr);
        order = order != 0 ? order : left.DstPort.CompareTo(right.DstPort);
        order = order != 0 ? order : left.Proto.CompareTo(right.Proto);
        order = order != 0 ? order : left.SrcAddr.CompareTo(right.SrcAddr);
        order = order != 0 ? order : ranks[left.Exporter].CompareTo(ranks[right.Exporter]);
        return order != 0 ? order : left.Time.CompareTo(right.Time);
    }

    private PathResult Write(int count, IReadOnlyList<string> exporters, int[] ranks)
    {
        var isUsed = new bool[exporters.Count];
        for (var row = 0; row < count; row++)
        {
            isUsed[_keys[row].Exporter] = true;
        }

        var keys = _writer.Keys(5);
        keys.Clear(); // Key 0 is the empty text.
        var indexes = new byte[exporters.Count];
        foreach (var exporter in Enumerable.Range(0, exporters.Count).Where(index => isUsed[index]).OrderBy(index => ranks[index]))
        {
            indexes[exporter] = checked((byte)keys.Count);
            keys.Add(System.Text.Encoding.UTF8.GetBytes(exporters[exporter]));
        }

        var rawBytes = checked((int)_writer.Measure(count));
        if (_raw.Length < rawBytes)
        {
            _raw = GC.AllocateUninitializedArray<byte>(rawBytes);
        }

        var (records, bytes) = (0UL, 0UL);
        fixed (byte* block = _raw)
        {
            _writer.WriteHeaders(block);
            WriteKeys(block, count, indexes);
            WriteSums(block, count);
            for (var row = 0; row < count; row++)
            {
                records += _sums[row].Records;
                bytes += _sums[row].Bytes;
            }
        }

        return new PathResult(count, records, bytes, Compress(rawBytes));
    }

    private void WriteKeys(byte* block, int count, byte[] indexes)
    {
        var times = (uint*)_writer.Cells(block, 0);
        for (var row = 0; row < count; row++)
        {
            times[row] = _keys[row].Time;
        }

        var sources = new Span<byte>(_writer.Cells(block, 1), count * AddressBytes);
        for (var row = 0; row < count; row++)
        {
            BinaryPrimitives.WriteUInt128BigEndian(sources[(row * AddressBytes)..], _keys[row].SrcAddr);
        }

        var destinations = new Span<byte>(_writer.Cells(block, 2), count * AddressBytes);
        for (var row = 0; row < count; row++)
        {
            BinaryPrimitives.WriteUInt128BigEndian(destinations[(row * AddressBytes)..], _keys[row].DstAddr);
        }

        var ports = (ushort*)_writer.Cells(block, 3);
        for (var row = 0; row < count; row++)
        {
            ports[row] = _keys[row].DstPort;
        }

        var protocols = _writer.Cells(block, 4);
        for (var row = 0; row < count; row++)
        {
            protocols[row] = _keys[row].Proto;
        }

        var exporters = _writer.Cells(block, 5);
        for (var row = 0; row < count; row++)
        {
            exporters[row] = indexes[_keys[row].Exporter];
        }
    }

    private void WriteSums(byte* block, int count)
    {
        var words = MemoryMarshal.Cast<EdgeSums, ulong>(_sums.AsSpan(0, count));
        var meterCount = sizeof(EdgeSums) / sizeof(ulong);
        for (var meter = 0; meter < meterCount; meter++)
        {
            var column = (ulong*)_writer.Cells(block, 6 + meter);
            for (var row = 0; row < count; row++)
            {
                column[row] = words[(row * meterCount) + meter];
            }
        }
    }

    private long Compress(int rawBytes)
    {
        _pieces.Clear();
        var frameCount = (rawBytes + CompressedFrame.RawBytesMax - 1) / CompressedFrame.RawBytesMax;
        var boundBytes = _frame.BoundBytes(CompressedFrame.RawBytesMax);
        if (_compressed.Length < frameCount * boundBytes)
        {
            _compressed = GC.AllocateUninitializedArray<byte>(frameCount * boundBytes);
        }

        var used = 0;
        for (var offset = 0; offset < rawBytes; offset += CompressedFrame.RawBytesMax)
        {
            var raw = _raw.AsSpan(offset, Math.Min(CompressedFrame.RawBytesMax, rawBytes - offset));
            var length = _frame.Write(raw, _compressed.AsSpan(used));
            _pieces.Add(_compressed.AsMemory(used, length));
            used += length;
        }

        return used;
    }
}
