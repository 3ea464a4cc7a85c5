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
internal sealed unsafe partial class WeirBatchDecoder : FlowDecoder
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
                runCount = _statuses.AsSpan(from, room).IndexOfAnyExcept(DecodeStatus.Ok);
                runCount = runCount < 0 ? room : runCount;

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

        var known = 0;
        if (_columns.Texts.Length == 1 && _columns.Texts[0].Width == 1 && _columns.Texts[0].Base == 0 && ReferenceEquals(strings, _textIdsOf))
        {
            known = PutKnownTexts(_columns.Texts[0], row, first, count);
            row += (nint)known * _rowBytes;
        }

        for (var index = known; index < count; index++, row += _rowBytes)
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

    /// <summary>Stores the ids of texts that records before had, too, as far as that goes: most batches have few, in one column of bytes.</summary>
    /// <returns>How many were stored.</returns>
    private int PutKnownTexts(in WeirColumn column, byte* row, int first, int count)
    {
        var to = row + column.Action.Offset;
        var data = column.Data + first;
        var ids = _textIds.AsSpan(0, _columns.TextCount);
        var index = 0;
        for (; index < count && data[index] < (uint)ids.Length && ids[data[index]] < TextInvalid; index++)
        {
            *(uint*)to = ids[data[index]];
            to += _rowBytes;
        }

        return index;
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
