namespace Weir.Loadgen.Reports;

/// <summary>Readings of a run for the plots of its report: counters that only grow, and values of the moment.</summary>
/// <remarks>
/// One thread. Bounded: where there are too many, every other one goes, so a run of days has as many points as one of minutes. Counters
/// are kept as they are, so a rate between two readings that are left is still exact.
/// </remarks>
public sealed class RunSamples
{
    private const int CountMax = 2_000;
    private const double SecondsMin = 0.05; // A rate over less than this is noise.

    private readonly List<(double At, double[] Values)> _samples = [];
    private (double At, double[] Values)? _last; // The latest, where it is not among those that are kept.
    private int _stride = 1;
    private int _sinceKept;

    /// <summary>Begins with a reading of zeros.</summary>
    /// <param name="valueCount">Values of a reading.</param>
    public RunSamples(int valueCount) => _samples.Add((0, new double[valueCount]));

    private IEnumerable<(double At, double[] Values)> All => _last is { } last ? _samples.Append(last) : _samples;

    /// <summary>Adds a reading.</summary>
    /// <param name="at">Seconds since the start.</param>
    /// <param name="values">In the order that the plots ask for; NaN for what is not known.</param>
    public void Add(double at, params double[] values)
    {
        if (_samples.Count > 1 && at - _samples[^1].At < SecondsMin)
        {
            _samples[^1] = (at, values);
            _last = null;
            return;
        }

        if (++_sinceKept < _stride)
        {
            _last = (at, values);
            return;
        }

        _sinceKept = 0;
        _last = null;
        _samples.Add((at, values));
        if (_samples.Count > CountMax)
        {
            _stride *= 2;
            for (var index = 1; index < _samples.Count; index++)
            {
                _samples.RemoveAt(index); // Each removal moves the next one to be kept to this index.
            }
        }
    }

    /// <summary>Values over time.</summary>
    public PlotLine Values(string name, int value) => new(name, [.. All.Skip(1).Select(sample => (sample.At, sample.Values[value]))]);

    /// <summary>What a counter grew by in a second, over time.</summary>
    /// <param name="name">Name of the line.</param>
    /// <param name="value">Index of the counter.</param>
    /// <param name="unit">What the counter is divided by.</param>
    public PlotLine Rates(string name, int value, double unit = 1)
    {
        var samples = All.ToList();
        return new PlotLine(name, [.. samples.Zip(samples.Skip(1), (one, two) => (
            two.At, (two.Values[value] - one.Values[value]) / unit / Math.Max(two.At - one.At, 1e-9)))]);
    }
}
