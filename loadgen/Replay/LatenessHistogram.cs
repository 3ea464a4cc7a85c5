namespace Weir.Loadgen.Replay;

/// <summary>How late sends were, in buckets of 1/16 of an octave: quantiles within 5 %.</summary>
/// <remarks>One thread writes; a reader may see it a few counts behind.</remarks>
public sealed class LatenessHistogram
{
    private const int StepsPerOctave = 16;
    private const double SmallestSeconds = 1e-6;
    private readonly long[] _counts = new long[40 * StepsPerOctave];

    /// <summary>Sends.</summary>
    public long Count { get; private set; }

    /// <summary>The latest.</summary>
    public double MaxSeconds { get; private set; }

    /// <summary>Adds a send.</summary>
    public void Add(double seconds)
    {
        Count++;
        MaxSeconds = Math.Max(MaxSeconds, seconds);
        var bucket = seconds <= SmallestSeconds ? 0 : (int)(Math.Log2(seconds / SmallestSeconds) * StepsPerOctave) + 1;
        _counts[Math.Min(bucket, _counts.Length - 1)]++;
    }

    /// <summary>The lateness that a share of the sends did not exceed; the upper end of its bucket.</summary>
    public double Quantile(double share)
    {
        var rank = (long)Math.Ceiling(share * Count);
        long seen = 0;
        for (var bucket = 0; bucket < _counts.Length; bucket++)
        {
            seen += _counts[bucket];
            if (seen >= rank && seen > 0)
            {
                return Math.Min(MaxSeconds, SmallestSeconds * Math.Pow(2, (double)bucket / StepsPerOctave));
            }
        }

        return MaxSeconds;
    }
}
