using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Deploy;

/// <summary>The list of dependencies in docs/security.md is what is really shipped, under the licences that it really has.</summary>
public sealed partial class DependenciesTests : IDisposable
{
    /// <summary>Licences that ask for a notice, and for nothing else.</summary>
    private static readonly string[] _allowed = ["MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause"];

    private static readonly List<(Regex Name, string Licence)> _table = ReadTable();
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-feed-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Theory]
    [InlineData("src/Host")]
    [InlineData("loadgen")]
    public void Each_package_that_is_shipped_is_in_the_list_with_its_licence(string project)
    {
        var packages = PackagesOf(project);
        Assert.Contains(packages, package => package.Name == "Confluent.Kafka");
        Assert.All(packages, package =>
        {
            var listed = LicenceOf(package.Name);
            Assert.True(listed is not null, $"{package.Name} is not in docs/security.md.");
            Assert.True(package.Licence is null || package.Licence == listed, $"{package.Name} is under {package.Licence}, and docs/security.md says {listed}.");
            Assert.Contains(listed, _allowed);
        });
    }

    [Fact]
    public void Each_package_that_is_named_for_tests_and_benchmarks_is_in_the_list()
    {
        var names = XDocument.Load(RepositoryPaths.Of("Directory.Packages.props")).Descendants("PackageVersion")
            .Select(package => package.Attribute("Include")!.Value).ToList();
        Assert.NotEmpty(names);
        Assert.All(names, name => Assert.True(LicenceOf(name) is not null, $"{name} is not in docs/security.md."));
    }

    [Fact]
    public void Each_part_that_setup_fetches_is_in_the_list()
    {
        var setup = File.ReadAllText(RepositoryPaths.Of("scripts", "setup.sh"));
        var packages = Packages().Match(setup).Groups[1].Value.Split(' ').Concat(
            Modules().Match(setup).Groups[1].Value.Split(' ').Select(module => module[..module.LastIndexOf('@')]));
        Assert.All([.. packages, "uPlot", "libchdb"], name => Assert.True(LicenceOf(name) is not null, $"{name} is not in docs/security.md."));
        Assert.StartsWith($"The {LicenceOf("uPlot")} License", File.ReadAllText(RepositoryPaths.Of(".native", "uplot", "uplot-license.txt")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("The given project `x` has no vulnerable packages given the current sources.", 0, "has no vulnerable packages")]
    [InlineData("Project `x` has the following vulnerable packages", 1, "has the following vulnerable packages")]
    [InlineData("error: the feed has no vulnerability data", 0, "the feed did not answer for src/Host; nothing is known")]
    public void The_check_fails_for_a_known_vulnerability_and_says_when_the_feed_knows_nothing(string answer, int expected, string said)
    {
        var dotnet = Path.Combine(_directory.FullName, "dotnet");
        File.WriteAllText(dotnet, $"#!/bin/sh\necho '{answer}'\n");
        Manifests.Run("chmod", "755", dotnet);

        var (code, output, error) = Manifests.TryRun(
            "env", $"PATH={_directory.FullName}:{Environment.GetEnvironmentVariable("PATH")}", RepositoryPaths.Of("scripts", "check-vulnerable.sh"));

        Assert.True(code == expected, output + error);
        Assert.Contains(said, output, StringComparison.Ordinal);
    }

    private static string? LicenceOf(string name) => _table.Find(row => row.Name.IsMatch(name)).Licence;

    /// <summary>Packages of a project, those that others bring included, as they were restored; no licence where a package names none.</summary>
    private static List<(string Name, string? Licence)> PackagesOf(string project)
    {
        using var assets = JsonDocument.Parse(File.ReadAllText(RepositoryPaths.Of([.. project.Split('/'), "obj", "project.assets.json"])));
        var folders = assets.RootElement.GetProperty("packageFolders").EnumerateObject().Select(folder => folder.Name).ToList();
        return [.. assets.RootElement.GetProperty("libraries").EnumerateObject()
            .Where(library => library.Value.GetProperty("type").GetString() == "package")
            .Select(library =>
            {
                var path = library.Value.GetProperty("path").GetString()!;
                var directory = folders.Select(folder => Path.Combine(folder, path)).First(Directory.Exists);
                var nuspec = XDocument.Load(Directory.EnumerateFiles(directory, "*.nuspec").Single());
                var licence = nuspec.Descendants().FirstOrDefault(node => node.Name.LocalName == "license" && node.Attribute("type")?.Value == "expression");
                return (library.Name.Split('/')[0], licence?.Value);
            })];
    }

    /// <summary>Rows of the table: names between backticks, a * for anything, and the licence that they have in common.</summary>
    private static List<(Regex Name, string Licence)> ReadTable() =>
        [.. Row().Matches(File.ReadAllText(RepositoryPaths.Of("docs", "security.md"))).SelectMany(row =>
            Name().Matches(row.Groups[1].Value).Select(name => (
                new Regex($"^{Regex.Escape(name.Groups[1].Value).Replace("\\*", ".*", StringComparison.Ordinal)}$", RegexOptions.CultureInvariant),
                row.Groups[2].Value)))];

    [GeneratedRegex(@"^\| (`[^|]*) \| ([^ |,]+)[^|]*\| [^|]* \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Name();

    [GeneratedRegex(@"^readonly runtime_packages=\((.*)\)$", RegexOptions.Multiline)]
    private static partial Regex Packages();

    [GeneratedRegex(@"^readonly kubernetes_modules=\((.*)\)$", RegexOptions.Multiline)]
    private static partial Regex Modules();
}
