using System.Net;

namespace Weir.Writer;

/// <summary>Turns the name of a server into addresses; tests put their own in its place.</summary>
public interface INameResolver
{
    /// <summary>Asks now, without a memory of its own.</summary>
    /// <returns>All addresses of the name, in the order of preference.</returns>
    /// <exception cref="System.Net.Sockets.SocketException">There is no answer, or it is that the name does not exist.</exception>
    Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancel);
}

/// <summary>The resolver of the system.</summary>
internal sealed class SystemNameResolver : INameResolver
{
    /// <inheritdoc/>
    public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancel) => Dns.GetHostAddressesAsync(host, cancel);
}
