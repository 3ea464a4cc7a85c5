using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Core.Telemetry;

namespace Weir.Writer;

/// <summary>
/// The writer's stage: takes folded cuts, builds their blocks while the ones before are inserted, and reports each stored cut.
/// </summary>
/// <remarks>
/// Two threads, builder and inserter, started by <see cref="Start"/>. Between them wait at most
/// <see cref="WriterOptions.BuiltCutsMax"/> cuts; beyond that the builder waits, then the queue fills. Cuts are stored in the
/// order in which they came.
/// </remarks>
public sealed class BlockWriter : IMetricSource, IAsyncDisposable
{
    /// <summary>Name of the queue of folded cuts.</summary>
    public const string QueueName = "cuts";

    /// <summary>Name of the stage in reports of faults.</summary>
    public const string StageName = "writer";

    /// <summary>Cuts whose ledger rows wait to be stored together, at most; each is reported after them.</summary>
    private const int LedgerCutsMax = 256;

    private static readonly TimeSpan _pollInterval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan _retentionInterval = TimeSpan.FromHours(1);

    private readonly StageQueue<Cut> _cuts;
    private readonly Func<Cut, BuiltCut> _build;
    private readonly IBlockSink _sink;
    private readonly StreamSchema _schema;
    private readonly WriterOptions _options;
    private readonly TimeProvider _time;
    private readonly Action<Cut> _stored;
    private readonly Action<string, Exception> _faulted;
    private readonly ILogger _logger;
    private readonly WriterCounters _counters;
    private readonly RetryLoop _retries;
    private readonly BlockInserter _inserter;
    private readonly LedgerStore _ledger;
    private readonly LedgerRows _ledgerRows;
    private readonly CutTraces _traces = new();
    private readonly List<AccountedCut> _accounted = []; // Stored or abandoned, in order; their ledger rows wait.
    private readonly HashSet<(int Shard, int Target)> _prepared = []; // Servers whose tables are right.
    private readonly SchemaPlan?[] _plans; // By shard of servers.
    private readonly ServerFeatures?[] _features;
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly BlockingCollection<BuiltCut> _built;
    private readonly CancellationTokenSource _abort = new();
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _builderThread;
    private readonly Thread _inserterThread;
    private DateTimeOffset _retentionAt;
    private int _threadsLeft = 2;
    private long _leftCount; // Cuts that a thread held when it ended; read after both have.
    private bool _isStarted;

    /// <summary>Prepares the stage; nothing runs before <see cref="Start"/>.</summary>
    /// <param name="cuts">
    /// The folded cuts, named <see cref="QueueName"/>; a record count of 0 makes a cut a marker that never waits.
    /// </param>
    /// <param name="build">The Build of the block builder; called by one thread.</param>
    /// <param name="sink">Where blocks go. The caller disposes it, after this.</param>
    /// <param name="schema">The views.</param>
    /// <param name="options">Limits and waits.</param>
    /// <param name="time">The clock of waits and of freshness.</param>
    /// <param name="random">Spreads the waits; used by one thread.</param>
    /// <param name="stored">Gets each cut whose blocks and ledger rows are all stored, and each abandoned one at its end, in order, on the inserter's thread.</param>
    /// <param name="faulted">Gets the error that ended the stage, at most once, on one of its threads.</param>
    /// <param name="logger">Gets changes of state.</param>
    /// <param name="process">Who stores, for the ledger; null for host and process number.</param>
    public BlockWriter(
        StageQueue<Cut> cuts,
        Func<Cut, BuiltCut> build,
        IBlockSink sink,
        StreamSchema schema,
        WriterOptions options,
        TimeProvider time,
        Random random,
        Action<Cut> stored,
        Action<string, Exception> faulted,
        ILogger logger,
        string? process = null)
    {
        _cuts = cuts;
        _build = build;
        _sink = sink;
        _schema = schema;
        _options = options;
        _time = time;
        _stored = stored;
        _faulted = faulted;
        _logger = logger;
        _counters = new WriterCounters(schema);
        _retries = new RetryLoop(sink.Description, options, time, random, _counters, logger);
        _ledger = new LedgerStore(sink, options);
        _ledgerRows = new LedgerRows(process ?? $"{Environment.MachineName}:{Environment.ProcessId}", options.Layout);
        _plans = new SchemaPlan?[options.ShardCount];
        _features = new ServerFeatures?[options.ShardCount];
        _inserter = new BlockInserter(sink, options, _retries, _ledger, _ledgerRows, _counters, time, logger)
        {
            Prepare = PrepareAsync,
            LedgerStored = ReportAccounted,
        };
        _built = new BlockingCollection<BuiltCut>(options.BuiltCutsMax);
        _builderThread = new Thread(() => RunStage(RunBuilder)) { Name = "weir-builder", IsBackground = true };
        _inserterThread = new Thread(() => RunStage(() => RunInserterAsync(_abort.Token).GetAwaiter().GetResult()))
        {
            Name = "weir-inserter",
            IsBackground = true,
        };
    }

    /// <summary>Ends when both threads have ended: after <see cref="DrainAsync"/>, a fault, or <see cref="DisposeAsync"/>.</summary>
    public Task Completion => _completion.Task;

    /// <summary>Starts both threads. A server that is absent does not stop it: it is tried until it comes.</summary>
    public void Start()
    {
        _isStarted = true;
        _inserterThread.Start();
        _builderThread.Start();
    }

    /// <summary>Completes the queue and waits until all cuts in it are stored.</summary>
    /// <exception cref="OperationCanceledException">
    /// <paramref name="cancel"/> came first; <see cref="DisposeAsync"/> gives the rest up.
    /// </exception>
    public async Task DrainAsync(CancellationToken cancel)
    {
        _cuts.Complete();
        await Completion.WaitAsync(cancel).ConfigureAwait(false);
    }

    /// <summary>One consistent reading of the counters. Any thread.</summary>
    public WriterSnapshot Snapshot() => _counters.Snapshot(_cuts.Snapshot().SlotsUsed) with { ResolveFailedCount = _sink.ResolveFailedCount, SlowCuts = _traces.Slowest() };

    /// <summary>
    /// Asks the ledger whether a range is stored, trying until there is an answer: how an owner treats a plan whose blocks it cannot
    /// make again, because it is of another layout. Any thread, after <see cref="Start"/>.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> came, or the stage has ended.</exception>
    public async Task<bool> IsStoredAsync(PartitionKey partition, long from, long to, CancellationToken cancel)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancel, _abort.Token);
        await _opened.Task.WaitAsync(linked.Token).ConfigureAwait(false);
        while (true)
        {
            try
            {
                return (await _ledger.FindAsync(partition, from, to, linked.Token).ConfigureAwait(false)).Count > 0;
            }
            catch (ClickHouseException error) when (error.Reply.Outcome == InsertOutcome.NotNow)
            {
                await Task.Delay(_options.BackoffMax, _time, linked.Token).ConfigureAwait(false);
            }
        }
    }

    /// <inheritdoc/>
    public void Collect(MetricReader reader) => WriterMetrics.Collect(reader, Snapshot(), _time.GetUtcNow());

    /// <summary>
    /// Gives up what is not stored, ends both threads, and releases the rows of the cuts that are left; they are not committed.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        _cuts.Complete();
        await _abort.CancelAsync().ConfigureAwait(false);
        if (_isStarted)
        {
            await Completion.ConfigureAwait(false);
        }

        var leftCount = Volatile.Read(ref _leftCount);
        while (_built.TryTake(out var built))
        {
            End(built);
            leftCount++;
        }

        while (_cuts.TryDequeue(TimeSpan.Zero, out var cut, out _))
        {
            cut.ReleaseRows();
            leftCount++;
        }

        leftCount += _accounted.Count;
        if (leftCount > 0)
        {
            WeirLog.WriterCutsLeft(_logger, leftCount);
        }

        _ledgerRows.Dispose();
        _built.Dispose();
        _abort.Dispose();
    }

    private void RunStage(Action run)
    {
        try
        {
            run();
        }
        catch (OperationCanceledException) when (_abort.IsCancellationRequested)
        {
            // The stop, or the fault of the other thread.
        }
        catch (Exception error)
        {
            if (!_abort.IsCancellationRequested)
            {
                _abort.Cancel(); // First, so that the other thread's end is no second fault.
                _faulted(StageName, error);
            }
        }
        finally
        {
            if (Interlocked.Decrement(ref _threadsLeft) == 0)
            {
                _completion.SetResult();
            }
        }
    }

    private void RunBuilder()
    {
        try
        {
            while (!_abort.IsCancellationRequested)
            {
                if (_cuts.TryDequeue(_pollInterval, out var cut, out _))
                {
                    Build(cut);
                }
                else if (_cuts.IsCompleted && _cuts.IsEmpty)
                {
                    return;
                }
            }
        }
        finally
        {
            _built.CompleteAdding();
        }
    }

    private void Build(Cut cut)
    {
        BuiltCut built;
        var foldedAt = _time.GetUtcNow();
        try
        {
            built = _build(cut);
        }
        catch
        {
            cut.ReleaseRows();
            throw;
        }

        built.FoldedAt = foldedAt;
        built.BuiltAt = _time.GetUtcNow();
        _counters.CutBuilt(built.BytesHeld);
        try
        {
            _built.Add(built, _abort.Token);
        }
        catch
        {
            Interlocked.Increment(ref _leftCount);
            End(built);
            throw;
        }
    }

    private async Task RunInserterAsync(CancellationToken cancel)
    {
        await OpenAsync(cancel).ConfigureAwait(false);
        while (true)
        {
            if (_built.TryTake(out var built, (int)_pollInterval.TotalMilliseconds, cancel))
            {
                await StoreAsync(built, cancel).ConfigureAwait(false);
            }
            else if (_built.IsCompleted)
            {
                return;
            }

            await DropExpiredAsync(cancel).ConfigureAwait(false);
        }
    }

    private async Task StoreAsync(BuiltCut built, CancellationToken cancel)
    {
        var cut = built.Cut;
        bool isStored;
        DateTimeOffset plannedAt;
        try
        {
            if (!cut.WhenPlanned.IsCompleted)
            {
                // The plan may wait for the partition's last cut to be reported, and so for its ledger rows.
                await FlushLedgerAsync(cancel).ConfigureAwait(false);
                await cut.WhenPlanned.WaitAsync(cancel).ConfigureAwait(false);
            }

            plannedAt = _time.GetUtcNow();
            isStored = !cut.IsAbandoned && await _inserter.InsertAsync(built, cancel).ConfigureAwait(false);
        }
        catch
        {
            Interlocked.Increment(ref _leftCount);
            throw;
        }
        finally
        {
            End(built);
        }

        _accounted.Add(new AccountedCut(cut, built.Account, isStored, TraceOf(built, plannedAt)));
        if (_built.Count == 0 || _accounted.Count >= LedgerCutsMax)
        {
            await FlushLedgerAsync(cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Stores the ledger rows that wait in one insert, and reports their cuts.</summary>
    private async Task FlushLedgerAsync(CancellationToken cancel)
    {
        if (_ledgerRows.Count > 0)
        {
            await _inserter.FlushLedgerAsync(cancel).ConfigureAwait(false);
        }
        else
        {
            ReportAccounted();
        }
    }

    private void ReportAccounted()
    {
        foreach (var accounted in _accounted)
        {
            if (accounted.IsStored)
            {
                var now = _time.GetUtcNow();
                _counters.CutStored(accounted.Cut, accounted.Account, now);
                _traces.Add(accounted.Trace with { StoredAt = now });
            }

            _stored(accounted.Cut);
        }

        _accounted.Clear();
    }

    private CutTrace TraceOf(BuiltCut built, DateTimeOffset plannedAt)
    {
        var cut = built.Cut;
        var now = _time.GetUtcNow();
        return new CutTrace(
            cut.Partition, cut.FromOffset, cut.ToOffset, cut.ReadCount, built.Blocks.Sum(block => (long)block.RowCount), built.Blocks.Count,
            cut.ClosedAt, built.FoldedAt, built.BuiltAt, plannedAt, now, now)
        {
            Inserts = built.Inserts,
        };
    }

    private void End(BuiltCut built)
    {
        _counters.CutEnded(built.BytesHeld);
        built.Dispose();
    }

    /// <summary>Connects and brings the tables to what they should be, trying until a server is there.</summary>
    private async Task OpenAsync(CancellationToken cancel)
    {
        var reply = await _retries.RunAsync(PrepareAsync, cancel).ConfigureAwait(false);
        if (reply.Outcome != InsertOutcome.Stored)
        {
            throw new ClickHouseException(reply);
        }

        _opened.SetResult();
    }

    /// <summary>
    /// Connects the servers that the next attempts go to, one of each shard, and brings their tables to what they should be, unless that was
    /// done. All shards have to be there before anything is inserted: the blocks of a cut are spread over all of them.
    /// </summary>
    /// <exception cref="SinkUnusableException">Tables differ in what Weir may not mend.</exception>
    private async Task<InsertReply> PrepareAsync(CancellationToken cancel)
    {
        try
        {
            for (var shard = 0; shard < _plans.Length; shard++)
            {
                var sink = _sink.Shards[shard];
                var target = sink.Target;
                if (!_prepared.Contains((shard, target)))
                {
                    await PrepareAsync(shard, sink, cancel).ConfigureAwait(false);
                    _prepared.Add((shard, target));
                }
            }

            return InsertReply.Stored;
        }
        catch (ClickHouseException error)
        {
            return error.Reply;
        }
    }

    private async Task PrepareAsync(int shard, IBlockSink sink, CancellationToken cancel)
    {
        var features = await sink.ConnectAsync(cancel).ConfigureAwait(false);
        _features[shard] = features;
        if (ShardedClickHouseSink.FindClash(_features) is { } clash)
        {
            throw new SinkUnusableException(clash);
        }

        var plan = await SchemaPlan.ReadAsync(sink, _schema, _options.OfShard(shard), features, cancel).ConfigureAwait(false);
        await plan.EnsureAsync(sink, cancel).ConfigureAwait(false);
        _plans[shard] = plan;
        foreach (var step in plan.Steps)
        {
            WeirLog.WriterSchemaStep(_logger, step.Reason, step.Statement);
        }

        _ledger.IsReplicated = _plans[0]!.IsLedgerReplicated;
        _counters.Connected(SinkPromise.WeakestOf(_plans.OfType<SchemaPlan>().Select(known => known.Promise)));
        WeirLog.WriterConnected(_logger, sink.Description, features.Version, plan.Promise.ToString());
    }

    /// <summary>Once an hour, on servers without TTL. A failure is no reason to stop writing.</summary>
    private async Task DropExpiredAsync(CancellationToken cancel)
    {
        var now = _time.GetUtcNow();
        if (now < _retentionAt)
        {
            return;
        }

        _retentionAt = now + _retentionInterval;
        try
        {
            for (var shard = 0; shard < _plans.Length; shard++)
            {
                var dropped = await ExpiredPartitions.DropAsync(
                    _sink.Shards[shard], _plans[shard]!, _options.Database, now, cancel).ConfigureAwait(false);
                foreach (var statement in dropped)
                {
                    WeirLog.WriterPartitionDropped(_logger, statement);
                }
            }
        }
        catch (ClickHouseException error)
        {
            WeirLog.WriterRetentionFailed(_logger, _retentionInterval, error.Reply.Message);
        }
    }

    /// <summary>A cut whose blocks have met their end and whose ledger rows wait.</summary>
    private readonly record struct AccountedCut(Cut Cut, BlockAccount Account, bool IsStored, CutTrace Trace);
}
