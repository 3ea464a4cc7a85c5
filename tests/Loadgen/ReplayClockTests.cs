using Weir.Loadgen.Replay;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Loadgen;

public sealed class ReplayClockTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void A_pause_stops_the_recording_and_a_new_speed_goes_on_from_where_it_is()
    {
        var clock = new ReplayClock(_time, 2);
        Assert.Equal(5, clock.SecondsUntil(10_000), 6);

        _time.Advance(TimeSpan.FromSeconds(1)); // 2 s of the recording.
        Assert.Equal(4, clock.SecondsUntil(10_000), 6);
        clock.SetPaused(true);
        _time.Advance(TimeSpan.FromSeconds(100));
        Assert.Equal(double.PositiveInfinity, clock.SecondsUntil(10_000));
        clock.SetPaused(false);
        Assert.Equal(4, clock.SecondsUntil(10_000), 6);

        clock.SetSpeed(8);
        Assert.Equal(1, clock.SecondsUntil(10_000), 6);
        clock.SetSpeed(ReplayClock.SpeedMax);
        Assert.Equal(0, clock.SecondsUntil(10_000));
        clock.Restart(6_000);
        clock.SetSpeed(1);
        Assert.Equal(4, clock.SecondsUntil(10_000), 6);
    }

    [Fact]
    public void Words_of_a_control_file_are_obeyed_and_others_are_not()
    {
        var clock = new ReplayClock(_time, 1);
        using var stop = new CancellationTokenSource();
        using var control = new ReplayControl(clock, null, stop);

        Assert.True(control.TryObey("pause") && clock.IsPaused);
        Assert.True(control.TryObey("resume") && !clock.IsPaused);
        Assert.True(control.TryObey("0.5") && clock.Speed == 0.5);
        Assert.True(control.TryObey("max") && clock.Speed == ReplayClock.SpeedMax);
        Assert.False(control.TryObey("-1"));
        Assert.False(control.TryObey("faster"));
        Assert.True(control.TryObey("stop") && stop.IsCancellationRequested);
    }

    [Fact]
    public void Keys_pause_resume_change_the_speed_and_stop()
    {
        var clock = new ReplayClock(_time, 4);
        using var stop = new CancellationTokenSource();
        using var control = new ReplayControl(clock, null, stop);

        control.Press(' ');
        Assert.True(clock.IsPaused);
        control.Press(' ');
        Assert.False(clock.IsPaused);
        control.Press('+');
        Assert.Equal(8, clock.Speed);
        control.Press('-');
        control.Press('-');
        Assert.Equal(2, clock.Speed);
        control.Press('m');
        Assert.Equal(ReplayClock.SpeedMax, clock.Speed);
        control.Press('-'); // Half of as fast as can be: the recorded one.
        Assert.Equal(1, clock.Speed);
        control.Press('x');
        control.Press('1');
        Assert.Equal((1, false, false), (clock.Speed, clock.IsPaused, stop.IsCancellationRequested));
        control.Press('q');
        Assert.True(stop.IsCancellationRequested);
    }

    [Fact]
    public void Quantiles_of_lateness_are_within_five_percent()
    {
        var histogram = new LatenessHistogram();
        for (var index = 1; index <= 1_000; index++)
        {
            histogram.Add(index / 1_000.0);
        }

        Assert.InRange(histogram.Quantile(0.5), 0.5, 0.525);
        Assert.InRange(histogram.Quantile(0.99), 0.99, 1);
        Assert.Equal(1, histogram.MaxSeconds);
    }

    [Theory]
    [InlineData("21", -973932308)] // As org.apache.kafka.common.utils.Utils.murmur2 computes them.
    [InlineData("foobar", -790332482)]
    public void Keys_are_hashed_as_by_javas_clients(string key, int hash)
    {
        Assert.Equal((uint)hash, Murmur2.Of(System.Text.Encoding.UTF8.GetBytes(key)));
    }
}
