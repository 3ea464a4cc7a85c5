using Weir.Host;
using Weir.Host.Options;
using Xunit;

namespace Weir.Tests.Host;

/// <summary>The reference pages are made from the program; these tests fail when somebody changes one without the other.</summary>
public class ReferenceTests
{
    [Fact]
    public void The_page_of_options_is_what_the_table_makes() =>
        Assert.True(
            File.ReadAllText(Page("configuration.md")) == OptionsReference.Write(),
            "docs/configuration.md differs from the options: run './weir docs configuration > docs/configuration.md'");

    [Fact]
    public void The_page_of_metrics_is_what_the_program_has() =>
        Assert.True(
            File.ReadAllText(Page("metrics.md")) == MetricsReference.Write(),
            "docs/metrics.md differs from the metrics: run './weir docs metrics > docs/metrics.md'");

    [Fact]
    public void Every_option_says_what_it_is_and_what_is_allowed()
    {
        Assert.Equal(OptionSpecs.All.Count, OptionSpecs.All.Select(spec => spec.Path).Distinct().Count());
        foreach (var spec in OptionSpecs.All)
        {
            Assert.EndsWith(".", spec.Description, StringComparison.Ordinal);
            Assert.NotEmpty(spec.Allowed);
            Assert.NotEmpty(spec.DefaultText);
            Assert.Matches("^[a-z_.]+$", spec.Path);
        }
    }

    private static string Page(string name)
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "Pipeline.sln")))
        {
            directory = directory.Parent;
        }

        return Path.Combine(directory.FullName, "docs", name);
    }
}
