namespace Weir.Ingest;

/// <summary>Lets one log line of a cause pass in each interval, and counts the others.</summary>
/// <remarks>One thread.</remarks>
internal sealed class LogLimiter(TimeSpan interval)
{
    private TimeSpan? _passedAt;

    /// <summary>Lines held back since the last one that passed.</summary>
    public long HeldBackCount { get; private set; }

    /// <summary>True when a line may be written at <paramref name="now"/>.</summary>
    /// <param name="now">Time since the start.</param>
    /// <param name="heldBackCount">Lines held back since the one before.</param>
    public bool TryPass(TimeSpan now, out long heldBackCount)
    {
        heldBackCount = HeldBackCount;
        if (_passedAt is { } passedAt && now - passedAt < interval)
        {
            HeldBackCount++;
            return false;
        }

        _passedAt = now;
        HeldBackCount = 0;
        return true;
    }
}
