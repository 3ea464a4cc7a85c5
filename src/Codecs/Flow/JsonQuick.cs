using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>Takes values as agents write them, whole words at a time: short numbers, IPv4 addresses, times of the same second, usual names.</summary>
/// <remarks>
/// Whatever is not exactly such a value is left to <see cref="JsonCursor.ReadValue"/> and <see cref="JsonFieldReader"/>, which judge it.
/// No value of these holds a line feed, so none goes beyond its line. Thread of the ingest worker.
/// </remarks>
internal sealed unsafe class JsonQuick
{
    /// <summary>Memory from the first byte of a value on that must be readable: the longest is a date with a fraction.</summary>
    private const int ReadableBytes = 48;

    private const ulong Zeros = 0x3030_3030_3030_3030;
    private const ulong NoDigitCarry = 0x7676_7676_7676_7676; // Sets the top bit of each byte that is 10 or more.
    private const ulong TopBits = 0x8080_8080_8080_8080;
    private const ulong PurgeText = 0x22_65_67_72_75_70; // purge"
    private const ulong PurgeMask = 0xffff_ffff_ffff;
    private const ulong NoTimeText = 0x3030_3030_3030_2e30; // 0.000000
    private const uint TcpText = 0x22_70_63_74; // tcp"
    private const uint UdpText = 0x22_70_64_75; // udp"
    private const uint LowerCase = 0x00_20_20_20;
    private const uint Ipv4Text = 0x34_76_50_49; // IPv4
    private const uint Ipv6Text = 0x36_76_50_49; // IPv6
    private const int SecondsDigits = 10;
    private const int MicrosDigits = 6;
    private const int DateBytes = 19;

    // The second that was read last, in either form, and its text.
    private ulong _secondsText = Zeros;
    private ushort _secondsTextEnd = unchecked((ushort)Zeros);
    private ulong _seconds;
    private Vector128<byte> _dateText;
    private uint _dateTextEnd;
    private ulong _dateMicros = FlowState.TimeInvalid;

    /// <summary>Takes the value at the cursor.</summary>
    /// <returns>False when the value is none of these; then nothing has changed.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(ref JsonCursor cursor, in FieldAction action, ref FlowState state, byte* row, StringDictionary strings)
    {
        var at = cursor.Position;
        if (cursor.ReadableEnd - at < ReadableBytes || action.Next >= 0)
        {
            return false;
        }

        var isText = *at == '"';
        var value = isText ? at + 1 : at;
        switch (action.Kind)
        {
            case FieldKind.Address when isText:
                return TryAddress(ref cursor, value, action.Offset, ref state, row);
            case FieldKind.Exporter when isText:
                return TryExporter(ref cursor, value, action.Offset, row, strings);
            case FieldKind.TimeSeconds when isText:
                return TryTime(ref cursor, value, ref state.Times[action.TimeSlot]);
            case FieldKind.TimeNanos when !isText:
                return TryNanos(ref cursor, value, ref state.Times[action.TimeSlot]);
            case FieldKind.Proto when isText:
                return TryProto(ref cursor, value, action.Offset, ref state, row);
            case FieldKind.Etype when isText:
                return TryEtype(ref cursor, value, action.Offset, row);
            case FieldKind.EventType when isText:
                // Neither a marker nor an unknown event, whatever an earlier one was.
                if ((*(ulong*)value & PurgeMask) != PurgeText)
                {
                    return false;
                }

                state.IsMarker = false;
                state.IsUnknownEvent = false;
                cursor.Advance(value + 6);
                return true;
            case FieldKind.Address or FieldKind.Exporter or FieldKind.Text or FieldKind.TimeSeconds or FieldKind.TimeNanos
                or FieldKind.Mac or FieldKind.Mask or FieldKind.Etype or FieldKind.EtypeHex or FieldKind.Proto or FieldKind.EventType:
                return false;
            default:
                return TryNumber(ref cursor, value, isText, action, ref state, row);
        }
    }

    private static bool TryNumber(
        ref JsonCursor cursor, byte* value, bool isText, in FieldAction action, ref FlowState state, byte* row)
    {
        var length = ReadDigits(value, out var number);
        if (length == 0 || (isText ? value[length] != '"' : value[length] == '.' || (value[length] | 0x20) == 'e'))
        {
            return false;
        }

        if (FieldWriter.PutNumber(action, number, ref state, row) != DecodeStatus.Ok)
        {
            return false;
        }

        cursor.Advance(value + length + (isText ? 1 : 0));
        return true;
    }

    /// <summary>Up to 7 digits without a leading zero.</summary>
    /// <returns>How many there are; 0 when there are none, or others.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int ReadDigits(byte* text, out ulong number)
    {
        var digits = *(ulong*)text ^ Zeros;
        var others = (digits | (digits + NoDigitCarry)) & TopBits; // A carry out of a byte comes from one that is no digit, and goes up.
        var length = BitOperations.TrailingZeroCount(others) >> 3;
        number = 0;
        if (others == 0 || length == 0 || (*text == '0' && length > 1))
        {
            return 0;
        }

        number = Number(digits << ((8 - length) * 8));
        return length;
    }

    /// <summary>The number of 8 digits, each the value of a byte, the first one lowest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Number(ulong digits)
    {
        var pairs = (digits * 10) + (digits >> 8);
        return (((pairs & 0x0000_00ff_0000_00ff) * 0x000f_4240_0000_0064)
            + (((pairs >> 16) & 0x0000_00ff_0000_00ff) * 0x0000_2710_0000_0001)) >> 32;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool AreDigits(ulong text) => (((text ^ Zeros) | ((text ^ Zeros) + NoDigitCarry)) & TopBits) == 0;

    private static bool TryAddress(ref JsonCursor cursor, byte* value, int offset, ref FlowState state, byte* row)
    {
        var length = ReadIpv4(value, out var ipv4);
        if (length == 0)
        {
            return false;
        }

        state.HasFlowField = true;
        if (offset >= 0)
        {
            AddressText.PutIpv4(row + offset, ipv4);
        }

        cursor.Advance(value + length + 1);
        return true;
    }

    private static bool TryExporter(ref JsonCursor cursor, byte* value, int offset, byte* row, StringDictionary strings)
    {
        var length = ReadIpv4(value, out var ipv4);
        if (length == 0)
        {
            return false;
        }

        if (offset >= 0)
        {
            *(uint*)(row + offset) = strings.InternAddress(new UInt128(((ulong)ipv4 << 32) | 0xffff_0000, 0));
        }

        cursor.Advance(value + length + 1);
        return true;
    }

    /// <summary>Four parts without leading zeros, and the quote behind them: places by mask, parts by word, nothing that has to be foreseen.</summary>
    /// <returns>Bytes before the quote; 0 when it is no such address.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int ReadIpv4(byte* text, out uint ipv4)
    {
        var letters = Vector128.Load(text);
        var quotes = Vector128.Equals(letters, Vector128.Create((byte)'"')).ExtractMostSignificantBits();
        var length = BitOperations.TrailingZeroCount(quotes);
        var inside = (1u << (length & 31)) - 1;
        var dots = Vector128.Equals(letters, Vector128.Create((byte)'.')).ExtractMostSignificantBits() & inside;
        var values = letters - Vector128.Create((byte)'0');
        var digits = Vector128.Equals(Vector128.Min(values, Vector128.Create((byte)9)), values).ExtractMostSignificantBits() & inside;
        ipv4 = 0;
        if (quotes == 0 || (dots | digits) != inside || BitOperations.PopCount(dots) != 3)
        {
            return 0;
        }

        var first = BitOperations.TrailingZeroCount(dots);
        dots &= dots - 1;
        var second = BitOperations.TrailingZeroCount(dots);
        dots &= dots - 1;
        var third = BitOperations.TrailingZeroCount(dots);
        var isBad = 0u;
        ipv4 = Part(text, 0, first, ref isBad)
            | (Part(text, first + 1, second, ref isBad) << 8)
            | (Part(text, second + 1, third, ref isBad) << 16)
            | (Part(text, third + 1, length, ref isBad) << 24);
        return isBad == 0 ? length : 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Part(byte* text, int from, int to, ref uint isBad)
    {
        var length = to - from;
        var word = *(uint*)(text + from) ^ 0x3030_3030;
        var isZeroed = (byte)word == 0 && length > 1; // Some read a leading zero as octal.
        word <<= 32 - (length * 8);
        var part = (((word >> 8) & 0xff) * 100) + (((word >> 16) & 0xff) * 10) + (word >> 24);
        isBad |= (uint)(length - 1) > 2 || isZeroed || part > byte.MaxValue ? 1u : 0;
        return part;
    }

    /// <summary>Seconds with six decimals, as pmacct writes them, or a date whose second was met before.</summary>
    private bool TryTime(ref JsonCursor cursor, byte* value, ref ulong time)
    {
        var word = *(ulong*)value;
        if (word == NoTimeText && value[8] == '"')
        {
            time = 0;
            cursor.Advance(value + 9);
            return true;
        }

        if (value[SecondsDigits] == '.')
        {
            if ((word != _secondsText || *(ushort*)(value + 8) != _secondsTextEnd) && !TryNewSeconds(value))
            {
                return false;
            }

            return TryMicros(ref cursor, value + SecondsDigits + 1, FlowState.TimeOf(_seconds, 0), ref time);
        }

        if (value[4] != '-' || value[7] != '-')
        {
            return false;
        }

        if (Vector128.Load(value) != _dateText || (*(uint*)(value + 15)) != _dateTextEnd)
        {
            LearnDate(value);
        }

        if (_dateMicros >= FlowState.TimeOutOfRange)
        {
            return false;
        }

        if (value[DateBytes] == '"')
        {
            time = _dateMicros;
            cursor.Advance(value + DateBytes + 1);
            return true;
        }

        return value[DateBytes] == '.' && TryMicros(ref cursor, value + DateBytes + 1, _dateMicros, ref time);
    }

    private bool TryNewSeconds(byte* value)
    {
        var word = *(ulong*)value;
        var tens = (uint)(value[8] - '0');
        var ones = (uint)(value[9] - '0');
        if (!AreDigits(word) || tens > 9 || ones > 9)
        {
            return false;
        }

        _secondsText = word;
        _secondsTextEnd = *(ushort*)(value + 8);
        _seconds = (Number(word ^ Zeros) * 100) + (tens * 10) + ones;
        return true;
    }

    /// <summary>Six digits and a quote.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryMicros(ref JsonCursor cursor, byte* value, ulong seconds, ref ulong time)
    {
        var digits = (*(ulong*)value ^ Zeros) << 16;
        if (((digits | (digits + NoDigitCarry)) & TopBits) != 0 || value[MicrosDigits] != '"' || seconds >= FlowState.TimeOutOfRange)
        {
            return false;
        }

        time = seconds + Number(digits);
        cursor.Advance(value + MicrosDigits + 1);
        return true;
    }

    private void LearnDate(byte* value)
    {
        _dateText = Vector128.Load(value);
        _dateTextEnd = *(uint*)(value + 15);
        _dateMicros = TimeText.Parse(new ReadOnlySpan<byte>(value, DateBytes));
    }

    /// <summary>ns since 1970 as goflow2 writes them: 19 digits.</summary>
    private bool TryNanos(ref JsonCursor cursor, byte* value, ref ulong time)
    {
        const int Digits = 19;
        var middle = *(ulong*)(value + 8);
        var last = (*(uint*)(value + 16) ^ 0x3030_3030u) & 0xff_ffff;
        if (!AreDigits(*(ulong*)value) || !AreDigits(middle) || (((last | (last + 0x76_7676)) & 0x80_8080) != 0) || *value == '0'
            || char.IsAsciiDigit((char)value[Digits]) || value[Digits] == '.' || (value[Digits] | 0x20) == 'e')
        {
            return false;
        }

        // Of 19 digits the last three are below 1 µs.
        var micros = (Number(*(ulong*)value ^ Zeros) * 100_000_000) + Number(middle ^ Zeros);
        time = FlowState.TimeOfNanos(micros * 1_000);
        cursor.Advance(value + Digits);
        return true;
    }

    private static bool TryEtype(ref JsonCursor cursor, byte* value, int offset, byte* row)
    {
        var word = *(uint*)value;
        if (word is not (Ipv4Text or Ipv6Text) || value[4] != '"')
        {
            return false;
        }

        cursor.Advance(value + 5);
        return FieldWriter.PutU16(row, offset, word == Ipv4Text ? 0x0800UL : 0x86dd, DecodeStatus.NumberOutOfRange) == DecodeStatus.Ok;
    }

    private static bool TryProto(ref JsonCursor cursor, byte* value, int offset, ref FlowState state, byte* row)
    {
        // pmacct writes tcp, goflow2 TCP; other ways of writing them are names, too.
        var word = *(uint*)value;
        word = word is (TcpText & ~LowerCase) or (UdpText & ~LowerCase) ? word | LowerCase : word;
        if (word is not (TcpText or UdpText))
        {
            return false;
        }

        state.Proto = (ushort)(word == TcpText ? 6 : 17);
        if (offset >= 0)
        {
            row[offset] = (byte)state.Proto;
        }

        cursor.Advance(value + 4);
        return true;
    }
}
