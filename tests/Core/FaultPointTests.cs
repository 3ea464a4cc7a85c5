using Weir.Core.Faults;
using Xunit;

namespace Weir.Tests.Core;

public sealed class FaultPointTests
{
    [Fact]
    public void A_fault_is_a_name_and_the_number_of_the_hit_that_kills()
    {
        Assert.Equal(("after-plan", 3), FaultPoint.Parse("after-plan:3"));
        Assert.Equal(("mid-insert", 1), FaultPoint.Parse("mid-insert"));
        Assert.Null(FaultPoint.Parse(null));
        Assert.Null(FaultPoint.Parse(""));
    }

    [Theory]
    [InlineData("after-plan:")]
    [InlineData("after-plan:0")]
    [InlineData("after-plan:-1")]
    [InlineData("after-plan:x")]
    public void A_hit_that_is_no_number_is_an_error(string text) => Assert.Throws<FormatException>(() => FaultPoint.Parse(text));

    [Fact]
    public void Without_the_variable_a_hit_does_nothing()
    {
        Assert.Null(Environment.GetEnvironmentVariable(FaultPoint.Variable));
        FaultPoint.Hit(FaultPoint.AfterPlan);
    }
}
