using Weir.Core.Model;
using Weir.Ingest;
using Xunit;

namespace Weir.Tests.Ingest;

public sealed class CutPlanTests
{
    [Fact]
    public void A_plan_is_read_as_it_was_written()
    {
        Assert.Equal($"weir-plan layout={BlockName.LayoutVersion} to=5000000000", CutPlan.MetadataOf(5_000_000_000));
        Assert.Equal(new CutPlan(7, 5_000_000_000, BlockName.LayoutVersion), CutPlan.Parse(7, CutPlan.MetadataOf(5_000_000_000)));
        Assert.Equal(1_001, CutPlan.Parse(7, CutPlan.MetadataOf(8, layout: BlockName.LayoutOf(2)))!.Value.Layout);
    }

    [Fact]
    public void A_plan_of_another_layout_is_a_plan_that_says_so() =>
        Assert.Equal(99, CutPlan.Parse(7, "weir-plan layout=99 to=8")!.Value.Layout);

    [Theory]
    [InlineData(0, "")]
    [InlineData(0, "consumer-1@host")]
    [InlineData(0, "weir-plan layout=1")]
    [InlineData(0, "weir-plan layout=1 to=")]
    [InlineData(0, "weir-plan layout=1 to=-5")]
    [InlineData(0, "weir-plan layout=1 to=5 x")]
    [InlineData(0, "weir-plan layout=1 to=5\n")]
    [InlineData(0, "weir-plan layout=1 to=99999999999999999999")]
    [InlineData(5, "weir-plan layout=1 to=5")]
    [InlineData(-1, "weir-plan layout=1 to=5")]
    public void Anything_else_is_no_plan(long offset, string metadata) => Assert.Null(CutPlan.Parse(offset, metadata));
}
