using System.Diagnostics;
using Confluent.Kafka;
using Weir.Loadgen.Kafka;
using Weir.Loadgen.Replay;

namespace Weir.Loadgen.Generate;

/// <summary>How finished batches are sent.</summary>
public sealed record LoopOptions
{
    /// <summary>Kafka's <c>bootstrap.servers</c>.</summary>
    public required string Bootstrap { get; init; }

    /// <summary>The topic.</summary>
    public required string Topic { get; init; }

    /// <summary>Stops with the batch that reaches so many records.</summary>
    public long RecordsMax { get; init; } = long.MaxValue;

    /// <summary>Stops after so long; null for not by time.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>Records a second; null for as fast as can be.</summary>
    public RateShape? Rate { get; init; }

    /// <summary>True when <see cref="Rate"/> is bytes of message values a second, not records a second.</summary>
    public bool IsRateInBytes { get; init; }

    /// <summary>Most bytes of a partition, as stored, beyond the position of its consumer, where that is followed.</summary>
    public long AheadBytesMax { get; init; } = 4 * 1024 * 1024;
}

/// <summary>
/// Sends the same finished batches again and again: what it costs to make them is paid once, so the sender is never the bottleneck.
/// </summary>
/// <remarks>
/// One run for each object, on a thread of its own. Each partition goes through its batches in their order. One that its consumer reads
/// faster may be one round ahead of the slowest and no more, so that all get their share.
/// </remarks>
public sealed class LoopRun : IGenerateRun, IDisposable
{
    private const long RoundsAheadMax = 1;
    private static readonly TimeSpan _followInterval = TimeSpan.FromMilliseconds(10);

    private readonly LoopOptions _options;
    private readonly GeneratedTotals _totals;
    private readonly IReadOnlyList<LoopedPartition> _partitions;
    private readonly BatchSender _sender;
    private readonly AheadWindow _window;
    private readonly PositionFollower? _follower;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _following = Task.CompletedTask;
    private readonly Stopwatch _clock = new();
    private long _handledRecordCount;
    private long _handledBytes;
    private double _dueSeconds;
    private string? _error;

    /// <summary>Connects.</summary>
    /// <param name="options">Where to, how fast and how long.</param>
    /// <param name="batches">What to send; at least one.</param>
    /// <param name="positions">Tells how far a consumer is; null for none.</param>
    /// <exception cref="KafkaException">There is no such topic, or no broker.</exception>
    public LoopRun(LoopOptions options, IReadOnlyList<FinishedBatch> batches, PositionSource? positions = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(batches);
        ArgumentOutOfRangeException.ThrowIfZero(batches.Count);
        _options = options;
        _totals = batches[0].Totals.NewEmpty();
        _partitions = [.. batches.GroupBy(batch => batch.Partition).OrderBy(group => group.Key).Select(
            group => new LoopedPartition(group.Key, [.. group]))];
        _sender = new BatchSender(options.Bootstrap, options.Topic);
        _window = new AheadWindow(_sender.PartitionCount);
        if (positions is not null)
        {
            _follower = new PositionFollower(positions, options.Topic, _window, _followInterval, TimeProvider.System);
            _following = _follower.RunAsync(_stop.Token);
        }
    }

    /// <inheritdoc/>
    public long HandledRecordCount => Volatile.Read(ref _handledRecordCount);

    /// <inheritdoc/>
    public long HandledBytes => Volatile.Read(ref _handledBytes);

    /// <inheritdoc/>
    public double BehindSeconds =>
        _options.Rate is null ? 0 : Math.Max(0, _clock.Elapsed.TotalSeconds - Volatile.Read(ref _dueSeconds));

    /// <inheritdoc/>
    public TimeSpan Elapsed => _clock.Elapsed;

    /// <inheritdoc/>
    public double WaitedSeconds { get; private set; }

    /// <inheritdoc/>
    public GeneratedTotals Totals => _totals;

    /// <inheritdoc/>
    /// <remarks>Those of a batch that was refused or not answered: it ends the run, and is not in the totals.</remarks>
    public long UnsentRecordCount { get; private set; }

    /// <inheritdoc/>
    public TimeSpan GeneratorCpu { get; private set; }

    /// <inheritdoc/>
    public string? Hash => null;

    /// <inheritdoc/>
    public string? Problem => _error ?? (_follower?.Problem is { } problem ? $"no position: {problem}" : null);

    /// <summary>Bytes of batches that the broker has stored, compressed.</summary>
    public long StoredBytes { get; private set; }

    /// <summary>Batches that the broker has stored.</summary>
    public long BatchCount { get; private set; }

    /// <summary>Runs in a thread of its own until the records or the time are used up, or it is cancelled.</summary>
    public Task RunAsync(CancellationToken cancellation) => Task.Factory.StartNew(
        () => Run(cancellation), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        _following.GetAwaiter().GetResult();
        _stop.Dispose();
        _sender.Dispose();
    }

    private void Run(CancellationToken cancellation)
    {
        var cpuBefore = CpuClock.OfThread();
        _clock.Start();
        try
        {
            var turn = 0;
            while (!cancellation.IsCancellationRequested && _handledRecordCount < _options.RecordsMax && !IsTimeUp())
            {
                if (NextWithRoom(ref turn) is not { } partition)
                {
                    var start = _clock.Elapsed;
                    Thread.Sleep(1);
                    WaitedSeconds += (_clock.Elapsed - start).TotalSeconds;
                    continue;
                }

                if (_options.Rate is not null)
                {
                    Pacing.Wait(_clock, _dueSeconds, cancellation);
                }

                if (!TrySend(partition))
                {
                    break;
                }
            }
        }
        finally
        {
            _clock.Stop();
            GeneratorCpu = CpuClock.OfThread() - cpuBefore;
            foreach (var partition in _partitions)
            {
                partition.AddTo(_totals);
            }
        }
    }

    private bool IsTimeUp() => _options.Duration is { } time
        && Math.Max(_clock.Elapsed.TotalSeconds, _options.Rate is null ? 0 : _dueSeconds) >= time.TotalSeconds;

    private LoopedPartition? NextWithRoom(ref int turn)
    {
        var slowest = long.MaxValue;
        foreach (var partition in _partitions)
        {
            slowest = Math.Min(slowest, partition.RoundCount);
        }

        for (var count = 0; count < _partitions.Count; count++)
        {
            var partition = _partitions[turn];
            turn = (turn + 1) % _partitions.Count;
            if (partition.RoundCount - slowest <= RoundsAheadMax && HasRoom(partition.Number, partition.Next.Bytes.Length))
            {
                return partition;
            }
        }

        return null;
    }

    // A batch that is larger than the limit goes when nothing else is there.
    private bool HasRoom(int partition, int bytes) => _follower is null || _window.AheadBytes(partition) is var ahead
        && (ahead == 0 || ahead + bytes <= _options.AheadBytesMax);

    private bool TrySend(LoopedPartition partition)
    {
        var batch = partition.Next;
        _window.Sent(partition.Number, batch.Bytes.Length);
        try
        {
            var offset = _sender.Send(partition.Number, batch.Bytes);
            if (_follower is null)
            {
                _window.Failed(partition.Number, batch.Bytes.Length); // Nobody tells how far a consumer is: stored is gone.
            }
            else
            {
                _window.Delivered(partition.Number, offset + batch.Totals.MessageCount - 1, batch.Bytes.Length);
            }
        }
        catch (Exception error) when (error is IOException or KafkaException)
        {
            _error = error.Message;
            UnsentRecordCount += batch.RecordCount;
            return false;
        }

        partition.Advance();
        BatchCount++;
        StoredBytes += batch.Bytes.Length;
        Volatile.Write(ref _handledRecordCount, _handledRecordCount + batch.RecordCount);
        Volatile.Write(ref _handledBytes, _handledBytes + batch.Totals.MessageBytes);
        if (_options.Rate is { } rate)
        {
            Volatile.Write(ref _dueSeconds, rate.After(
                _dueSeconds, _options.IsRateInBytes ? batch.Totals.MessageBytes : batch.RecordCount));
        }

        return true;
    }

    private sealed class LoopedPartition(int number, FinishedBatch[] batches)
    {
        private int _next;

        public int Number => number;

        public FinishedBatch Next => batches[_next];

        /// <summary>How many times all batches have been sent.</summary>
        public long RoundCount { get; private set; }

        public void Advance()
        {
            _next = (_next + 1) % batches.Length;
            RoundCount += _next == 0 ? 1 : 0;
        }

        public void AddTo(GeneratedTotals totals)
        {
            for (var index = 0; index < batches.Length; index++)
            {
                totals.Add(batches[index].Totals, RoundCount + (index < _next ? 1 : 0));
            }
        }
    }
}
