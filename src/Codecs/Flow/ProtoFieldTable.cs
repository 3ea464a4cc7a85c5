using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>The fields of a protobuf message that a decoder knows, by number; made once, at construction.</summary>
/// <remarks>Immutable after the last <see cref="Add"/>.</remarks>
internal sealed unsafe class ProtoFieldTable
{
    private const int DirectCount = 128; // The field numbers of goflow2 end at 112.
    private const uint FieldMax = (1u << 29) - 1;

    private readonly short[] _direct = new short[DirectCount];
    private readonly Dictionary<uint, short> _others = []; // Numbers that users have chosen.
    private readonly List<FieldAction> _actionsBuilding = [FieldAction.None];
    private FieldAction[] _actions = [FieldAction.None];

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
        while (!cursor.IsAtEnd)
        {
            var status = cursor.ReadTag(out var field, out var wireType);
            if (status != DecodeStatus.Ok)
            {
                return status;
            }

            int index = field < DirectCount ? _direct[field] : _others.GetValueOrDefault(field);
            if (wireType == WireType.Varint)
            {
                status = cursor.ReadVarint(out var number);
                if (status == DecodeStatus.Ok)
                {
                    ref readonly var action = ref _actions[index];
                    status = FieldWriter.PutNumber(action, number, ref state, row);
                    if (action.Next >= 0 && status == DecodeStatus.Ok)
                    {
                        status = PutNumbers(action.Next, number, ref state, row);
                    }
                }
            }
            else if (wireType == WireType.Bytes)
            {
                status = cursor.ReadBytes(out var bytes);
                if (index > 0 && status == DecodeStatus.Ok)
                {
                    status = PutBytes(index, bytes, nested, ref state, row, strings);
                }
            }
            else if (wireType is WireType.Fixed32 or WireType.Fixed64)
            {
                status = cursor.ReadFixed(wireType, out var number);
                status = status == DecodeStatus.Ok ? PutNumbers(index, number, ref state, row) : status;
            }
            else
            {
                status = index > 0 ? DecodeStatus.Malformed : cursor.Skip(field, wireType);
            }

            if (status != DecodeStatus.Ok)
            {
                return status;
            }
        }

        return DecodeStatus.Ok;
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
                    status = FieldWriter.PutText(row, action.Offset, bytes, strings);
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
