using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Weir.Tests.Support;

/// <summary>
/// Passes requests on to a server, and loses the answers of as many inserts as the test says, after the server has given them.
/// </summary>
internal sealed class AnswerCuttingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _serverPort;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private int _answersToLose;

    internal AnswerCuttingProxy(int serverPort, int answersToLose)
    {
        _serverPort = serverPort;
        _answersToLose = answersToLose;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    internal Uri Url => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");

    /// <summary>Answers that were lost.</summary>
    internal int LostCount { get; private set; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                using var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                await PassAsync(client);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // The end of the test.
        }
    }

    /// <summary>One request for each connection: the head is rewritten to say so.</summary>
    private async Task PassAsync(TcpClient client)
    {
        try
        {
            using var server = new TcpClient();
            await server.ConnectAsync(IPAddress.Loopback, _serverPort, _stop.Token);
            var from = client.GetStream();
            var to = server.GetStream();
            var request = await ReadWholeAsync(from);
            var text = Encoding.Latin1.GetString(request);
            var endOfLine = text.IndexOf("\r\n", StringComparison.Ordinal) + 2;
            await to.WriteAsync(Encoding.Latin1.GetBytes(text.Insert(endOfLine, "Connection: close\r\n")), _stop.Token);
            using var answer = new MemoryStream();
            await to.CopyToAsync(answer, _stop.Token);
            if (text.Contains("query=INSERT", StringComparison.Ordinal) && _answersToLose > 0)
            {
                _answersToLose--;
                LostCount++;
                return;
            }

            await from.WriteAsync(answer.ToArray(), _stop.Token);
        }
        catch (IOException)
        {
            // One side went away; the next connection is served.
        }
    }

    private async Task<byte[]> ReadWholeAsync(NetworkStream stream)
    {
        var all = new MemoryStream();
        var buffer = new byte[64 << 10];
        while (true)
        {
            all.Write(buffer, 0, await stream.ReadAsync(buffer, _stop.Token));
            var text = Encoding.Latin1.GetString(all.GetBuffer(), 0, (int)all.Length);
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            var at = text.IndexOf("Content-Length: ", StringComparison.OrdinalIgnoreCase);
            if (end >= 0 && at >= 0)
            {
                var length = text[(at + 16)..text.IndexOf('\r', at)];
                if (all.Length >= end + 4 + int.Parse(length, System.Globalization.CultureInfo.InvariantCulture))
                {
                    return all.ToArray();
                }
            }
        }
    }
}
