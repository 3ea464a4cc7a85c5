using Weir.Ingest;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Ingest;

[Collection(AloneCollection.Name)]
public sealed class GroupMomentTests
{
    [Theory]
    [InlineData("03:04:05", 60, 55)]
    [InlineData("03:04:59.999", 60, 0.001)]
    [InlineData("03:05:00", 60, 0)]
    [InlineData("23:59:50", 600, 10)]
    [InlineData("03:04:05", 0, 0)]
    public void The_moment_is_the_next_multiple_of_the_time_of_day(string now, double intervalSeconds, double expectedSeconds)
    {
        var wait = GroupMoment.Until(
            DateTimeOffset.Parse($"2026-01-02T{now}Z", System.Globalization.CultureInfo.InvariantCulture), TimeSpan.FromSeconds(intervalSeconds));

        Assert.Equal(TimeSpan.FromSeconds(expectedSeconds), wait);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Processes_that_start_in_one_interval_join_at_its_end()
    {
        using var broker = KafkaBroker.Start();
        var time = new ManualTimeProvider();
        using var first = new SourceHarness(broker, WithInterval, time: time).Start();
        Eventually.True(() => first.Source.JoinAt is not null, "the first one waits");
        time.Advance(TimeSpan.FromSeconds(40));
        using var second = new SourceHarness(broker, WithInterval, time: time).Start();
        Eventually.True(() => second.Source.JoinAt is not null, "the second one waits");
        Assert.Equal(new DateTimeOffset(2026, 1, 2, 3, 5, 0, TimeSpan.Zero), first.Source.JoinAt);
        Assert.Equal(first.Source.JoinAt, second.Source.JoinAt);
        Assert.Equal(0, first.Source.AssignedCount + second.Source.AssignedCount);

        time.Advance(TimeSpan.FromSeconds(15));
        Eventually.True(() => first.Source.AssignedCount == 2 && second.Source.AssignedCount == 2, "both have joined");

        Assert.Null(first.Source.JoinAt);
        Assert.Null(second.Source.JoinAt);
        Assert.Empty(first.Faults.Concat(second.Faults));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void A_stop_before_the_moment_ends_at_once()
    {
        using var broker = KafkaBroker.Start();
        using var harness = new SourceHarness(broker, WithInterval, time: new ManualTimeProvider()).Start();
        Eventually.True(() => harness.Source.JoinAt is not null, "it waits");

        Assert.True(harness.Source.Stop(TimeSpan.FromSeconds(10)));

        Assert.Equal(0, harness.Source.Snapshot().RebalanceCount);
        Assert.Empty(harness.Faults);
    }

    private static IngestOptions WithInterval(IngestOptions options) => options with { JoinInterval = TimeSpan.FromMinutes(1) };
}
