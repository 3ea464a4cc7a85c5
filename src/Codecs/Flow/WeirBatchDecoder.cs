using System.Runtime.CompilerServices;
using System.Text.Unicode;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary><c>weir</c>: a checksummed columnar batch of records.</summary>
/// <remarks>
/// <para>
/// A batch whose frame, checksum or columns are wrong is rejected once. In a sound batch a record with a bad value is one reject and
/// the others go on; the evidence of the first one is the batch, of the others its header.
/// </para>
/// <para>
/// Columns are spread into a tile of rows that stays in the first-level cache, and runs of good rows are copied to the sink from there.
/// </para>
/// </remarks>
internal sealed unsafe class WeirBatchDecoder : FlowDecoder
{
    private const int TileRows = 64; // 64 rows of 136 B are 9 KB of the 32 KB of a first-level cache.
    private const uint TextNotSeen = uint.MaxValue;
    private const uint TextInvalid = uint.MaxValue - 1;

    private readonly WeirBatchColumns _columns;
    private readonly int _rowBytes;
    private readonly byte[] _tileMemory;
    private readonly ulong[] _rates = new ulong[TileRows];
    private readonly ulong[] _values = new ulong[TileRows];
    private readonly DecodeStatus[] _statuses = new DecodeStatus[TileRows];
    private readonly int _packetsOffset;
    private readonly int _bytesOffset;
    private readonly int _flowsOffset;
    private uint[] _textIds = new uint[256];
    private StringDictionary? _textIdsOf;

    /// <summary>Makes a decoder for a schema.</summary>
    public WeirBatchDecoder(StreamSchema schema)
    {
        var targets = new FieldTargets(schema);
        _columns = new WeirBatchColumns(targets);
        _rowBytes = schema.RecordBytes;
        _tileMemory = GC.AllocateArray<byte>(_rowBytes * TileRows, pinned: true);
        _packetsOffset = targets.Meter(StandardSchema.Packets);
        _bytesOffset = targets.Meter(StandardSchema.Bytes);
        _flowsOffset = targets.Meter(StandardSchema.Flows);
    }

    /// <inheritdoc/>
    public override void Decode(ReadOnlySpan<byte> payload, RecordSink sink)
    {
        fixed (byte* start = payload)
        {
            var status = _columns.Open(start, payload.Length);
            if (status != DecodeStatus.Ok)
            {
                sink.Reject(status, payload);
                return;
            }

            _textIdsOf = null;
            if (_textIds.Length < _columns.TextCount)
            {
                Array.Resize(ref _textIds, WeirBatch.TextsMax); // Once: the limit of a batch, whatever its header says.
            }

            Array.Clear(_tileMemory);
            var isRejected = false;
            var rows = new RowBlock(sink, _rowBytes);
            for (var first = 0; first < _columns.RecordCount; first += TileRows)
            {
                var count = Math.Min(TileRows, _columns.RecordCount - first);
                FillTile(first, count);
                Emit(first, count, payload, sink, ref rows, ref isRejected);
            }

            rows.End();

            _textIdsOf = null;
        }
    }

    private void FillTile(int first, int count)
    {
        var tile = (byte*)Unsafe.AsPointer(ref _tileMemory[0]);
        Array.Clear(_statuses);
        var hasRates = false;
        if (_flowsOffset >= 0 && !_columns.HasFlows && first == 0)
        {
            _values.AsSpan(0, count).Fill(1);
            Scatter64(tile + _flowsOffset, count);
        }

        if (!_columns.HasTime)
        {
            Array.Fill(_statuses, DecodeStatus.TimeMissing);
        }

        foreach (ref readonly var column in _columns.Known)
        {
            // What cannot be bad and is not used needs no look; what is the same for all stays in the tile, unless it is scaled there.
            if (column.IsSafe && column.Action.Kind != FieldKind.SamplingRate
                && (column.Action.Offset < 0 || (column.Width == 0 && first > 0 && !IsScaled(column.Action))))
            {
                continue;
            }

            if (column.Action.Kind == FieldKind.Address)
            {
                PutAddresses(column, tile, first, count);
                continue;
            }

            if (column.IsSafe && column.Width != 0 && column.Action.Kind != FieldKind.SamplingRate)
            {
                Spread(column, tile + column.Action.Offset, first, count);
                continue;
            }

            Widen(column, first, count);
            if (column.Action.Kind == FieldKind.SamplingRate)
            {
                _values.AsSpan(0, count).CopyTo(_rates);
                hasRates = true;
                continue;
            }

            PutNumbers(column.Action, column.IsSafe, tile, count);
        }

        if (hasRates)
        {
            Scale(tile, count);
        }
    }

    /// <summary>Hands the rows of the tile over, in runs as long as they are good and the sink has room.</summary>
    private void Emit(int first, int count, ReadOnlySpan<byte> payload, RecordSink sink, ref RowBlock rows, ref bool isRejected)
    {
        var tile = (byte*)Unsafe.AsPointer(ref _tileMemory[0]);
        for (var from = 0; from < count;)
        {
            var status = _statuses[from];
            var runCount = 0;
            if (status == DecodeStatus.Ok)
            {
                var room = Math.Min(count - from, rows.Left);
                runCount = 1;
                while (runCount < room && _statuses[from + runCount] == DecodeStatus.Ok)
                {
                    runCount++;
                }

                Unsafe.CopyBlockUnaligned(rows.Row, tile + ((nint)from * _rowBytes), (uint)(runCount * _rowBytes));
                status = PutTexts(rows.Row, first + from, ref runCount, sink.Strings);
                if (runCount > 0)
                {
                    rows.Accept(runCount);
                    from += runCount;
                }
            }

            if (status != DecodeStatus.Ok)
            {
                rows.Reject(status, isRejected ? payload[..WeirBatch.HeaderBytes] : payload);
                isRejected = true;
                from++;
            }
        }
    }

    /// <summary>Stores the ids of the texts of <paramref name="count"/> records, which becomes the number of those before the first bad one.</summary>
    private DecodeStatus PutTexts(byte* row, int first, ref int count, StringDictionary strings)
    {
        if (_columns.Texts.IsEmpty)
        {
            return DecodeStatus.Ok;
        }

        for (var index = 0; index < count; index++, row += _rowBytes)
        {
            foreach (ref readonly var column in _columns.Texts)
            {
                var status = PutText(row + column.Action.Offset, column.NumberAt(first + index), strings);
                if (status != DecodeStatus.Ok)
                {
                    count = index;
                    return status;
                }
            }
        }

        return DecodeStatus.Ok;
    }

    /// <summary>Stores the id of a text of the batch. Ids are the dictionary's, which may change from record to record.</summary>
    private DecodeStatus PutText(byte* to, ulong index, StringDictionary strings)
    {
        if (index >= (ulong)_columns.TextCount)
        {
            return DecodeStatus.Malformed;
        }

        if (!ReferenceEquals(strings, _textIdsOf))
        {
            _textIds.AsSpan(0, _columns.TextCount).Fill(TextNotSeen);
            _textIdsOf = strings;
        }

        ref var id = ref _textIds[(int)index];
        if (id == TextNotSeen)
        {
            var text = _columns.Text((int)index);
            id = Utf8.IsValid(text) ? strings.Intern(text) : TextInvalid;
        }

        *(uint*)to = id;
        return id == TextInvalid ? DecodeStatus.InvalidUtf8 : DecodeStatus.Ok;
    }

    /// <summary>Puts the numbers of a safe column into the rows in one pass.</summary>
    private void Spread(in WeirColumn column, byte* to, int first, int count)
    {
        var storedBytes = column.Action.Kind switch
        {
            FieldKind.U8 or FieldKind.Mask or FieldKind.Proto => sizeof(byte),
            FieldKind.U16 or FieldKind.Etype or FieldKind.Port => sizeof(ushort),
            FieldKind.U32 => sizeof(uint),
            _ => sizeof(ulong),
        };
        var data = column.Data + ((long)first * column.Width);
        switch (column.Width)
        {
            case 1:
                Spread(new ReadOnlySpan<byte>(data, count), column.Base, storedBytes, to);
                break;
            case 2:
                Spread(new ReadOnlySpan<ushort>(data, count), column.Base, storedBytes, to);
                break;
            case 4:
                Spread(new ReadOnlySpan<uint>(data, count), column.Base, storedBytes, to);
                break;
            default:
                Spread(new ReadOnlySpan<ulong>(data, count), column.Base, storedBytes, to);
                break;
        }
    }

    private void Spread<T>(ReadOnlySpan<T> from, ulong numberBase, int storedBytes, byte* to)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>
    {
        var rowBytes = _rowBytes;
        foreach (var difference in from)
        {
            var value = numberBase + ulong.CreateTruncating(difference);
            switch (storedBytes) // The same each time, so it is foreseen.
            {
                case sizeof(ulong):
                    *(ulong*)to = value;
                    break;
                case sizeof(uint):
                    *(uint*)to = (uint)value;
                    break;
                case sizeof(ushort):
                    *(ushort*)to = (ushort)value;
                    break;
                default:
                    *to = (byte)value;
                    break;
            }

            to += rowBytes;
        }
    }

    /// <summary>Brings the numbers of a column to 64 bits.</summary>
    private void Widen(in WeirColumn column, int first, int count)
    {
        var values = _values.AsSpan(0, count);
        var data = column.Data + ((long)first * column.Width);
        switch (column.Width)
        {
            case 0:
                values.Fill(column.Base);
                return;
            case 1:
                Widen(new ReadOnlySpan<byte>(data, count), column.Base, values);
                break;
            case 2:
                Widen(new ReadOnlySpan<ushort>(data, count), column.Base, values);
                break;
            case 4:
                Widen(new ReadOnlySpan<uint>(data, count), column.Base, values);
                break;
            default:
                Widen(new ReadOnlySpan<ulong>(data, count), column.Base, values);
                break;
        }

        if (column.MayWrap)
        {
            MarkAll(count, DecodeStatus.NumberOutOfRange, 0, column.Base);
        }
    }

    private static void Widen<T>(ReadOnlySpan<T> from, ulong numberBase, Span<ulong> to)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>
    {
        for (var index = 0; index < from.Length && index < to.Length; index++)
        {
            to[index] = numberBase + ulong.CreateTruncating(from[index]);
        }
    }

    /// <summary>Stores the widened numbers, and marks the records whose number its tag or meter cannot hold.</summary>
    private void PutNumbers(in FieldAction action, bool isSafe, byte* tile, int count)
    {
        var isUsed = action.Offset >= 0;
        var to = tile + action.Offset;
        switch (action.Kind)
        {
            case FieldKind.TimeSeconds:
                Scatter64(to, count);
                if (!isSafe)
                {
                    MarkAll(count, DecodeStatus.TimeMissing, ulong.MaxValue, 1);
                    Check(count, uint.MaxValue, DecodeStatus.TimeOutOfRange);
                }

                return;
            case FieldKind.U8 or FieldKind.Mask or FieldKind.Proto:
                var above8 = action.Kind == FieldKind.Proto ? DecodeStatus.ProtocolUnknown : DecodeStatus.NumberOutOfRange;
                CheckUnless(isSafe, count, byte.MaxValue, above8);
                if (isUsed)
                {
                    Scatter8(to, count);
                }

                return;
            case FieldKind.U16 or FieldKind.Etype or FieldKind.Port:
                var above16 = action.Kind == FieldKind.Port ? DecodeStatus.PortOutOfRange : DecodeStatus.NumberOutOfRange;
                CheckUnless(isSafe, count, ushort.MaxValue, above16);
                if (isUsed)
                {
                    Scatter16(to, count);
                }

                return;
            case FieldKind.U32:
                CheckUnless(isSafe, count, uint.MaxValue, DecodeStatus.NumberOutOfRange);
                if (isUsed)
                {
                    Scatter32(to, count);
                }

                return;
            case FieldKind.Mac:
                CheckUnless(isSafe, count, FieldWriter.MacMax, DecodeStatus.NumberOutOfRange);
                goto default;
            default:
                if (isUsed)
                {
                    Scatter64(to, count);
                }

                return;
        }
    }

    private void Scatter8(byte* to, int count)
    {
        var rowBytes = _rowBytes;
        foreach (var value in _values.AsSpan(0, count))
        {
            *(byte*)to = (byte)value;
            to += rowBytes;
        }
    }

    private void Scatter16(byte* to, int count)
    {
        var rowBytes = _rowBytes;
        foreach (var value in _values.AsSpan(0, count))
        {
            *(ushort*)to = (ushort)value;
            to += rowBytes;
        }
    }

    private void Scatter32(byte* to, int count)
    {
        var rowBytes = _rowBytes;
        foreach (var value in _values.AsSpan(0, count))
        {
            *(uint*)to = (uint)value;
            to += rowBytes;
        }
    }

    private void Scatter64(byte* to, int count)
    {
        var rowBytes = _rowBytes;
        foreach (var value in _values.AsSpan(0, count))
        {
            *(ulong*)to = value;
            to += rowBytes;
        }
    }

    private bool IsScaled(in FieldAction action) => action.Offset == _packetsOffset || action.Offset == _bytesOffset;

    private void PutAddresses(in WeirColumn column, byte* tile, int first, int count)
    {
        if (column.Action.Offset < 0)
        {
            return;
        }

        var to = tile + column.Action.Offset;
        for (var index = 0; index < count; index++, to += _rowBytes)
        {
            switch (column.Width)
            {
                case 4:
                    AddressText.PutIpv4(to, ((uint*)column.Data)[first + index]);
                    break;
                case 0:
                    Unsafe.CopyBlockUnaligned(to, column.Data, AddressText.Bytes);
                    break;
                default:
                    Unsafe.CopyBlockUnaligned(to, column.Data + ((long)(first + index) * AddressText.Bytes), AddressText.Bytes);
                    break;
            }
        }
    }

    private void Scale(byte* tile, int count)
    {
        for (var index = 0; index < count; index++, tile += _rowBytes)
        {
            var rate = _rates[index];
            if (rate > 1 && !(TryScale(tile, _packetsOffset, rate) & TryScale(tile, _bytesOffset, rate)))
            {
                Mark(index, DecodeStatus.NumberOutOfRange);
            }
        }
    }

    private static bool TryScale(byte* row, int offset, ulong rate) =>
        offset < 0 || Math.BigMul(*(ulong*)(row + offset), rate, out *(ulong*)(row + offset)) == 0;

    private void CheckUnless(bool isSafe, int count, ulong max, DecodeStatus above)
    {
        if (!isSafe)
        {
            Check(count, max, above);
        }
    }

    /// <summary>Marks the records whose number is above <paramref name="max"/>; one pass where none is.</summary>
    private void Check(int count, ulong max, DecodeStatus above)
    {
        ulong bits = 0;
        foreach (var value in _values.AsSpan(0, count))
        {
            bits |= value;
        }

        if (bits > max) // The limits are all ones, so the bits of values within it are within it.
        {
            MarkAll(count, above, max, 0);
        }
    }

    /// <summary>Marks the records whose number is below <paramref name="below"/>, or above <paramref name="max"/> when that is not 0.</summary>
    private void MarkAll(int count, DecodeStatus status, ulong max, ulong below)
    {
        for (var index = 0; index < count; index++)
        {
            if (_values[index] < below || (max != 0 && _values[index] > max))
            {
                Mark(index, status);
            }
        }
    }

    private void Mark(int index, DecodeStatus status)
    {
        if (_statuses[index] == DecodeStatus.Ok)
        {
            _statuses[index] = status; // The first one counts.
        }
    }
}
