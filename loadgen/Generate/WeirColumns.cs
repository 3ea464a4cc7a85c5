using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weir.Codecs.Flow;

namespace Weir.Loadgen.Generate;

/// <summary>Collects records by column and gives them as a <c>weir</c> batch: the bytes of <see cref="WeirBatchWriter"/>, in less
/// time.</summary>
/// <remarks>
/// One thread. A record is taken apart when it comes, while it is in the processor's registers, in the place of being copied whole and
/// visited once for each column. Columns that no record of the batch uses are left out, as the writer does.
/// </remarks>
/// <param name="recordsMax">Records that a batch may get.</param>
internal sealed class WeirColumns(int recordsMax)
{
    private const int CacheSlots = 1_024;

    // In the order in which WeirBatchWriter writes them; the four ids at the end are not numbers.
    private static readonly ushort[] _ids =
    [
        0x202, 0x103, 0x104, 0x105, 0x107, 0x108, 0x109, 0x10a, 0x10b, 0x10c, 0x10d, 0x10e, 0x10f, 0x110, 0x111, 0x112,
        0x203, 0x204, 0x205, 0x206, 0x207, 0x208, 0x209, 0x20a, 0x20b, 0x20c, 0x20d,
    ];

    private const int SrcMacColumn = 13;
    private const int DstMacColumn = 14;
    private const int EtypeColumn = 15;
    private const int FlowsColumn = 16;
    private readonly WeirBatchWriter _writer = new();
    private readonly ulong[][] _numbers = [.. _ids.Select(_ => new ulong[recordsMax])];
    private readonly ulong[] _exporters = new ulong[recordsMax];
    private readonly UInt128[] _srcAddrs = new UInt128[recordsMax];
    private readonly UInt128[] _dstAddrs = new UInt128[recordsMax];
    private readonly UInt128[] _nextHops = new UInt128[recordsMax];
    private readonly (byte[]? Text, uint Batch, uint Id)[] _cache = new (byte[]?, uint, uint)[CacheSlots];
    private uint _batch = 1;
    private int _count;
    private bool _hasRare; // A record of the batch has a field that most batches do not have: their columns are not written else.

    /// <summary>Adds a record.</summary>
    public void Add(in FlowRecord record, bool isMalformed)
    {
        if (_count == 0)
        {
            _writer.Begin();
        }

        var at = _count++;
        var numbers = _numbers;
        numbers[0][at] = isMalformed ? 0 : record.TimeSeconds;
        numbers[1][at] = record.SrcPort;
        numbers[2][at] = record.DstPort;
        numbers[3][at] = record.Proto;
        numbers[4][at] = record.Tos;
        numbers[5][at] = record.TcpFlags;
        numbers[6][at] = record.SrcAs;
        numbers[7][at] = record.DstAs;
        numbers[8][at] = record.SrcMask;
        numbers[9][at] = record.DstMask;
        numbers[10][at] = record.InIf;
        numbers[11][at] = record.OutIf;
        numbers[12][at] = record.Vlan;
        numbers[FlowsColumn][at] = record.Flows;
        numbers[17][at] = record.Packets;
        numbers[18][at] = record.Bytes;
        numbers[19][at] = record.TcpSyn;
        numbers[20][at] = record.TcpFin;
        numbers[21][at] = record.TcpRst;
        numbers[22][at] = record.RttUs;
        numbers[23][at] = record.RttCount;
        numbers[24][at] = record.Retransmissions;
        numbers[25][at] = record.DurationMs;
        numbers[26][at] = record.SamplingRate;
        _exporters[at] = TextId(record.Exporter);
        _srcAddrs[at] = record.SrcAddr;
        _dstAddrs[at] = record.DstAddr;
        if (_hasRare || (record.SrcMac | record.DstMac | record.Etype) != 0 || record.NextHop != 0)
        {
            AddRare(record, at);
        }
    }

    /// <summary>The batch; then it is empty.</summary>
    public ReadOnlySpan<byte> Finish()
    {
        if (_count == 0)
        {
            return [];
        }

        _writer.WriteTexts();
        var exporters = _exporters.AsSpan(0, _count);
        if (exporters.ContainsAnyExcept(0UL))
        {
            _writer.WriteNumbers(WeirBatch.TagColumns + 6, WeirBatch.EncodingTexts, exporters);
        }

        for (var column = 0; column < _ids.Length; column++)
        {
            if (column is >= SrcMacColumn and <= EtypeColumn && !_hasRare)
            {
                continue;
            }

            var values = _numbers[column].AsSpan(0, _count);
            if (values.ContainsAnyExcept(column == FlowsColumn ? 1UL : 0))
            {
                _writer.WriteNumbers(_ids[column], WeirBatch.EncodingNumbers, values);
            }
        }

        WriteAddresses(1, _srcAddrs);
        WriteAddresses(2, _dstAddrs);
        if (_hasRare)
        {
            WriteAddresses(19, _nextHops);
        }

        var batch = _writer.End(_count);
        _count = 0;
        _hasRare = false;
        _batch++;
        return batch;
    }

    private void AddRare(in FlowRecord record, int at)
    {
        if (!_hasRare)
        {
            _hasRare = true;
            _numbers[SrcMacColumn].AsSpan(0, at).Clear();
            _numbers[DstMacColumn].AsSpan(0, at).Clear();
            _numbers[EtypeColumn].AsSpan(0, at).Clear();
            _nextHops.AsSpan(0, at).Clear();
        }

        _numbers[SrcMacColumn][at] = record.SrcMac;
        _numbers[DstMacColumn][at] = record.DstMac;
        _numbers[EtypeColumn][at] = record.Etype;
        _nextHops[at] = record.NextHop;
    }

    private void WriteAddresses(int tag, UInt128[] all)
    {
        var values = all.AsSpan(0, _count);
        if (values.ContainsAnyExcept(UInt128.Zero))
        {
            _writer.WriteAddresses(WeirBatch.TagColumns + tag, values);
        }
    }

    // The same few arrays come again and again: most texts are found by the identity of their array.
    private uint TextId(ReadOnlyMemory<byte> text)
    {
        if (!MemoryMarshal.TryGetArray(text, out var segment) || segment.Array is null || segment.Count != segment.Array.Length)
        {
            return _writer.AddText(text.Span);
        }

        ref var slot = ref _cache[RuntimeHelpers.GetHashCode(segment.Array) & (CacheSlots - 1)];
        if (slot.Text != segment.Array || slot.Batch != _batch)
        {
            slot = (segment.Array, _batch, _writer.AddText(text.Span));
        }

        return slot.Id;
    }
}
