using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Weir.Bench.Paths;
using Weir.Codecs.ClickHouse;
using Weir.Core.Buffers;
using Weir.Core.Model;

namespace Weir.Bench.Peers;

/// <summary>
/// Rows of the edge view to a sorted Native block in LZ4 frames, without tricks: Array.Sort, then one column after
/// another.
/// </summary>
/// <remarks>The bytes, compressor and frame are Weir's own, so that the output is the same to the byte. One thread.</remarks>
internal sealed unsafe class EdgeBlocks(FrameMethod method = FrameMethod.Lz4) : IDisposable
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
        .. StandardSchema.Meters.Select(meter => new NativeColumn(meter.Name, NativeColumnType.UInt64)),
    ]);

    private readonly CompressedFrame _frame = new(method);
    private readonly List<ReadOnlyMemory<byte>> _pieces = [];
    private EdgeKey[] _keys = [];
    private EdgeSums[] _sums = [];
    private byte[] _raw = [];
    private byte[] _compressed = [];

    /// <summary>The frames of the last block; valid until the next one.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Pieces => _pieces;

    /// <summary>Bytes of the last block before compression.</summary>
    public int RawBytes { get; private set; }

    /// <summary>The last block before compression; valid until the next one.</summary>
    public ReadOnlySpan<byte> Raw => _raw.AsSpan(0, RawBytes);

    /// <summary>Makes the block of a view.</summary>
    /// <param name="series">Its rows.</param>
    /// <param name="exporters">Texts of the exporters by their number.</param>
    public PathResult Build(Dictionary<EdgeKey, EdgeSums> series, IReadOnlyList<string> exporters)
    {
        Reserve(series.Count);
        var index = 0;
        foreach (var (key, sums) in series)
        {
            _keys[index] = key;
            _sums[index++] = sums;
        }

        var ranks = Ranks(exporters);
        Sort(series.Count, ranks);
        var (records, bytes) = Write(series.Count, exporters, ranks);
        return new PathResult(series.Count, records, bytes, Compress());
    }

    /// <summary>Makes the block of folded rows, without compression.</summary>
    /// <param name="rows">Rows of the edge view.</param>
    /// <param name="view">Where its tags lie.</param>
    /// <param name="exporters">Texts of the exporters by their id.</param>
    /// <param name="isSorted">False to leave the rows in their order.</param>
    /// <returns>The sum of bytes; the block is <see cref="Raw"/>.</returns>
    public ulong Encode(RowStore rows, ViewPlan view, IReadOnlyList<string> exporters, bool isSorted = true)
    {
        Reserve(rows.Count);
        var offsets = view.Tags.Select(slot => slot.OffsetBytes).ToArray(); // src, dst, port, proto, exporter
        for (var index = 0; index < rows.Count; index++)
        {
            var row = rows[index];
            _keys[index] = new EdgeKey(
                BinaryPrimitives.ReadUInt128BigEndian(new ReadOnlySpan<byte>(row + offsets[0], AddressBytes)),
                BinaryPrimitives.ReadUInt128BigEndian(new ReadOnlySpan<byte>(row + offsets[1], AddressBytes)),
                (uint)*(ulong*)row,
                *(ushort*)(row + offsets[2]),
                row[offsets[3]],
                (int)*(uint*)(row + offsets[4]));
            _sums[index] = *(EdgeSums*)(row + view.KeyBytes);
        }

        var ranks = Ranks(exporters);
        if (isSorted)
        {
            Sort(rows.Count, ranks);
        }

        var (_, bytes) = Write(rows.Count, exporters, ranks);
        return bytes;
    }

    /// <summary>Compresses the last block.</summary>
    /// <returns>Bytes of its frames.</returns>
    public long Compress()
    {
        _pieces.Clear();
        var frameCount = (RawBytes + CompressedFrame.RawBytesMax - 1) / CompressedFrame.RawBytesMax;
        var boundBytes = _frame.BoundBytes(CompressedFrame.RawBytesMax);
        if (_compressed.Length < frameCount * boundBytes)
        {
            _compressed = GC.AllocateUninitializedArray<byte>(frameCount * boundBytes);
        }

        var used = 0;
        for (var offset = 0; offset < RawBytes; offset += CompressedFrame.RawBytesMax)
        {
            var raw = _raw.AsSpan(offset, Math.Min(CompressedFrame.RawBytesMax, RawBytes - offset));
            var length = _frame.Write(raw, _compressed.AsSpan(used));
            _pieces.Add(_compressed.AsMemory(used, length));
            used += length;
        }

        return used;
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

    private void Reserve(int count)
    {
        if (_keys.Length < count)
        {
            _keys = new EdgeKey[count];
            _sums = new EdgeSums[count];
        }
    }

    private void Sort(int count, int[] ranks) =>
        Array.Sort(_keys, _sums, 0, count, Comparer<EdgeKey>.Create((left, right) => Compare(left, right, ranks)));

    private (ulong Records, ulong Bytes) Write(int count, IReadOnlyList<string> exporters, int[] ranks)
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
            if (exporters[exporter].Length == 0)
            {
                continue;
            }

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

        RawBytes = rawBytes;
        return (records, bytes);
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
}
