using System.Buffers.Binary;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>A column of a batch, checked: its data holds a value for each record.</summary>
internal unsafe struct WeirColumn
{
    /// <summary>What the values are.</summary>
    public FieldAction Action;

    /// <summary>Bytes of a value; 0 when all are the same.</summary>
    public int Width;

    /// <summary>What is added to each number.</summary>
    public ulong Base;

    /// <summary>First byte of the values.</summary>
    public byte* Data;

    /// <summary>True when no difference of this width can make a bad value: nothing has to be checked record by record.</summary>
    public bool IsSafe;

    /// <summary>True when base + difference may be above 2^64 − 1.</summary>
    public readonly bool MayWrap => Width != 0 && Base > ulong.MaxValue - (Width == 8 ? ulong.MaxValue : (1UL << (Width * 8)) - 1);

    /// <summary>One number.</summary>
    public readonly ulong NumberAt(int index) => Base + Width switch
    {
        0 => 0UL,
        1 => Data[index],
        2 => ((ushort*)Data)[index],
        4 => ((uint*)Data)[index],
        _ => ((ulong*)Data)[index],
    };
}

/// <summary>Opens a <c>weir</c> batch: checks its frame and finds the columns that the schema uses.</summary>
/// <remarks>Thread of the ingest worker. What it found is valid while the payload is pinned.</remarks>
internal sealed unsafe class WeirBatchColumns
{
    private readonly Dictionary<ushort, List<FieldAction>> _actions = [];
    private readonly WeirColumn[] _known = new WeirColumn[WeirBatch.ColumnsMax];
    private readonly WeirColumn[] _textColumns = new WeirColumn[WeirBatch.ColumnsMax];
    private readonly int[] _textStarts = new int[WeirBatch.TextsMax + 1];
    private int _knownCount;
    private int _textColumnCount;
    private byte* _texts;

    /// <summary>Makes the table of known columns.</summary>
    public WeirBatchColumns(FieldTargets targets)
    {
        AddTags(targets);
        AddRecordColumns(targets);
        foreach (var (source, _, action) in targets.UserDefined())
        {
            if (source.ProtobufField is > 0 and < WeirBatch.UserColumns)
            {
                Add((ushort)(WeirBatch.UserColumns | source.ProtobufField), action);
            }
        }
    }

    /// <summary>Records of the batch.</summary>
    public int RecordCount { get; private set; }

    /// <summary>Texts of the batch.</summary>
    public int TextCount { get; private set; }

    /// <summary>True when there is a column of times.</summary>
    public bool HasTime { get; private set; }

    /// <summary>True when there is a column of flows.</summary>
    public bool HasFlows { get; private set; }

    /// <summary>Columns of numbers and addresses.</summary>
    public ReadOnlySpan<WeirColumn> Known => _known.AsSpan(0, _knownCount);

    /// <summary>Columns of texts that are used.</summary>
    public ReadOnlySpan<WeirColumn> Texts => _textColumns.AsSpan(0, _textColumnCount);

    /// <summary>A text of the batch.</summary>
    public ReadOnlySpan<byte> Text(int index) => new(_texts + _textStarts[index], _textStarts[index + 1] - _textStarts[index]);

    /// <summary>Checks a batch and finds its columns.</summary>
    public DecodeStatus Open(byte* start, int length)
    {
        var payload = new ReadOnlySpan<byte>(start, length);
        var status = CheckFrame(payload, out var columnCount);
        if (status != DecodeStatus.Ok)
        {
            return status;
        }

        var position = WeirBatch.HeaderBytes;
        var end = length - WeirBatch.ChecksumBytes;
        _knownCount = 0;
        _textColumnCount = 0;
        HasTime = false;
        HasFlows = false;
        status = OpenTexts(start, ref position, end);
        for (var index = 0; index < columnCount && status == DecodeStatus.Ok; index++)
        {
            status = OpenColumn(start, ref position, end);
        }

        return status == DecodeStatus.Ok && position != end ? DecodeStatus.Malformed : status;
    }

    private DecodeStatus CheckFrame(ReadOnlySpan<byte> payload, out int columnCount)
    {
        columnCount = 0;
        if (payload.IsEmpty)
        {
            return DecodeStatus.Empty;
        }

        if (!payload.StartsWith(WeirBatch.Magic[..Math.Min(payload.Length, WeirBatch.Magic.Length)]))
        {
            return DecodeStatus.Malformed;
        }

        if (payload.Length < WeirBatch.HeaderBytes + WeirBatch.ChecksumBytes)
        {
            return DecodeStatus.Truncated;
        }

        if (payload[4] != WeirBatch.Version || payload[5] != 0)
        {
            return DecodeStatus.UnknownVersion;
        }

        var bodyBytes = BinaryPrimitives.ReadUInt32LittleEndian(payload[12..]);
        var bodyBytesHere = payload.Length - WeirBatch.HeaderBytes - WeirBatch.ChecksumBytes;
        if (bodyBytes != bodyBytesHere)
        {
            return bodyBytes > bodyBytesHere ? DecodeStatus.Truncated : DecodeStatus.Malformed;
        }

        if (Crc32C.Of(payload[..^WeirBatch.ChecksumBytes])
            != BinaryPrimitives.ReadUInt32LittleEndian(payload[^WeirBatch.ChecksumBytes..]))
        {
            return DecodeStatus.ChecksumMismatch;
        }

        columnCount = BinaryPrimitives.ReadUInt16LittleEndian(payload[6..]);
        var recordCount = BinaryPrimitives.ReadUInt32LittleEndian(payload[8..]);
        if (recordCount > WeirBatch.RecordsMax || columnCount > WeirBatch.ColumnsMax)
        {
            return DecodeStatus.LengthOverLimit;
        }

        RecordCount = (int)recordCount;
        return recordCount == 0 ? DecodeStatus.Empty : DecodeStatus.Ok;
    }

    private DecodeStatus OpenTexts(byte* start, ref int position, int end)
    {
        if (end - position < WeirBatch.TextsHeaderBytes)
        {
            return DecodeStatus.Truncated;
        }

        var count = *(uint*)(start + position);
        var bytes = *(uint*)(start + position + 4);
        position += WeirBatch.TextsHeaderBytes;
        if (count > WeirBatch.TextsMax)
        {
            return DecodeStatus.LengthOverLimit;
        }

        if ((count * (ulong)sizeof(ushort)) + bytes > (ulong)(end - position))
        {
            return DecodeStatus.Truncated;
        }

        TextCount = (int)count;
        var lengths = (ushort*)(start + position);
        var total = 0;
        for (var index = 0; index < TextCount; index++)
        {
            _textStarts[index] = total;
            total += lengths[index];
            if (lengths[index] > StringDictionary.TextBytesMax)
            {
                return DecodeStatus.LengthOverLimit;
            }
        }

        _textStarts[TextCount] = total;
        _texts = (byte*)(lengths + TextCount);
        position += (TextCount * sizeof(ushort)) + (int)bytes;
        return (uint)total == bytes ? DecodeStatus.Ok : DecodeStatus.Malformed;
    }

    private DecodeStatus OpenColumn(byte* start, ref int position, int end)
    {
        if (end - position < WeirBatch.ColumnHeaderBytes)
        {
            return DecodeStatus.Truncated;
        }

        var header = start + position;
        var id = *(ushort*)header;
        var encoding = header[2];
        int width = header[3];
        var dataBytes = *(uint*)(header + 4);
        position += WeirBatch.ColumnHeaderBytes;
        if (dataBytes > (uint)(end - position))
        {
            return DecodeStatus.Truncated;
        }

        var column = new WeirColumn { Width = width, Base = *(ulong*)(header + 8), Data = start + position };
        position += (int)dataBytes;
        if (!_actions.TryGetValue(id, out var actions))
        {
            return DecodeStatus.Ok; // A column of a later release, or of a mapping that is not ours.
        }

        var isWidth = encoding switch
        {
            WeirBatch.EncodingNumbers or WeirBatch.EncodingTexts => width is 0 or 1 or 2 or 4 or 8,
            WeirBatch.EncodingAddresses => width is 0 or 4 or AddressText.Bytes,
            _ => false,
        };
        var expected = encoding == WeirBatch.EncodingAddresses && width == 0 ? AddressText.Bytes : (ulong)width * (uint)RecordCount;
        if (!isWidth || dataBytes != expected)
        {
            return DecodeStatus.Malformed;
        }

        foreach (var action in actions)
        {
            column.Action = action;
            var status = Take(column, encoding);
            if (status != DecodeStatus.Ok)
            {
                return status;
            }
        }

        return DecodeStatus.Ok;
    }

    private DecodeStatus Take(in WeirColumn column, byte encoding)
    {
        var expected = column.Action.Kind switch
        {
            FieldKind.Address => WeirBatch.EncodingAddresses,
            FieldKind.Text => WeirBatch.EncodingTexts,
            _ => WeirBatch.EncodingNumbers,
        };
        if (encoding != expected)
        {
            return DecodeStatus.Malformed;
        }

        HasTime |= column.Action.Kind == FieldKind.TimeSeconds;
        HasFlows |= column.Action.Kind == FieldKind.Flows;
        if (encoding == WeirBatch.EncodingTexts)
        {
            if (column.Action.Offset < 0)
            {
                return DecodeStatus.Ok;
            }

            _textColumns[_textColumnCount++ % WeirBatch.ColumnsMax] = column;
            return _textColumnCount > WeirBatch.ColumnsMax ? DecodeStatus.LengthOverLimit : DecodeStatus.Ok;
        }

        if (_knownCount == WeirBatch.ColumnsMax)
        {
            return DecodeStatus.LengthOverLimit;
        }

        ref var known = ref _known[_knownCount++];
        known = column;
        var max = column.Width == 8 ? ulong.MaxValue : (1UL << (column.Width * 8)) - 1;
        known.IsSafe = encoding == WeirBatch.EncodingAddresses
            || (!column.MayWrap && (column.Width == 0 ? column.Base : column.Base + max) <= Limit(column.Action.Kind)
                && (column.Action.Kind != FieldKind.TimeSeconds || column.Base > 0));
        return DecodeStatus.Ok;
    }

    private static ulong Limit(FieldKind kind) => kind switch
    {
        FieldKind.U8 or FieldKind.Mask or FieldKind.Proto => byte.MaxValue,
        FieldKind.U16 or FieldKind.Etype or FieldKind.Port => ushort.MaxValue,
        FieldKind.U32 or FieldKind.TimeSeconds => uint.MaxValue,
        FieldKind.Mac => FieldWriter.MacMax,
        _ => ulong.MaxValue,
    };

    private void AddTags(FieldTargets targets)
    {
        Add(0x101, new(FieldKind.Address, targets.Tag(StandardSchema.SrcAddr)));
        Add(0x102, new(FieldKind.Address, targets.Tag(StandardSchema.DstAddr)));
        Add(0x103, new(FieldKind.Port, targets.Tag(StandardSchema.SrcPort)));
        Add(0x104, new(FieldKind.Port, targets.Tag(StandardSchema.DstPort)));
        Add(0x105, new(FieldKind.Proto, targets.Tag(StandardSchema.Proto)));
        Add(0x106, new(FieldKind.Text, targets.Tag(StandardSchema.Exporter)));
        Add(0x107, new(FieldKind.U8, targets.Tag(StandardSchema.Tos)));
        Add(0x108, new(FieldKind.U16, targets.Tag(StandardSchema.TcpFlags)));
        Add(0x109, new(FieldKind.U32, targets.Tag(StandardSchema.SrcAs)));
        Add(0x10a, new(FieldKind.U32, targets.Tag(StandardSchema.DstAs)));
        Add(0x10b, new(FieldKind.Mask, targets.Tag(StandardSchema.SrcMask)));
        Add(0x10c, new(FieldKind.Mask, targets.Tag(StandardSchema.DstMask)));
        Add(0x10d, new(FieldKind.U32, targets.Tag(StandardSchema.InIf)));
        Add(0x10e, new(FieldKind.U32, targets.Tag(StandardSchema.OutIf)));
        Add(0x10f, new(FieldKind.U16, targets.Tag(StandardSchema.Vlan)));
        Add(0x110, new(FieldKind.Mac, targets.Tag(StandardSchema.SrcMac)));
        Add(0x111, new(FieldKind.Mac, targets.Tag(StandardSchema.DstMac)));
        Add(0x112, new(FieldKind.Etype, targets.Tag(StandardSchema.Etype)));
        Add(0x113, new(FieldKind.Address, targets.Tag(StandardSchema.NextHop)));
    }

    private void AddRecordColumns(FieldTargets targets)
    {
        Add(0x202, new(FieldKind.TimeSeconds, StreamSchema.HashBytes));
        Add(0x203, new(FieldKind.Flows, targets.Meter(StandardSchema.Flows)));
        Add(0x204, new(FieldKind.Count, targets.Meter(StandardSchema.Packets)));
        Add(0x205, new(FieldKind.Count, targets.Meter(StandardSchema.Bytes)));
        Add(0x206, new(FieldKind.Count, targets.Meter(StandardSchema.TcpSyn)));
        Add(0x207, new(FieldKind.Count, targets.Meter(StandardSchema.TcpFin)));
        Add(0x208, new(FieldKind.Count, targets.Meter(StandardSchema.TcpRst)));
        Add(0x209, new(FieldKind.Count, targets.Meter(StandardSchema.RttUs)));
        Add(0x20a, new(FieldKind.Count, targets.Meter(StandardSchema.RttCount)));
        Add(0x20b, new(FieldKind.Count, targets.Meter(StandardSchema.Retransmissions)));
        Add(0x20c, new(FieldKind.Count, targets.Meter(StandardSchema.DurationMs)));
        Add(0x20d, new(FieldKind.SamplingRate, -1));
    }

    private void Add(ushort id, FieldAction action)
    {
        if (!_actions.TryGetValue(id, out var actions))
        {
            _actions.Add(id, actions = []);
        }

        actions.Add(action);
    }
}
