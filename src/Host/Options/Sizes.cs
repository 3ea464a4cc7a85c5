using System.Globalization;

namespace Weir.Host.Options;

/// <summary>Sizes as people write them: <c>64MiB</c>, <c>1GiB</c>; a number without a unit is bytes.</summary>
internal static class Sizes
{
    /// <summary>The largest size that is read: a pebibyte, so that sums never overflow.</summary>
    public const long Max = 1L << 50;

    private static readonly (string Unit, long Bytes)[] _units =
        [("GiB", 1L << 30), ("MiB", 1L << 20), ("KiB", 1L << 10), ("B", 1), ("", 1)];

    /// <summary>Reads a whole number with an optional unit.</summary>
    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        var digitCount = text.AsSpan().IndexOfAnyExceptInRange('0', '9');
        digitCount = digitCount < 0 ? text.Length : digitCount;
        var unit = text[digitCount..].TrimStart(' ');
        foreach (var (name, unitBytes) in _units)
        {
            if (name == unit)
            {
                if (!long.TryParse(text[..digitCount], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                    || number > Max / unitBytes)
                {
                    return false;
                }

                bytes = number * unitBytes;
                return true;
            }
        }

        return false;
    }

    /// <summary>The text that <see cref="TryParse"/> reads back as the same value, in the largest unit that divides it.</summary>
    public static string Format(long bytes)
    {
        foreach (var (name, unitBytes) in _units)
        {
            if (bytes >= unitBytes && bytes % unitBytes == 0)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{bytes / unitBytes}{name}");
            }
        }

        return "0B";
    }
}
