using System.Text.Json;
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
}
