using System.Net;
using System.Text;
using Weir.Host.Commands;

namespace Weir.Host.Admin;

/// <summary>Asks the admin endpoint of another weir.</summary>
internal static class AdminClient
{
    /// <summary>How long the connection may take; the endpoint is on this machine as a rule.</summary>
    private static readonly TimeSpan _connectTimeout = TimeSpan.FromSeconds(5);

    /// <summary>The address of an endpoint that listens on <paramref name="listen"/>, seen from this machine.</summary>
    public static Uri UrlOf(IPEndPoint listen)
    {
        var isAny = listen.Address.Equals(IPAddress.Any) || listen.Address.Equals(IPAddress.IPv6Any);
        var address = isAny ? IPAddress.Loopback : listen.Address;
        return new Uri($"http://{new IPEndPoint(address, listen.Port)}/");
    }

    /// <summary>Sends SQL and writes the answer to <paramref name="output"/>.</summary>
    /// <returns>False when nobody answers there, or somebody who is no weir with an embedded store.</returns>
    /// <exception cref="StoreException">The SQL was refused.</exception>
    public static async Task<bool> TryQueryAsync(Uri url, string sql, string format, Stream output, CancellationToken cancel)
    {
        using var handler = new SocketsHttpHandler { UseProxy = false, ConnectTimeout = _connectTimeout };
        using var client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(url, $"query?format={format}"))
        {
            Content = new StringContent(sql, Encoding.UTF8, "text/plain"),
        };
        try
        {
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
            if (!response.Headers.Contains(AdminServer.VersionHeader) || response.StatusCode == HttpStatusCode.NotFound)
            {
                return false;
            }

            if (!response.IsSuccessStatusCode)
            {
                throw new StoreException((await response.Content.ReadAsStringAsync(cancel)).Trim());
            }

            await response.Content.CopyToAsync(output, cancel);
            return true;
        }
        catch (HttpRequestException error)
            when (error.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError)
        {
            return false;
        }
        catch (HttpRequestException error)
        {
            throw new StoreException($"the answer of {url} broke off ({error.Message}); ask again", isHeld: false, error);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return false; // The connection took too long.
        }
    }
}
