using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>Reads decimal numbers as unsigned 64-bit integers, exactly or not at all.</summary>
internal static class NumberText
{
    /// <summary>Digits that a ulong always holds.</summary>
    private const int PlainDigitsMax = 19;

    /// <summary>Beyond this no exponent can bring a number of this length back into range.</summary>
    private const int ExponentMax = 100_000;

    /// <summary>Reads a number in JSON's grammar; leading zeros are allowed too. A fraction or exponent must leave an integer.</summary>
    /// <returns>
    /// Ok; <see cref="DecodeStatus.NumberNegative"/>; or <see cref="DecodeStatus.NumberOutOfRange"/> for what is above 2^64 − 1,
    /// has a fraction, or is no number.
    /// </returns>
    public static DecodeStatus Parse(ReadOnlySpan<byte> text, out ulong value)
    {
        value = 0;
        if (text.Length is > 0 and <= PlainDigitsMax)
        {
            ulong sum = 0;
            foreach (var letter in text)
            {
                var digit = (uint)(letter - '0');
                if (digit > 9)
                {
                    return ParseAny(text, out value);
                }

                sum = (sum * 10) + digit;
            }

            value = sum;
            return DecodeStatus.Ok;
        }

        return ParseAny(text, out value);
    }

    private static DecodeStatus ParseAny(ReadOnlySpan<byte> text, out ulong value)
    {
        value = 0;
        var isNegative = !text.IsEmpty && text[0] == '-';
        var position = isNegative ? 1 : 0;
        ulong mantissa = 0;
        var exponent = 0;
        var zerosPending = 0; // Zeros that count only if another digit follows.
        var isExact = true;
        var digitCount = 0;
        var hasPoint = false;
        for (; position < text.Length; position++)
        {
            var letter = text[position];
            if (letter == '.' && !hasPoint && digitCount > 0 && position + 1 < text.Length && char.IsAsciiDigit((char)text[position + 1]))
            {
                hasPoint = true;
                continue;
            }

            if (!char.IsAsciiDigit((char)letter))
            {
                break;
            }

            digitCount++;
            exponent -= hasPoint ? 1 : 0;
            if (letter == '0')
            {
                zerosPending += mantissa == 0 ? 0 : 1;
                continue;
            }

            isExact &= TryScale(ref mantissa, zerosPending + 1) && TryAdd(ref mantissa, (uint)(letter - '0'));
            zerosPending = 0;
        }

        if (digitCount == 0 || !TryReadExponent(text[position..], ref exponent))
        {
            return DecodeStatus.NumberOutOfRange;
        }

        if (mantissa == 0 && isExact)
        {
            return DecodeStatus.Ok; // Minus zero is zero.
        }

        exponent += zerosPending;
        if (isNegative)
        {
            return DecodeStatus.NumberNegative;
        }

        if (!isExact || exponent < 0 || !TryScale(ref mantissa, exponent))
        {
            return DecodeStatus.NumberOutOfRange;
        }

        value = mantissa;
        return DecodeStatus.Ok;
    }

    private static bool TryReadExponent(ReadOnlySpan<byte> text, ref int exponent)
    {
        if (text.IsEmpty)
        {
            return true;
        }

        if ((text[0] | 0x20) != 'e')
        {
            return false;
        }

        text = text[1..];
        var isNegative = !text.IsEmpty && text[0] == '-';
        if (isNegative || (!text.IsEmpty && text[0] == '+'))
        {
            text = text[1..];
        }

        if (text.IsEmpty)
        {
            return false;
        }

        var power = 0;
        foreach (var letter in text)
        {
            if (!char.IsAsciiDigit((char)letter))
            {
                return false;
            }

            power = Math.Min(ExponentMax, (power * 10) + (letter - '0'));
        }

        exponent += isNegative ? -power : power;
        return true;
    }

    private static bool TryScale(ref ulong value, int power)
    {
        if (power > PlainDigitsMax)
        {
            return false;
        }

        for (; power > 0; power--)
        {
            if (Math.BigMul(value, 10UL, out value) != 0)
            {
                return false;
            }
        }

        return true;
    }

    private static bool TryAdd(ref ulong value, uint digit)
    {
        value += digit;
        return value >= digit;
    }
}
