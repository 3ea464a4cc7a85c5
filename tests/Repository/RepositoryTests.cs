using System.Text.RegularExpressions;
using Weir.Tests.Support;
using Weir.Tests.Support.Agents;
using Xunit;

namespace Weir.Tests.Repository;

/// <summary>What holds for all files under version control.</summary>
public sealed partial class RepositoryTests
{
    private const int SourceLinesMax = 500;
    private const int TestLinesMax = 800;
    private const long FileBytesMax = 400_000;

    private static readonly string[] _files = ListFiles();

    [Fact]
    public void No_file_names_a_path_of_one_machine()
    {
        AssertNoLine(MachinePath(), file => true);
    }

    [Fact]
    public void No_code_or_configuration_names_a_package_registry()
    {
        AssertNoLine(RegistryHost(), file => !file.EndsWith(".md", StringComparison.Ordinal));
    }

    [Fact]
    public void No_work_is_left_open_in_the_code()
    {
        AssertNoLine(OpenWork(), file => file.EndsWith(".cs", StringComparison.Ordinal) || file.EndsWith(".sh", StringComparison.Ordinal));
    }

    [Fact]
    public void No_test_sleeps()
    {
        AssertNoLine(Sleep(), file => file.StartsWith("tests/", StringComparison.Ordinal) && file.EndsWith(".cs", StringComparison.Ordinal));
    }

    [Fact]
    public void Source_files_stay_short()
    {
        string[] tooLong = [.. _files
            .Where(file => file.EndsWith(".cs", StringComparison.Ordinal))
            .Select(file => (File: file, Count: File.ReadLines(RepositoryPaths.Of(file)).Count()))
            .Where(entry => entry.Count > (entry.File.StartsWith("tests/", StringComparison.Ordinal) ? TestLinesMax : SourceLinesMax))
            .Select(entry => $"{entry.File}: {entry.Count} lines")];
        Assert.Empty(tooLong);
    }

    [Fact]
    public void Files_stay_small_and_no_build_output_is_among_them()
    {
        Assert.DoesNotContain(_files, file => new FileInfo(RepositoryPaths.Of(file)).Length > FileBytesMax);
        Assert.DoesNotContain(_files, BuildOutput().IsMatch);
    }

    [Fact]
    public void Commands_at_the_root_are_executable_shell_scripts()
    {
        foreach (string command in (string[])["demo", "test", "weir", "weir-bench", "weir-loadgen", ".ci/run", "scripts/setup.sh", "scripts/build.sh"])
        {
            string path = RepositoryPaths.Of(command);
            AgentProcess.Run("test", "-x", path);
            AgentProcess.Run("bash", "-n", path);
        }
    }

    [Fact]
    public void Commands_that_the_documents_show_exist()
    {
        string[] missing = [.. _files
            .Where(file => file.EndsWith(".md", StringComparison.Ordinal))
            .SelectMany(file => ShownCommand().Matches(File.ReadAllText(RepositoryPaths.Of(file))).Select(match => (file, Command: match.Groups[1].Value)))
            .Where(shown => !File.Exists(RepositoryPaths.Of(shown.Command)))
            .Select(shown => $"{shown.file} shows {shown.Command}")];
        Assert.Empty(missing);
    }

    private static string[] ListFiles()
    {
        return [.. AgentProcess.Run("git", "-C", RepositoryPaths.Root, "ls-files", "-z")
            .Split('\0', StringSplitOptions.RemoveEmptyEntries)
            .Where(file => File.Exists(RepositoryPaths.Of(file)))];
    }

    private static void AssertNoLine(Regex pattern, Func<string, bool> concerns)
    {
        string[] found = [.. _files
            .Where(file => concerns(file) && IsText(file))
            .SelectMany(file => File.ReadLines(RepositoryPaths.Of(file)).Select((line, index) => (Line: line, Place: $"{file}:{index + 1}")))
            .Where(entry => pattern.IsMatch(entry.Line))
            .Select(entry => $"{entry.Place}: {entry.Line.Trim()}")];
        Assert.Empty(found);
    }

    private static bool IsText(string file)
    {
        Span<byte> start = stackalloc byte[512];
        using FileStream stream = File.OpenRead(RepositoryPaths.Of(file));
        return !start[..stream.Read(start)].Contains((byte)0);
    }

    // Each pattern is written so that it does not find itself.
    [GeneratedRegex(@"(?<![\w.$}~])/(work|root)[/](?!\*)")]
    private static partial Regex MachinePath();

    [GeneratedRegex(@"(registry\.npmjs[.]org|api\.nuget[.]org|deb\.debian[.]org|files\.pythonhosted[.]org)")]
    private static partial Regex RegistryHost();

    [GeneratedRegex(@"\b(TO[D]O|FIX[M]E|NotImplemented[E]xception)\b")]
    private static partial Regex OpenWork();

    [GeneratedRegex(@"(Thread\.Sleep[(]|Task\.Delay[(])")]
    private static partial Regex Sleep();

    [GeneratedRegex(@"(\.(dll|so|exe|nupkg|trx)$|(^|/)(bin|obj|node_modules)/)")]
    private static partial Regex BuildOutput();

    [GeneratedRegex(@"(?m)^\s*(?:\$ )?(?:sudo )?\./([\w./-]+)")]
    private static partial Regex ShownCommand();
}
