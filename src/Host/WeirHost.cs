using Weir.Aggregator;
using Weir.Codecs.Flow;
using Weir.Core.Buffers;
using Weir.Core.Faults;
using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Core.Telemetry;
using Weir.Host.Admin;
using Weir.Host.Diagnosis;
using Weir.Host.Profiling;
using Weir.Host.Reload;
using Weir.Host.Taps;
using Weir.Host.Telemetry;
using Weir.Ingest;
using Weir.Writer;

namespace Weir.Host;

/// <summary>The pipeline of one process: every object is built here, from the sink back to the source, and started in that order.</summary>
/// <remarks>
/// <see cref="Create"/> is inert; <see cref="StartAsync"/> starts threads; <see cref="StopAsync"/> drains source → ingest →
/// aggregation → writer, and leaves the sink open for questions until <see cref="DisposeAsync"/>.
/// </remarks>
internal sealed class WeirHost : IAsyncDisposable
{
    /// <summary>Part of the memory limit that free row slabs may keep, so that the next cut finds touched pages.</summary>
    private const int FreeSlabsShare = 4;

    /// <summary>
    /// Capacity of the queue of folded cuts: in effect none. A partition has one cut in flight, so partitions bound their number,
    /// and the memory budget their size.
    /// </summary>
    private const long CutQueueRecords = 1L << 40;

    private static readonly TimeSpan _joinTimeout = TimeSpan.FromSeconds(10);

    private readonly WeirOptions _options;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly RowPools _rows;
    private readonly ChunkPool _chunks;
    private readonly StageQueue<Cut> _cuts;
    private readonly BlockBuilder _builder;
    private readonly BlockWriter _writer;
    private readonly QueuedShard[] _queuedShards;
    private readonly AggregationWorker[] _workers;
    private readonly KafkaSource _source;
    private readonly AdminServer _admin;
    private readonly DiagnosisEngine _diagnosis;
    private readonly InsertLog _insertLog;
    private readonly SystemTables? _tables;
    private IDisposable? _traces;
    private readonly string _version;
    private readonly ConfigReloader? _reloader;
    private readonly Func<string> _configuration;
    private readonly TaskCompletionSource<string> _faulted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isStarted;
    private bool _isStopped;
    private bool _hasAdminFile;

    private WeirHost(
        WeirOptions options, string version, ILoggerFactory logs, TimeProvider time, ConfigReloader? reloader, Func<string> configuration)
    {
        _configuration = configuration;
        _reloader = reloader;
        _options = options;
        _version = version;
        _time = time;
        _logger = logs.CreateLogger("weir");
        Schema = StreamSchema.Compile(options.EffectiveViews);
        Budget = new MemoryBudget(options.MemoryLimitBytes);
        _rows = new RowPools(Schema, Budget, options.MemoryLimitBytes / FreeSlabsShare);
        _chunks = new ChunkPool(Schema, Budget);

        Sink = BlockSinks.Create(options.Writer, time, logs.CreateLogger("weir.writer"));
        _builder = new BlockBuilder(Schema, options.Writer, Budget);
        _cuts = new StageQueue<Cut>(BlockWriter.QueueName, 0, FullPolicy.Block, CutQueueRecords, recordsPerChunk: RecordChunk.RecordsMax);
        _writer = new BlockWriter(
            _cuts,
            _builder.Build,
            Sink,
            Schema,
            options.Writer,
            time,
            new Random(),
            cut => _source!.Stored(cut),
            Fault,
            logs.CreateLogger("weir.writer"));

        var queue = options.Aggregation;
        _queuedShards = [.. Enumerable.Range(0, queue.Workers).Select(
            index => new QueuedShard(index, queue.QueuePolicy, queue.QueueCapacityRecords, _chunks))];
        var foldLogger = logs.CreateLogger("weir.aggregation");
        _workers = [.. Enumerable.Range(0, queue.Workers > 0 ? queue.Workers : options.Ingest.Workers).Select(index => CreateWorker(index, foldLogger))];

        _source = new KafkaSource(
            options.Ingest with { Layout = options.Writer.Layout },
            Schema,
            worker => _queuedShards.Length > 0 ? _queuedShards : [_workers[worker]],
            _chunks,
            Budget,
            format => FlowFormats.Create(format, Schema, Budget),
            time,
            logs.CreateLogger("weir.ingest"),
            Fault,
            (partition, from, to) => _writer.IsStoredAsync(partition, from, to, CancellationToken.None));
        _insertLog = InsertLog.Create(options.Writer, Sink, time);
        _diagnosis = new DiagnosisEngine(
            options,
            Snapshot,
            [.. _workers.Select(worker => worker.Probe)],
            [.. Schema.Views[0].Tags.Select(slot => slot.Tag.Name)],
            Budget,
            time,
            logs.CreateLogger("weir.diagnosis"),
            _insertLog);
        _tables = !options.Telemetry.Tables ? null : new SystemTables(
            options.Telemetry,
            options.Writer.EmbeddedPath is null ? BlockSinks.Create(options.Writer.OfShard(0), time) : Sink, // Of the first shard only.
            ownsSink: options.Writer.EmbeddedPath is null,
            $"{Environment.MachineName}:{Environment.ProcessId}",
            _diagnosis.Read,
            time,
            logs.CreateLogger("weir.telemetry"));
        _admin = new AdminServer(options.Admin, version, Sources());
    }

    /// <summary>The views, compiled.</summary>
    public StreamSchema Schema { get; }

    /// <summary>Bytes in use and their limit.</summary>
    public MemoryBudget Budget { get; }

    /// <summary>Where blocks go; open for questions from the start until this is disposed.</summary>
    public IBlockSink Sink { get; }

    /// <summary>Directory of the embedded store; null for a server.</summary>
    public string? EmbeddedPath => _options.Writer.EmbeddedPath;

    /// <summary>Where the admin endpoint listens.</summary>
    public Uri AdminUrl => _admin.Url;

    /// <summary>Ends with the name of the stage that failed; never ends while all is well.</summary>
    public Task<string> Faulted => _faulted.Task;

    /// <summary>Builds the pipeline; nothing runs and nothing is opened.</summary>
    /// <param name="options">Validated options.</param>
    /// <param name="version">Version of the program, for metrics and pages.</param>
    /// <param name="logs">Makes the stages' loggers.</param>
    /// <param name="time">The process's clock.</param>
    /// <param name="reloader">Takes changed configurations; null where that cannot be.</param>
    /// <param name="configuration">The configuration in force as text without secrets, for the page; null for the reloader's.</param>
    /// <exception cref="DllNotFoundException">A native library is missing; the message names its package.</exception>
    public static WeirHost Create(
        WeirOptions options,
        string version,
        ILoggerFactory logs,
        TimeProvider time,
        ConfigReloader? reloader = null,
        Func<string>? configuration = null) =>
        new(options, version, logs, time, reloader, configuration ?? (() => reloader?.Configuration ?? ""));

    /// <summary>Starts writer, aggregation, admin endpoint and source. Kafka and ClickHouse may be absent: they are waited for.</summary>
    /// <exception cref="IOException">The admin address cannot be had.</exception>
    /// <exception cref="Commands.StoreException">The embedded store cannot be opened.</exception>
    public async Task StartAsync(CancellationToken cancel)
    {
        await _admin.StartAsync(cancel);
        if (_options.Writer.EmbeddedPath is { } directory)
        {
            // At once: a store that another process holds does not come free by waiting.
            await SinkStore.ConnectAsync(Sink, _options, cancel);
            AdminFile.Write(directory, AdminUrl);
            _hasAdminFile = true;
        }

        _isStarted = true;
        _writer.Start();
        foreach (var worker in _workers.Where(_ => _queuedShards.Length > 0))
        {
            worker.Start();
        }

        _source.Start();
        _traces = TraceExport.Start(_options.Telemetry, _version);
        if (!FaultPoint.LeavesTelemetryOut)
        {
            _diagnosis.Start();
        }

        _tables?.Start();
        WeirLog.Started(
            _logger,
            _version,
            string.Join(", ", _options.Ingest.Topics.Select(topic => $"{topic.Name} ({topic.Format})")),
            Sink.Description,
            Schema.Views.Length,
            AdminUrl.AbsoluteUri);
    }

    /// <summary>
    /// Reads no more, stores and commits what was read, and ends all stages, within <see cref="WeirOptions.ShutdownTimeout"/>.
    /// </summary>
    /// <param name="isForGood">False when another pipeline follows in this process: then the group is left at once.</param>
    /// <returns>True when everything that was read is stored and committed; what is not will be read again.</returns>
    public async Task<bool> StopAsync(bool isForGood = true)
    {
        if (!_isStarted || _isStopped)
        {
            return true;
        }

        _isStopped = true;
        var waited = isForGood ? await WaitToLeaveAsync() : TimeSpan.Zero;
        if (isForGood && !Faulted.IsCompleted)
        {
            WeirLog.Stopping(_logger, _options.ShutdownTimeout - waited);
        }

        var isDrained = await Task.Run(() => _source.Stop(Faulted.IsCompleted ? TimeSpan.Zero : _options.ShutdownTimeout - waited));
        foreach (var shard in _queuedShards)
        {
            shard.Queue.Complete();
        }

        foreach (var worker in _workers)
        {
            isDrained &= worker.Join(_joinTimeout);
        }

        if (isDrained)
        {
            using var timeout = new CancellationTokenSource(_joinTimeout, _time);
            try
            {
                await _writer.DrainAsync(timeout.Token);
            }
            catch (OperationCanceledException)
            {
                // Everything is stored and committed; the writer still looks for a server that nobody needs any more.
            }
        }

        await _writer.DisposeAsync();
        if (_tables is not null)
        {
            await _tables.StopAsync();
        }

        return isDrained;
    }

    /// <summary>One reading of every stage. Any thread.</summary>
    public HostSnapshot Snapshot() => new(
        _source.Snapshot(), [.. _workers.Select(worker => worker.Snapshot())], _writer.Snapshot(), Queues());

    /// <summary>Stops what still runs and frees everything.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _diagnosis.Dispose();
        await _insertLog.DisposeAsync();
        _traces?.Dispose();
        if (_tables is not null)
        {
            await _tables.DisposeAsync();
        }

        await _admin.DisposeAsync();
        if (_hasAdminFile)
        {
            AdminFile.Delete(_options.Writer.EmbeddedPath!);
        }

        await Sink.DisposeAsync();
        _source.Dispose();
        _builder.Dispose();
        if (_workers.All(worker => worker.Join(TimeSpan.Zero)))
        {
            foreach (var worker in _workers)
            {
                worker.Dispose();
            }

            _chunks.Dispose();
            _rows.Dispose();
        }
    }

    /// <summary>Goes on working until the moment at which all who stop now leave their group.</summary>
    /// <returns>How long that took, of the time that the stop is given.</returns>
    private async Task<TimeSpan> WaitToLeaveAsync()
    {
        var wait = GroupMoment.Until(_time.GetUtcNow(), _options.Ingest.JoinInterval);
        wait = wait < _options.ShutdownTimeout / 2 ? wait : _options.ShutdownTimeout / 2;
        if (wait <= TimeSpan.Zero || Faulted.IsCompleted || _source.AssignedCount == 0)
        {
            return TimeSpan.Zero;
        }

        WeirLog.LeaveAwaited(_logger, wait, _options.Ingest.JoinInterval);
        var since = _time.GetTimestamp();
        using var faulted = new CancellationTokenSource();
        await Task.WhenAny(Task.Delay(wait, _time, faulted.Token), Faulted);
        await faulted.CancelAsync();
        return _time.GetElapsedTime(since);
    }

    private AggregationWorker CreateWorker(int index, ILogger logger)
    {
        var worker = new AggregationWorker(
            index,
            Schema,
            _rows,
            _chunks,
            _queuedShards.Length > 0 ? _queuedShards[index].Queue : null,
            cut => _cuts.Enqueue(cut, (int)Math.Min(cut.Account().FoldedCount, int.MaxValue)),
            error => Fault("aggregation", error),
            _time,
            logger);
        worker.Probe.IsOn = !FaultPoint.LeavesTelemetryOut;
        return worker;
    }

    private async Task<DiagnosisReport> DiagnoseAsync() => _diagnosis.Report with { InsertLog = await _insertLog.AskAsync() };

    private AdminSources Sources() => new()
    {
        Metrics =
        [
            new ProcessMetrics(_version, Budget, Queues),
            _source,
            .. _workers,
            _writer,
            new EngineMetrics(_diagnosis, _tables),
            .. _reloader is null ? Array.Empty<IMetricSource>() : [_reloader],
        ],
        Queues = Queues,
        Health = Health,
        SlowCuts = () => _writer.Snapshot().SlowCuts,
        Diagnose = DiagnoseAsync,
        Tap = new TapEndpoint(Schema, [.. _workers.Select(worker => worker.Probe)], () => _source.Snapshot().Rejects, _time),
        Profile = new ProfileEndpoint(_time),
        Account = () => _writer.Snapshot().Stored,
        Reload = _reloader is null ? null : cancel => _reloader.ReloadAsync("weir reload", cancel),
        Positions = _source.Positions,
        Writer = _writer.Snapshot,
        Sink = Sink.Description,
        Configuration = _configuration,
        Time = _time,
        Query = _options.Writer.EmbeddedPath is null
            ? null
            : (sql, format, output, cancel) => SinkStore.QueryAsync(Sink, sql, format, output, cancel),
    };

    private IReadOnlyList<QueueSnapshot> Queues() => [.. _queuedShards.Select(shard => shard.Queue.Snapshot()), _cuts.Snapshot()];

    private HealthReport Health()
    {
        var notReady = new List<string>();
        if (_source.JoinAt is { } joinAt)
        {
            notReady.Add($"the group {_options.Ingest.Group} is joined at {joinAt:HH:mm:ss} UTC (kafka.join_interval)");
        }
        else if (_source.AssignedCount == 0)
        {
            notReady.Add($"no partition of the group {_options.Ingest.Group} is assigned to this process");
        }
        else if (_source.ReplayingCount is > 0 and var replaying)
        {
            notReady.Add($"{replaying} partition(s) are read again from where their last owner stopped");
        }

        var writer = _writer.Snapshot();
        if (!writer.IsWriting)
        {
            notReady.Add($"{Sink.Description} is not accepting rows{(writer.LastError is { } error ? $": {error}" : "")}");
        }

        return new HealthReport(Faulted.IsCompletedSuccessfully ? [$"the {Faulted.Result} stage failed"] : [], notReady);
    }

    private void Fault(string stage, Exception error)
    {
        WeirLog.StageFailed(_logger, stage, error);
        _faulted.TrySetResult(stage);
    }
}

/// <summary>One reading of every stage.</summary>
/// <param name="Ingest">What was read.</param>
/// <param name="Aggregation">What was folded, by worker.</param>
/// <param name="Writer">What was stored.</param>
/// <param name="Queues">Every queue, in the order of the data path.</param>
internal sealed record HostSnapshot(
    IngestSnapshot Ingest, IReadOnlyList<AggregationSnapshot> Aggregation, WriterSnapshot Writer, IReadOnlyList<QueueSnapshot> Queues);
