using System.Net;
using System.Net.Http.Headers;
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

    /// <summary>A client that brings the token, where there is one.</summary>
    /// <param name="token">The token; null for none.</param>
    /// <param name="timeout">How long an answer may take; null for any time.</param>
    public static HttpClient Create(string? token, TimeSpan? timeout = null)
    {
        var client = new HttpClient(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = _connectTimeout })
        {
            Timeout = timeout ?? Timeout.InfiniteTimeSpan,
        };
        client.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    /// <summary>Asks for a page of the endpoint; the caller disposes the answer, which may not have come whole.</summary>
    /// <exception cref="CommandException">Nobody answers, or the endpoint refused.</exception>
    public static async Task<HttpResponseMessage> GetAsync(HttpClient client, Uri url, string path, CancellationToken cancel)
    {
        try
        {
            var response = await client.GetAsync(new Uri(url, path), HttpCompletionOption.ResponseHeadersRead, cancel);
            if (response.IsSuccessStatusCode)
            {
                return response;
            }

            using (response)
            {
                var text = (await response.Content.ReadAsStringAsync(cancel)).Trim();
                throw new CommandException($"{url} refuses with {(int)response.StatusCode}{(text.Length > 0 ? $": {text}" : "; is it a weir of this version?")}");
            }
        }
        catch (Exception error) when (error is HttpRequestException || (error is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            throw new CommandException($"no weir answers at {url} ({error.Message}); start 'weir run', or name its address with --url", error);
        }
    }

    /// <summary>Sends SQL and writes the answer to <paramref name="output"/>.</summary>
    /// <returns>False when nobody answers there, or somebody who is no weir with an embedded store.</returns>
    /// <exception cref="StoreException">The SQL was refused.</exception>
    public static async Task<bool> TryQueryAsync(
        Uri url, string sql, string format, Stream output, CancellationToken cancel, string? token = null)
    {
        using var client = Create(token);
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
