using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Host;

/// <summary>The program as a process of its own: what the shell sees.</summary>
public sealed class ProcessTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-process-");

    [Fact]
    public async Task Check_ends_with_0_and_what_it_prints_can_be_fed_back()
    {
        var first = await RunAsync("", "check", "--offline");
        var second = await RunAsync(first.Output, "check", "--offline");

        Assert.Equal((0, ""), (first.Code, first.Error));
        Assert.Equal((0, ""), (second.Code, second.Error));
        Assert.Contains("interval: 10s", second.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_file_ends_with_2_and_nothing_on_stdout()
    {
        var (code, output, error) = await RunAsync("flush: { interval: 1 }", "run");

        Assert.Equal((2, ""), (code, output));
        Assert.StartsWith("weir: weir.yaml:1: flush.interval is 1; allowed:", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_command_line_ends_with_2() => Assert.Equal(2, (await RunAsync("", "rnu")).Code);

    public void Dispose() => _directory.Delete(recursive: true);

    private async Task<(int Code, string Output, string Error)> RunAsync(string yaml, params string[] args)
    {
        await File.WriteAllTextAsync(Path.Combine(_directory.FullName, "weir.yaml"), yaml);
        return await ProgramProcess.RunAsync(_directory.FullName, null, args);
    }
}
