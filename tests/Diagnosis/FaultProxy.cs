using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Weir.Tests.Diagnosis;

/// <summary>Stands between weir and a real ClickHouse server: passes requests on, late, without the password, or answers for it.</summary>
internal sealed class FaultProxy : IAsyncDisposable
{
    private readonly HttpClient _client = new();
    private readonly Uri _server;
    private WebApplication? _app;
    private int _port;

    /// <param name="server">The real server.</param>
    public FaultProxy(Uri server) => _server = server;

    /// <summary>Where weir finds it; the same after it was closed and opened again.</summary>
    public Uri Url => new($"http://127.0.0.1:{_port}/");

    /// <summary>How long each insert waits before it is passed on.</summary>
    public TimeSpan InsertDelay { get; set; }

    /// <summary>What each insert is answered with, in the server's own words; null to ask the server.</summary>
    public string? InsertError { get; set; }

    /// <summary>The one table whose inserts are answered so; null for all.</summary>
    public string? InsertErrorTable { get; set; }

    /// <summary>True to pass requests on with a wrong password.</summary>
    public bool HasWrongPassword { get; set; }

    /// <summary>Listens.</summary>
    public async Task OpenAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, _port);
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
        });
        _app = builder.Build();
        _app.Run(PassAsync);
        await _app.StartAsync();
        _port = new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
    }

    /// <summary>Takes no connections any more, and ends those that are there.</summary>
    public async Task CloseAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await _app!.StopAsync(now.Token);
        await _app.DisposeAsync();
        _app = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await CloseAsync();
        }

        _client.Dispose();
    }

    private async Task PassAsync(HttpContext http)
    {
        var query = Uri.UnescapeDataString(http.Request.QueryString.Value ?? "");
        var isInsert = query.Contains("INSERT INTO `weir_", StringComparison.Ordinal) && !query.Contains("`weir_system`", StringComparison.Ordinal);
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        if (isInsert && InsertDelay > TimeSpan.Zero)
        {
            using var timer = new PeriodicTimer(InsertDelay);
            await timer.WaitForNextTickAsync(http.RequestAborted);
        }

        var isMeant = isInsert && (InsertErrorTable is null || query.Contains($".`{InsertErrorTable}`", StringComparison.Ordinal));
        if (isMeant && InsertError is { } error)
        {
            http.Response.StatusCode = StatusCodes.Status500InternalServerError;
            await http.Response.WriteAsync(error);
            return;
        }

        body.Position = 0;
        using var request = new HttpRequestMessage(new HttpMethod(http.Request.Method), new Uri(_server, http.Request.Path + http.Request.QueryString.Value))
        {
            Content = new StreamContent(body),
        };
        foreach (var header in http.Request.Headers.Where(header => header.Key.StartsWith("X-ClickHouse", StringComparison.OrdinalIgnoreCase)))
        {
            var isKey = header.Key.EndsWith("Key", StringComparison.OrdinalIgnoreCase);
            request.Headers.TryAddWithoutValidation(header.Key, isKey && HasWrongPassword ? "wrong" : header.Value.ToString());
        }

        request.Headers.TryAddWithoutValidation("User-Agent", http.Request.Headers.UserAgent.ToString()); // The server's log names writers by it.

        using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, http.RequestAborted);
        http.Response.StatusCode = (int)response.StatusCode;
        await response.Content.CopyToAsync(http.Response.Body, http.RequestAborted);
    }
}
