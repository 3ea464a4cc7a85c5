namespace Weir.Writer;

/// <summary>Several shards of servers as one sink: a block goes to the shard that its rows' tags say, all else to the first one.</summary>
/// <remarks>
/// A block's shard follows from its name and its layout, so a block that is sent again meets the servers that may know it. The ledger is
/// one, on the first shard: a cut is stored when its blocks are on all of theirs. Any thread.
/// </remarks>
public sealed class ShardedClickHouseSink(IReadOnlyList<IBlockSink> shards) : IBlockSink
{
    /// <inheritdoc/>
    public string Description { get; } = string.Join("; ", shards.Select(shard => shard.Description));

    /// <inheritdoc/>
    public IReadOnlyList<IBlockSink> Shards => shards;

    /// <inheritdoc/>
    public int Target => shards[0].Target;

    /// <inheritdoc/>
    public long ResolveFailedCount => shards.Sum(shard => shard.ResolveFailedCount);

    /// <inheritdoc/>
    public async Task<ServerFeatures> ConnectAsync(CancellationToken cancel)
    {
        var features = new List<ServerFeatures>(shards.Count);
        foreach (var shard in shards)
        {
            features.Add(await shard.ConnectAsync(cancel).ConfigureAwait(false));
        }

        return FindClash(features) is { } clash ? throw new SinkUnusableException(clash) : features[0];
    }

    /// <inheritdoc/>
    public Task<InsertReply> InsertAsync(Block block, CancellationToken cancel) => shards[block.Shard].InsertAsync(block, cancel);

    /// <inheritdoc/>
    public Task<InsertReply> InsertRowsAsync(
        string table, IReadOnlyList<string> columns, string format, ReadOnlyMemory<byte> rows, CancellationToken cancel) =>
        shards[0].InsertRowsAsync(table, columns, format, rows, cancel);

    /// <inheritdoc/>
    public Task QueryAsync(string sql, string format, Stream output, CancellationToken cancel) => shards[0].QueryAsync(sql, format, output, cancel);

    /// <inheritdoc/>
    public Task ExecuteAsync(string statement, CancellationToken cancel) => shards[0].ExecuteAsync(statement, cancel);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var shard in shards)
        {
            await shard.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Two shards that would replicate one another: each row would be there twice. Null for none; shards not yet known are null.</summary>
    internal static string? FindClash(IReadOnlyList<ServerFeatures?> features)
    {
        var clash = features
            .Select((found, index) => (Shard: index + 1, Macro: found is { IsReplicated: true } ? found.ShardMacro : null))
            .Where(found => found.Macro is not null)
            .GroupBy(found => found.Macro)
            .FirstOrDefault(group => group.Count() > 1);
        return clash is null
            ? null
            : $"the shards {string.Join(" and ", clash.Select(found => found.Shard))} of clickhouse.urls have servers with "
                + $"the same macro shard, {clash.Key}: their tables would replicate one another, and each row would count twice. Give the "
                + "servers of each shard a value of their own, or name the replicas of one shard with commas, not with a semicolon.";
    }
}
