using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace Weir.Writer;

/// <summary>A ClickHouse server, through its HTTP port: sends one block, classifies the reply.</summary>
/// <remarks>
/// <para>
/// User and password travel in headers, never in an address, so that no proxy logs them. Settings that matter are sent with
/// each insert, since server defaults changed between versions, but only those that the server knows: 18.16 refuses any other.
/// </para>
/// <para>
/// Of several servers, the replicas of one shard, one is in use until it does not take something; then the next one is, in the
/// order of the options and round again. It does not matter which one a block whose answer was lost is sent to again: replicated
/// tables share what they remember, and tables that are not replicated are refused when there is more than one server.
/// </para>
/// <para>Any thread.</para>
/// </remarks>
public sealed class ClickHouseHttpSink : IBlockSink
{
    /// <summary>
    /// Servers close idle connections after 3 s by default. A request on a connection that is being closed is lost without
    /// an answer, so idle ones are left earlier.
    /// </summary>
    private static readonly TimeSpan _idleConnectionMax = TimeSpan.FromSeconds(2);

    /// <summary>A new connection now and then follows a changed DNS name.</summary>
    private static readonly TimeSpan _connectionAgeMax = TimeSpan.FromMinutes(5);

    private static readonly ProductInfoHeaderValue[] _agent = [new("weir", null), new($"({WriterNames.Own})")];

    /// <summary>Characters of an error body that are read.</summary>
    private const int ErrorBytesMax = 16 << 10;

    private readonly WriterOptions _options;
    private readonly TimeProvider _time;
    private readonly HttpClient _client;
    private readonly ServerConnector _connector;
    private readonly ServerPassword _password;
    private readonly string[] _baseUrls;
    private readonly ServerFeatures?[] _features;
    private int _target;

    /// <summary>Prepares; nothing is sent before <see cref="ConnectAsync"/>.</summary>
    /// <param name="options">Addresses, user and limits.</param>
    /// <param name="time">The clock of time-outs.</param>
    /// <param name="resolver">Resolves the servers' names; null for the system's.</param>
    /// <param name="firstTarget">The server to begin with.</param>
    public ClickHouseHttpSink(WriterOptions options, TimeProvider time, INameResolver? resolver = null, int firstTarget = 0)
    {
        if (options.Servers.Count == 0)
        {
            throw new ArgumentException("An HTTP sink needs a URL.", nameof(options));
        }

        _options = options;
        _time = time;
        _baseUrls = [.. options.Servers.Select(
            url => url.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped))];
        _features = new ServerFeatures?[_baseUrls.Length];
        _target = firstTarget % _baseUrls.Length;
        var servers = options.Servers.Select(url => url.GetComponents(UriComponents.SchemeAndServer, UriFormat.UriEscaped));
        Description = $"{string.Join(", ", servers)}/{options.Database}";
        _password = new ServerPassword(options);
        _connector = new ServerConnector(resolver ?? new SystemNameResolver(), options.ConnectTimeout, time);
        _client = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = (context, cancel) => _connector.ConnectAsync(context.DnsEndPoint, cancel),
            ConnectTimeout = options.ConnectTimeout,
            PooledConnectionIdleTimeout = _idleConnectionMax,
            PooledConnectionLifetime = _connectionAgeMax,
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            SslOptions = new ServerTls(options, time).ClientOptions(),
        })
        {
            Timeout = Timeout.InfiniteTimeSpan, // Each request has its own, by the clock that was given.
        };
    }

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public long ResolveFailedCount => _connector.ResolveFailedCount;

    /// <inheritdoc/>
    public int Target => Volatile.Read(ref _target);

    /// <inheritdoc/>
    public async Task<ServerFeatures> ConnectAsync(CancellationToken cancel)
    {
        // A question that fails moves on to the next server: what was learned is the first one's only if all were answered there.
        var target = Target;
        var features = await ServerFeatures.ReadAsync(this, cancel).ConfigureAwait(false);
        Volatile.Write(ref _features[target], features);
        return features;
    }

    /// <inheritdoc/>
    public async Task<InsertReply> InsertAsync(Block block, CancellationToken cancel)
    {
        var target = Target;
        var features = RequireFeatures(target);
        var extra = features.NeedsBlockColumn ? TableDesign.BlockColumn : null;
        using var content = new BlockContent(block, extra);
        var table = block.View.Definition.Name;
        var columns = extra is null ? block.Columns : [.. block.Columns, extra];
        var parameters = InsertParameters(block.IsFramed, features, block.Name.ToString());
        var reply = await InsertAsync(target, table, columns, "Native", parameters, content, cancel).ConfigureAwait(false);
        if (reply.Cause == ReplyCause.AnswerLost)
        {
            // A server that refuses a request may close the connection before it has read the body, and its answer is lost with
            // it. The same statement with an empty body stores nothing and gets the same answer: then the cause is known. It
            // carries no token, which must never be spent on anything but the block.
            using var empty = new ByteArrayContent([]);
            parameters = InsertParameters(block.IsFramed, features, token: "");
            var probe = await InsertAsync(target, table, columns, "Native", parameters, empty, cancel).ConfigureAwait(false);
            reply = probe.Cause is ReplyCause.Schema or ReplyCause.Access ? probe : reply;
        }

        return LeaveOnFailure(target, reply);
    }

    /// <inheritdoc/>
    public async Task<InsertReply> InsertRowsAsync(
        string table, IReadOnlyList<string> columns, string format, ReadOnlyMemory<byte> rows, CancellationToken cancel)
    {
        var target = Target;
        var parameters = InsertParameters(isFramed: false, RequireFeatures(target), token: "");
        using var content = new ReadOnlyMemoryContent(rows);
        return LeaveOnFailure(
            target, await InsertAsync(target, table, columns, format, parameters, content, cancel).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public async Task QueryAsync(string sql, string format, Stream output, CancellationToken cancel)
    {
        var features = Volatile.Read(ref _features[Target]);
        var parameters = new StringBuilder("&default_format=").Append(Uri.EscapeDataString(format));

        // 2: reads only, but a query may bring SETTINGS. A user who is read-only already may not even repeat it.
        parameters.Append(features is null or { IsReadOnlyUser: true } ? "" : "&readonly=2");
        await SendTextAsync(sql, parameters.ToString(), output, cancel).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task ExecuteAsync(string statement, CancellationToken cancel)
    {
        // A statement is no block. Where several processes note the same at the same moment, a replicated table would take them for one
        // block, and a replicated server keeps the parts of those that it takes for known on disk for minutes: when it is killed
        // meanwhile, and they are most of a table, it does not start again before a person says so.
        var parameters = Volatile.Read(ref _features[Target]) is not { } features ? "" : SettingParameters(features, setting => setting switch
        {
            "allow_experimental_low_cardinality_type" => "1",
            "insert_deduplicate" => "0",
            _ => null,
        });
        await SendTextAsync(statement, parameters, Stream.Null, cancel).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }

    private static string InsertParameters(bool isFramed, ServerFeatures features, string token) =>
        (isFramed ? "&decompress=1" : "") + SettingParameters(features, setting => setting switch
        {
            "async_insert" => "0",
            "insert_deduplicate" or "deduplicate_blocks_in_dependent_materialized_views" => "1",
            "insert_deduplication_token" when token.Length > 0 => Uri.EscapeDataString(token),
            _ => null,
        });

    /// <summary>The settings that the server knows and that have a value here.</summary>
    private static string SettingParameters(ServerFeatures features, Func<string, string?> valueOf) => string.Concat(
        features.Settings.Select(setting => valueOf(setting) is { } value ? $"&{setting}={value}" : ""));

    private ServerFeatures RequireFeatures(int target) =>
        Volatile.Read(ref _features[target]) ?? throw new InvalidOperationException("Connect before the first insert.");

    /// <summary>After a failure that another server may not have, the next attempt goes to the next one.</summary>
    private InsertReply LeaveOnFailure(int target, in InsertReply reply)
    {
        if (reply.Outcome == InsertOutcome.NotNow && _baseUrls.Length > 1)
        {
            // Only from the server that failed: a question beside the insert may have moved on already.
            Interlocked.CompareExchange(ref _target, (target + 1) % _baseUrls.Length, target);
        }

        return reply;
    }

    private async Task<InsertReply> InsertAsync(
        int target,
        string table,
        IReadOnlyList<string> columns,
        string format,
        string parameters,
        HttpContent content,
        CancellationToken cancel)
    {
        var statement = $"INSERT INTO {SqlText.Table(_options.Database, table)} "
            + $"({string.Join(", ", columns.Select(SqlText.Name))}) FORMAT {format}";
        using var request = NewRequest(target, $"?query={Uri.EscapeDataString(statement)}{parameters}", content);
        return await SendAsync(request, Stream.Null, cancel).ConfigureAwait(false);
    }

    /// <summary>
    /// Sends SQL as the body. The server keeps the result back until it is whole, on its disk where it is large: no error hides in
    /// it.
    /// </summary>
    private async Task SendTextAsync(string sql, string parameters, Stream output, CancellationToken cancel)
    {
        // Statements name their database; queries of people need not.
        var isQuery = !ReferenceEquals(output, Stream.Null);
        var database = isQuery ? $"&database={Uri.EscapeDataString(_options.Database)}" : "";
        var reply = await SendTextOnceAsync(sql, $"{database}{parameters}", output, cancel).ConfigureAwait(false);
        if (reply.Code == ServerErrors.UnknownDatabase && isQuery)
        {
            // Before the first start there is no such database, and every query that names it as its own fails, even one of system tables.
            reply = await SendTextOnceAsync(sql, parameters, output, cancel).ConfigureAwait(false);
        }

        if (reply.Outcome != InsertOutcome.Stored)
        {
            throw new ClickHouseException(reply);
        }
    }

    private async Task<InsertReply> SendTextOnceAsync(string sql, string parameters, Stream output, CancellationToken cancel)
    {
        using var content = new StringContent(sql, Encoding.UTF8, "text/plain");
        var target = Target;
        using var request = NewRequest(target, $"?wait_end_of_query=1{parameters}", content);
        return LeaveOnFailure(target, await SendAsync(request, output, cancel).ConfigureAwait(false));
    }

    private HttpRequestMessage NewRequest(int target, string query, HttpContent content)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"{_baseUrls[target]}{query}") { Content = content };
        request.Headers.Add("X-ClickHouse-User", _options.User);
        request.Headers.ExpectContinue = false;
        foreach (var part in _agent)
        {
            request.Headers.UserAgent.Add(part);
        }

        return request;
    }

    private async Task<InsertReply> SendAsync(HttpRequestMessage request, Stream output, CancellationToken cancel)
    {
        try
        {
            if (_password.Read() is { Length: > 0 } password)
            {
                request.Headers.TryAddWithoutValidation("X-ClickHouse-Key", password);
            }
        }
        catch (IOException error)
        {
            return InsertReply.Failed(ReplyCause.Access, 0, error.Message); // Nothing was sent.
        }

        using var timeout = new CancellationTokenSource(_options.RequestTimeout, _time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancel, timeout.Token);
        try
        {
            using var response = await _client
                .SendAsync(request, HttpCompletionOption.ResponseHeadersRead, linked.Token).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.OK && !response.Headers.Contains("X-ClickHouse-Exception-Code"))
            {
                await response.Content.CopyToAsync(output, linked.Token).ConfigureAwait(false);
                return InsertReply.Stored;
            }

            return await ReadErrorAsync(response, linked.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return timeout.IsCancellationRequested
                ? InsertReply.Failed(ReplyCause.TimedOut, 0, $"No answer within {_options.RequestTimeout.TotalSeconds:0.#} s")
                : InsertReply.Failed(ReplyCause.Unreachable, 0, $"No connection within {_options.ConnectTimeout.TotalSeconds:0.#} s");
        }
        catch (HttpRequestException error) when (error.InnerException is ServerCertificateException problem)
        {
            return InsertReply.Failed(ReplyCause.Certificate, 0, problem.Message);
        }
        catch (HttpRequestException error)
        {
            var cause = error.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
                or HttpRequestError.SecureConnectionError
                ? ReplyCause.Unreachable
                : ReplyCause.AnswerLost;
            return InsertReply.Failed(cause, 0, Describe(error));
        }
        catch (IOException error)
        {
            return InsertReply.Failed(ReplyCause.AnswerLost, 0, Describe(error));
        }
    }

    private async Task<InsertReply> ReadErrorAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        var buffer = new byte[ErrorBytesMax];
        var stream = await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            var length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancel).ConfigureAwait(false);
            var text = Encoding.UTF8.GetString(buffer, 0, length);
            var code = ServerErrors.FindCode(text);
            if (code == 0 && response.Headers.TryGetValues("X-ClickHouse-Exception-Code", out var values))
            {
                _ = int.TryParse(values.First(), NumberStyles.None, CultureInfo.InvariantCulture, out code);
            }

            var status = (int)response.StatusCode;
            if (code != 0)
            {
                return ServerErrors.Classify(_password.Mask(text), code, _options.Password);
            }

            // Not ClickHouse's own words: a proxy, or another server.
            var cause = status switch
            {
                401 or 403 or 407 => ReplyCause.Access,
                408 or 504 => ReplyCause.TimedOut,
                429 or 502 or 503 => ReplyCause.Overloaded,
                _ => ReplyCause.Unknown,
            };
            return InsertReply.Failed(cause, 0, $"HTTP {status} {ServerErrors.Line(_password.Mask(text), _options.Password)}".TrimEnd());
        }
    }

    private string Describe(Exception error)
    {
        Debug.Assert(error is HttpRequestException or IOException, "Only network errors are described.");
        var inner = error.InnerException ?? error;
        return ServerErrors.Line(_password.Mask(inner.Message), _options.Password);
    }
}
