using System.Collections.Concurrent;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Weir.Codecs.Flow;
using Weir.Core.Buffers;
using Weir.Core.Model;
using Weir.Core.Telemetry;

namespace Weir.Ingest;

/// <summary>This process's membership in the consumer group: it gives partitions to the ingest workers, takes them back, and commits what is stored.</summary>
/// <remarks>
/// <para>
/// One thread, named <c>source</c>, owns the consumer. Messages never pass through it: the queue of each partition is forwarded
/// to the queue of the worker that owns it, before the partition is assigned.
/// </para>
/// <para>
/// Order: constructor (inert), <see cref="Start"/>, <see cref="Stored"/> for each cut, <see cref="Stop"/> while the stages behind
/// still run, <see cref="Dispose"/>.
/// </para>
/// </remarks>
public sealed partial class KafkaSource : IMetricSource, IDisposable
{
    /// <summary>How long the thread waits for events of the group: with <see cref="PlanCommitter.GatherTime"/>, what a plan waits at most.</summary>
    private static readonly TimeSpan _pollTimeout = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan _drainPoll = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan _committedTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _watermarkInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>What leaving the group may take beyond the time that a stop is given.</summary>
    private static readonly TimeSpan _leaveMargin = TimeSpan.FromSeconds(5);

    private readonly IngestOptions _options;
    private readonly IngestContext _context;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger _logger;
    private readonly Action<string, Exception> _fault;
    private readonly ClientLog _clientLog;
    private readonly PlanCommitter _committer;
    private readonly Func<PartitionKey, long, long, Task<bool>>? _isStored;
    private readonly CancellationTokenSource _hardStop = new();
    private readonly ManualResetEventSlim _stopRequested = new();
    private readonly AutoResetEvent _progress = new(initialState: false); // A cut was stored, or a partition released.
    private readonly ConcurrentQueue<Cut> _stored = new();
    private readonly ConcurrentQueue<(PartitionState State, Cut Cut)> _closed = new();
    private readonly Dictionary<PartitionKey, PartitionState> _states = [];
    private readonly long _startTimestamp;
    private PartitionState[] _assigned = []; // Replaced as a whole, so that any thread may read it.
    private IConsumer<Ignore, Ignore> _consumer = null!;
    private CommitNative _commits = null!;
    private NativeMessageQueue[] _queues = [];
    private IngestWorker[] _workers = [];
    private Thread[] _workerThreads = [];
    private Thread? _thread;
    private Error? _fatalError;
    private ClientStatistics? _statistics;
    private TimeSpan _stopDeadline; // Read after _stopRequested is seen.
    private TimeSpan _watermarksAt;
    private long _tickNumber;
    private long _abandonedCount;
    private long _rebalanceCount;
    private long _joinAtTicks; // Wall clock, UTC; 0 when nothing is waited for.
    private bool _isDrained;

    /// <summary>Makes a source; nothing is started.</summary>
    /// <param name="options">Validated options.</param>
    /// <param name="schema">Layout of the records.</param>
    /// <param name="shardsOf">
    /// The aggregation workers that an ingest worker sends to, by its number: the same ones behind queues for all, or one of its
    /// own that runs in its thread.
    /// </param>
    /// <param name="chunkPool">Where the chunks come from; the shards give them back.</param>
    /// <param name="budget">When it is used up, reading pauses.</param>
    /// <param name="decoderOf">Makes a decoder for a format; called once for each worker and topic, in <see cref="Start"/>.</param>
    /// <param name="timeProvider">The process's clock.</param>
    /// <param name="logger">Where state changes are logged.</param>
    /// <param name="fault">Gets a broken invariant or a fatal error of the consumer, on the thread that failed; the process is to stop.</param>
    /// <param name="isStored">
    /// Asks the ledger whether a range of a partition, from one offset up to another, is stored. Needed where another version of
    /// weir has planned it, whose block names this one does not make; null, or a task that fails: not known.
    /// </param>
    public KafkaSource(
        IngestOptions options,
        StreamSchema schema,
        Func<int, IReadOnlyList<IShard>> shardsOf,
        ChunkPool chunkPool,
        MemoryBudget budget,
        Func<string, FlowDecoder> decoderOf,
        TimeProvider timeProvider,
        ILogger logger,
        Action<string, Exception> fault,
        Func<PartitionKey, long, long, Task<bool>>? isStored = null)
    {
        _options = options;
        _timeProvider = timeProvider;
        _logger = logger;
        _fault = fault;
        _clientLog = new ClientLog(logger, timeProvider);
        _isStored = isStored;
        _committer = new PlanCommitter(logger, Refuse, options.Layout);
        _startTimestamp = timeProvider.GetTimestamp();
        _context = new IngestContext(
            options,
            schema,
            shardsOf,
            chunkPool,
            budget,
            decoderOf,
            timeProvider,
            logger,
            new StringDictionaryPool(options.StringsMax),
            new RejectRing(),
            (state, cut) =>
            {
                _closed.Enqueue((state, cut));
                _progress.Set();
            },
            () => _progress.Set(),
            _hardStop.Token)
        {
            DeadLetters = DeadLetterQueue.Create(options, timeProvider, logger),
        };
    }

    /// <summary>Number of partitions assigned now. Any thread.</summary>
    public int AssignedCount => Volatile.Read(ref _assigned).Length;

    /// <summary>Number of partitions whose planned range is being read again now. Any thread.</summary>
    public int ReplayingCount => Volatile.Read(ref _assigned).Count(state => state.IsReplaying);

    /// <summary>When the group will be joined (<see cref="IngestOptions.JoinInterval"/>); null when it has been. Any thread.</summary>
    public DateTimeOffset? JoinAt => Volatile.Read(ref _joinAtTicks) is > 0 and var ticks ? new DateTimeOffset(ticks, TimeSpan.Zero) : null;

    private TimeSpan Now => _timeProvider.GetElapsedTime(_startTimestamp);

    /// <summary>Starts the threads, which join the group. It returns at once; brokers may be absent and are waited for.</summary>
    /// <exception cref="InvalidOperationException">librdkafka is of another version, or a property is not allowed.</exception>
    /// <exception cref="ArgumentException">librdkafka does not know a property.</exception>
    public void Start()
    {
        KafkaNative.CheckVersion();
        _ = NativeHeap.Keep();
        _consumer = new ConsumerBuilder<Ignore, Ignore>(ConsumerSettings.Build(_options))
            .SetLogHandler((_, message) => _clientLog.Write(message))
            .SetStatisticsHandler((_, json) => Volatile.Write(ref _statistics, ClientStatistics.TryParse(json) ?? _statistics))
            .SetErrorHandler((_, error) => OnError(error))
            .SetPartitionsAssignedHandler((_, partitions) => OnAssigned(partitions))
            .SetPartitionsRevokedHandler((_, partitions) => OnRevoked(partitions))
            .SetPartitionsLostHandler((_, partitions) => OnLost(partitions))
            .Build();
        var client = KafkaNative.HandleOf(_consumer);
        var topics = _options.Topics.Select(topic => topic.Name).ToArray();
        _commits = new CommitNative(client, ConsumerSettings.IsClassic(_options));
        _queues = [.. Enumerable.Range(0, _options.Workers).Select(_ => new NativeMessageQueue(
            client, topics, IngestWorker.MessagesPerStepMax, _options.Topics.Select(topic => (topic.Format == Rekeyer.Format, topic.RekeyedFrom))))];
        _workers = [.. _queues.Select((queue, index) => new IngestWorker(index, _context, queue))];
        _workerThreads = [.. _workers.Select(worker => new Thread(() => RunWorker(worker)) { Name = $"ingest {worker.Index}", IsBackground = true })];
        _context.DeadLetters?.Start();
        _thread = new Thread(Run) { Name = "source", IsBackground = true };
        WeirLog.IngestStarted(
            _logger, string.Join(", ", topics), _options.Bootstrap, _options.Group, _workers.Length, Library.VersionString);
        foreach (var thread in _workerThreads)
        {
            thread.Start();
        }

        _thread.Start();
    }

    /// <summary>Says that the rows of <paramref name="cut"/> are in ClickHouse, or that an abandoned cut has come to its end. Any thread; never waits.</summary>
    /// <remarks>The caller, and everybody before it, has finished with the cut and its strings.</remarks>
    public void Stored(Cut cut)
    {
        _stored.Enqueue(cut);
        _progress.Set();
    }

    /// <summary>
    /// Reads no more, cuts everything, waits until it is stored and committed, and leaves the group. The stages behind must be
    /// running. What is not stored within <paramref name="timeout"/> is given up: the next owner reads it again.
    /// </summary>
    /// <returns>True when everything read is stored and committed.</returns>
    public bool Stop(TimeSpan timeout)
    {
        if (_thread is null)
        {
            return true;
        }

        _stopDeadline = Now + timeout;
        _stopRequested.Set();
        if (!_thread.Join(timeout + _leaveMargin))
        {
            _hardStop.Cancel(); // A broker that does not answer holds the thread; the process's end frees it.
            return false;
        }

        return _isDrained;
    }

    /// <summary>One reading of all counters and positions. Any thread.</summary>
    public IngestSnapshot Snapshot()
    {
        var topics = new TopicSnapshot[_options.Topics.Count];
        for (var index = 0; index < topics.Length; index++)
        {
            topics[index] = new TopicSnapshot(_options.Topics[index].Name);
            foreach (var worker in _workers)
            {
                worker.Counters[index].AddTo(ref topics[index]);
            }
        }

        return new IngestSnapshot(
            topics,
            Positions(),
            _context.Rejects.Snapshot(),
            new TimeSpan(_workers.Sum(worker => worker.MemoryPauseTotal.Ticks)),
            Volatile.Read(ref _abandonedCount),
            _committer.ErrorCount,
            _clientLog.ErrorCount + _workers.Sum(worker => worker.ConsumeErrorCount),
            Volatile.Read(ref _rebalanceCount))
        {
            Losses = _context.Losses.Snapshot(),
            LossCount = _context.Losses.AddedCount,
            Client = Volatile.Read(ref _statistics),
            ClientErrors = _clientLog.ErrorCounts(),
            LastClientError = _clientLog.LastError,
            CommitCount = _committer.CommitCount,
            ReplayCount = _workers.Sum(worker => worker.ReplayCount),
        };
    }

    /// <summary>One reading of the partitions' positions. Any thread.</summary>
    public IReadOnlyList<PartitionSnapshot> Positions() => Array.ConvertAll(Volatile.Read(ref _assigned), SnapshotOf);

    /// <summary>The offset after the last message read of a partition; −1 when it is not assigned or none is known. Any thread.</summary>
    public long NextOffset(string topic, int partition)
    {
        var key = new PartitionKey(topic, partition);
        foreach (var state in Volatile.Read(ref _assigned))
        {
            if (state.Key == key)
            {
                return state.NextOffset;
            }
        }

        return PartitionState.UnknownOffset;
    }

    /// <inheritdoc/>
    public void Collect(MetricReader reader)
    {
        IngestMetrics.Collect(reader, Snapshot(), [.. _workers.Select(worker => worker.MemoryPauseTotal)], _timeProvider.GetUtcNow());
        _context.DeadLetters?.Collect(reader);
    }

    /// <summary>Frees what is left; call <see cref="Stop"/> before.</summary>
    public void Dispose()
    {
        if (_thread is { IsAlive: true })
        {
            _ = Stop(TimeSpan.Zero);
        }

        if (_thread is not { IsAlive: true })
        {
            _context.DeadLetters?.Dispose(); // The workers have ended: no letter comes any more.
            _hardStop.Dispose();
            _progress.Dispose();
            _stopRequested.Dispose();
        }
    }

    private static PartitionSnapshot SnapshotOf(PartitionState state)
    {
        var inFlight = state.InFlightCut;
        return new PartitionSnapshot(
            state.Key,
            state.WorkerIndex,
            state.NextOffset,
            state.CommittedOffset,
            state.HighWatermark,
            inFlight?.FromOffset ?? PartitionState.UnknownOffset,
            inFlight?.ToOffset ?? PartitionState.UnknownOffset)
        {
            StoredOffset = state.StoredOffset,
            IsReplaying = state.IsReplaying,
            LastTimestampMs = state.LastTimestampMs,
        };
    }

    private void Run()
    {
        try
        {
            Join();
            while (!_stopRequested.IsSet)
            {
                Poll();
                _commits.Follow();
                ServeCuts(isHurried: false, TimeSpan.Zero);
                HoldBackForReplays();
                RestartRefused();
                RefreshWatermarks();
            }

            Leave();
        }
        catch (Exception error) // The thread's top frame: whatever it is, the host stops the process.
        {
            _hardStop.Cancel();
            _fault("ingest", error);
        }
    }

    /// <summary>Joins the group, at the moment that all who start now have in common.</summary>
    private void Join()
    {
        var wait = GroupMoment.Until(_timeProvider.GetUtcNow(), _options.JoinInterval);
        if (wait > TimeSpan.Zero)
        {
            var joinAt = Now + wait;
            Volatile.Write(ref _joinAtTicks, (_timeProvider.GetUtcNow() + wait).UtcTicks);
            WeirLog.JoinAwaited(_logger, _options.Group, wait, _options.JoinInterval);
            while (Now < joinAt && !_stopRequested.Wait(_pollTimeout))
            {
            }

            Volatile.Write(ref _joinAtTicks, 0);
        }

        if (!_stopRequested.IsSet)
        {
            _consumer.Subscribe(_options.Topics.Select(topic => topic.Name));
        }
    }

    private void RunWorker(IngestWorker worker)
    {
        try
        {
            while (!_hardStop.IsCancellationRequested && worker.Step(Now, IngestWorker.PollTimeout))
            {
            }
        }
        catch (Exception error) // The thread's top frame: whatever it is, the host stops the process.
        {
            _hardStop.Cancel();
            _fault("ingest", error);
        }
    }

    /// <summary>Lets librdkafka call the handlers of the group's events, on this thread.</summary>
    private void Poll()
    {
        try
        {
            if (_consumer.Consume(_pollTimeout) is { } result)
            {
                throw new InvalidOperationException(
                    $"A message of {result.TopicPartitionOffset} came to the source: its partition is not forwarded to a worker.");
            }
        }
        catch (ConsumeException error) when (!error.Error.IsFatal && error.Error.Code != ErrorCode.Local_Fatal)
        {
            _clientLog.Write(error.Error);
        }

        if (_fatalError is { } fatal)
        {
            throw new KafkaException(fatal);
        }
    }

    private void OnError(Error error)
    {
        if (error.IsFatal)
        {
            _fatalError = error;
        }
        else
        {
            _clientLog.Write(error);
        }
    }

    /// <summary>Passes on what became of cuts since the last time, and commits what is due.</summary>
    /// <param name="isHurried">True when partitions are leaving.</param>
    /// <param name="wait">How long to wait for the answer to a commit that is out.</param>
    private void ServeCuts(bool isHurried, TimeSpan wait)
    {
        var now = Now;
        while (_closed.TryDequeue(out var closed))
        {
            if (IsOurs(closed.State) && !closed.Cut.IsAbandoned)
            {
                _committer.AddPlan(closed.State, closed.Cut, now);
            }
            else
            {
                closed.Cut.Abandon(); // Closed before the worker heard that the partition is gone.
            }
        }

        while (_stored.TryDequeue(out var cut))
        {
            if (cut.IsAbandoned)
            {
                Volatile.Write(ref _abandonedCount, _abandonedCount + cut.ReadCount);
            }
            else if (_states.TryGetValue(cut.Partition, out var state) && state.InFlightCut == cut)
            {
                state.StoredOffset = cut.ToOffset;
                state.EndOrigins = cut.OriginsAtEnd;
                _committer.AddEnd(state, cut.ToOffset);
                _workers[state.WorkerIndex].Post(new WorkerCommand(WorkerCommandKind.Stored, state));
            }

            _context.Strings.Return(cut.Strings);
        }

        var tickNumber = now.Ticks / _options.FlushInterval.Ticks;
        if (tickNumber != _tickNumber)
        {
            _tickNumber = tickNumber;
            _committer.Tick();
        }

        _committer.Serve(_commits, now, isHurried, wait);
    }

    private bool IsOurs(PartitionState state) => _states.TryGetValue(state.Key, out var current) && current == state;

    /// <summary>Stores and commits everything, ends the workers, and leaves the group.</summary>
    private void Leave()
    {
        _isDrained = Drain([.. _states.Values], _stopDeadline - Now);
        if (!_isDrained)
        {
            _hardStop.Cancel(); // Nobody waits any more for room in a queue.
        }

        foreach (var worker in _workers)
        {
            worker.Post(new WorkerCommand(WorkerCommandKind.Exit, State: null));
        }

        for (var index = 0; index < _workers.Length; index++)
        {
            _workerThreads[index].Join();
            _workers[index].Dispose();
            _queues[index].Dispose(); // Before the client, which Close frees.
        }

        while (_closed.TryDequeue(out var closed))
        {
            closed.Cut.Abandon(); // Nobody plans it any more.
        }

        _commits.Dispose();
        _consumer.Close();
        WeirLog.IngestStopped(_logger, _isDrained);
    }

    private void RefreshWatermarks()
    {
        if (Now < _watermarksAt)
        {
            return;
        }

        _watermarksAt = Now + _watermarkInterval;
        foreach (var state in Volatile.Read(ref _assigned))
        {
            // Cached by librdkafka from the last fetch: no request.
            var high = _consumer.GetWatermarkOffsets(new TopicPartition(state.Key.Topic, state.Key.Partition)).High.Value;
            state.HighWatermark = high >= 0 ? high : PartitionState.UnknownOffset;
        }
    }
}
