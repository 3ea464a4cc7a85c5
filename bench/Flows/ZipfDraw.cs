namespace Weir.Bench.Flows;

/// <summary>Draws series by a zipf law, or each alike, from a fixed seed.</summary>
internal sealed class ZipfDraw
{
    /// <summary>The law of all lines that do not say otherwise.</summary>
    public const double Exponent = 1.1;

    private readonly Random _random;
    private readonly double[] _cumulative;
    private readonly int[] _seriesByRank;

    /// <summary>Prepares.</summary>
    /// <param name="seriesCount">Series to draw from.</param>
    /// <param name="seed">The same seed draws the same.</param>
    /// <param name="exponent">Of the law; 0 draws all series alike.</param>
    public ZipfDraw(int seriesCount, int seed, double exponent = Exponent)
    {
        _random = new Random(seed);
        _cumulative = new double[seriesCount];
        var sum = 0.0;
        for (var rank = 0; rank < seriesCount; rank++)
        {
            _cumulative[rank] = sum += Math.Pow(rank + 1, -exponent);
        }

        _seriesByRank = [.. Enumerable.Range(0, seriesCount)];
        _random.Shuffle(_seriesByRank); // Frequent series must not lie side by side.
    }

    /// <summary>The next series.</summary>
    public int Next()
    {
        var rank = Array.BinarySearch(_cumulative, _random.NextDouble() * _cumulative[^1]);
        return _seriesByRank[Math.Min(rank < 0 ? ~rank : rank, _seriesByRank.Length - 1)];
    }
}
