using System.Globalization;

namespace Weir.Bench.Processes;

/// <summary>Who looks at a weir all the time: Prometheus, each second, and a person with the page open.</summary>
internal sealed class Watchers : IDisposable
{
    private const int PieceBytes = 1 << 16;
    private static readonly TimeSpan _scrapeInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan _askInterval = TimeSpan.FromSeconds(5);

    private readonly HttpClient _client;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _watching;
    private long _scrapeCount;
    private long _eventBytes;

    /// <summary>Begins.</summary>
    /// <param name="url">The admin endpoint.</param>
    public Watchers(Uri url)
    {
        _client = new HttpClient { BaseAddress = url, Timeout = Timeout.InfiniteTimeSpan };
        _watching = Task.WhenAll(Task.Run(ScrapeAsync), Task.Run(ViewAsync), Task.Run(AskAsync));
    }

    /// <summary>Scrapes so far.</summary>
    public long ScrapeCount => Interlocked.Read(ref _scrapeCount);

    /// <summary>Bytes of the page's events so far.</summary>
    public long EventBytes => Interlocked.Read(ref _eventBytes);

    public void Dispose()
    {
        _stop.Cancel();
        _watching.GetAwaiter().GetResult();
        _stop.Dispose();
        _client.Dispose();
    }

    /// <summary>What the page asks for beside its events: verdict, slow cuts, and the history since it asked last.</summary>
    private async Task AskAsync()
    {
        using var timer = new PeriodicTimer(_askInterval);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                var since = DateTimeOffset.UtcNow.Add(-_askInterval).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
                foreach (var path in (string[])["diagnose", "slow-cuts", "history?since=" + since])
                {
                    _ = await _client.GetByteArrayAsync(path, _stop.Token);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The end.
        }
    }

    private async Task ScrapeAsync()
    {
        using var timer = new PeriodicTimer(_scrapeInterval);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                _ = await _client.GetByteArrayAsync("metrics", _stop.Token);
                Interlocked.Increment(ref _scrapeCount);
            }
        }
        catch (OperationCanceledException)
        {
            // The end.
        }
    }

    private async Task ViewAsync()
    {
        try
        {
            await using var events = await _client.GetStreamAsync("events", _stop.Token);
            var piece = new byte[PieceBytes];
            while (await events.ReadAsync(piece, _stop.Token) is > 0 and var count)
            {
                Interlocked.Add(ref _eventBytes, count);
            }
        }
        catch (OperationCanceledException)
        {
            // The end.
        }
    }
}
