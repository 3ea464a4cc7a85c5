using Xunit;

namespace Weir.Tests.Support;

public sealed class RealPartFactTests
{
    [Fact]
    public void The_repository_is_found_from_the_build_output()
    {
        Assert.True(File.Exists(RepositoryPaths.Of("Directory.Packages.props")));
    }

    [Fact]
    public void A_present_program_is_found_and_an_absent_one_says_what_installs_it()
    {
        Assert.NotNull(RealParts.FindProgram("sh"));
        Assert.Null(RealParts.FindProgram("no-such-program-anywhere"));
        FileNotFoundException failure = Assert.Throws<FileNotFoundException>(() => RealParts.RequireProgram("no-such-program-anywhere"));
        Assert.Contains("scripts/setup.sh", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_the_sample_data_may_be_absent_in_continuous_integration()
    {
        foreach (RealPart part in Enum.GetValues<RealPart>())
        {
            string? reason = RealParts.ReasonToSkip(part);
            bool mayBeSkipped = !RealParts.IsPresent(part) && (!RealParts.AreMandatory || part == RealPart.SampleData);
            Assert.Equal(mayBeSkipped, reason is not null);
        }
    }

    [Fact]
    public void The_attributes_carry_the_reason_to_skip()
    {
        Assert.Equal(RealParts.ReasonToSkip(RealPart.Jq), new RealPartFactAttribute(RealPart.Jq).Skip);
        Assert.Equal(RealParts.ReasonToSkip(RealPart.Jq), new RealPartTheoryAttribute(RealPart.Jq).Skip);
    }
}
