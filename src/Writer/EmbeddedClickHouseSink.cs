using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Weir.Writer;

/// <summary>ClickHouse itself, in this process, on a directory: the same SQL and the same Native blocks as a server.</summary>
/// <remarks>
/// <para>
/// One connection and thread writes, one reads and cannot change anything. One process at a time may open the directory,
/// and one directory at a time a process.
/// </para>
/// <para>Any thread.</para>
/// </remarks>
public sealed class EmbeddedClickHouseSink : IBlockSink
{
    /// <summary>
    /// The engine's caches default to 5 GiB each and are filled by reads; this store has one writer and a few readers.
    /// </summary>
    private const int CacheBytes = 32 << 20;

    /// <summary>Bytes of a result in a format that cannot be sent in pieces, and so is held in memory whole.</summary>
    private const int WholeResultBytesMax = 256 << 20;

    /// <summary>Formats whose pieces can be put one behind another. Others repeat heads and feet in each piece.</summary>
    private static readonly HashSet<string> _pieceFormats = new(StringComparer.Ordinal)
    {
        "TSV", "TabSeparated", "TSVRaw", "TabSeparatedRaw", "CSV", "JSONEachRow", "JSONLines", "NDJSON", "JSONCompactEachRow",
        "JSONStringsEachRow", "RowBinary", "Native",
    };

    private readonly WriterOptions _options;
    private readonly string _path;
    private readonly ILogger? _logger;
    private readonly SemaphoreSlim _readGate = new(1, 1);
    private readonly SemaphoreSlim _openGate = new(1, 1);
    private ChdbConnection? _writer;
    private ChdbConnection? _reader;
    private ServerFeatures? _features;

    /// <summary>Prepares; nothing is opened before <see cref="ConnectAsync"/>.</summary>
    /// <param name="options">The directory.</param>
    /// <param name="logger">Told what had to be set aside; null for nobody.</param>
    public EmbeddedClickHouseSink(WriterOptions options, ILogger? logger = null)
    {
        _options = options;
        _logger = logger;
        _path = Path.GetFullPath(options.EmbeddedPath ?? throw new ArgumentException("An embedded sink needs a path.", nameof(options)));
        Description = $"embedded ClickHouse in {options.EmbeddedPath}";
    }

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public async Task<ServerFeatures> ConnectAsync(CancellationToken cancel)
    {
        await _openGate.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            if (_writer is null)
            {
                await OpenAsync().ConfigureAwait(false);
            }

            return _features ??= await ServerFeatures.ReadAsync(this, cancel).ConfigureAwait(false);
        }
        finally
        {
            _openGate.Release();
        }
    }

    /// <inheritdoc/>
    public async Task<InsertReply> InsertAsync(Block block, CancellationToken cancel)
    {
        var writer = _writer ?? throw new InvalidOperationException("Connect before the first insert.");
        if (block.IsFramed)
        {
            throw new ArgumentException("The embedded engine takes bare Native blocks.", nameof(block));
        }

        var token = _features is { HasTokens: true } ? $", insert_deduplication_token = {SqlText.Text(block.Name.ToString())}" : "";
        return await InsertAsync(
            writer, $"{InsertStatement(block.View.Definition.Name, block.Columns)}{token}", "Native", block.Pieces, cancel).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<InsertReply> InsertRowsAsync(
        string table, IReadOnlyList<string> columns, string format, ReadOnlyMemory<byte> rows, CancellationToken cancel)
    {
        var writer = _writer ?? throw new InvalidOperationException("Connect before the first insert.");

        // Some rows in one piece: threads that read and sort them side by side would cost more than the rows.
        return InsertAsync(
            writer, $"{InsertStatement(table, columns)}, max_threads = 1, input_format_parallel_parsing = 0", format, [rows], cancel);
    }

    /// <inheritdoc/>
    public async Task QueryAsync(string sql, string format, Stream output, CancellationToken cancel)
    {
        var reader = _reader ?? throw new InvalidOperationException("Connect before the first query.");
        await _readGate.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            // Until the database is made there is none to make current, and all questions name theirs.
            var use = $"USE {SqlText.Name(_options.Database)}";
            await reader.RunAsync(connection => ChdbConnection.Query(connection, use, "TSV")).ConfigureAwait(false);
            if (!_pieceFormats.Contains(format) || !await TryStreamAsync(reader, sql, format, output, cancel).ConfigureAwait(false))
            {
                await WholeAsync(reader, sql, format, output, cancel).ConfigureAwait(false);
            }
        }
        finally
        {
            _readGate.Release();
        }
    }

    /// <inheritdoc/>
    public async Task ExecuteAsync(string statement, CancellationToken cancel)
    {
        var writer = _writer ?? throw new InvalidOperationException("Connect before the first statement.");
        cancel.ThrowIfCancellationRequested();
        var (_, error) = await writer.RunAsync(connection => ChdbConnection.Query(connection, statement, "TSV")).ConfigureAwait(false);
        ThrowOnError(error);
    }

    /// <summary>Closes the store: everything inserted is on disk, and another process may open it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_reader is not null)
        {
            await _reader.DisposeAsync().ConfigureAwait(false);
            _reader = null;
        }

        if (_writer is not null)
        {
            await _writer.DisposeAsync().ConfigureAwait(false);
            _writer = null;
        }

        _openGate.Dispose();
        _readGate.Dispose();
    }

    private static void ThrowOnError(string? error)
    {
        if (error is not null)
        {
            throw new ClickHouseException(ServerErrors.Classify(error, ServerErrors.FindCode(error), secret: ""));
        }
    }

    private async Task OpenAsync()
    {
        _ = ChdbNative.FindLibrary(); // For its own words, before the loader's.
        try
        {
            Directory.CreateDirectory(_path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new SinkUnusableException(
                $"clickhouse.embedded: the directory {_options.EmbeddedPath} cannot be made: {error.Message}", error);
        }

        if (FindHolder() is null)
        {
            EmptyDefinitions.Mend(_path, _logger);
        }

        string[] store =
        [
            $"--path={_path}",
            $"--mark_cache_size={CacheBytes}",
            $"--primary_index_cache_size={CacheBytes}",
            $"--index_mark_cache_size={CacheBytes}",
            "--background_pool_size=1",
            "--log-level=none", // On a terminal the engine would write to it, across whatever is shown there.
        ];
        try
        {
            _writer = await ChdbConnection.OpenAsync(
                "weir-store-write", [.. store, "--async_insert=0", "--max_insert_threads=1"]).ConfigureAwait(false);
        }
        catch (SinkUnusableException error) when (FindHolder() is { } holder)
        {
            throw new SinkUnusableException(
                $"The embedded store {_options.EmbeddedPath} is open in process {holder}, and only one process at a time may open it. "
                + "Use 'weir query' or the admin endpoint of that process, or stop it.", error)
            {
                IsHeld = true,
            };
        }

        _reader = await ChdbConnection.OpenAsync(
            "weir-store-read",
            $"--path={_path}",
            string.Create(CultureInfo.InvariantCulture, $"--max_memory_usage={_options.EmbeddedQueryMemoryBytes}"),
            "--readonly=2").ConfigureAwait(false);
    }

    /// <summary>The other process that has the store's lock file open; null when there is none that this user may see.</summary>
    /// <remarks>The file names a process too, but .NET takes a lock to read any file, which the holder does not share.</remarks>
    private string? FindHolder()
    {
        var lockFile = Path.Combine(_path, "status");
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            var id = Path.GetFileName(process);
            if (!id.All(char.IsAsciiDigit) || id == Environment.ProcessId.ToString(CultureInfo.InvariantCulture))
            {
                continue;
            }

            try
            {
                if (Directory.EnumerateFiles(Path.Combine(process, "fd")).Any(file => new FileInfo(file).LinkTarget == lockFile))
                {
                    return id;
                }
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // Ended meanwhile, or another user's.
            }
        }

        return null;
    }

    private static async Task<InsertReply> InsertAsync(
        ChdbConnection writer, string statement, string format, IReadOnlyList<ReadOnlyMemory<byte>> pieces, CancellationToken cancel)
    {
        var error = await writer.RunAsync(connection => Insert(connection, statement, format, pieces, cancel)).ConfigureAwait(false);
        return error is null ? InsertReply.Stored : ServerErrors.Classify(error, ServerErrors.FindCode(error), secret: "");
    }

    private string InsertStatement(string table, IReadOnlyList<string> columns) =>
        $"INSERT INTO {SqlText.Table(_options.Database, table)} ({string.Join(", ", columns.Select(SqlText.Name))}) "
        + "SETTINGS async_insert = 0, insert_deduplicate = 1, deduplicate_blocks_in_dependent_materialized_views = 1";

    /// <summary>On the writer's thread.</summary>
    /// <returns>The engine's error; null when the rows are stored.</returns>
    private static unsafe string? Insert(
        nint connection, string text, string formatName, IReadOnlyList<ReadOnlyMemory<byte>> pieces, CancellationToken cancel)
    {
        var statement = Encoding.UTF8.GetBytes(text);
        var formatBytes = Encoding.UTF8.GetBytes(formatName);
        nint stream;
        fixed (byte* sql = statement, format = formatBytes)
        {
            stream = ChdbNative.StreamInsert(connection, sql, (nuint)statement.Length, format, (nuint)formatBytes.Length);
        }

        try
        {
            if (ChdbConnection.Text(ChdbNative.StreamInsertError(stream)) is { } refused)
            {
                return refused;
            }

            foreach (var piece in pieces)
            {
                cancel.ThrowIfCancellationRequested();
                fixed (byte* bytes = piece.Span)
                {
                    if (ChdbNative.StreamAppend(stream, bytes, (nuint)piece.Length) != 0)
                    {
                        break; // Done says why.
                    }
                }
            }

            return ChdbConnection.Take(ChdbNative.StreamDone(stream)).Error;
        }
        finally
        {
            ChdbNative.DestroyInsertStream(stream);
        }
    }

    private static async Task WholeAsync(ChdbConnection reader, string sql, string format, Stream output, CancellationToken cancel)
    {
        var limit = string.Create(CultureInfo.InvariantCulture, $"SET max_result_bytes = {WholeResultBytesMax}");
        var (result, error) = await reader.RunAsync(connection =>
        {
            ChdbConnection.Query(connection, limit, "TSV");
            var answer = ChdbConnection.Query(connection, sql, format);
            ChdbConnection.Query(connection, "SET max_result_bytes = 0", "TSV");
            return answer;
        }).ConfigureAwait(false);
        ThrowOnError(error);
        await output.WriteAsync(result, cancel).ConfigureAwait(false);
    }

    /// <summary>Sends the result piece by piece, so that a large one is never in memory whole.</summary>
    /// <returns>False when the engine streams no query of this kind, such as SHOW.</returns>
    private static async Task<bool> TryStreamAsync(
        ChdbConnection reader, string sql, string format, Stream output, CancellationToken cancel)
    {
        var (stream, refused) = await reader.RunAsync(connection => OpenStream(connection, sql, format)).ConfigureAwait(false);
        if (stream == 0)
        {
            if (refused!.Contains("Streaming query is not supported", StringComparison.Ordinal))
            {
                return false;
            }

            ThrowOnError(refused);
        }

        var isRead = false;
        try
        {
            while (true)
            {
                var (piece, error) = await reader.RunAsync(
                    connection => ChdbConnection.Take(ChdbNative.StreamFetch(connection, stream))).ConfigureAwait(false);
                ThrowOnError(error);
                if (piece.Length == 0)
                {
                    isRead = true;
                    return true;
                }

                await output.WriteAsync(piece, cancel).ConfigureAwait(false);
            }
        }
        finally
        {
            await reader.RunAsync(connection => CloseStream(connection, stream, isRead)).ConfigureAwait(false);
        }
    }

    private static unsafe (nint Stream, string? Refused) OpenStream(nint connection, string sql, string format)
    {
        var sqlBytes = Encoding.UTF8.GetBytes(sql);
        var formatBytes = Encoding.UTF8.GetBytes(format);
        fixed (byte* sqlStart = sqlBytes, formatStart = formatBytes)
        {
            var stream = ChdbNative.StreamQuery(connection, sqlStart, (nuint)sqlBytes.Length, formatStart, (nuint)formatBytes.Length);
            var error = stream == 0 ? "The engine gave no result" : ChdbConnection.Text(ChdbNative.ResultError(stream));
            if (error is not null && stream != 0)
            {
                ChdbNative.DestroyResult(stream);
            }

            return error is null ? (stream, null) : (0, error);
        }
    }

    private static bool CloseStream(nint connection, nint stream, bool isRead)
    {
        if (!isRead)
        {
            ChdbNative.StreamCancel(connection, stream);
        }

        ChdbNative.DestroyResult(stream);
        return true;
    }
}
