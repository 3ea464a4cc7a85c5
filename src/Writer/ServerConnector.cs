using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Weir.Writer;

/// <summary>
/// Opens connections: the name is resolved anew for each, all its addresses are tried, and the address that was reached last is
/// kept for when the resolver fails.
/// </summary>
/// <remarks>
/// A resolver that times out, or answers for a while that a name does not exist, is common where names change often, and says
/// nothing about the server. Any thread.
/// </remarks>
internal sealed class ServerConnector(INameResolver resolver, TimeSpan connectTimeout, TimeProvider time)
{
    /// <summary>Share of the connect time-out, as a divisor, that the resolver may take.</summary>
    private const int ResolveShare = 3;

    /// <summary>Least time for one address, whatever their number.</summary>
    private static readonly TimeSpan _addressTimeoutMin = TimeSpan.FromMilliseconds(250);

    private readonly ConcurrentDictionary<string, IPAddress> _reached = new(StringComparer.OrdinalIgnoreCase);
    private long _resolveFailedCount;

    /// <summary>Times that the resolver gave no address.</summary>
    internal long ResolveFailedCount => Interlocked.Read(ref _resolveFailedCount);

    /// <summary>Opens a connection, for <see cref="SocketsHttpHandler.ConnectCallback"/>.</summary>
    /// <exception cref="SocketException">No address took the connection, or none is known.</exception>
    internal async ValueTask<Stream> ConnectAsync(DnsEndPoint endPoint, CancellationToken cancel)
    {
        var addresses = await FindAddressesAsync(endPoint.Host, cancel).ConfigureAwait(false);
        var limit = connectTimeout / addresses.Count;
        limit = limit < _addressTimeoutMin ? _addressTimeoutMin : limit;
        SocketException? last = null;
        foreach (var address in addresses)
        {
            using var timeout = new CancellationTokenSource(limit, time);
            using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancel, timeout.Token);
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(new IPEndPoint(address, endPoint.Port), linked.Token).ConfigureAwait(false);
                _reached[endPoint.Host] = address;
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException error)
            {
                last = error;
                socket.Dispose();
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                last = new SocketException((int)SocketError.TimedOut);
                socket.Dispose();
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        throw last!;
    }

    /// <summary>The addresses to try, at least one; the one that was reached last comes first while the resolver still names it.</summary>
    private async Task<List<IPAddress>> FindAddressesAsync(string host, CancellationToken cancel)
    {
        if (IPAddress.TryParse(host.Trim('[', ']'), out var literal))
        {
            return [literal];
        }

        _reached.TryGetValue(host, out var reached);
        SocketException? failure = null;
        var found = Array.Empty<IPAddress>();
        using (var timeout = new CancellationTokenSource(connectTimeout / ResolveShare, time))
        using (var linked = CancellationTokenSource.CreateLinkedTokenSource(cancel, timeout.Token))
        {
            try
            {
                // Waited for apart from the call: the system's resolver may not heed the token.
                found = await resolver.ResolveAsync(host, linked.Token).WaitAsync(linked.Token).ConfigureAwait(false);
            }
            catch (SocketException error)
            {
                failure = error;
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                failure = new SocketException((int)SocketError.TryAgain);
            }
        }

        if (found.Length > 0)
        {
            return [.. found.OrderBy(address => !address.Equals(reached))];
        }

        Interlocked.Increment(ref _resolveFailedCount);
        return reached is not null ? [reached] : throw failure ?? new SocketException((int)SocketError.HostNotFound);
    }
}
