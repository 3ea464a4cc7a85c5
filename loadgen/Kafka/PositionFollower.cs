using Weir.Loadgen.Replay;

namespace Weir.Loadgen.Kafka;

/// <summary>Asks again and again how far the consumer is, and tells the window, so that the sender stays near it.</summary>
internal sealed class PositionFollower(PositionSource positions, string topic, AheadWindow window, TimeSpan interval, TimeProvider time)
{
    /// <summary>Why the last question failed; null when it was answered.</summary>
    public string? Problem { get; private set; }

    /// <summary>Follows until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        try
        {
            while (true)
            {
                try
                {
                    foreach (ConsumerPosition position in await positions(cancellation))
                    {
                        if (position.Topic == topic)
                        {
                            window.Passed(position.Partition, position.NextOffset);
                        }
                    }

                    Problem = null;
                }
                catch (Exception error) when (error is HttpRequestException or IOException or InvalidDataException)
                {
                    Problem = error.Message; // The consumer may not be up yet: no news, so nothing more is sent.
                }

                await Task.Delay(interval, time, cancellation);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // The run is over.
        }
    }
}
