namespace Weir.Codecs.Flow;

/// <summary>Reads times as text into the contents of a time slot of <see cref="FlowState"/>.</summary>
internal static class TimeText
{
    private const int MicroDigits = 6;
    private const int DateBytes = 10;
    private const int DateTimeBytes = 19;
    private const long SecondsPerDay = 86_400;

    /// <summary>
    /// Epoch seconds with or without a fraction; or <c>YYYY-MM-DD HH:MM:SS[.fraction]</c>, with a blank or a T between, and with
    /// nothing (UTC), Z or an offset (+hh:mm, +hhmm, +hh) at the end.
    /// </summary>
    /// <returns>µs since the epoch; 0 for the zero that means absent; or one of the slot's marks for a bad time.</returns>
    public static ulong Parse(ReadOnlySpan<byte> text)
    {
        if (text.Length > DateBytes && text[4] == '-' && text[7] == '-')
        {
            return ParseDate(text);
        }

        var position = 0;
        ulong seconds = 0;
        for (; position < text.Length && (uint)(text[position] - '0') <= 9; position++)
        {
            seconds = Math.Min((seconds * 10) + (uint)(text[position] - '0'), uint.MaxValue + 1UL);
        }

        if (position > 0 && TryParseFraction(text[position..], out var micros, out var rest) && rest.IsEmpty)
        {
            return FlowState.TimeOf(seconds, micros);
        }

        return ParseUnusual(text);
    }

    /// <summary>A time in ns as text: an integer, or a date.</summary>
    public static ulong ParseNanos(ReadOnlySpan<byte> text)
    {
        if (text.Length > DateBytes && text[4] == '-' && text[7] == '-')
        {
            return ParseDate(text);
        }

        return NumberText.Parse(text, out var nanos) switch
        {
            Core.Model.DecodeStatus.Ok => FlowState.TimeOfNanos(nanos),
            Core.Model.DecodeStatus.NumberNegative => FlowState.TimeOutOfRange,
            _ => IsDigits(text) ? FlowState.TimeOutOfRange : FlowState.TimeInvalid,
        };
    }

    /// <summary>Numbers with an exponent or a sign: whole seconds only, since nobody writes them but a careless program.</summary>
    private static ulong ParseUnusual(ReadOnlySpan<byte> text)
    {
        var unsigned = !text.IsEmpty && text[0] == '-' ? text[1..] : text;
        if (unsigned.Length < text.Length && !unsigned.IsEmpty && (uint)(unsigned[0] - '0') <= 9)
        {
            var time = Parse(unsigned);
            return time is 0 or FlowState.TimeInvalid ? time : FlowState.TimeOutOfRange;
        }

        // The fraction of 1.7952261965e9 is cut off; the number is read as one of µs.
        var exponentAt = text.IndexOfAny((byte)'e', (byte)'E');
        if (exponentAt > 0 && System.Buffers.Text.Utf8Parser.TryParse(text, out double value, out var used) && used == text.Length)
        {
            return value > uint.MaxValue ? FlowState.TimeOutOfRange : (ulong)(value * 1_000_000);
        }

        return FlowState.TimeInvalid;
    }

    private static bool IsDigits(ReadOnlySpan<byte> text) => !text.IsEmpty && !text.ContainsAnyExceptInRange((byte)'0', (byte)'9');

    /// <summary>A point and digits; the first six count.</summary>
    private static bool TryParseFraction(ReadOnlySpan<byte> text, out ulong micros, out ReadOnlySpan<byte> rest)
    {
        micros = 0;
        rest = text;
        if (text.IsEmpty || text[0] != '.')
        {
            return true;
        }

        var position = 1;
        var digitCount = 0;
        for (; position < text.Length && (uint)(text[position] - '0') <= 9; position++)
        {
            if (digitCount < MicroDigits)
            {
                micros = (micros * 10) + (uint)(text[position] - '0');
                digitCount++;
            }
        }

        rest = text[position..];
        if (position == 1)
        {
            return false;
        }

        for (; digitCount < MicroDigits; digitCount++)
        {
            micros *= 10;
        }

        return true;
    }

    private static ulong ParseDate(ReadOnlySpan<byte> text)
    {
        if (text.Length < DateTimeBytes
            || text[10] is not ((byte)' ' or (byte)'T' or (byte)'t')
            || text[13] != ':'
            || text[16] != ':'
            || !TryDigits(text[..4], out var year)
            || !TryDigits(text.Slice(5, 2), out var month)
            || !TryDigits(text.Slice(8, 2), out var day)
            || !TryDigits(text.Slice(11, 2), out var hour)
            || !TryDigits(text.Slice(14, 2), out var minute)
            || !TryDigits(text.Slice(17, 2), out var second)
            || !TryParseFraction(text[DateTimeBytes..], out var micros, out var zone)
            || !TryParseOffset(zone, out var offsetSeconds))
        {
            return FlowState.TimeInvalid;
        }

        if (month is < 1 or > 12 || year < 1 || day < 1 || day > DateTime.DaysInMonth(year, month)
            || hour > 23 || minute > 59 || second > 60)
        {
            return FlowState.TimeInvalid;
        }

        var days = (new DateTime(year, month, day) - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerDay;
        var seconds = (days * SecondsPerDay) + (hour * 3600) + (minute * 60) + second - offsetSeconds;
        return seconds < 0 ? FlowState.TimeOutOfRange : FlowState.TimeOf((ulong)seconds, micros);
    }

    private static bool TryDigits(ReadOnlySpan<byte> text, out int value)
    {
        value = 0;
        foreach (var letter in text)
        {
            var digit = (uint)(letter - '0');
            if (digit > 9)
            {
                return false;
            }

            value = (value * 10) + (int)digit;
        }

        return true;
    }

    private static bool TryParseOffset(ReadOnlySpan<byte> text, out int seconds)
    {
        seconds = 0;
        if (text.IsEmpty || (text.Length == 1 && (text[0] | 0x20) == 'z'))
        {
            return true;
        }

        var sign = text[0] switch { (byte)'+' => 1, (byte)'-' => -1, _ => 0 };
        var minutes = 0;
        if (sign == 0 || text.Length < 3 || !TryDigits(text.Slice(1, 2), out var hours))
        {
            return false;
        }

        var rest = text[3..];
        if (!rest.IsEmpty && rest[0] == ':')
        {
            rest = rest[1..];
            if (rest.IsEmpty)
            {
                return false;
            }
        }

        if (!rest.IsEmpty && (rest.Length != 2 || !TryDigits(rest, out minutes)))
        {
            return false;
        }

        seconds = sign * ((hours * 3600) + (minutes * 60));
        return hours < 24 && minutes < 60;
    }
}
