namespace Weir.Host.Admin.Page;

/// <summary>Every series of the last hour, one sample each few seconds, in a ring of fixed size.</summary>
/// <remarks>
/// Any thread. Its memory is bounded by <see cref="SeriesMax"/> · <see cref="SamplesMax"/> doubles, 11.8 MB; a pipeline of two
/// shards and four views needs 1.5 MB.
/// </remarks>
internal sealed class MetricHistory
{
    /// <summary>Samples that are kept: an hour of them.</summary>
    internal const int SamplesMax = 720;

    /// <summary>Series that are kept; those that come later are counted in <see cref="LeftOutCount"/> and not kept.</summary>
    internal const int SeriesMax = 2_048;

    /// <summary>Time between two samples.</summary>
    internal static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly double[] _times = new double[SamplesMax];
    private readonly Dictionary<string, double[]> _valuesBySeries = new(StringComparer.Ordinal);
    private int _next;
    private int _count;
    private int _leftOutCount;

    /// <summary>Series of the last sample that had no room.</summary>
    internal int LeftOutCount
    {
        get
        {
            lock (_lock)
            {
                return _leftOutCount;
            }
        }
    }

    /// <summary>Adds a sample; the oldest goes.</summary>
    internal void Add(DateTimeOffset now, IReadOnlyDictionary<string, double> scrape)
    {
        lock (_lock)
        {
            var slot = _next;
            _times[slot] = now.ToUnixTimeMilliseconds() / 1000.0;
            _next = (slot + 1) % SamplesMax;
            _count = Math.Min(_count + 1, SamplesMax);
            foreach (var values in _valuesBySeries.Values)
            {
                values[slot] = double.NaN;
            }

            if (slot == 0)
            {
                ForgetEmpty();
            }

            _leftOutCount = 0;
            foreach (var (series, value) in scrape)
            {
                if (ValuesOf(series) is { } values)
                {
                    values[slot] = value;
                }
                else
                {
                    _leftOutCount++;
                }
            }
        }
    }

    /// <summary>The samples after a time, oldest first.</summary>
    /// <param name="since">Epoch seconds; samples at or before it are left out.</param>
    /// <param name="concerns">Which series.</param>
    internal HistorySamples Read(double since, Func<string, bool> concerns)
    {
        lock (_lock)
        {
            var slots = Enumerable.Range(0, _count)
                .Select(age => (_next - _count + age + SamplesMax) % SamplesMax)
                .Where(slot => _times[slot] > since)
                .ToArray();
            var series = new List<KeyValuePair<string, double[]>>();
            foreach (var (name, values) in _valuesBySeries)
            {
                if (concerns(name))
                {
                    series.Add(new(name, Array.ConvertAll(slots, slot => values[slot])));
                }
            }

            return new HistorySamples(Array.ConvertAll(slots, slot => _times[slot]), series);
        }
    }

    private double[]? ValuesOf(string series)
    {
        if (!_valuesBySeries.TryGetValue(series, out var values) && _valuesBySeries.Count < SeriesMax)
        {
            values = new double[SamplesMax];
            Array.Fill(values, double.NaN);
            _valuesBySeries.Add(series, values);
        }

        return values;
    }

    // Partitions and topics come and go; what had no value for a whole hour makes room.
    private void ForgetEmpty()
    {
        foreach (var (series, _) in _valuesBySeries.Where(pair => pair.Value.All(double.IsNaN)).ToList())
        {
            _valuesBySeries.Remove(series);
        }
    }
}

/// <summary>A piece of the history.</summary>
/// <param name="Times">Epoch seconds, ascending.</param>
/// <param name="Series">Each series with a value for each time; not a number where it was not there.</param>
internal sealed record HistorySamples(double[] Times, IReadOnlyList<KeyValuePair<string, double[]>> Series);
