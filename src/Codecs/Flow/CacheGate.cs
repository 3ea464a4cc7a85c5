namespace Weir.Codecs.Flow;

/// <summary>Closes a cache for a while where it does not help: to look and to keep costs more than to decode when nothing comes again.</summary>
/// <remarks>One thread.</remarks>
internal sealed class CacheGate
{
    /// <summary>Look-ups after which it is decided.</summary>
    internal const int WindowRecords = 4_096;

    /// <summary>Records for which it is closed then.</summary>
    internal const int ClosedRecords = 65_536;

    private const int HitShareMin = 4; // One in so many look-ups has to find something.

    private int _left = WindowRecords;
    private int _missCount;

    /// <summary>True while the cache is to be used. Changes in <see cref="Pass"/> only.</summary>
    public bool IsOpen { get; private set; } = true;

    /// <summary>A look-up that has found nothing.</summary>
    public void Miss() => _missCount++;

    /// <summary>So many records have passed.</summary>
    public void Pass(int count)
    {
        _left -= count;
        if (_left > 0)
        {
            return;
        }

        IsOpen = !IsOpen || _missCount <= WindowRecords - (WindowRecords / HitShareMin);
        _left = IsOpen ? WindowRecords : ClosedRecords;
        _missCount = 0;
    }
}
