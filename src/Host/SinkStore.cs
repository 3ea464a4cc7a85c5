using Weir.Core.Model;
using Weir.Host.Commands;
using Weir.Writer;

namespace Weir.Host;

/// <summary>Either sink, as the commands see it.</summary>
internal sealed class SinkStore : IStoreAccess
{
    /// <summary>UNKNOWN_DATABASE of ClickHouse: nothing has been stored yet.</summary>
    private const int UnknownDatabaseCode = 81;

    private readonly IBlockSink _sink;
    private readonly ServerFeatures _features;
    private readonly WeirOptions _options;
    private SinkPromise? _promise; // Known when the tables have been read.

    private SinkStore(IBlockSink sink, ServerFeatures features, WeirOptions options)
    {
        _sink = sink;
        _features = features;
        _options = options;
    }

    /// <inheritdoc/>
    public string Description => _promise is null
        ? $"{_sink.Description} is ClickHouse {_features.Version}"
        : $"{_sink.Description} is ClickHouse {_features.Version}; blocks that are sent again are stored {_promise}";

    /// <summary>Connects to the server, or opens the store.</summary>
    /// <exception cref="StoreException">It cannot be had.</exception>
    public static async Task<SinkStore> OpenAsync(WeirOptions options, CancellationToken cancel)
    {
        var sink = BlockSinks.Create(options.Writer, TimeProvider.System);
        try
        {
            return new SinkStore(sink, await ConnectAsync(sink, options, cancel), options);
        }
        catch (StoreException)
        {
            await sink.DisposeAsync();
            throw;
        }
    }

    /// <summary>Connects a sink, or says in the user's words why it cannot be had.</summary>
    /// <exception cref="StoreException">It cannot be had.</exception>
    public static async Task<ServerFeatures> ConnectAsync(IBlockSink sink, WeirOptions options, CancellationToken cancel)
    {
        if (options.Writer.EmbeddedPath is { } directory && IsHeld(directory))
        {
            throw new StoreException(
                $"the embedded store {directory} is open in another process, and only one at a time may open it; "
                + "ask that one with 'weir query', or stop it",
                isHeld: true);
        }

        try
        {
            return await sink.ConnectAsync(cancel);
        }
        catch (Exception error) when (error is ClickHouseException or SinkUnusableException)
        {
            throw new StoreException($"{sink.Description}: {error.Message}", error is SinkUnusableException { IsHeld: true }, error);
        }
    }

    /// <inheritdoc/>
    public async Task<SchemaReport> PlanSchemaAsync(CancellationToken cancel)
    {
        var steps = new List<SchemaReportStep>();
        var problems = new List<string>();
        var promises = new List<SinkPromise>();
        for (var shard = 0; shard < _sink.Shards.Count; shard++)
        {
            var plan = await ReadPlanAsync(shard, cancel);
            var who = _sink.Shards.Count > 1 ? $"{_sink.Shards[shard].Description}: " : "";
            steps.AddRange(plan.Steps.Select(
                step => new SchemaReportStep(who + step.Reason, step.Statement, step.Kind != SchemaStepKind.Change, shard)));
            problems.AddRange(plan.Problems.Select(problem => who + problem));
            promises.Add(plan.Promise);
        }

        _promise = SinkPromise.WeakestOf(promises);
        return new SchemaReport(steps, problems);
    }

    /// <inheritdoc/>
    public async Task<SchemaReport> PlanClusterAsync(string cluster, CancellationToken cancel)
    {
        if (_options.Writer.EmbeddedPath is not null)
        {
            throw new CommandException("an embedded store has no clusters; leave --cluster out, or name a server in clickhouse.url");
        }

        var own = await ReadPlanAsync(0, cancel);
        try
        {
            var plan = await ClusterPlan.ReadAsync(_sink, own, _options.Writer, _features, cluster, cancel);
            return new SchemaReport([.. plan.Steps.Select(step => new SchemaReportStep(step.Reason, step.Statement, false))], plan.Problems);
        }
        catch (ClickHouseException error)
        {
            throw new StoreException(error.Message, isHeld: false, error);
        }
    }

    /// <inheritdoc/>
    public async Task ApplySchemaAsync(SchemaReport plan, CancellationToken cancel)
    {
        foreach (var step in plan.Steps)
        {
            await AskAsync(() => _sink.Shards[step.Shard].ExecuteAsync(step.Statement, cancel));
        }
    }

    /// <inheritdoc/>
    public Task QueryAsync(string sql, string format, Stream output, CancellationToken cancel) =>
        QueryAsync(_sink, sql, format, output, cancel);

    /// <inheritdoc/>
    public Task QueryShardAsync(int shard, string sql, string format, Stream output, CancellationToken cancel) =>
        QueryAsync(_sink.Shards[shard], sql, format, output, cancel);

    /// <inheritdoc cref="IStoreAccess.QueryAsync"/>
    public static Task QueryAsync(IBlockSink sink, string sql, string format, Stream output, CancellationToken cancel) =>
        AskAsync(() => sink.QueryAsync(sql, format, output, cancel));

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _sink.DisposeAsync();

    /// <summary>
    /// True while another process has the store open. ClickHouse locks its status file, with the kind of lock (flock) that .NET
    /// asks for when it opens a file. Asking first is faster than loading the engine, which would write its error to stderr.
    /// </summary>
    private static bool IsHeld(string directory)
    {
        try
        {
            using var status = new FileStream(Path.Combine(directory, "status"), FileMode.Open, FileAccess.Read, FileShare.Read);
            return false;
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private static async Task AskAsync(Func<Task> question)
    {
        try
        {
            await question();
        }
        catch (ClickHouseException error)
        {
            // The reply's advice is for blocks; a question is mended by who asks.
            var advice = error.Reply.Code == UnknownDatabaseCode ? "; 'weir run' makes the database when it stores its first rows" : "";
            throw new StoreException(error.Reply.Message + advice, isHeld: false, error);
        }
    }

    private async Task<SchemaPlan> ReadPlanAsync(int shard, CancellationToken cancel)
    {
        var sink = _sink.Shards[shard];
        try
        {
            var features = shard == 0 ? _features : await sink.ConnectAsync(cancel);
            return await SchemaPlan.ReadAsync(sink, StreamSchema.Compile(_options.EffectiveViews), _options.Writer.OfShard(shard), features, cancel);
        }
        catch (ClickHouseException error)
        {
            throw new StoreException(error.Message, isHeld: false, error);
        }
    }
}
