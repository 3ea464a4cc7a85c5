using System.Buffers.Text;
using System.Runtime.CompilerServices;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>Carries out the action of a field for a JSON value: checks it, and stores it where a view uses it.</summary>
internal static unsafe class JsonFieldReader
{
    /// <summary>Takes one value.</summary>
    /// <param name="action">What to do.</param>
    /// <param name="value">The value, without escapes.</param>
    /// <param name="state">Takes what is needed at the end of the record.</param>
    /// <param name="row">The row.</param>
    /// <param name="strings">For texts.</param>
    public static DecodeStatus Apply(
        in FieldAction action, in JsonToken value, ref FlowState state, byte* row, StringDictionary strings)
    {
        if (value.Kind == JsonKind.Container)
        {
            return DecodeStatus.Malformed;
        }

        switch (action.Kind)
        {
            case FieldKind.Address:
                state.HasFlowField = true;
                return PutAddress(value, row, action.Offset);
            case FieldKind.Text:
                return FieldWriter.PutText(row, action.Offset, TextOf(value), strings);
            case FieldKind.Exporter:
                return PutExporter(value, row, action.Offset, strings);
            case FieldKind.Port:
                return PutPort(value, row, action.Offset);
            case FieldKind.Proto:
                return PutProto(value, ref state, row, action.Offset);
            case FieldKind.TimeSeconds:
                state.Times[action.TimeSlot] = TimeOf(value, isNanos: false);
                return DecodeStatus.Ok;
            case FieldKind.TimeNanos:
                state.Times[action.TimeSlot] = TimeOf(value, isNanos: true);
                return DecodeStatus.Ok;
            case FieldKind.EventType:
                TakeEvent(value, ref state);
                return DecodeStatus.Ok;
            case FieldKind.Mac when value.Kind == JsonKind.Text && value.Length > 0:
                return AddressText.TryParseMac(value.Span, out var mac)
                    ? FieldWriter.PutNumber(action, mac, ref state, row)
                    : DecodeStatus.AddressInvalid;
            case FieldKind.Mask when value.Kind == JsonKind.Text:
                return PutMask(value.Span, row, action.Offset);
            case FieldKind.Etype or FieldKind.EtypeHex when value.Kind == JsonKind.Text:
                return PutEtype(value.Span, action.Kind == FieldKind.EtypeHex, row, action.Offset);
            default:
                return PutNumber(action, value, ref state, row);
        }
    }

    private static DecodeStatus PutNumber(in FieldAction action, in JsonToken value, ref FlowState state, byte* row)
    {
        var status = ReadNumber(value, out var number);
        if (status != DecodeStatus.Ok)
        {
            return status;
        }

        if (action.Kind == FieldKind.Flows && IsAbsent(value))
        {
            number = 1;
        }

        return FieldWriter.PutNumber(action, number, ref state, row);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static DecodeStatus ReadNumber(in JsonToken value, out ulong number)
    {
        number = value.Value;
        return value.IsPlain ? DecodeStatus.Ok : ReadOtherNumber(value, out number);
    }

    private static DecodeStatus ReadOtherNumber(in JsonToken value, out ulong number)
    {
        number = 0;
        switch (value.Kind)
        {
            case JsonKind.Text or JsonKind.Number:
                return value.Length == 0 ? DecodeStatus.Ok : NumberText.Parse(value.Span, out number);
            case JsonKind.NotFinite:
                return DecodeStatus.NumberOutOfRange;
            default:
                number = value.Kind == JsonKind.True ? 1UL : 0;
                return DecodeStatus.Ok;
        }
    }

    private static DecodeStatus PutAddress(in JsonToken value, byte* row, int offset)
    {
        if (IsAbsent(value))
        {
            return FieldWriter.PutAddress(row, offset, []);
        }

        var unused = stackalloc byte[AddressText.Bytes];
        return value.Kind == JsonKind.Text && AddressText.TryParse(value.Span, offset < 0 ? unused : row + offset)
            ? DecodeStatus.Ok
            : DecodeStatus.AddressInvalid;
    }

    private static DecodeStatus PutExporter(in JsonToken value, byte* row, int offset, StringDictionary strings)
    {
        var address = stackalloc byte[AddressText.Bytes];
        if (offset < 0 || value.Kind != JsonKind.Text || !AddressText.TryParse(value.Span, address))
        {
            return FieldWriter.PutText(row, offset, TextOf(value), strings);
        }

        *(uint*)(row + offset) = strings.InternAddress(new ReadOnlySpan<byte>(address, AddressText.Bytes));
        return DecodeStatus.Ok;
    }

    private static DecodeStatus PutPort(in JsonToken value, byte* row, int offset)
    {
        var status = ReadNumber(value, out var number);
        if (status == DecodeStatus.NumberNegative || number > ushort.MaxValue)
        {
            return DecodeStatus.PortOutOfRange;
        }

        return status == DecodeStatus.Ok ? FieldWriter.PutU16(row, offset, number, DecodeStatus.PortOutOfRange) : status;
    }

    private static DecodeStatus PutProto(in JsonToken value, ref FlowState state, byte* row, int offset)
    {
        ulong number;
        if (value.Kind == JsonKind.Text)
        {
            var text = value.Span;
            if (text.IsEmpty)
            {
                return DecodeStatus.Ok; // goflow2 writes protocols that it has no name for so.
            }

            if (text.Length == 3 && text[2] == 'p' && text[0] == 't' && text[1] == 'c')
            {
                number = 6;
            }
            else if (text.Length == 3 && text[2] == 'p' && text[0] == 'u' && text[1] == 'd')
            {
                number = 17;
            }
            else if (char.IsAsciiDigit((char)text[0]) && Utf8Parser.TryParse(text, out byte digits, out var used) && used == text.Length)
            {
                number = digits;
            }
            else
            {
                if (!IpProtocols.TryFind(text, out var found))
                {
                    return DecodeStatus.ProtocolUnknown;
                }

                number = found;
            }
        }
        else if (ReadNumber(value, out number) != DecodeStatus.Ok || number > byte.MaxValue)
        {
            return DecodeStatus.ProtocolUnknown;
        }
        else if (value.Kind == JsonKind.Null)
        {
            return DecodeStatus.Ok;
        }

        state.Proto = (ushort)number;
        return FieldWriter.PutU8(row, offset, number, DecodeStatus.NumberOutOfRange);
    }

    private static DecodeStatus PutMask(ReadOnlySpan<byte> text, byte* row, int offset)
    {
        var slash = text.IndexOf((byte)'/');
        if (slash < 0 && (text.IsEmpty || !char.IsAsciiDigit((char)text[0])))
        {
            // goflow2 writes "invalid Prefix" where it has no address.
            return FieldWriter.PutU8(row, offset, 0, DecodeStatus.NumberOutOfRange);
        }

        var status = NumberText.Parse(text[(slash + 1)..], out var bits);
        return status == DecodeStatus.Ok ? FieldWriter.PutU8(row, offset, bits, DecodeStatus.NumberOutOfRange) : status;
    }

    private static DecodeStatus PutEtype(ReadOnlySpan<byte> text, bool isHex, byte* row, int offset)
    {
        if (text.SequenceEqual("IPv4"u8))
        {
            return FieldWriter.PutU16(row, offset, 0x0800, DecodeStatus.NumberOutOfRange);
        }

        if (text.SequenceEqual("IPv6"u8))
        {
            return FieldWriter.PutU16(row, offset, 0x86dd, DecodeStatus.NumberOutOfRange);
        }

        if (text.SequenceEqual("ARP"u8))
        {
            return FieldWriter.PutU16(row, offset, 0x0806, DecodeStatus.NumberOutOfRange);
        }

        if (text.StartsWith("0x"u8))
        {
            isHex = true;
            text = text[2..];
        }

        ulong number = 0;
        if (isHex)
        {
            return Utf8Parser.TryParse(text, out ushort etype, out var used, 'x') && used == text.Length
                ? FieldWriter.PutU16(row, offset, etype, DecodeStatus.NumberOutOfRange)
                : text.IsEmpty ? FieldWriter.PutU16(row, offset, 0, DecodeStatus.NumberOutOfRange) : DecodeStatus.NumberOutOfRange;
        }

        // goflow2 has names for three types only, and writes the others as an empty text.
        if (!text.IsEmpty && char.IsAsciiDigit((char)text[0]))
        {
            var status = NumberText.Parse(text, out number);
            if (status != DecodeStatus.Ok)
            {
                return status;
            }
        }

        return FieldWriter.PutU16(row, offset, number, DecodeStatus.NumberOutOfRange);
    }

    private static ulong TimeOf(in JsonToken value, bool isNanos)
    {
        if (isNanos && value.IsPlain)
        {
            return FlowState.TimeOfNanos(value.Value);
        }

        if (IsAbsent(value))
        {
            return 0;
        }

        return value.Kind is not (JsonKind.Text or JsonKind.Number) ? FlowState.TimeInvalid
            : isNanos ? TimeText.ParseNanos(value.Span) : TimeText.Parse(value.Span);
    }

    private static void TakeEvent(in JsonToken value, ref FlowState state)
    {
        var name = value.Kind == JsonKind.Text ? value.Span : default;
        state.IsMarker = name.EndsWith("_init"u8) || name.EndsWith("_close"u8);
        state.IsUnknownEvent = !name.IsEmpty && !name.SequenceEqual("purge"u8) && !name.SequenceEqual("log"u8);
    }

    private static ReadOnlySpan<byte> TextOf(in JsonToken value) => value.Kind == JsonKind.Null ? default : value.Span;

    private static bool IsAbsent(in JsonToken value) =>
        value.Kind == JsonKind.Null || (value.Kind == JsonKind.Text && value.Length == 0);
}
