using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weir.Tests.Faults;

/// <summary>A TCP proxy in front of ClickHouse that does to the next inserts what the test says, one fault for each.</summary>
/// <remarks>One request for each connection: the head is rewritten to say so.</remarks>
internal sealed class FaultProxy : IAsyncDisposable
{
    private const int RefusedForEver = 16;

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _serverPort;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<(FaultKind Kind, int Code)> _faults = [];
    private readonly ConcurrentDictionary<Task, byte> _passing = [];
    private readonly Task _accepting;

    public FaultProxy(int serverPort)
    {
        _serverPort = serverPort;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    public Uri Url => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");

    /// <summary>The next insert suffers this; with <see cref="FaultKind.ServerError"/> the code of ClickHouse.</summary>
    public void Add(FaultKind kind, int code = 0) => _faults.Enqueue((kind, code));

    /// <summary>What no insert has suffered yet is forgotten.</summary>
    public void Clear() => _faults.Clear();

    /// <summary>A ledger row is never refused here: weir stops then, as it should.</summary>
    private bool IsRefusalNext => _faults.TryPeek(out var next) && next.Code == RefusedForEver;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_passing.Keys);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                var passing = PassAsync(client);
                _passing[passing] = 0;
                _ = passing.ContinueWith(ended => _passing.TryRemove(ended, out _), TaskScheduler.Default);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // The end of the test.
        }
    }

    private async Task PassAsync(TcpClient client)
    {
        using var server = new TcpClient();
        try
        {
            var from = client.GetStream();
            var (head, bodyStart, bodyLength) = await ReadHeadAsync(from);
            var isInsert = head.Contains("INSERT", StringComparison.Ordinal)
                && !(IsRefusalNext && head.Contains("weir_ledger", StringComparison.Ordinal));
            var fault = isInsert && _faults.TryDequeue(out var next) ? next : default((FaultKind Kind, int Code)?);
            if (fault is { Kind: FaultKind.Http500 or FaultKind.ServerError } refusal)
            {
                await CopyAsync(from, Stream.Null, bodyLength - bodyStart.Length);
                await from.WriteAsync(ErrorAnswer(refusal.Code), _stop.Token);
                return;
            }

            await server.ConnectAsync(IPAddress.Loopback, _serverPort, _stop.Token);
            var to = server.GetStream();
            var endOfLine = head.IndexOf("\r\n", StringComparison.Ordinal) + 2;
            await to.WriteAsync(Encoding.Latin1.GetBytes(head.Insert(endOfLine, "Connection: close\r\n")), _stop.Token);
            if (fault?.Kind == FaultKind.CutInBody)
            {
                var part = bodyLength / 2;
                var first = Math.Min(part, bodyStart.Length);
                await to.WriteAsync(bodyStart.AsMemory(0, (int)first), _stop.Token);
                await CopyAsync(from, to, part - first);
                server.LingerState = client.LingerState = new LingerOption(true, 0); // A reset, as from a device between.
                return;
            }

            await to.WriteAsync(bodyStart, _stop.Token);
            await CopyAsync(from, to, bodyLength - bodyStart.Length);
            using var answer = new MemoryStream();
            await to.CopyToAsync(answer, _stop.Token);
            if (fault?.Kind != FaultKind.LoseAnswer)
            {
                await from.WriteAsync(answer.ToArray(), _stop.Token);
            }
        }
        catch (Exception error) when (error is IOException or SocketException or OperationCanceledException)
        {
            // One side went away: so does the other.
        }
        finally
        {
            client.Dispose();
        }
    }

    private static byte[] ErrorAnswer(int code)
    {
        var body = code switch
        {
            242 => "Code: 242, e.displayText() = DB::Exception: Table is in readonly mode, e.what() = DB::Exception\n",
            252 => "Code: 252, e.displayText() = DB::Exception: Too many parts (300). Merges are processing significantly slower than inserts., e.what() = DB::Exception\n",
            241 => "Code: 241, e.displayText() = DB::Exception: Memory limit (total) exceeded: would use 9.31 GiB, e.what() = DB::Exception\n",
            RefusedForEver => "Code: 16, e.displayText() = DB::Exception: No such column bytes in table, e.what() = DB::Exception\n",
            _ => "upstream connect error\n",
        };
        return Encoding.Latin1.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: {body.Length}\r\n\r\n{body}"));
    }

    private async Task<(string Head, byte[] BodyStart, long BodyLength)> ReadHeadAsync(NetworkStream stream)
    {
        using var all = new MemoryStream();
        var buffer = new byte[64 << 10];
        while (true)
        {
            var length = await stream.ReadAsync(buffer, _stop.Token);
            if (length == 0)
            {
                throw new IOException("The client went away.");
            }

            all.Write(buffer, 0, length);
            var end = all.GetBuffer().AsSpan(0, (int)all.Length).IndexOf("\r\n\r\n"u8);
            if (end >= 0)
            {
                var head = Encoding.Latin1.GetString(all.GetBuffer(), 0, end + 4);
                const string Length = "Content-Length: ";
                var at = head.IndexOf(Length, StringComparison.OrdinalIgnoreCase);
                var bodyLength = at < 0
                    ? 0
                    : long.Parse(head.AsSpan((at + Length.Length)..head.IndexOf('\r', at)), NumberStyles.None, CultureInfo.InvariantCulture);
                return (head, all.ToArray()[(end + 4)..], bodyLength);
            }
        }
    }

    private async Task CopyAsync(NetworkStream from, Stream to, long count)
    {
        var buffer = new byte[16 << 10];
        while (count > 0)
        {
            var length = await from.ReadAsync(buffer.AsMemory(0, (int)Math.Min(count, buffer.Length)), _stop.Token);
            if (length == 0)
            {
                throw new IOException("The client went away.");
            }

            await to.WriteAsync(buffer.AsMemory(0, length), _stop.Token);
            count -= length;
        }
    }
}
