namespace Weir.Tests.Diagnosis;

/// <summary>Asks for a page again and again, from several connections, until it is stopped.</summary>
internal sealed class Readers(Uri page) : IAsyncDisposable
{
    private readonly HttpClient _client = new();
    private readonly CancellationTokenSource _stop = new();
    private Task _reading = Task.CompletedTask;

    /// <summary>Begins.</summary>
    public void Start(int count) => _reading = Task.WhenAll(Enumerable.Range(0, count).Select(_ => Task.Run(ReadAsync)));

    /// <summary>Ends.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _reading;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _client.Dispose();
        _stop.Dispose();
    }

    private async Task ReadAsync()
    {
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                await _client.GetByteArrayAsync(page, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The stop.
        }
    }
}
