using System.Buffers;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Weir.Core.Faults;
using Weir.Core.Telemetry;
using Weir.Host.Admin.Page;
using Weir.Host.Diagnosis;
using Weir.Host.Telemetry;

namespace Weir.Host.Admin;

/// <summary>The HTTP endpoint for people and monitoring: health, metrics, queues, questions.</summary>
/// <remarks>Requests run on the thread pool and only read snapshots; none can hold up the data path.</remarks>
internal sealed class AdminServer : IAsyncDisposable
{
    /// <summary>On each answer; tells <c>weir query</c> that it talks to a weir.</summary>
    public const string VersionHeader = "Weir-Version";

    /// <summary>Connections at one time; a scraper and a few people need far fewer.</summary>
    private const int ConnectionsMax = 64;

    /// <summary>Bytes of a request's body: a question of the longest kind in UTF-8.</summary>
    private const int BodyBytesMax = ReadOnlySql.TextCharsMax * 4;

    private static readonly TimeSpan _headersTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _keepAliveTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan _stopTimeout = TimeSpan.FromSeconds(2);
    private static readonly JsonSerializerOptions _json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
    };

    private readonly WebApplication _app;
    private readonly PageEndpoints _page;
    private readonly AdminOptions _options;
    private readonly AdminSources _sources;
    private readonly string _version;
    private readonly AdminToken _token;
    private bool _isDisposed;

    /// <summary>Builds the endpoint; <see cref="StartAsync"/> opens it.</summary>
    /// <param name="options">Where it listens.</param>
    /// <param name="version">Version of the program.</param>
    /// <param name="sources">What it tells.</param>
    public AdminServer(AdminOptions options, string version, AdminSources sources)
    {
        _options = options;
        _sources = sources;
        _version = version;
        _token = new AdminToken(options);

        // Empty: no settings files, no ASPNETCORE_ variables, no log of its own, and no lifetime that takes the process's signals.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<IHostLifetime, NoSignalLifetime>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(ConfigureKestrel);
        _app = builder.Build();
        _app.Use(AddHeaders);
        _app.Use(CheckToken);
        _app.UseRouting();
        _page = new PageEndpoints(version, sources, Scrape);
        _page.Map(_app);
        _app.MapGet("/healthz", Healthz);
        _app.MapGet("/readyz", Readyz);
        _app.MapGet("/metrics", Metrics);
        _app.MapGet("/queues", Queues);
        _app.MapGet("/positions", Positions);
        _app.MapGet("/slow-cuts", SlowCuts);
        _app.MapGet("/diagnose", Diagnose);
        if (sources is { Tap: { } tap, Profile: { } profile })
        {
            _app.MapGet("/tap", tap.AnswerAsync);
            _app.MapGet("/profile", profile.AnswerAsync);
        }

        _app.MapMethods("/query", ["GET", "POST"], new QueryEndpoint(options, sources.Query).AnswerAsync);
        _app.MapPost("/reload", new Reload.ReloadEndpoint(sources.Reload).AnswerAsync);
        _app.UseEndpoints(_ => { });
        Url = new Uri($"http://{options.Listen}/");
    }

    /// <summary>The address that it listens on; after the start with the real port.</summary>
    public Uri Url { get; private set; }

    /// <summary>Opens the endpoint.</summary>
    /// <exception cref="IOException">The address cannot be had; the message says what to do.</exception>
    public async Task StartAsync(CancellationToken cancel)
    {
        try
        {
            await _app.StartAsync(cancel);
        }
        catch (Exception error) when (error is IOException or System.Net.Sockets.SocketException)
        {
            throw new IOException(
                $"the admin endpoint cannot listen on {_options.Listen} ({error.Message}); set admin.listen, port 0 takes a free one", error);
        }

        var addresses = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        Url = new Uri(addresses.First());
        if (!FaultPoint.LeavesTelemetryOut)
        {
            _page.Start();
        }
    }

    /// <summary>Closes the endpoint; requests that run have two seconds.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        await _page.StopAsync(); // First: its streams would last as long as their viewers.
        using var timeout = new CancellationTokenSource(_stopTimeout);
        await _app.StopAsync(timeout.Token);
        await _app.DisposeAsync();
        _page.Dispose();
    }

    private void ConfigureKestrel(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxConcurrentConnections = ConnectionsMax;
        kestrel.Limits.MaxRequestBodySize = BodyBytesMax;
        kestrel.Limits.RequestHeadersTimeout = _headersTimeout;
        kestrel.Limits.KeepAliveTimeout = _keepAliveTimeout;
        kestrel.Listen(_options.Listen, listen => listen.Protocols = HttpProtocols.Http1);
    }

    private Task AddHeaders(HttpContext http, RequestDelegate next)
    {
        http.Response.Headers[VersionHeader] = _version;
        http.Response.Headers.XContentTypeOptions = "nosniff";
        http.Response.Headers.CacheControl = "no-store";
        return next(http);
    }

    /// <summary>Everything but the health of the process needs the token where there is one; no token, no address that others reach.</summary>
    private Task CheckToken(HttpContext http, RequestDelegate next)
    {
        if (_token.Permits(http.Request) || http.Request.Path == "/healthz" || http.Request.Path == "/readyz")
        {
            return next(http);
        }

        http.Response.StatusCode = StatusCodes.Status401Unauthorized;
        http.Response.Headers.WWWAuthenticate = "Basic realm=\"weir\", charset=\"UTF-8\"";
        http.Response.ContentType = "text/plain; charset=utf-8";
        return http.Response.WriteAsync("the token of admin.token is needed: Authorization: Bearer TOKEN\n", http.RequestAborted);
    }

    private Task Healthz(HttpContext http) => WriteHealthAsync(http, "alive", _sources.Health().DeadReasons);

    private Task Readyz(HttpContext http)
    {
        var health = _sources.Health();
        return WriteHealthAsync(http, "ready", [.. health.DeadReasons, .. health.NotReadyReasons]);
    }

    private async Task Metrics(HttpContext http)
    {
        if (http.Request.Query["snapshot"] == "true")
        {
            var json = new SnapshotJson(
                DateTimeOffset.UtcNow, new Dictionary<string, string> { ["host"] = Environment.MachineName, ["version"] = _version });
            Collect(json);
            http.Response.ContentType = "application/json; charset=utf-8";
            await http.Response.WriteAsync(json.ToString(), http.RequestAborted);
            return;
        }

        http.Response.ContentType = PrometheusText.ContentType;
        using var text = Scrape();
        text.WriteTo(http.Response.BodyWriter);
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    }

    /// <summary>The text of <c>/metrics</c>; the caller disposes it.</summary>
    private PrometheusText Scrape()
    {
        var text = new PrometheusText();
        Collect(text);
        return text;
    }

    private void Collect(MetricReader reader)
    {
        foreach (var source in _sources.Metrics)
        {
            source.Collect(reader);
        }
    }

    private Task Queues(HttpContext http) =>
        WriteJsonAsync(http, HttpStatusCode.OK, _sources.Queues().Select(queue => new QueueReading(queue)).ToList());

    private Task Positions(HttpContext http) =>
        WriteJsonAsync(http, HttpStatusCode.OK, _sources.Positions().Select(partition => new PositionReading(partition, _sources.Time.GetUtcNow())).ToList());

    private Task SlowCuts(HttpContext http) =>
        WriteJsonAsync(http, HttpStatusCode.OK, _sources.SlowCuts().Select(trace => new SlowCutReading(trace)).ToList());

    private async Task Diagnose(HttpContext http)
    {
        if (_sources.Diagnose is not { } diagnose)
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        http.Response.ContentType = "application/json; charset=utf-8";
        await http.Response.WriteAsync(DiagnosisJson.Write(await diagnose()), http.RequestAborted);
    }

    private Task WriteHealthAsync(HttpContext http, string word, IReadOnlyList<string> reasons) => WriteJsonAsync(
        http,
        reasons.Count == 0 ? HttpStatusCode.OK : HttpStatusCode.ServiceUnavailable,
        new HealthReading(reasons.Count == 0 ? word : $"not {word}", _token.Permits(http.Request) ? reasons : [])); // They name servers.

    private static async Task WriteJsonAsync<T>(HttpContext http, HttpStatusCode status, T value)
    {
        http.Response.StatusCode = (int)status;
        http.Response.ContentType = "application/json; charset=utf-8";
        var output = http.Response.BodyWriter;
        using (var json = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true }))
        {
            JsonSerializer.Serialize(json, value, _json);
        }

        output.Write("\n"u8);
        await output.FlushAsync(http.RequestAborted);
    }

    private sealed record HealthReading(string Status, IReadOnlyList<string> Reasons);

    /// <summary>Signals belong to <see cref="ShutdownSignal"/>; the default lifetime would close the endpoint at the first Ctrl-C.</summary>
    private sealed class NoSignalLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
