using System.Globalization;
using Weir.Writer;

namespace Weir.Host.Diagnosis;

/// <summary>Asks ClickHouse's own <c>system.query_log</c> how long the inserts of weir took: evidence beside weir's own clock.</summary>
/// <remarks>
/// <para>
/// It is asked only while somebody looks or inserts are slow, once in <see cref="_ageMax"/> at most, one question at a time, with a
/// time-out here and at the server, on connections of its own: a question that hangs or fails holds nobody up, and moves no insert
/// to another server. The embedded engine has no such log and is not asked.
/// </para>
/// <para>Any thread.</para>
/// </remarks>
internal sealed class InsertLog : IAsyncDisposable
{
    /// <summary>The log of a server.</summary>
    internal const string Table = "system.query_log";

    /// <summary>Servers bring the log to its table every 7.5 s by default; a shorter look back would often see nothing.</summary>
    private static readonly TimeSpan _windowDefault = TimeSpan.FromSeconds(60);

    private const int WritersMax = 20;

    /// <summary>UNKNOWN_TABLE of ClickHouse.</summary>
    private const int UnknownTableCode = 60;

    private static readonly TimeSpan _ageMax = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private readonly IReadOnlyList<IBlockSink> _servers;
    private readonly Func<int> _target;
    private readonly string _database;
    private readonly TimeProvider _time;
    private readonly TimeSpan _window;
    private readonly CancellationTokenSource _stop = new();
    private Task<InsertLogReading>? _question; // The one that runs, or the last one.
    private long _askedAt;
    private InsertLogReading? _last;
    private bool _isDisposed;

    /// <summary>Prepares; nothing is sent before it is asked.</summary>
    /// <param name="servers">
    /// A sink for each server, in the order of the data's sink; none where the store is embedded. Disposed with this.
    /// </param>
    /// <param name="target">Number of the server that inserts go to now.</param>
    /// <param name="database">The database of the views.</param>
    /// <param name="time">The process's clock.</param>
    /// <param name="window">How far to look back; null for a minute.</param>
    public InsertLog(IReadOnlyList<IBlockSink> servers, Func<int> target, string database, TimeProvider time, TimeSpan? window = null)
    {
        _window = window ?? _windowDefault;
        _servers = servers;
        _target = target;
        _database = database;
        _time = time;
        if (servers.Count == 0)
        {
            _last = InsertLogReading.NotAvailable("the embedded engine keeps none");
        }
    }

    /// <summary>What was read last; null before the first answer.</summary>
    public InsertLogReading? Last => Volatile.Read(ref _last);

    /// <summary>Makes one for the data's sink.</summary>
    public static InsertLog Create(WriterOptions options, IBlockSink sink, TimeProvider time) => new(
        options.EmbeddedPath is not null
            ? []
            : [.. options.Servers.Select(url => BlockSinks.Create(options with { Url = url, Urls = [] }, time))],
        () => sink.Target,
        options.Database,
        time);

    /// <summary>Asks, unless the last answer is new enough. Ends within the time-out, and never fails.</summary>
    public Task<InsertLogReading> AskAsync()
    {
        lock (_lock)
        {
            if (_servers.Count == 0 || _isDisposed)
            {
                return Task.FromResult(_last ?? InsertLogReading.NotAvailable("the process stops"));
            }

            if (_question is null || (_question.IsCompleted && _time.GetElapsedTime(_askedAt) >= _ageMax))
            {
                _askedAt = _time.GetTimestamp();
                _question = Task.Run(AskOnceAsync);
            }

            return _question;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Task? question;
        lock (_lock)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            question = _question;
        }

        await _stop.CancelAsync().ConfigureAwait(false);
        if (question is not null)
        {
            await question.ConfigureAwait(false);
        }

        _stop.Dispose();
        foreach (var server in _servers)
        {
            await server.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>
    /// The question. Old and new servers understand it: the type of an entry is a number on the ones and an enumeration on the others.
    /// </summary>
    /// <param name="table">The log.</param>
    /// <param name="database">The database of the views.</param>
    /// <param name="window">How far to look back.</param>
    internal static string Statement(string table, string database, TimeSpan window)
    {
        var since = string.Create(CultureInfo.InvariantCulture, $"now() - {window.TotalSeconds:0}");
        var insert = SqlText.Text($"INSERT INTO {SqlText.Name(database)}.");
        return $"""
            SELECT http_user_agent, countIf(toInt8(type) = 2), countIf(toInt8(type) > 2), sumIf(query_duration_ms, toInt8(type) = 2),
                   maxIf(query_duration_ms, toInt8(type) = 2), sumIf(written_rows, toInt8(type) = 2), sum(query_duration_ms) AS busy
            FROM {table}
            WHERE event_date >= toDate({since}) AND event_time >= {since} AND toInt8(type) IN (2, 3, 4)
                AND position(http_user_agent, {SqlText.Text(WriterNames.AgentPrefix)}) = 1 AND position(query, {insert}) = 1
            GROUP BY http_user_agent ORDER BY busy DESC LIMIT {WritersMax}
            SETTINGS max_execution_time = 2, max_threads = 1, log_queries = 0
            """;
    }

    /// <summary>A reading from the answer's rows.</summary>
    internal static InsertLogReading Reading(IReadOnlyList<string[]> rows, TimeSpan window) => new(
        null,
        window.TotalSeconds,
        [.. rows.Select(Writer).OrderByDescending(writer => writer.IsThis)]); // Stable: the busiest of the rest stay in front.

    private static WriterInserts Writer(string[] row)
    {
        var name = row[0][WriterNames.AgentPrefix.Length..].TrimEnd(')');
        var count = Number(row[1]);
        return new WriterInserts(
            name,
            name == WriterNames.Own,
            count,
            Number(row[2]),
            count == 0 ? 0 : Number(row[3]) / 1000.0 / count,
            Number(row[4]) / 1000.0,
            Number(row[5]));

        static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
    }

    private async Task<InsertLogReading> AskOnceAsync()
    {
        var reading = await QueryAsync().ConfigureAwait(false);
        Volatile.Write(ref _last, reading);
        return reading;
    }

    private async Task<InsertLogReading> QueryAsync()
    {
        using var timeout = new CancellationTokenSource(_timeout, _time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, timeout.Token);
        try
        {
            var server = _servers[Math.Min(_target(), _servers.Count - 1)];
            var statement = Statement(Table, _database, _window);
            var text = await server.QueryTextAsync(statement, "TabSeparatedRaw", linked.Token).ConfigureAwait(false);
            return Reading([.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t'))], _window);
        }
        catch (ClickHouseException error)
        {
            return InsertLogReading.NotAvailable(error.Reply.Code == UnknownTableCode
                ? "the server keeps none; configure <query_log>, and log_queries=1 for weir's user"
                : error.Reply.Message);
        }
        catch (SinkUnusableException error)
        {
            return InsertLogReading.NotAvailable(error.Message);
        }
        catch (OperationCanceledException)
        {
            return InsertLogReading.NotAvailable($"no answer within {_timeout.TotalSeconds:0} s");
        }
    }
}
