using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weir.Loadgen.Shadow;

/// <summary>What a proxy does to the requests that pass.</summary>
public enum ProxyFault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The server is not asked; the answer is 500 with an error that goes away by itself.</summary>
    Errors,

    /// <summary>The connection is closed before the server is asked.</summary>
    Cuts,

    /// <summary>The server is asked, and its answer comes late.</summary>
    Slow,

    /// <summary>The server is asked, and its answer is lost.</summary>
    LostAnswers,
}

/// <summary>Stands between weir and ClickHouse's HTTP port, and does to the requests what it is told.</summary>
/// <remarks>Any thread may set the fault; each connection carries one request and is served by a task of its own.</remarks>
public sealed class FaultProxy : IAsyncDisposable
{
    // 252: too many parts, 202: too many queries, 242: the table is read-only; servers say these when they are overloaded.
    private static readonly string[] _errors =
    [
        "Code: 252, e.displayText() = DB::Exception: Too many parts. Merges are processing significantly slower than inserts",
        "Code: 202, e.displayText() = DB::Exception: Too many simultaneous queries",
        "Code: 242, e.displayText() = DB::Exception: Table is in readonly mode",
    ];

    private const int HeadBytesMax = 1 << 16;
    private static readonly TimeSpan _slowness = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan _lastBytesTimeout = TimeSpan.FromSeconds(10);

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Uri _server;
    private readonly Task _accepting;
    private volatile ProxyFault _fault;
    private int _faultCount;

    /// <summary>Listens on a free port of the loopback address.</summary>
    /// <param name="server">The server behind it.</param>
    /// <exception cref="ArgumentException">It does not speak plain HTTP.</exception>
    public FaultProxy(Uri server)
    {
        ArgumentNullException.ThrowIfNull(server);
        _server = server.Scheme == Uri.UriSchemeHttp ? server
            : throw new ArgumentException($"{server} is not http: what is encrypted can't be disturbed on its way.");
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Its address.</summary>
    public Uri Url => new(FormattableString.Invariant($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/"));

    /// <summary>What is done to the requests that come from now on.</summary>
    public ProxyFault Fault
    {
        get => _fault;
        set => _fault = value;
    }

    /// <summary>Requests that something was done to.</summary>
    public int FaultCount => Volatile.Read(ref _faultCount);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _accepting;
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                serving.RemoveAll(task => task.IsCompleted);
                serving.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(serving);
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var owner = client;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        try
        {
            var from = client.GetStream();
            if (await ReadHeadAsync(from, over.Token) is not { } head)
            {
                return;
            }

            var fault = _fault;
            var count = fault == ProxyFault.None ? 0 : Interlocked.Increment(ref _faultCount);
            if (fault == ProxyFault.Errors)
            {
                await RefuseAsync(client, _errors[count % _errors.Length], over);
            }
            else if (fault != ProxyFault.Cuts)
            {
                await PassAsync(from, head, fault, over);
            }
        }
        catch (Exception error) when (error is IOException or SocketException or OperationCanceledException)
        {
            // One of both sides is gone; the other one sees its connection closed.
        }
    }

    /// <summary>Asks the server with a connection for this request alone: where it ends, the answer ends.</summary>
    private async Task PassAsync(NetworkStream from, byte[] head, ProxyFault fault, CancellationTokenSource over)
    {
        using var server = new TcpClient();
        await server.ConnectAsync(_server.Host, _server.Port, over.Token);
        var to = server.GetStream();
        var firstLine = head.AsSpan().IndexOf("\r\n"u8) + 2;
        await to.WriteAsync(head.AsMemory(0, firstLine), over.Token);
        await to.WriteAsync("Connection: close\r\n"u8.ToArray(), over.Token);
        await to.WriteAsync(head.AsMemory(firstLine), over.Token);
        var asking = from.CopyToAsync(to, over.Token); // The body, and then nothing until the end.
        using var answer = new MemoryStream();
        await to.CopyToAsync(answer, over.Token);
        if (fault != ProxyFault.LostAnswers)
        {
            await (fault == ProxyFault.Slow ? Task.Delay(_slowness, over.Token) : Task.CompletedTask);
            await from.WriteAsync(answer.ToArray(), over.Token);
        }

        await over.CancelAsync();
        await asking.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private static async Task RefuseAsync(TcpClient client, string error, CancellationTokenSource over)
    {
        var stream = client.GetStream();
        var answer = FormattableString.Invariant(
            $"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: {error.Length}\r\n\r\n{error}");
        await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), over.Token);
        client.Client.Shutdown(SocketShutdown.Send);
        over.CancelAfter(_lastBytesTimeout);
        await stream.CopyToAsync(Stream.Null, over.Token); // Closing on bytes that were not read would take the answer with it.
    }

    /// <summary>Reads up to the end of the head, and what of the body comes with it.</summary>
    /// <returns>Null when there is none.</returns>
    private static async Task<byte[]?> ReadHeadAsync(NetworkStream stream, CancellationToken cancellation)
    {
        var buffer = new byte[HeadBytesMax];
        var length = 0;
        while (length < buffer.Length)
        {
            var read = await stream.ReadAsync(buffer.AsMemory(length), cancellation);
            length += read;
            if (buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8) >= 0)
            {
                return buffer[..length];
            }

            if (read == 0)
            {
                return null;
            }
        }

        return null;
    }
}
