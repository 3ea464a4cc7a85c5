using System.Threading.Channels;

namespace Weir.Loadgen.Replay;

/// <summary>Takes items from a source on another thread, some of them ahead, so that decompressing does not make a send late.</summary>
/// <remarks>One thread reads. Disposing it stops the other one.</remarks>
internal sealed class ReadAhead<T> : IDisposable
{
    private const int ChunkItems = 256;
    private const int ChunksMax = 64;

    private readonly Channel<List<T>> _chunks = Channel.CreateBounded<List<T>>(
        new BoundedChannelOptions(ChunksMax) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true, SingleWriter = true });

    private readonly CancellationTokenSource _stop = new();
    private readonly Task _reading;

    /// <summary>Begins to read.</summary>
    private ReadAhead(IEnumerable<T> source) => _reading = Task.Run(() => ReadAsync(source));

    /// <summary>The items of a source that ends by itself.</summary>
    public static IEnumerable<T> Of(IEnumerable<T> source)
    {
        using var ahead = new ReadAhead<T>(source);
        foreach (var item in ahead.Items())
        {
            yield return item;
        }
    }

    /// <summary>The items, in the source's order. An error of the source comes when they are used up.</summary>
    private IEnumerable<T> Items()
    {
        while (_chunks.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (_chunks.Reader.TryRead(out var chunk))
            {
                foreach (var item in chunk)
                {
                    yield return item;
                }
            }
        }

        _reading.GetAwaiter().GetResult(); // Its error, if there was one.
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        while (_chunks.Reader.TryRead(out _))
        {
            // Makes room, so that the other thread sees that it shall stop.
        }

        try
        {
            _reading.GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            // Stopped before its end.
        }

        _stop.Dispose();
    }

    private async Task ReadAsync(IEnumerable<T> source)
    {
        try
        {
            // What there is goes on at once when the reader waits, a full chunk when it does not.
            var chunk = new List<T>();
            foreach (var item in source)
            {
                chunk.Add(item);
                if (chunk.Count >= ChunkItems || _chunks.Reader.Count == 0)
                {
                    await _chunks.Writer.WriteAsync(chunk, _stop.Token);
                    chunk = [];
                }
            }

            if (chunk.Count > 0)
            {
                await _chunks.Writer.WriteAsync(chunk, _stop.Token);
            }
        }
        finally
        {
            _chunks.Writer.TryComplete();
        }
    }
}
