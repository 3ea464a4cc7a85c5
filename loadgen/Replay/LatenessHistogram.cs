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

    /// <summary>The histogram by octave, from the first to the last that has a send.</summary>
    /// <returns>Upper end of each octave in seconds, and its sends.</returns>
    public IReadOnlyList<(double SecondsMax, long Count)> Octaves()
    {
        var octaves = new List<(double SecondsMax, long Count)> { (SmallestSeconds, _counts[0]) };
        for (var first = 1; first < _counts.Length; first += StepsPerOctave)
        {
            long count = 0;
            for (var bucket = first; bucket < Math.Min(first + StepsPerOctave, _counts.Length); bucket++)
            {
                count += _counts[bucket];
            }

            octaves.Add((octaves[^1].SecondsMax * 2, count));
        }

        var begin = octaves.FindIndex(octave => octave.Count > 0);
        return begin < 0 ? [] : octaves[begin..(octaves.FindLastIndex(octave => octave.Count > 0) + 1)];
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
