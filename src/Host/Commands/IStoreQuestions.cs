using Weir.Host.Admin;

namespace Weir.Host.Commands;

/// <summary>Someone who answers SQL that reads.</summary>
internal interface IStoreQuestions
{
    /// <summary>Asks, and writes the answer to <paramref name="output"/> as it comes.</summary>
    /// <exception cref="StoreException">The SQL was refused, or nobody answers.</exception>
    Task AskAsync(string sql, string format, Stream output, CancellationToken cancel);

    /// <summary>Shards of servers that the tables of the views are spread over.</summary>
    int ShardCount => 1;

    /// <summary>Asks one shard of servers.</summary>
    /// <inheritdoc cref="AskAsync"/>
    Task AskShardAsync(int shard, string sql, string format, Stream output, CancellationToken cancel) => AskAsync(sql, format, output, cancel);
}

/// <summary>Asks either sink; the embedded one through the admin endpoint of the weir that holds it.</summary>
/// <remarks>One caller at a time. A sink that had to be opened stays open until this is disposed.</remarks>
internal sealed class StoreQuestions(WeirOptions options, IWeirBackend backend) : IStoreQuestions, IAsyncDisposable
{
    private IStoreAccess? _store;

    /// <inheritdoc/>
    public int ShardCount => options.Writer.ShardCount;

    /// <inheritdoc/>
    public async Task AskShardAsync(int shard, string sql, string format, Stream output, CancellationToken cancel)
    {
        if (shard == 0)
        {
            await AskAsync(sql, format, output, cancel);
            return;
        }

        _store ??= await backend.OpenStoreAsync(options, cancel); // Servers only: an embedded store is one.
        await _store.QueryShardAsync(shard, sql, format, output, cancel);
    }

    /// <inheritdoc/>
    public async Task AskAsync(string sql, string format, Stream output, CancellationToken cancel)
    {
        if (_store is null && await TryAdminFileAsync(sql, format, output, cancel))
        {
            return;
        }

        try
        {
            _store ??= await backend.OpenStoreAsync(options, cancel);
        }
        catch (StoreException error) when (error.IsHeld)
        {
            var url = AdminClient.UrlOf(options.Admin.Listen);
            if (!await AdminClient.TryQueryAsync(url, sql, format, output, cancel, AdminToken.Read(options.Admin)))
            {
                throw new StoreException($"{error.Message}; and no admin endpoint answers at {url}: stop the process that holds the store, "
                    + "or set admin.listen to its address", isHeld: true, error);
            }

            return;
        }

        await _store.QueryAsync(sql, format, output, cancel);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _store?.DisposeAsync() ?? ValueTask.CompletedTask;

    private async Task<bool> TryAdminFileAsync(string sql, string format, Stream output, CancellationToken cancel)
    {
        if (options.Writer.EmbeddedPath is not { } directory)
        {
            return false;
        }

        if (!Directory.Exists(directory))
        {
            throw new StoreException($"there is no embedded store at {Path.GetFullPath(directory)}; start 'weir run', or name the "
                + "configuration with -c and run in its working directory");
        }

        // A run that holds the store has left its address in it. The file of a run that was killed leads nowhere: open the store then.
        return AdminFile.Read(directory) is { } url && await AdminClient.TryQueryAsync(url, sql, format, output, cancel, AdminToken.Read(options.Admin));
    }
}
