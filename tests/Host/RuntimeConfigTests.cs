extern alias bench;

using System.Text.Json;
using bench::Weir.Bench.Processes;
using Xunit;

namespace Weir.Tests.Host;

/// <summary>What the program tells the runtime of the collector.</summary>
public sealed class RuntimeConfigTests
{
    [Fact]
    public void The_program_has_one_heap_and_takes_texts_of_some_hundred_kilobytes_for_small_objects()
    {
        using var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "weir.runtimeconfig.json")));
        var properties = config.RootElement.GetProperty("runtimeOptions").GetProperty("configProperties");

        // A web program gets a heap for each core unless it says no.
        Assert.False(properties.GetProperty("System.GC.Server").GetBoolean());
        Assert.Equal(1_000_000, properties.GetProperty("System.GC.LOHThreshold").GetInt32());
    }

    [Fact]
    public void Whoever_starts_the_program_gives_new_objects_the_same_memory()
    {
        var root = RepositoryRoot.DirectoryPath!;

        Assert.Contains(
            $"{WeirProgram.NewObjectBytesVariable}=${{{WeirProgram.NewObjectBytesVariable}:-{WeirProgram.NewObjectBytes}}}",
            File.ReadAllText(Path.Combine(root, "weir")),
            StringComparison.Ordinal);
        Assert.Contains(
            $" {WeirProgram.NewObjectBytesVariable}={WeirProgram.NewObjectBytes} ",
            File.ReadAllText(Path.Combine(root, "Dockerfile")),
            StringComparison.Ordinal);
    }
}
