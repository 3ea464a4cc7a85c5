using System.Globalization;
using System.Text;

namespace Weir.Host.Options;

/// <summary>Durations as people write them: <c>250ms</c>, <c>10s</c>, <c>7d</c>, <c>1m30s</c>.</summary>
internal static class Durations
{
    /// <summary>The longest duration that is read; a century, so that sums of two never overflow.</summary>
    public static readonly TimeSpan Max = TimeSpan.FromDays(36_500);

    private static readonly (string Unit, long Ms)[] _units =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

    /// <summary>Reads whole numbers with units, largest unit first, each at most once.</summary>
    public static bool TryParse(string text, out TimeSpan value)
    {
        value = default;
        var rest = text.AsSpan();
        var totalMs = 0L;
        var unitIndex = 0;
        if (rest.IsEmpty)
        {
            return false;
        }

        while (!rest.IsEmpty)
        {
            var digitCount = rest.IndexOfAnyExceptInRange('0', '9');
            if (digitCount <= 0 || !long.TryParse(rest[..digitCount], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                return false;
            }

            rest = rest[digitCount..];
            var end = rest.IndexOfAnyInRange('0', '9');
            var unit = end < 0 ? rest : rest[..end];
            while (unitIndex < _units.Length && !unit.SequenceEqual(_units[unitIndex].Unit))
            {
                unitIndex++;
            }

            if (unitIndex == _units.Length || number > (long)Max.TotalMilliseconds / _units[unitIndex].Ms)
            {
                return false;
            }

            totalMs += number * _units[unitIndex].Ms;
            unitIndex++;
            rest = rest[unit.Length..];
        }

        value = TimeSpan.FromMilliseconds(totalMs);
        return value <= Max;
    }

    /// <summary>The text that <see cref="TryParse"/> reads back as the same value, to the millisecond.</summary>
    public static string Format(TimeSpan value)
    {
        var restMs = (long)value.TotalMilliseconds;
        if (restMs == 0)
        {
            return "0s";
        }

        var text = new StringBuilder();
        foreach (var (unit, unitMs) in _units)
        {
            if (restMs >= unitMs)
            {
                text.Append(CultureInfo.InvariantCulture, $"{restMs / unitMs}{unit}");
                restMs %= unitMs;
            }
        }

        return text.ToString();
    }
}
