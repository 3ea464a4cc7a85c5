using Weir.Core.Model;
using Weir.Core.Telemetry;
using Weir.Ingest;
using Xunit;

namespace Weir.Tests.Ingest;

public sealed class IngestMetricsTests
{
    [Fact]
    public void Each_metric_of_the_stage_is_given_with_its_labels()
    {
        var topic = new TopicSnapshot("flows") { MessageCount = 1, MessageBytes = 2, ReadCount = 9, LateCount = 3, GapOffsetCount = 4 };
        topic.RejectedCounts[(int)DecodeStatus.PortOutOfRange] = 5;
        var snapshot = new IngestSnapshot(
            [topic],
            [new PartitionSnapshot(new PartitionKey("flows", 0), 0, 70, 50, 100, 50, 60)],
            [],
            TimeSpan.Zero,
            AbandonedCount: 6,
            CommitErrorCount: 7,
            ConsumeErrorCount: 8,
            RebalanceCount: 9)
        {
            Client = new ClientStatistics([new BrokerStatistics("a:1", true, TimeSpan.FromMilliseconds(20), 1, 2, 3)], "up", "steady", 1, 77),
        };
        var reader = new ListReader();

        IngestMetrics.Collect(reader, snapshot, [TimeSpan.FromSeconds(1.5)], DateTimeOffset.UnixEpoch);

        var names = WeirMeter.All.Where(metric => metric.Name.StartsWith("weir_ingest_", StringComparison.Ordinal)).Select(metric => metric.Name);
        Assert.Equal(names.Order(), reader.Values.Keys.Select(key => key.Split(' ')[0]).Distinct().Order());
        Assert.Equal(5, reader.Values["weir_ingest_rejected_records_total flows port_out_of_range"]);
        Assert.Equal(30, reader.Values["weir_ingest_lag_messages flows"]);
        Assert.Equal(20, reader.Values["weir_ingest_uncommitted_messages flows"]);
        Assert.Equal(1.5, reader.Values["weir_ingest_memory_pause_seconds_total 0"]);
        Assert.Equal(0.02, reader.Values["weir_ingest_broker_round_trip_seconds"]);
        Assert.Equal(6, reader.Values["weir_ingest_abandoned_records_total"]);
    }

    private sealed class ListReader : MetricReader
    {
        public Dictionary<string, double> Values { get; } = [];

        public override void Read(MetricDefinition metric, double value, params ReadOnlySpan<string> labelValues)
        {
            Assert.Equal(metric.Labels.Length, labelValues.Length);
            Values.Add(string.Join(' ', [metric.Name, .. labelValues]), value);
        }
    }
}
