namespace Weir.Loadgen.Generate;

/// <summary>Draws an index with given weights in constant time (Vose's alias method), or uniformly.</summary>
/// <remarks>Immutable; any thread.</remarks>
public sealed class WeightedDraw
{
    private readonly double[]? _shares;
    private readonly int[]? _aliases;

    private WeightedDraw(int count, double[]? shares, int[]? aliases)
    {
        Count = count;
        _shares = shares;
        _aliases = aliases;
    }

    /// <summary>Indices are below this.</summary>
    public int Count { get; }

    /// <summary>All indices alike.</summary>
    public static WeightedDraw Uniform(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return new WeightedDraw(count, null, null);
    }

    /// <summary>Index k with the weight (k + 1)^-exponent.</summary>
    public static WeightedDraw Zipf(int count, double exponent)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var weights = new double[count];
        for (var index = 0; index < count; index++)
        {
            weights[index] = Math.Pow(index + 1, -exponent);
        }

        return Of(weights);
    }

    /// <summary>Each index with its weight.</summary>
    /// <exception cref="ArgumentException">No weight is positive, or one is negative.</exception>
    public static WeightedDraw Of(ReadOnlySpan<double> weights)
    {
        double sum = 0;
        foreach (var weight in weights)
        {
            sum += weight >= 0 ? weight : throw new ArgumentException($"A weight is {weight}.", nameof(weights));
        }

        if (!(sum > 0))
        {
            throw new ArgumentException("No weight is positive.", nameof(weights));
        }

        var shares = new double[weights.Length];
        var aliases = new int[weights.Length];
        var small = new Stack<int>();
        var large = new Stack<int>();
        for (var index = 0; index < weights.Length; index++)
        {
            shares[index] = weights[index] / sum * weights.Length;
            aliases[index] = index;
            (shares[index] < 1 ? small : large).Push(index);
        }

        while (small.Count > 0 && large.Count > 0)
        {
            var less = small.Pop();
            var more = large.Pop();
            aliases[less] = more;
            shares[more] -= 1 - shares[less];
            (shares[more] < 1 ? small : large).Push(more);
        }

        foreach (var index in small.Concat(large))
        {
            shares[index] = 1; // What rounding left over.
        }

        return new WeightedDraw(weights.Length, shares, aliases);
    }

    /// <summary>An index.</summary>
    public int Draw(ref SeededRandom random)
    {
        var index = (int)random.Below((ulong)Count);
        return _shares is null || random.Unit() < _shares[index] ? index : _aliases![index];
    }
}
