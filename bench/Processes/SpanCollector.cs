using System.Net;
using System.Net.Sockets;

namespace Weir.Bench.Processes;

/// <summary>Takes spans by OTLP over HTTP, as a collector does, and throws them away.</summary>
internal sealed class SpanCollector : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Task _taking;
    private long _requestCount;

    /// <summary>Listens on a free port.</summary>
    public SpanCollector()
    {
        Url = new Uri($"http://127.0.0.1:{FreePort()}/");
        _listener.Prefixes.Add(Url.AbsoluteUri);
        _listener.Start();
        _taking = Task.Run(TakeAsync);
    }

    /// <summary>Where it listens.</summary>
    public Uri Url { get; }

    /// <summary>Requests that came so far.</summary>
    public long RequestCount => Interlocked.Read(ref _requestCount);

    public void Dispose()
    {
        _listener.Close();
        _taking.GetAwaiter().GetResult();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task TakeAsync()
    {
        try
        {
            while (true)
            {
                var request = await _listener.GetContextAsync();
                await request.Request.InputStream.CopyToAsync(Stream.Null);
                request.Response.ContentType = "application/x-protobuf";
                request.Response.Close();
                Interlocked.Increment(ref _requestCount);
            }
        }
        catch (Exception error) when (error is HttpListenerException or ObjectDisposedException)
        {
            // The end.
        }
    }
}
