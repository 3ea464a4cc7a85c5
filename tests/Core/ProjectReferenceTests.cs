using System.Runtime.CompilerServices;
using System.Xml.Linq;
using Xunit;

namespace Weir.Tests.Core;

public class ProjectReferenceTests
{
    /// <summary>The arrows of DESIGN.md §10; a project that is not here may not stand under src.</summary>
    private static readonly Dictionary<string, string[]> _allowed = new()
    {
        ["Core"] = [],
        ["Codecs"] = ["Core"],
        ["Aggregator"] = ["Core"],
        ["Ingest"] = ["Codecs", "Core"],
        ["Writer"] = ["Codecs", "Core"],
        ["Host"] = ["Aggregator", "Codecs", "Core", "Ingest", "Writer"],
    };

    [Fact]
    public void Projects_refer_to_each_other_only_as_the_design_says()
    {
        var projects = Projects();

        Assert.Equal(_allowed.Keys.Order(), projects.Keys.Order());
        foreach (var (name, project) in projects)
        {
            var arrows = Items(project, "ProjectReference").Select(path => Path.GetFileName(Path.GetDirectoryName(path))!);
            Assert.All(arrows, arrow => Assert.True(_allowed[name].Contains(arrow), $"{name} must not refer to {arrow}."));
        }
    }

    [Fact]
    public void Core_has_no_package_but_the_logging_abstractions()
    {
        Assert.Equal(["Microsoft.Extensions.Logging.Abstractions"], Items(Projects()["Core"], "PackageReference"));
    }

    private static Dictionary<string, XDocument> Projects([CallerFilePath] string thisFile = "")
    {
        var source = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "..", "src"));
        return Directory.EnumerateFiles(source, "*.csproj", SearchOption.AllDirectories)
            .ToDictionary(path => Path.GetFileName(Path.GetDirectoryName(path))!, XDocument.Load);
    }

    private static IEnumerable<string> Items(XDocument project, string kind) =>
        project.Descendants(kind).Select(item => item.Attribute("Include")!.Value.Replace('\\', '/'));
}
