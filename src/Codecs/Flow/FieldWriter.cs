using System.Runtime.CompilerServices;
using System.Text.Unicode;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>Checks the value of a field and stores it where a view uses it; common to all formats of single records.</summary>
internal static unsafe class FieldWriter
{
    /// <summary>Largest MAC address.</summary>
    public const ulong MacMax = (1UL << 48) - 1;

    /// <summary>Takes a number.</summary>
    /// <param name="action">What to do; its kind is one that numbers can fill.</param>
    /// <param name="number">The value.</param>
    /// <param name="state">Takes what is needed at the end of the record.</param>
    /// <param name="row">The row.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DecodeStatus PutNumber(in FieldAction action, ulong number, ref FlowState state, byte* row)
    {
        switch (action.Kind)
        {
            case FieldKind.Packets:
                state.Packets = number;
                state.HasFlowField = true;
                return DecodeStatus.Ok;
            case FieldKind.Bytes:
                state.Bytes = number;
                state.HasFlowField = true;
                return DecodeStatus.Ok;
            case FieldKind.Flows:
                state.Flows = number;
                state.HasFlowField = true;
                return DecodeStatus.Ok;
            case FieldKind.SamplingRate:
                // 2^64 − 1 stands for no such field; no agent thins so much.
                state.SamplingRate = number;
                return number == FlowState.SamplingAbsent ? DecodeStatus.NumberOutOfRange : DecodeStatus.Ok;
            case FieldKind.DurationMs:
                state.DurationMs = number;
                return DecodeStatus.Ok;
            case FieldKind.TimeNanos:
                state.Times[action.TimeSlot] = FlowState.TimeOfNanos(number);
                return DecodeStatus.Ok;
            case FieldKind.TimeSeconds:
                state.Times[action.TimeSlot] = FlowState.TimeOf(number, 0);
                return DecodeStatus.Ok;
            case FieldKind.TcpFlags:
                state.TcpFlags = (uint)number;
                return PutU16(row, action.Offset, number, DecodeStatus.NumberOutOfRange);
            case FieldKind.Proto:
                state.Proto = (ushort)number;
                return PutU8(row, action.Offset, number, DecodeStatus.ProtocolUnknown);
            case FieldKind.Port:
                return PutU16(row, action.Offset, number, DecodeStatus.PortOutOfRange);
            case FieldKind.U8 or FieldKind.Mask:
                return PutU8(row, action.Offset, number, DecodeStatus.NumberOutOfRange);
            case FieldKind.U16 or FieldKind.Etype or FieldKind.EtypeHex:
                return PutU16(row, action.Offset, number, DecodeStatus.NumberOutOfRange);
            case FieldKind.U32:
                return PutU32(row, action.Offset, number);
            case FieldKind.Mac:
                return number > MacMax ? DecodeStatus.NumberOutOfRange : PutU64(row, action.Offset, number);
            case FieldKind.U64 or FieldKind.Count:
                return PutU64(row, action.Offset, number);
            case FieldKind.None:
                return DecodeStatus.Ok;
            default:
                return DecodeStatus.Malformed; // A text, an address or a message was expected.
        }
    }

    /// <summary>Stores an address of 4 or 16 bytes; none is the absent one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DecodeStatus PutAddress(byte* row, int offset, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length is not (0 or 4 or AddressText.Bytes))
        {
            return DecodeStatus.AddressInvalid;
        }

        if (offset < 0)
        {
            return DecodeStatus.Ok;
        }

        if (bytes.Length == 4)
        {
            AddressText.PutIpv4(row + offset, Unsafe.ReadUnaligned<uint>(in bytes[0]));
        }
        else if (bytes.Length == AddressText.Bytes)
        {
            Unsafe.WriteUnaligned(row + offset, Unsafe.ReadUnaligned<UInt128>(in bytes[0]));
        }
        else
        {
            Unsafe.WriteUnaligned(row + offset, default(UInt128));
        }

        return DecodeStatus.Ok;
    }

    /// <summary>Stores an address of 4 or 16 bytes as a text; none is the empty text.</summary>
    public static DecodeStatus PutAddressText(byte* row, int offset, ReadOnlySpan<byte> bytes, StringDictionary strings)
    {
        var address = stackalloc byte[AddressText.Bytes];
        var status = PutAddress(address, 0, bytes);
        if (status == DecodeStatus.Ok && offset >= 0)
        {
            *(uint*)(row + offset) = bytes.IsEmpty
                ? StringDictionary.EmptyId
                : strings.InternAddress(new ReadOnlySpan<byte>(address, AddressText.Bytes));
        }

        return status;
    }

    /// <summary>Stores a text. One that no view uses is not looked at.</summary>
    public static DecodeStatus PutText(byte* row, int offset, ReadOnlySpan<byte> text, StringDictionary strings)
    {
        if (offset < 0)
        {
            return DecodeStatus.Ok;
        }

        if (text.Length > StringDictionary.TextBytesMax)
        {
            return DecodeStatus.LengthOverLimit;
        }

        if (!Utf8.IsValid(text))
        {
            return DecodeStatus.InvalidUtf8;
        }

        *(uint*)(row + offset) = strings.Intern(text);
        return DecodeStatus.Ok;
    }

    /// <summary>Stores a text that is often the same as the one before: then it is compared, not looked up and checked again.</summary>
    /// <param name="row">The row.</param>
    /// <param name="offset">Where the id goes; −1 when no view uses it.</param>
    /// <param name="text">The text.</param>
    /// <param name="strings">The dictionary of this record.</param>
    /// <param name="hint">An id that the caller keeps for the next call. Its text decides, so it may be another dictionary's.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DecodeStatus PutText(byte* row, int offset, ReadOnlySpan<byte> text, StringDictionary strings, ref uint hint)
    {
        if (offset >= 0 && hint < (uint)strings.Count && strings.Utf8((int)hint).SequenceEqual(text))
        {
            *(uint*)(row + offset) = hint;
            return DecodeStatus.Ok;
        }

        var status = PutText(row, offset, text, strings);
        hint = offset >= 0 && status == DecodeStatus.Ok ? *(uint*)(row + offset) : hint;
        return status;
    }

    /// <summary>Stores 1 byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DecodeStatus PutU8(byte* row, int offset, ulong number, DecodeStatus above)
    {
        if (offset >= 0)
        {
            row[offset] = (byte)number;
        }

        return number > byte.MaxValue ? above : DecodeStatus.Ok;
    }

    /// <summary>Stores 2 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static DecodeStatus PutU16(byte* row, int offset, ulong number, DecodeStatus above)
    {
        if (offset >= 0)
        {
            *(ushort*)(row + offset) = (ushort)number;
        }

        return number > ushort.MaxValue ? above : DecodeStatus.Ok;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static DecodeStatus PutU32(byte* row, int offset, ulong number)
    {
        if (offset >= 0)
        {
            *(uint*)(row + offset) = (uint)number;
        }

        return number > uint.MaxValue ? DecodeStatus.NumberOutOfRange : DecodeStatus.Ok;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static DecodeStatus PutU64(byte* row, int offset, ulong number)
    {
        if (offset >= 0)
        {
            *(ulong*)(row + offset) = number;
        }

        return DecodeStatus.Ok;
    }
}
