extern alias bench;

using bench::Weir.Bench.Report;
using Xunit;

namespace Weir.Tests.Bench;

public class GateTests
{
    private static readonly LineTarget _more = LineTarget.AtLeast(floor: 3, goal: 4);
    private static readonly LineTarget _less = LineTarget.AtMost(floor: 2.2, goal: 1.6);

    [Fact]
    public void Ratio_under_its_floor_fails()
    {
        Assert.Equal(Verdict.UnderFloor, Gate.Judge(Line(2.99, _more), baseline: null));
        Assert.Equal(Verdict.UnderFloor, Gate.Judge(Line(2.21, _less), baseline: null));
    }

    [Fact]
    public void Floor_itself_passes()
    {
        Assert.Equal(Verdict.Passes, Gate.Judge(Line(3, _more), baseline: null));
        Assert.Equal(Verdict.Passes, Gate.Judge(Line(2.2, _less), baseline: null));
    }

    [Fact]
    public void Goal_is_seen_on_the_good_side()
    {
        Assert.Equal(Verdict.ReachesGoal, Gate.Judge(Line(4, _more), baseline: null));
        Assert.Equal(Verdict.ReachesGoal, Gate.Judge(Line(1.6, _less), baseline: null));
    }

    [Fact]
    public void More_than_a_quarter_under_the_baseline_fails_although_the_floor_holds()
    {
        Assert.Equal(Verdict.UnderBaseline, Gate.Judge(Line(5.9, _more), baseline: 8));
        Assert.NotEqual(Verdict.UnderBaseline, Gate.Judge(Line(6, _more), baseline: 8));
        Assert.Equal(Verdict.UnderBaseline, Gate.Judge(Line(1.5, _less), baseline: 1.1));
        Assert.NotEqual(Verdict.UnderBaseline, Gate.Judge(Line(1.4, _less), baseline: 1.1));
    }

    [Fact]
    public void Floor_comes_before_baseline()
    {
        Assert.Equal(Verdict.UnderFloor, Gate.Judge(Line(1, _more), baseline: 8));
    }

    [Fact]
    public void Line_without_a_floor_only_informs()
    {
        Assert.Equal(Verdict.Informs, Gate.Judge(Line(0.1, target: null), baseline: 8));
    }

    [Fact]
    public void Ratio_that_is_no_number_fails()
    {
        Assert.Equal(Verdict.UnderFloor, Gate.Judge(Line(double.NaN, _more), baseline: null));
        Assert.Equal(Verdict.UnderFloor, Gate.Judge(Line(double.NaN, _less), baseline: null));
    }

    [Fact]
    public void Line_that_was_not_measured_fails_only_where_all_must_be()
    {
        var line = new LineResult("a", "", "") { Skipped = "no server", Target = _more };
        var verdict = Gate.Judge(line, baseline: 4);

        Assert.Equal(Verdict.Skipped, verdict);
        Assert.False(Gate.Fails(verdict, line, mustBeComplete: false));
        Assert.True(Gate.Fails(verdict, line, mustBeComplete: true));
        Assert.False(Gate.Fails(verdict, line with { Target = null }, mustBeComplete: true));
    }

    [Fact]
    public void Only_the_two_losses_fail()
    {
        var line = Line(1, _more);
        var failing = Enum.GetValues<Verdict>().Where(verdict => Gate.Fails(verdict, line, mustBeComplete: false));

        Assert.Equal([Verdict.UnderBaseline, Verdict.UnderFloor], failing);
    }

    private static LineResult Line(double ratio, LineTarget? target) => new("line", "what", "ns") { Ratio = ratio, Target = target };
}
