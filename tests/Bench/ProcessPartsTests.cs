extern alias bench;

using bench::Weir.Bench.Measure;
using bench::Weir.Bench.Processes;
using Xunit;

namespace Weir.Tests.Bench;

public class ProcessPartsTests
{
    [Fact]
    public void Processor_time_is_read_behind_a_name_with_blanks_and_brackets()
    {
        Assert.Equal(1_234 + 56, CpuClock.StatTicks("42 (a) b (c) S 1 42 42 0 -1 4194304 5 0 0 0 1234 56 0 0 20 0 1 0 100"));
    }

    [Fact]
    public void Processor_time_of_a_thread_is_part_of_that_of_the_process()
    {
        var (thread, process) = (CpuClock.ThreadNanos(), CpuClock.ProcessNanos());

        Assert.True(thread > 0 && process >= thread);
        Assert.True(CpuClock.ThreadNanos(Environment.ProcessId).Count > 0);
    }

    [Fact]
    public void Pin_lets_the_thread_go_where_it_could_before()
    {
        var before = AllowedCores();
        using (ThreadPin.ToLast())
        {
            Assert.DoesNotContain(',', AllowedCores());
            Assert.DoesNotContain('-', AllowedCores());
        }

        Assert.Equal(before, AllowedCores());
    }

    [Fact]
    public void Metrics_are_read_with_their_labels()
    {
        var metrics = WeirProgram.ReadMetrics("# HELP a\na{x=\"1\"} 2\na{x=\"2\"} 3.5\nb 7\n");

        Assert.Equal(5.5, WeirProgram.Sum(metrics, "a"));
        Assert.Equal(3.5, WeirProgram.Sum(metrics, "a", "x=\"2\""));
        Assert.Equal(7, WeirProgram.Sum(metrics, "b"));
    }

    private static string AllowedCores() => File.ReadLines("/proc/thread-self/status")
        .First(line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal))
        .Split('\t')[1];
}
