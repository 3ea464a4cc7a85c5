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

    /// <summary>Characters of an error body that are read.</summary>
    private const int ErrorBytesMax = 16 << 10;

    private readonly WriterOptions _options;
    private readonly TimeProvider _time;
    private readonly HttpClient _client;
    private readonly string _baseUrl;
    private ServerFeatures? _features;

    /// <summary>Prepares; nothing is sent before <see cref="ConnectAsync"/>.</summary>
    public ClickHouseHttpSink(WriterOptions options, TimeProvider time)
    {
        var url = options.Url ?? throw new ArgumentException("An HTTP sink needs a URL.", nameof(options));
        _options = options;
        _time = time;
        _baseUrl = url.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);
        Description = $"{url.GetComponents(UriComponents.SchemeAndServer, UriFormat.UriEscaped)}/{options.Database}";
        _client = new HttpClient(new SocketsHttpHandler
        {
            ConnectTimeout = options.ConnectTimeout,
            PooledConnectionIdleTimeout = _idleConnectionMax,
            PooledConnectionLifetime = _connectionAgeMax,
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan, // Each request has its own, by the clock that was given.
        };
    }

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public async Task<ServerFeatures> ConnectAsync(CancellationToken cancel)
    {
        var features = await ServerFeatures.ReadAsync(this, cancel).ConfigureAwait(false);
        Volatile.Write(ref _features, features);
        return features;
    }

    /// <inheritdoc/>
    public async Task<InsertReply> InsertAsync(Block block, CancellationToken cancel)
    {
        var features = Volatile.Read(ref _features) ?? throw new InvalidOperationException("Connect before the first insert.");
        using var content = new BlockContent(block);
        var reply = await InsertAsync(block, content, features, block.Name.ToString(), cancel).ConfigureAwait(false);
        if (reply.Cause != ReplyCause.AnswerLost)
        {
            return reply;
        }

        // A server that refuses a request may close the connection before it has read the body, and its answer is lost with
        // it. The same statement with an empty body stores nothing and gets the same answer: then the cause is known. It
        // carries no token, which must never be spent on anything but the block.
        using var empty = new ByteArrayContent([]);
        var probe = await InsertAsync(block, empty, features, token: "", cancel).ConfigureAwait(false);
        return probe.Cause is ReplyCause.Schema or ReplyCause.Access ? probe : reply;
    }

    /// <inheritdoc/>
    public async Task QueryAsync(string sql, string format, Stream output, CancellationToken cancel)
    {
        var features = Volatile.Read(ref _features);
        var parameters = new StringBuilder("&default_format=").Append(Uri.EscapeDataString(format));

        // 2: reads only, but a query may bring SETTINGS. A user who is read-only already may not even repeat it.
        parameters.Append(features is null or { IsReadOnlyUser: true } ? "" : "&readonly=2");
        await SendTextAsync(sql, parameters.ToString(), output, cancel).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task ExecuteAsync(string statement, CancellationToken cancel)
    {
        var features = Volatile.Read(ref _features);
        var parameters = features is not null && features.Settings.Contains("allow_experimental_low_cardinality_type")
            ? "&allow_experimental_low_cardinality_type=1"
            : "";
        await SendTextAsync(statement, parameters, Stream.Null, cancel).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }

    private static string InsertParameters(Block block, ServerFeatures features, string token)
    {
        var parameters = new StringBuilder(block.IsFramed ? "&decompress=1" : "");
        foreach (var setting in features.Settings)
        {
            var value = setting switch
            {
                "async_insert" => "0",
                "insert_deduplicate" or "deduplicate_blocks_in_dependent_materialized_views" => "1",
                "insert_deduplication_token" when token.Length > 0 => Uri.EscapeDataString(token),
                _ => null,
            };
            if (value is not null)
            {
                parameters.Append(CultureInfo.InvariantCulture, $"&{setting}={value}");
            }
        }

        return parameters.ToString();
    }

    private async Task<InsertReply> InsertAsync(
        Block block, HttpContent content, ServerFeatures features, string token, CancellationToken cancel)
    {
        var columns = string.Join(", ", block.Columns.Select(SqlText.Name));
        var table = $"{SqlText.Name(_options.Database)}.{SqlText.Name(block.View.Definition.Name)}";
        var statement = $"INSERT INTO {table} ({columns}) FORMAT Native";
        using var request = NewRequest($"?query={Uri.EscapeDataString(statement)}{InsertParameters(block, features, token)}", content);
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
        using var request = NewRequest($"?wait_end_of_query=1{parameters}", content);
        return await SendAsync(request, output, cancel).ConfigureAwait(false);
    }

    private HttpRequestMessage NewRequest(string query, HttpContent content)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"{_baseUrl}{query}") { Content = content };
        request.Headers.Add("X-ClickHouse-User", _options.User);
        if (_options.Password.Length > 0)
        {
            request.Headers.TryAddWithoutValidation("X-ClickHouse-Key", _options.Password);
        }

        request.Headers.ExpectContinue = false;
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("weir", null));
        return request;
    }

    private async Task<InsertReply> SendAsync(HttpRequestMessage request, Stream output, CancellationToken cancel)
    {
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
                return ServerErrors.Classify(text, code, _options.Password);
            }

            // Not ClickHouse's own words: a proxy, or another server.
            var cause = status switch
            {
                401 or 403 or 407 => ReplyCause.Access,
                408 or 504 => ReplyCause.TimedOut,
                429 or 502 or 503 => ReplyCause.Overloaded,
                _ => ReplyCause.Unknown,
            };
            return InsertReply.Failed(cause, 0, $"HTTP {status} {ServerErrors.Line(text, _options.Password)}".TrimEnd());
        }
    }

    private string Describe(Exception error)
    {
        Debug.Assert(error is HttpRequestException or IOException, "Only network errors are described.");
        var inner = error.InnerException ?? error;
        return ServerErrors.Line(inner.Message, _options.Password);
    }
}
