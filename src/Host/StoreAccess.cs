using Weir.Core.Model;
using Weir.Host.Admin;
using Weir.Host.Commands;
using Weir.Writer;

namespace Weir.Host;

/// <summary>A sink as the commands see it: for questions, and for its tables.</summary>
internal sealed class StoreAccess : IStoreAccess
{
    private readonly IBlockSink _sink;
    private readonly WeirOptions _options;
    private readonly ServerFeatures _features;
    private SchemaPlan? _plan;

    private StoreAccess(IBlockSink sink, WeirOptions options, ServerFeatures features)
    {
        _sink = sink;
        _options = options;
        _features = features;
    }

    /// <inheritdoc/>
    public string Description => $"{_sink.Description}, version {_features.Version}: {_features.Guarantee}";

    /// <summary>Connects to the sink that the options name.</summary>
    /// <exception cref="StoreException">It cannot be reached or opened.</exception>
    public static async Task<IStoreAccess> OpenAsync(WeirOptions options, TimeProvider time, CancellationToken cancel)
    {
        var sink = BlockSinks.Create(options.Writer, time);
        try
        {
            return new StoreAccess(sink, options, await ConnectAsync(sink, cancel));
        }
        catch (StoreException)
        {
            await sink.DisposeAsync();
            throw;
        }
    }

    /// <summary>Connects a sink, and says what is wrong in the user's words when that fails.</summary>
    /// <exception cref="StoreException">It cannot be reached or opened.</exception>
    public static async Task<ServerFeatures> ConnectAsync(IBlockSink sink, CancellationToken cancel)
    {
        try
        {
            return await sink.ConnectAsync(cancel);
        }
        catch (Exception error) when (error is ClickHouseException or SinkUnusableException)
        {
            throw Translate(error);
        }
    }

    /// <summary>Answers the admin endpoint's questions from a sink that is open.</summary>
    public static ReadOnlyQuery ReadOnly(IBlockSink sink) => async (sql, format, output, cancel) =>
    {
        try
        {
            await sink.QueryAsync(sql, format, output, cancel);
        }
        catch (ClickHouseException error)
        {
            throw Translate(error);
        }
    };

    /// <inheritdoc/>
    public async Task<SchemaReport> PlanSchemaAsync(CancellationToken cancel)
    {
        try
        {
            _plan = await SchemaPlan.ReadAsync(_sink, StreamSchema.Compile(_options.EffectiveViews), _options.Writer, _features, cancel);
        }
        catch (ClickHouseException error)
        {
            throw Translate(error);
        }

        return new SchemaReport(
            [.. _plan.Steps.Select(step => new SchemaReportStep(step.Reason, step.Statement, step.Kind != SchemaStepKind.Change))],
            _plan.Problems);
    }

    /// <inheritdoc/>
    public async Task ApplySchemaAsync(SchemaReport plan, CancellationToken cancel)
    {
        try
        {
            await _plan!.ApplyAsync(_sink, cancel);
        }
        catch (ClickHouseException error)
        {
            throw Translate(error);
        }
    }

    /// <inheritdoc/>
    public Task QueryAsync(string sql, string format, Stream output, CancellationToken cancel) => ReadOnly(_sink)(sql, format, output, cancel);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _sink.DisposeAsync();

    private static StoreException Translate(Exception error) =>
        new(error.Message, isHeld: error is SinkUnusableException { IsHeld: true }, inner: error);
}
