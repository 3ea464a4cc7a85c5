using Microsoft.Extensions.Logging;
using System.Text;

namespace Weir.Writer;

/// <summary>A ClickHouse: a server behind HTTP, or the engine in this process.</summary>
/// <remarks>
/// Any thread. Blocks are framed for <see cref="ClickHouseHttpSink"/> and bare for <see cref="EmbeddedClickHouseSink"/>, as <see
/// cref="Block.IsFramed"/> says.
/// </remarks>
public interface IBlockSink : IAsyncDisposable
{
    /// <summary>Where it is, for people; without secrets.</summary>
    string Description { get; }

    /// <summary>
    /// Connects and asks what the server has. To be called, and to succeed, before the first insert; may be called again.
    /// </summary>
    /// <exception cref="ClickHouseException">
    /// The server did not answer; <see cref="ClickHouseException.Reply"/> says whether to try again.
    /// </exception>
    /// <exception cref="SinkUnusableException">It can never be used as configured.</exception>
    Task<ServerFeatures> ConnectAsync(CancellationToken cancel);

    /// <summary>Tries once to insert a block, under the token made of its name where the server has tokens.</summary>
    /// <returns>What became of it; server and network errors are replies, not exceptions.</returns>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> came; the block may be stored or not.</exception>
    Task<InsertReply> InsertAsync(Block block, CancellationToken cancel);

    /// <summary>Tries once to insert rows of another table than a view's, as one block and without a token.</summary>
    /// <param name="table">Name of the table; with a dot, of its database and the table.</param>
    /// <param name="columns">Columns that the rows have.</param>
    /// <param name="format">ClickHouse's name of the rows' format.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="cancel">Ends the attempt; the rows may be stored or not.</param>
    /// <returns>What became of them.</returns>
    Task<InsertReply> InsertRowsAsync(
        string table, IReadOnlyList<string> columns, string format, ReadOnlyMemory<byte> rows, CancellationToken cancel);

    /// <summary>
    /// Number of the server that the next attempt goes to. Each has to be connected, and its tables compared, before its first
    /// insert; after a failure it may be another one.
    /// </summary>
    int Target => 0;

    /// <summary>
    /// The shards of servers that blocks are spread over, each a sink of its own; this alone when there is one. The ledger, questions and
    /// statements are for the first one.
    /// </summary>
    IReadOnlyList<IBlockSink> Shards => [this];

    /// <summary>Times that a server's name had no address; 0 where there is no name.</summary>
    long ResolveFailedCount => 0;

    /// <summary>
    /// Runs one query that reads, and writes its result to <paramref name="output"/> as it comes. It cannot change anything.
    /// </summary>
    /// <param name="sql">The query; unqualified tables are those of the configured database.</param>
    /// <param name="format">ClickHouse's output format, where the query does not name one.</param>
    /// <param name="output">Gets the result.</param>
    /// <param name="cancel">Ends the query.</param>
    /// <exception cref="ClickHouseException">The query failed.</exception>
    Task QueryAsync(string sql, string format, Stream output, CancellationToken cancel);

    /// <summary>Runs one statement that changes something and has no result, such as CREATE or ALTER.</summary>
    /// <exception cref="ClickHouseException">The statement failed.</exception>
    Task ExecuteAsync(string statement, CancellationToken cancel);
}

/// <summary>Makes sinks and reads small results.</summary>
public static class BlockSinks
{
    /// <summary>The sink that the options name. Inert until <see cref="IBlockSink.ConnectAsync"/>.</summary>
    /// <param name="options">Which servers or directory.</param>
    /// <param name="time">For time-outs.</param>
    /// <param name="logger">Told what an embedded store had to mend; null for nobody.</param>
    public static IBlockSink Create(WriterOptions options, TimeProvider time, ILogger? logger = null)
    {
        if (options.EmbeddedPath is not null)
        {
            return new EmbeddedClickHouseSink(options, logger);
        }

        var first = Random.Shared.Next(int.MaxValue); // Processes begin with different replicas.
        var shards = Enumerable.Range(0, options.ShardCount)
            .Select(shard => new ClickHouseHttpSink(options.OfShard(shard), time, resolver: null, first))
            .ToList();
        return shards.Count == 1 ? shards[0] : new ShardedClickHouseSink(shards);
    }

    /// <summary>The result of a query as text.</summary>
    /// <inheritdoc cref="IBlockSink.QueryAsync"/>
    public static async Task<string> QueryTextAsync(this IBlockSink sink, string sql, string format, CancellationToken cancel)
    {
        using var buffer = new MemoryStream();
        await sink.QueryAsync(sql, format, buffer, cancel).ConfigureAwait(false);
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    /// <summary>The rows of a query, split into columns; for results whose texts hold neither tabs nor newlines.</summary>
    internal static async Task<List<string[]>> QueryRowsAsync(this IBlockSink sink, string sql, CancellationToken cancel)
    {
        var text = await sink.QueryTextAsync(sql, "TabSeparatedRaw", cancel).ConfigureAwait(false);
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t'))];
    }
}

/// <summary>A sink that can never be used as it is configured, with what to do about it.</summary>
public sealed class SinkUnusableException : Exception
{
    /// <summary>Says what is wrong and what to do.</summary>
    public SinkUnusableException(string message)
        : base(message)
    {
    }

    /// <inheritdoc cref="SinkUnusableException(string)"/>
    public SinkUnusableException(string message, Exception cause)
        : base(message, cause)
    {
    }

    /// <summary>True when another process has the embedded store open: it answers questions meanwhile.</summary>
    public bool IsHeld { get; init; }
}
