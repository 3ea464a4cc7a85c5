using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>The fields of a protobuf message that a decoder knows, by number; made once, at construction.</summary>
/// <remarks>Thread of the ingest worker. But for a hint it is immutable after the last <see cref="Add"/>.</remarks>
internal sealed unsafe class ProtoFieldTable
{
    private const int DirectCount = 128; // The field numbers of goflow2 end at 112.
    private const uint FieldMax = (1u << 29) - 1;

    private readonly short[] _direct = new short[DirectCount];
    private readonly Dictionary<uint, short> _others = []; // Numbers that users have chosen.
    private readonly List<FieldAction> _actionsBuilding = [FieldAction.None];
    private FieldAction[] _actions = [FieldAction.None];
    private uint _textHint;

    /// <summary>Adds an action for a field; a second one for the same field follows the first.</summary>
    /// <exception cref="ArgumentException">Not a field number.</exception>
    public void Add(uint field, FieldAction action)
    {
        if (field is 0 or > FieldMax)
        {
            throw new ArgumentException($"{field} is not a field number of protobuf.", nameof(field));
        }

        _actionsBuilding.Add(action);
        var added = (short)(_actionsBuilding.Count - 1);
        int first = field < DirectCount ? _direct[field] : _others.GetValueOrDefault(field);
        if (first != 0)
        {
            while (_actionsBuilding[first].Next >= 0)
            {
                first = _actionsBuilding[first].Next;
            }

            _actionsBuilding[first] = _actionsBuilding[first] with { Next = added };
        }
        else if (field < DirectCount)
        {
            _direct[field] = added;
        }
        else
        {
            _others.Add(field, added);
        }

        _actions = [.. _actionsBuilding];
    }

    /// <summary>Reads all fields of one message.</summary>
    /// <param name="cursor">Stands at the message and ends with it.</param>
    /// <param name="nested">The table of the message inside; null when there is none. It has no further one: depth is 2 at most.</param>
    /// <param name="state">Takes what is needed at the end of the record.</param>
    /// <param name="row">The row.</param>
    /// <param name="strings">For texts.</param>
    public DecodeStatus Read(ref ProtoCursor cursor, ProtoFieldTable? nested, ref FlowState state, byte* row, StringDictionary strings)
    {
        // The position is kept out of the cursor, in a register, but for what is rare.
        var position = cursor.Position;
        var end = cursor.End;
        while (position < end)
        {
            DecodeStatus status;
            if (!TryReadVarint(ref position, end, out var tag))
            {
                cursor.Position = position;
                status = cursor.ReadVarint(out var longTag);
                if (status != DecodeStatus.Ok)
                {
                    return status;
                }

                tag = longTag;
                position = cursor.Position;
            }

            var field = (uint)(tag >> 3);
            if (field == 0 || tag > uint.MaxValue)
            {
                return DecodeStatus.Malformed;
            }

            int index = field < DirectCount ? _direct[field] : _others.GetValueOrDefault(field);
            ref readonly var action = ref _actions[index];
            var wireType = (WireType)(tag & 7);
            if (wireType == WireType.Varint && TryReadVarint(ref position, end, out var number))
            {
                status = FieldWriter.PutNumber(action, number, ref state, row);
                if (action.Next >= 0 && status == DecodeStatus.Ok)
                {
                    status = PutNumbers(action.Next, number, ref state, row);
                }
            }
            else if (wireType == WireType.Bytes && position < end && *position < 0x80 && *position < end - position)
            {
                var bytes = new ReadOnlySpan<byte>(position + 1, *position);
                position += 1 + bytes.Length;
                status = action.Kind == FieldKind.Address && action.Next < 0 ? FieldWriter.PutAddress(row, action.Offset, bytes)
                    : index > 0 ? PutBytes(index, bytes, nested, ref state, row, strings)
                    : DecodeStatus.Ok;
            }
            else
            {
                cursor.Position = position;
                status = ReadOther(ref cursor, field, wireType, index, nested, ref state, row, strings);
                position = cursor.Position;
            }

            if (status != DecodeStatus.Ok)
            {
                return status;
            }
        }

        cursor.Position = position;
        return DecodeStatus.Ok;
    }

    /// <summary>Reads a varint, up to 9 bytes of it without a loop: their ends cannot be foreseen, and times in ns have all 9.</summary>
    /// <returns>False where the slow way has to judge: at the end of the message, at a varint of 10 bytes, or on another processor.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryReadVarint(ref byte* position, byte* end, out ulong value)
    {
        if (position < end && *position < 0x80)
        {
            value = *position++;
            return true;
        }

        if (end - position >= 2 && position[1] < 0x80)
        {
            value = ((uint)position[0] & 0x7f) | ((uint)position[1] << 7);
            position += 2;
            return true;
        }

        value = 0;
        if (!Bmi2.X64.IsSupported || end - position < ProtoCursor.VarintBytesMax)
        {
            return false;
        }

        var word = *(ulong*)position;
        var ends = ~word & 0x8080_8080_8080_8080;
        if (ends == 0 && position[8] >= 0x80)
        {
            return false;
        }

        value = Bmi2.X64.ParallelBitExtract(ends == 0 ? word : word & (ends ^ (ends - 1)), 0x7f7f_7f7f_7f7f_7f7f);
        value |= ends == 0 ? (ulong)position[8] << 56 : 0;
        position += ends == 0 ? 9 : (BitOperations.TrailingZeroCount(ends) >> 3) + 1;
        return true;
    }

    private DecodeStatus ReadOther(
        ref ProtoCursor cursor,
        uint field,
        WireType wireType,
        int index,
        ProtoFieldTable? nested,
        ref FlowState state,
        byte* row,
        StringDictionary strings)
    {
        DecodeStatus status;
        if (wireType == WireType.Varint)
        {
            status = cursor.ReadVarint(out var value);
            return status == DecodeStatus.Ok ? PutNumbers(index, value, ref state, row) : status;
        }

        if (wireType == WireType.Bytes)
        {
            status = cursor.ReadBytes(out var bytes);
            return index > 0 && status == DecodeStatus.Ok ? PutBytes(index, bytes, nested, ref state, row, strings) : status;
        }

        if (wireType is WireType.Fixed32 or WireType.Fixed64)
        {
            status = cursor.ReadFixed(wireType, out var number);
            return status == DecodeStatus.Ok ? PutNumbers(index, number, ref state, row) : status;
        }

        return index > 0 ? DecodeStatus.Malformed : cursor.Skip(field, wireType);
    }

    private DecodeStatus PutNumbers(int index, ulong number, ref FlowState state, byte* row)
    {
        var status = DecodeStatus.Ok;
        for (; index >= 0 && status == DecodeStatus.Ok; index = _actions[index].Next)
        {
            status = FieldWriter.PutNumber(_actions[index], number, ref state, row);
        }

        return status;
    }

    private DecodeStatus PutBytes(
        int index, ReadOnlySpan<byte> bytes, ProtoFieldTable? nested, ref FlowState state, byte* row, StringDictionary strings)
    {
        var status = DecodeStatus.Ok;
        for (; index >= 0 && status == DecodeStatus.Ok; index = _actions[index].Next)
        {
            ref readonly var action = ref _actions[index];
            switch (action.Kind)
            {
                case FieldKind.Address:
                    status = FieldWriter.PutAddress(row, action.Offset, bytes);
                    break;
                case FieldKind.Exporter:
                    status = FieldWriter.PutAddressText(row, action.Offset, bytes, strings);
                    break;
                case FieldKind.Text:
                    status = FieldWriter.PutText(row, action.Offset, bytes, strings, ref _textHint);
                    break;
                case FieldKind.NestedTags when nested is not null:
                    fixed (byte* start = bytes)
                    {
                        var inner = new ProtoCursor(start, start + bytes.Length);
                        status = nested.Read(ref inner, null, ref state, row, strings);
                    }

                    break;
                default:
                    status = DecodeStatus.Malformed; // A number was expected.
                    break;
            }
        }

        return status;
    }
}
