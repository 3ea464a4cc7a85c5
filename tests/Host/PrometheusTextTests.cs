using Weir.Core.Buffers;
using Weir.Core.Telemetry;
using Weir.Host.Admin;
using Xunit;

namespace Weir.Tests.Host;

public class PrometheusTextTests
{
    private static readonly MetricDefinition _flows = new("weir_flows_total", MetricKind.Counter, "A \"help\"\nwith a \\.", "topic", "reason");
    private static readonly MetricDefinition _level = new("weir_level", MetricKind.Gauge, "A level.");

    [Fact]
    public void Help_and_type_come_once_and_samples_of_a_metric_stand_together()
    {
        var text = new PrometheusText();
        text.Read(_flows, 1, "a", "x");
        text.Read(_level, 0.5);
        text.Read(_flows, 12_345_678_901_234, "b", "y");

        Assert.Equal(
            """
            # HELP weir_flows_total A "help"\nwith a \\.
            # TYPE weir_flows_total counter
            weir_flows_total{topic="a",reason="x"} 1
            weir_flows_total{topic="b",reason="y"} 12345678901234
            # HELP weir_level A level.
            # TYPE weir_level gauge
            weir_level 0.5

            """,
            text.ToString());
    }

    [Fact]
    public void Histograms_are_cumulative_and_end_with_sum_and_count()
    {
        var histogram = new LogHistogram(0.001, 10, 3);
        histogram.Add(0.0005);
        histogram.Add(0.05);
        histogram.Add(7);
        var text = new PrometheusText();

        text.Read(new MetricDefinition("weir_time_seconds", MetricKind.Histogram, "Times.", "sink"), histogram.Snapshot(), "a");

        Assert.Equal(
            """
            # HELP weir_time_seconds Times.
            # TYPE weir_time_seconds histogram
            weir_time_seconds_bucket{sink="a",le="0.001"} 1
            weir_time_seconds_bucket{sink="a",le="0.01"} 1
            weir_time_seconds_bucket{sink="a",le="0.1"} 2
            weir_time_seconds_bucket{sink="a",le="+Inf"} 3
            weir_time_seconds_sum{sink="a"} 7.0505
            weir_time_seconds_count{sink="a"} 3

            """,
            text.ToString());
        Assert.Equal(0.1, histogram.Snapshot().Quantile(0.5));
    }

    [Fact]
    public void Label_values_are_escaped()
    {
        var text = new PrometheusText();
        text.Read(_flows, 1, "a\"b\\c\nd", "{,}=é");

        Assert.Contains("weir_flows_total{topic=\"a\\\"b\\\\c\\nd\",reason=\"{,}=é\"} 1\n", text.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    public void Values_that_are_not_finite_are_left_out(double value)
    {
        var text = new PrometheusText();
        text.Read(_level, value);

        Assert.Equal("", text.ToString());
    }

    [Fact]
    public void Labels_that_do_not_fit_the_metric_are_a_fault_of_the_program() =>
        Assert.Throws<ArgumentException>(() => new PrometheusText().Read(_flows, 1, "a"));

    [Fact]
    public void The_process_and_each_queue_are_told_in_the_order_of_the_reference()
    {
        var budget = new MemoryBudget(1_000);
        budget.Add(10);
        var text = new PrometheusText();
        new ProcessMetrics("1.2.3", budget, () => [AdminServerTests.Queue("shard", 0), AdminServerTests.Queue("shard", 1)]).Collect(text);

        var lines = text.ToString().Split('\n');
        Assert.Equal("weir_build_info{version=\"1.2.3\"} 1", lines[2]);
        Assert.Contains("weir_memory_used_bytes 10", lines);
        Assert.Contains("weir_queue_offered_records_total{queue=\"shard\",index=\"1\"} 100", lines);
        Assert.Contains("weir_queue_producer_wait_seconds_total{queue=\"shard\",index=\"0\"} 1.5", lines);
        var told = lines.Where(line => line.StartsWith("# TYPE", StringComparison.Ordinal)).Select(line => line.Split(' ')[2]).ToList();
        Assert.Equal(WeirMeter.All.Select(metric => metric.Name).Where(told.Contains), told);
    }

    [Fact]
    public void Every_metric_of_the_program_keeps_the_rules_of_its_name()
    {
        Assert.Equal(WeirMeter.All.Count, WeirMeter.All.Select(metric => metric.Name).Distinct().Count());
        foreach (var metric in WeirMeter.All)
        {
            Assert.Matches("^weir_[a-z0-9_]+$", metric.Name);
            Assert.Equal(metric.Kind == MetricKind.Counter, metric.Name.EndsWith("_total", StringComparison.Ordinal));
            Assert.EndsWith(".", metric.Help, StringComparison.Ordinal);
            Assert.All(metric.Labels, label => Assert.Matches("^[a-z_]+$", label));
        }
    }
}
