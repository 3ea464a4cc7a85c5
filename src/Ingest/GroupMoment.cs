namespace Weir.Ingest;

/// <summary>When processes that start or stop together join or leave their group together, so that all of them cost it one rebalance.</summary>
public static class GroupMoment
{
    /// <summary>How long to wait for the next whole multiple of an interval of the time of day, in UTC.</summary>
    /// <param name="now">The wall clock, which the processes of a group share nearly enough.</param>
    /// <param name="interval">The interval; zero for no waiting.</param>
    /// <returns>Zero at a multiple itself; else less than the interval.</returns>
    public static TimeSpan Until(DateTimeOffset now, TimeSpan interval)
    {
        var past = interval > TimeSpan.Zero ? now.UtcTicks % interval.Ticks : 0;
        return past == 0 ? TimeSpan.Zero : new TimeSpan(interval.Ticks - past);
    }
}
