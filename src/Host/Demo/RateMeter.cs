namespace Weir.Host.Demo;

/// <summary>Records a second: over the last look, and from the first record to the end of the feeding.</summary>
/// <remarks>One thread.</remarks>
internal sealed class RateMeter(TimeProvider time)
{
    private long _firstTimestamp;
    private long _firstCount;
    private long _lastTimestamp;
    private long _lastCount;
    private bool _hasBegun;

    /// <summary>Records a second from the first record to the last look.</summary>
    public double Average { get; private set; }

    /// <summary>Records a second between the last two looks.</summary>
    public double Present { get; private set; }

    /// <summary>Looks at the counter.</summary>
    public void Look(long readCount)
    {
        var now = time.GetTimestamp();
        if (!_hasBegun)
        {
            _hasBegun = readCount > 0;
            (_firstTimestamp, _firstCount, _lastTimestamp, _lastCount) = (now, readCount, now, readCount);
            return;
        }

        Present = Rate(readCount - _lastCount, _lastTimestamp, now);
        Average = Rate(readCount - _firstCount, _firstTimestamp, now);
        (_lastTimestamp, _lastCount) = (now, readCount);
    }

    private double Rate(long count, long from, long to)
    {
        var seconds = time.GetElapsedTime(from, to).TotalSeconds;
        return seconds > 0 ? count / seconds : 0;
    }
}
