using Weir.Tests.Support;
using Weir.Tests.Support.Agents;
using Xunit;

namespace Weir.Tests.Agents;

public sealed class ExpectedRowsTests
{
    private const long SampleRecordCount = 31_002;
    private const long SampleUnplaceableCount = 2_429;
    private const long FixtureRecordCount = 9_000;

    [RealPartTheory(RealPart.Jq, RealPart.SampleData)]
    [InlineData("edge_1s")]
    [InlineData("edge_1m")]
    [InlineData("service_1s")]
    [InlineData("service_1m")]
    public void The_sample_data_are_expected_in_full_in_each_view(string view)
    {
        ExpectedRows expected = ExpectedRows.Read(RealParts.SampleDataFile, view);

        Assert.Equal(SampleUnplaceableCount, expected.UnplaceableCount);
        Assert.Equal(SampleRecordCount, expected.RecordCount + expected.UnplaceableCount);
    }

    [RealPartTheory(RealPart.Jq)]
    [InlineData("edge_1m")]
    [InlineData("service_1s")]
    public void The_fixture_is_expected_in_full(string view)
    {
        ExpectedRows expected = ExpectedRows.Read(RepositoryPaths.Of("fixtures", "pmacct-flows.ndjson.zst"), view);

        Assert.Equal(0, expected.UnplaceableCount);
        Assert.Equal(FixtureRecordCount, expected.RecordCount);
    }
}
