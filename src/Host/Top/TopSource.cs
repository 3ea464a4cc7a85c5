using System.Net;
using System.Text.Json;
using Weir.Host.Admin;
using Weir.Host.Commands;

namespace Weir.Host.Top;

/// <summary>Looks at a running weir through its admin endpoint: the same reading that the page gets.</summary>
/// <param name="url">The admin endpoint.</param>
/// <param name="token">Its token; null where it wants none.</param>
internal sealed class TopSource(Uri url, string? token = null) : IDisposable
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(5);

    private readonly HttpClient _client = AdminClient.Create(token, _timeout);

    /// <summary>The endpoint.</summary>
    public Uri Url => url;

    /// <summary>One look.</summary>
    /// <exception cref="CommandException">Nobody answers there, or somebody who is no weir of this version.</exception>
    public async Task<TopReading> ReadAsync(CancellationToken cancel)
    {
        try
        {
            using var reading = JsonDocument.Parse(await _client.GetStringAsync(new Uri(url, "reading"), cancel));
            return TopReading.Parse(reading.RootElement, await ReadVerdictAsync(cancel));
        }
        catch (HttpRequestException error)
        {
            throw new CommandException(
                $"no weir answers at {url} ({error.Message}); start 'weir run', or name its admin endpoint with --url or -c", error);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new CommandException($"what answers at {url} is no weir of this version; name the admin endpoint with --url", error);
        }
        catch (OperationCanceledException error) when (!cancel.IsCancellationRequested)
        {
            throw new CommandException($"{url} took more than {_timeout.TotalSeconds:0} s to answer; ask again", error);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private async Task<TopVerdict?> ReadVerdictAsync(CancellationToken cancel)
    {
        using var answer = await _client.GetAsync(new Uri(url, "diagnose"), cancel);
        if (answer.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }

        using var verdict = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(cancel));
        return TopVerdict.Parse(verdict.RootElement);
    }
}
