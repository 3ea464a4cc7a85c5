using System.Diagnostics;
using System.Globalization;
using Weir.Tests.EndToEnd;

namespace Weir.Tests.Drill;

/// <summary>
/// Produces without a pause, looks how old the newest stored record of each partition is, and for how long a partition has had no owner.
/// </summary>
/// <remarks>Both are looked at from outside, by <c>/positions</c> of all workers: a look that takes long makes them longer, never shorter.</remarks>
internal sealed class DrillLoad(PipelineBed bed, DrillTraffic traffic) : IAsyncDisposable
{
    private static readonly TimeSpan _produceEvery = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _stopTimeout = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan _sampleEvery = TimeSpan.FromMilliseconds(250);

    private readonly CancellationTokenSource _stop = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly List<TimeSpan> _producedAt = []; // Of each round; a round is one message for each partition.
    private readonly List<(string? Step, double Seconds, int Unowned, double UnownedSeconds)> _samples = [];
    private readonly Dictionary<int, long> _stored = []; // By partition. The sampler's.
    private readonly Dictionary<int, TimeSpan> _ownedAt = []; // When a partition was last seen with an owner. The sampler's.
    private int _owned; // Partitions that had an owner at the last look.
    private TimeSpan _unowned; // Longest time that a partition had been without an owner at the last look.
    private Task _producing = Task.CompletedTask;
    private Task _sampling = Task.CompletedTask;
    private int _marked;

    /// <summary>Records produced.</summary>
    internal long RecordCount { get; private set; }

    /// <summary>Sum of their bytes, scaled by their sampling.</summary>
    internal long ByteCount { get; private set; }

    /// <summary>Begins.</summary>
    /// <param name="workers">Those that run now.</param>
    internal void Start(Func<List<WeirRun>> workers)
    {
        // On the pool: producing waits for the broker, and must not hold a thread of the test's own.
        _producing = Task.Run(ProduceAsync);
        _sampling = Task.Run(() => SampleAsync(workers));
    }

    /// <summary>Ends a step of the drill: the samples since the one before are its own.</summary>
    internal void Mark(string step)
    {
        lock (_samples)
        {
            for (; _marked < _samples.Count; _marked++)
            {
                _samples[_marked] = _samples[_marked] with { Step = step };
            }
        }
    }

    /// <summary>Age in seconds of the newest stored record of the stalest partition, at the last look.</summary>
    internal double LastAge
    {
        get
        {
            lock (_samples)
            {
                return _samples.Count > 0 ? _samples[^1].Seconds : 0;
            }
        }
    }

    /// <summary>Ends the load.</summary>
    internal async Task StopAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_producing, _sampling).WaitAsync(_stopTimeout);
    }

    /// <summary>What was seen, by step.</summary>
    internal IReadOnlyList<DrillStep> Steps()
    {
        lock (_samples)
        {
            return
            [
                .. _samples.Where(sample => sample.Step is not null).GroupBy(sample => sample.Step!).Select(step =>
                {
                    var sorted = step.Select(sample => sample.Seconds).Order().ToList();
                    return new DrillStep(
                        step.Key, At(sorted, 0.5), At(sorted, 0.99), step.Max(sample => sample.Unowned), step.Max(sample => sample.UnownedSeconds));
                }),
            ];
        }
    }

    /// <summary>Prints what was seen, by step.</summary>
    internal void Report(Action<string> write)
    {
        foreach (var step in Steps())
        {
            write(string.Create(
                CultureInfo.InvariantCulture,
                $"{step.Name}: freshness of the stalest partition p50 {step.FreshnessP50:0.0} s, p99 {step.FreshnessP99:0.0} s; "
                + $"partitions without an owner: at most {step.UnownedMax} at once, one for {step.UnownedSeconds:0.0} s at most"));
        }

        write(string.Create(CultureInfo.InvariantCulture, $"{RecordCount} records in {_clock.Elapsed.TotalSeconds:0} s"));
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    private static double At(List<double> sorted, double share) => sorted[(int)Math.Min(sorted.Count - 1, sorted.Count * share)];

    private async Task ProduceAsync()
    {
        using var timer = new PeriodicTimer(_produceEvery);
        for (var round = 0; !_stop.IsCancellationRequested; round++)
        {
            var (messages, records, bytes) = traffic.Make(round);
            bed.Produce(traffic.Topic, traffic.PartitionCount, messages);
            RecordCount += records;
            ByteCount += bytes;
            lock (_producedAt)
            {
                _producedAt.Add(_clock.Elapsed);
            }

            await WaitAsync(timer);
        }
    }

    private async Task SampleAsync(Func<List<WeirRun>> workers)
    {
        using var timer = new PeriodicTimer(_sampleEvery);
        while (!_stop.IsCancellationRequested)
        {
            var stored = await StoredAsync(workers());
            var oldest = TimeSpan.Zero;
            lock (_producedAt)
            {
                // Message n of a partition is of round n: the first that is not stored says how old the partition's rows are.
                foreach (var offset in Enumerable.Range(0, traffic.PartitionCount).Select(partition => (int)stored.GetValueOrDefault(partition)))
                {
                    var age = offset < _producedAt.Count ? _clock.Elapsed - _producedAt[offset] : TimeSpan.Zero;
                    oldest = age > oldest ? age : oldest;
                }
            }

            lock (_samples)
            {
                _samples.Add((null, oldest.TotalSeconds, traffic.PartitionCount - _owned, _unowned.TotalSeconds));
            }

            await WaitAsync(timer);
        }
    }

    private async Task<Dictionary<int, long>> StoredAsync(List<WeirRun> workers)
    {
        var owned = new HashSet<int>();
        foreach (var worker in workers)
        {
            try
            {
                foreach (var position in await worker.ListAsync("positions"))
                {
                    var partition = position.GetProperty("partition").GetInt32();
                    owned.Add(partition);
                    _stored[partition] = Math.Max(_stored.GetValueOrDefault(partition), position.GetProperty("stored_offset").GetInt64());
                }
            }
            catch (Exception error) when (error is HttpRequestException or ObjectDisposedException or InvalidOperationException or OperationCanceledException)
            {
                // It is on its way in or out: it owns nothing.
            }
        }

        foreach (var partition in owned)
        {
            _ownedAt[partition] = _clock.Elapsed;
        }

        _owned = owned.Count;
        _unowned = _ownedAt.Where(seen => !owned.Contains(seen.Key)).Select(seen => _clock.Elapsed - seen.Value).DefaultIfEmpty().Max();
        return _stored;
    }

    private async Task WaitAsync(PeriodicTimer timer)
    {
        try
        {
            await timer.WaitForNextTickAsync(_stop.Token);
        }
        catch (OperationCanceledException)
        {
            // The end of the load.
        }
    }
}

/// <summary>What was seen in one step of a drill.</summary>
/// <param name="Name">The step.</param>
/// <param name="FreshnessP50">Age in seconds of the newest stored record of the stalest partition, half of the looks.</param>
/// <param name="FreshnessP99">The same, 99 of 100 looks.</param>
/// <param name="UnownedMax">Most partitions without an owner at once.</param>
/// <param name="UnownedSeconds">Longest time that one partition had no owner, in seconds.</param>
internal sealed record DrillStep(string Name, double FreshnessP50, double FreshnessP99, int UnownedMax, double UnownedSeconds);
