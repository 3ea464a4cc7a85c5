using Weir.Core.Model;
using Weir.Writer;

namespace Weir.Host.Reload;

/// <summary>Looks whether a pipeline with new options would find its tables in order, before the one that runs is drained.</summary>
internal static class ReloadCheck
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(20);

    /// <summary>What would keep the new pipeline from storing; empty for nothing. Any thread.</summary>
    /// <param name="options">The new options.</param>
    /// <param name="running">The pipeline that runs; null when none does at the moment.</param>
    /// <param name="cancel">Ends the waiting.</param>
    public static async Task<IReadOnlyList<string>> FindObstaclesAsync(WeirOptions options, WeirHost? running, CancellationToken cancel)
    {
        if (running is null)
        {
            return ["the pipeline is being built; reload again when it runs"];
        }

        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timeout.CancelAfter(_timeout);
        var isEmbedded = options.Writer.EmbeddedPath is not null;
        if (isEmbedded && options.Writer.EmbeddedPath != running.EmbeddedPath)
        {
            return []; // Another store: opened once the present one is closed.
        }

        // An embedded store is open in this process already; a server is asked on connections of its own.
        var own = isEmbedded ? null : BlockSinks.Create(options.Writer, TimeProvider.System);
        try
        {
            var sink = own ?? running.Sink;
            var schema = StreamSchema.Compile(options.EffectiveViews);
            var obstacles = new List<string>();
            await sink.ConnectAsync(timeout.Token); // Together: shards may clash.
            for (var shard = 0; shard < sink.Shards.Count; shard++)
            {
                var features = await sink.Shards[shard].ConnectAsync(timeout.Token);
                var plan = await SchemaPlan.ReadAsync(sink.Shards[shard], schema, options.Writer.OfShard(shard), features, timeout.Token);
                obstacles.AddRange(plan.Problems);
                obstacles.AddRange(plan.Steps.Where(step => step.Kind == SchemaStepKind.Change)
                    .Select(step => $"{step.Reason} Run 'weir schema apply' first, which does: {step.Statement}"));
            }

            return obstacles;
        }
        catch (Exception error) when (error is ClickHouseException or SinkUnusableException)
        {
            return [$"{(own ?? running.Sink).Description}: {error.Message}; the pipeline that runs could not be drained either, so it is kept"];
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return [$"{(own ?? running.Sink).Description} did not answer within {_timeout.TotalSeconds:0} s"];
        }
        finally
        {
            if (own is not null)
            {
                await own.DisposeAsync();
            }
        }
    }
}
