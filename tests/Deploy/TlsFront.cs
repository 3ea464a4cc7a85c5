using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Weir.Tests.Support;

namespace Weir.Tests.Deploy;

/// <summary>nginx of this machine on a free port of the loopback address: it ends TLS and passes on to a server that has none.</summary>
internal sealed class TlsFront : IAsyncDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-nginx-").FullName;
    private Process? _process;

    /// <summary>Its port.</summary>
    internal int Port { get; } = ClickHouseServer.FreePort();

    /// <summary>Its address.</summary>
    internal Uri Url => new($"https://127.0.0.1:{Port}/");

    /// <summary>Starts it.</summary>
    /// <param name="target">Where requests go.</param>
    /// <param name="files">The certificate that it shows, and its key.</param>
    /// <param name="clientCaFile">The authority of clients that it lets in; null for everybody.</param>
    /// <param name="directives">What else it does with requests.</param>
    internal static async Task<TlsFront> StartAsync(Uri target, (string Certificate, string Key) files, string? clientCaFile = null, string directives = "")
    {
        var front = new TlsFront();
        var client = clientCaFile is null ? "" : $"ssl_client_certificate {clientCaFile}; ssl_verify_client on;";
        await File.WriteAllTextAsync(Path.Combine(front._directory, "nginx.conf"), $$"""
            daemon off; worker_processes 1; pid {{front._directory}}/pid; error_log {{front._directory}}/error.log;
            events { worker_connections 64; }
            http {
              access_log off; client_max_body_size 0;
              client_body_temp_path {{front._directory}}/body; proxy_temp_path {{front._directory}}/proxy;
              fastcgi_temp_path {{front._directory}}/f; uwsgi_temp_path {{front._directory}}/u; scgi_temp_path {{front._directory}}/s;
              server {
                listen 127.0.0.1:{{front.Port}} ssl;
                ssl_certificate {{files.Certificate}}; ssl_certificate_key {{files.Key}}; {{client}}
                location / { proxy_pass {{target}}; proxy_http_version 1.1; proxy_request_buffering off; {{directives}} }
              }
            }
            """);
        front.Start();
        await Eventually.TrueAsync(front.IsUpAsync, "nginx listens");
        return front;
    }

    /// <summary>Has it read its certificate anew, as after a renewal; connections that are open keep the old one.</summary>
    internal void Reload() => Signal("HUP");

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            Signal("TERM");
            await _process.WaitForExitAsync();
        }

        _process?.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private void Start() => _process = Process.Start(new ProcessStartInfo(
        RealParts.RequireProgram("nginx"), ["-c", Path.Combine(_directory, "nginx.conf"), "-e", Path.Combine(_directory, "error.log")]))!;

    private void Signal(string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", _process!.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    private async Task<bool> IsUpAsync()
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
