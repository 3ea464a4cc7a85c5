using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>Collects records and writes them as one <c>weir</c> batch.</summary>
/// <remarks>One thread. Memory is kept from batch to batch: after the first ones of their size nothing is allocated.</remarks>
public sealed class WeirBatchWriter
{
    private static readonly ushort[] _numberColumns =
    [
        0x202, 0x103, 0x104, 0x105, 0x107, 0x108, 0x109, 0x10a, 0x10b, 0x10c, 0x10d, 0x10e, 0x10f, 0x110, 0x111, 0x112,
        0x203, 0x204, 0x205, 0x206, 0x207, 0x208, 0x209, 0x20a, 0x20b, 0x20c, 0x20d,
    ];

    private readonly StringDictionary _texts = new(WeirBatch.TextsMax);
    private FlowRecord[] _records = new FlowRecord[256];
    private ulong[] _values = new ulong[256];
    private byte[] _buffer = new byte[16 * 1024];
    private int _length;
    private int _columnCount;

    /// <summary>Records collected.</summary>
    public int Count { get; private set; }

    /// <summary>Collects a record.</summary>
    /// <returns>False when the batch holds <see cref="WeirBatch.RecordsMax"/>: write it and come again.</returns>
    /// <exception cref="ArgumentException">The exporter is longer than <see cref="StringDictionary.TextBytesMax"/>.</exception>
    public bool TryAdd(in FlowRecord record)
    {
        if (record.Exporter.Length > StringDictionary.TextBytesMax)
        {
            throw new ArgumentException($"An exporter of {record.Exporter.Length} bytes is too long.", nameof(record));
        }

        if (Count == WeirBatch.RecordsMax)
        {
            return false;
        }

        if (Count == _records.Length)
        {
            Array.Resize(ref _records, Count * 2);
            Array.Resize(ref _values, Count * 2);
        }

        _records[Count++] = record;
        return true;
    }

    /// <summary>Writes the batch and empties the writer. A batch of no records writes nothing.</summary>
    public void WriteTo(IBufferWriter<byte> output)
    {
        output.Write(Finish());
    }

    /// <summary>The batch as bytes, valid until the next one; the writer is empty then.</summary>
    public ReadOnlySpan<byte> Finish()
    {
        if (Count == 0)
        {
            return [];
        }

        Begin();
        var exporters = _values.AsSpan(0, Count);
        for (var index = 0; index < Count; index++)
        {
            exporters[index] = _texts.Intern(_records[index].Exporter.Span);
        }

        WriteTexts();
        if (exporters.ContainsAnyExcept(0UL))
        {
            WriteNumbers(WeirBatch.TagColumns + 6, WeirBatch.EncodingTexts, exporters);
        }

        foreach (var id in _numberColumns)
        {
            WriteNumberColumn(id);
        }

        WriteAddressColumn(WeirBatch.TagColumns + 1);
        WriteAddressColumn(WeirBatch.TagColumns + 2);
        WriteAddressColumn(WeirBatch.TagColumns + 19);
        var batch = End(Count);
        Array.Clear(_records, 0, Count); // They hold references to exporters.
        Count = 0;
        return batch;
    }

    /// <summary>Begins a batch by hand.</summary>
    internal void Begin()
    {
        _length = WeirBatch.HeaderBytes;
        _columnCount = 0;
        _texts.Clear();
    }

    /// <summary>Takes a text into the batch's own; before <see cref="WriteTexts"/>.</summary>
    internal uint AddText(ReadOnlySpan<byte> text) => _texts.Intern(text);

    /// <summary>Writes the texts; before the first column.</summary>
    internal void WriteTexts()
    {
        var bytesMax = WeirBatch.TextsHeaderBytes;
        for (var id = 0; id < _texts.Count; id++)
        {
            bytesMax += sizeof(ushort) + _texts.Utf8(id).Length;
        }

        var to = Reserve(bytesMax);
        var position = WeirBatch.TextsHeaderBytes + (_texts.Count * sizeof(ushort));
        BinaryPrimitives.WriteUInt32LittleEndian(to, (uint)_texts.Count);
        BinaryPrimitives.WriteUInt32LittleEndian(to[4..], (uint)(bytesMax - position));
        for (var id = 0; id < _texts.Count; id++)
        {
            var text = _texts.Utf8(id);
            BinaryPrimitives.WriteUInt16LittleEndian(to[(WeirBatch.TextsHeaderBytes + (id * sizeof(ushort)))..], (ushort)text.Length);
            text.CopyTo(to[position..]);
            position += text.Length;
        }

        _length += bytesMax;
    }

    /// <summary>Writes a column of numbers, or of indices of texts, as narrow as they allow.</summary>
    internal void WriteNumbers(int id, byte encoding, ReadOnlySpan<ulong> values)
    {
        var (min, max) = BoundsOf(values);
        var width = WidthOf(max - min);
        if (width == WidthOf(max))
        {
            min = 0; // A base that saves nothing keeps the reader from seeing at once that no value can be too large.
        }

        WriteDifferences(values, min, width, ReserveColumn(id, encoding, width, width * values.Length, min));
    }

    /// <summary>Writes a column of addresses.</summary>
    internal void WriteAddresses(int id, ReadOnlySpan<UInt128> values)
    {
        var isConstant = !values.ContainsAnyExcept(values[0]);
        var isIpv4 = true;
        foreach (var value in values)
        {
            isIpv4 &= value >> 32 == 0xffff;
        }

        var width = isConstant ? 0 : isIpv4 ? 4 : AddressText.Bytes;
        var to = ReserveColumn(id, WeirBatch.EncodingAddresses, width, isConstant ? AddressText.Bytes : width * values.Length, 0);
        if (isConstant)
        {
            BinaryPrimitives.WriteUInt128BigEndian(to, values[0]);
            return;
        }

        for (var index = 0; index < values.Length; index++)
        {
            if (isIpv4)
            {
                BinaryPrimitives.WriteUInt32BigEndian(to[(index * 4)..], (uint)values[index]);
            }
            else
            {
                BinaryPrimitives.WriteUInt128BigEndian(to[(index * AddressText.Bytes)..], values[index]);
            }
        }
    }

    /// <summary>Writes header and checksum.</summary>
    internal ReadOnlySpan<byte> End(int recordCount)
    {
        var header = _buffer.AsSpan(0, WeirBatch.HeaderBytes);
        WeirBatch.Magic.CopyTo(header);
        header[4] = WeirBatch.Version;
        header[5] = 0;
        BinaryPrimitives.WriteUInt16LittleEndian(header[6..], (ushort)_columnCount);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], (uint)recordCount);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], (uint)(_length - WeirBatch.HeaderBytes));
        var checksum = Crc32C.Of(_buffer.AsSpan(0, _length));
        BinaryPrimitives.WriteUInt32LittleEndian(Reserve(WeirBatch.ChecksumBytes), checksum);
        _length += WeirBatch.ChecksumBytes;
        return _buffer.AsSpan(0, _length);
    }

    private void WriteNumberColumn(ushort id)
    {
        var absent = id == WeirBatch.RecordColumns + 3 ? 1UL : 0; // Flows are 1 where there is no column.
        var values = _values.AsSpan(0, Count);
        for (var index = 0; index < values.Length; index++)
        {
            values[index] = Number(_records[index], id);
        }

        if (values.ContainsAnyExcept(absent))
        {
            WriteNumbers(id, WeirBatch.EncodingNumbers, values);
        }
    }

    private void WriteAddressColumn(int id)
    {
        var rented = ArrayPool<UInt128>.Shared.Rent(Count);
        var values = rented.AsSpan(0, Count);
        for (var index = 0; index < values.Length; index++)
        {
            ref readonly var record = ref _records[index];
            values[index] = (id - WeirBatch.TagColumns) switch { 1 => record.SrcAddr, 2 => record.DstAddr, _ => record.NextHop };
        }

        if (values.ContainsAnyExcept(UInt128.Zero))
        {
            WriteAddresses(id, values);
        }

        ArrayPool<UInt128>.Shared.Return(rented);
    }

    private static ulong Number(in FlowRecord record, ushort id) => id switch
    {
        0x103 => record.SrcPort,
        0x104 => record.DstPort,
        0x105 => record.Proto,
        0x107 => record.Tos,
        0x108 => record.TcpFlags,
        0x109 => record.SrcAs,
        0x10a => record.DstAs,
        0x10b => record.SrcMask,
        0x10c => record.DstMask,
        0x10d => record.InIf,
        0x10e => record.OutIf,
        0x10f => record.Vlan,
        0x110 => record.SrcMac,
        0x111 => record.DstMac,
        0x112 => record.Etype,
        0x202 => record.TimeSeconds,
        0x203 => record.Flows,
        0x204 => record.Packets,
        0x205 => record.Bytes,
        0x206 => record.TcpSyn,
        0x207 => record.TcpFin,
        0x208 => record.TcpRst,
        0x209 => record.RttUs,
        0x20a => record.RttCount,
        0x20b => record.Retransmissions,
        0x20c => record.DurationMs,
        0x20d => record.SamplingRate,
        _ => throw new ArgumentOutOfRangeException(nameof(id), id, "Not a column of numbers."),
    };

    private static (ulong Min, ulong Max) BoundsOf(ReadOnlySpan<ulong> values)
    {
        var vectors = MemoryMarshal.Cast<ulong, Vector<ulong>>(values);
        var least = new Vector<ulong>(ulong.MaxValue);
        var most = Vector<ulong>.Zero;
        foreach (var vector in vectors)
        {
            least = Vector.Min(least, vector);
            most = Vector.Max(most, vector);
        }

        var min = ulong.MaxValue;
        ulong max = 0;
        for (var lane = 0; lane < Vector<ulong>.Count; lane++)
        {
            min = Math.Min(min, least[lane]);
            max = Math.Max(max, most[lane]);
        }

        foreach (var value in values[(vectors.Length * Vector<ulong>.Count)..])
        {
            min = Math.Min(min, value);
            max = Math.Max(max, value);
        }

        return (min, max);
    }

    /// <summary>Writes what is above the base in so many bytes each: as vectors, and the last few one by one.</summary>
    private static void WriteDifferences(ReadOnlySpan<ulong> values, ulong min, int width, Span<byte> to)
    {
        if (width == 0)
        {
            return;
        }

        var done = BitConverter.IsLittleEndian ? WriteVectors(values, new Vector<ulong>(min), width, to) : 0;
        for (var index = done; index < values.Length; index++)
        {
            var difference = values[index] - min;
            switch (width)
            {
                case 1:
                    to[index] = (byte)difference;
                    break;
                case 2:
                    BinaryPrimitives.WriteUInt16LittleEndian(to[(index * 2)..], (ushort)difference);
                    break;
                case 4:
                    BinaryPrimitives.WriteUInt32LittleEndian(to[(index * 4)..], (uint)difference);
                    break;
                default:
                    BinaryPrimitives.WriteUInt64LittleEndian(to[(index * 8)..], difference);
                    break;
            }
        }
    }

    /// <returns>How many values were written.</returns>
    private static int WriteVectors(ReadOnlySpan<ulong> values, Vector<ulong> min, int width, Span<byte> to)
    {
        var from = MemoryMarshal.Cast<ulong, Vector<ulong>>(values);
        var written = MemoryMarshal.Cast<byte, Vector<byte>>(to);
        var joined = sizeof(ulong) / width; // So many vectors become one.
        var count = Math.Min(from.Length / joined, written.Length);
        for (var index = 0; index < count; index++)
        {
            var part = from.Slice(index * joined, joined);
            written[index] = width switch
            {
                1 => Vector.Narrow(Narrow(part[..4], min), Narrow(part[4..], min)),
                2 => Vector.AsVectorByte(Narrow(part, min)),
                4 => Vector.AsVectorByte(Vector.Narrow(part[0] - min, part[1] - min)),
                _ => Vector.AsVectorByte(part[0] - min),
            };
        }

        return count * joined * Vector<ulong>.Count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<ushort> Narrow(ReadOnlySpan<Vector<ulong>> four, Vector<ulong> min) => Vector.Narrow(
        Vector.Narrow(four[0] - min, four[1] - min), Vector.Narrow(four[2] - min, four[3] - min));

    private static int WidthOf(ulong value) =>
        value switch { 0 => 0, <= byte.MaxValue => 1, <= ushort.MaxValue => 2, <= uint.MaxValue => 4, _ => 8 };

    private Span<byte> ReserveColumn(int id, byte encoding, int width, int dataBytes, ulong numberBase)
    {
        var to = Reserve(WeirBatch.ColumnHeaderBytes + dataBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(to, (ushort)id);
        to[2] = encoding;
        to[3] = (byte)width;
        BinaryPrimitives.WriteUInt32LittleEndian(to[4..], (uint)dataBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(to[8..], numberBase);
        _length += WeirBatch.ColumnHeaderBytes + dataBytes;
        _columnCount++;
        return to[WeirBatch.ColumnHeaderBytes..];
    }

    private Span<byte> Reserve(int bytes)
    {
        if (_length + bytes > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _length + bytes));
        }

        return _buffer.AsSpan(_length, bytes);
    }
}
