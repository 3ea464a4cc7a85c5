using System.Collections.Immutable;

namespace Weir.Core.Telemetry;

/// <summary>Counts of values by size, in buckets whose bounds grow by a constant factor.</summary>
/// <remarks>No lock of its own: whoever owns it writes and reads under one lock, or on one thread.</remarks>
public sealed class LogHistogram
{
    private readonly ImmutableArray<double> _bounds;
    private readonly long[] _counts; // One more than bounds: what is above the last.
    private double _sum;

    /// <summary>Makes an empty histogram.</summary>
    /// <param name="least">Upper bound of the first bucket.</param>
    /// <param name="factor">From one bound to the next; 2 finds a quantile within a factor of 2.</param>
    /// <param name="count">Number of bounds.</param>
    public LogHistogram(double least, double factor, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(least);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(factor, 1);
        _bounds = [.. Enumerable.Range(0, count).Select(index => least * Math.Pow(factor, index))];
        _counts = new long[count + 1];
    }

    /// <summary>Seconds from 1 ms to about 9 minutes, a factor of 2 apart: how long something took.</summary>
    public static LogHistogram OfSeconds() => new(0.001, 2, 20);

    /// <summary>Numbers from 1 to about 270 million, a factor of 4 apart: how large something was.</summary>
    public static LogHistogram OfSizes() => new(1, 4, 15);

    /// <summary>Counts one value; one below the first bound goes into the first bucket.</summary>
    public void Add(double value)
    {
        var index = 0;
        while (index < _bounds.Length && value > _bounds[index])
        {
            index++;
        }

        _counts[index]++;
        _sum += value;
    }

    /// <summary>A copy of the present state.</summary>
    public HistogramSnapshot Snapshot() => new(_bounds, [.. _counts], _sum);
}

/// <summary>A histogram as it was read.</summary>
/// <param name="Bounds">Upper bounds of the buckets, without the last, which has none.</param>
/// <param name="Counts">Values in each bucket, not cumulative; one more than <paramref name="Bounds"/>.</param>
/// <param name="Sum">Sum of the values.</param>
public sealed record HistogramSnapshot(ImmutableArray<double> Bounds, ImmutableArray<long> Counts, double Sum)
{
    /// <summary>Number of values.</summary>
    public long Count => Counts.Sum();

    /// <summary>What was added since <paramref name="earlier"/>, a reading of the same histogram.</summary>
    public HistogramSnapshot Since(HistogramSnapshot earlier) =>
        new(Bounds, [.. Counts.Select((count, index) => count - earlier.Counts[index])], Sum - earlier.Sum);

    /// <summary>The upper bound of the bucket that holds a quantile; the last bound where it is above all; null without values.</summary>
    /// <param name="quantile">From 0 to 1.</param>
    public double? Quantile(double quantile)
    {
        var rank = (long)Math.Ceiling(Count * quantile);
        if (Count == 0)
        {
            return null;
        }

        var seen = 0L;
        for (var index = 0; index < Bounds.Length; index++)
        {
            seen += Counts[index];
            if (seen >= rank)
            {
                return Bounds[index];
            }
        }

        return Bounds[^1];
    }
}
