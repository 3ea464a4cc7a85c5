using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Weir.Tests.Support.Agents;
using Xunit;

namespace Weir.Tests.Alerts;

/// <summary>Debian's Prometheus scrapes a weir that runs, evaluates the rules, and fires the alert of the loss that there is.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class PrometheusTests
{
    private const int PartitionCount = 2;
    private const int RecordCount = 100_000;

    [RealPartFact(RealPart.Prometheus, RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task It_fires_the_alert_of_each_loss_and_no_other()
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var run = await bed.RunAsync(
            bed.Configure(bed.Embedded(), [("flows", "weir")]),
            ("WEIR__AGGREGATION__QUEUE__POLICY", "drop"), ("WEIR__AGGREGATION__QUEUE__CAPACITY_RECORDS", "1024"));
        await using var prometheus = await PrometheusServer.StartAsync(bed.DirectoryPath, run.AdminUrl, AlertRulesTests.RulesFile);
        await prometheus.HasAsync("weir_queue_dropped_records_total{queue=\"aggregation\"} == 0");
        await prometheus.HasAsync("weir_ingest_rejected_records_total == 0");
        Assert.Empty(await prometheus.FiringAsync());

        bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", FlowFeed.MakeDistinct(0, RecordCount), 2_000));
        bed.Produce("flows", PartitionCount, ["no record"u8.ToArray()]);

        IReadOnlyList<string> firing = [];
        await Eventually.TrueAsync(
            async () => (firing = await prometheus.FiringAsync()).Count >= 2,
            () => $"two alerts; firing are {string.Join(", ", firing)}; Prometheus said\n{prometheus.Output}");
        Assert.Equal(["WeirRecordsDropped", "WeirRecordsRejected"], firing);
        await bed.StoredAsync(run);
        Assert.True(await run.AccountAsync("dropped") > 0);
        Assert.True(await run.AccountAsync("rejected") > 0);
        await PipelineBed.AssertStopsAsync(run);
    }

    [RealPartFact(RealPart.Prometheus, RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task Promtool_finds_nothing_to_say_about_the_metrics()
    {
        using var bed = await PipelineBed.StartAsync("flows:1");
        var run = await bed.RunAsync(bed.Configure(bed.Embedded(), [("flows", "weir")]));
        bed.Produce("flows", 1, FlowFeed.Messages("weir", FlowFeed.MakeDistinct(0, 1_000), 500));
        await bed.StoredAsync(run);
        using var client = new HttpClient();
        var file = Path.Combine(bed.DirectoryPath, "metrics.txt");
        await File.WriteAllTextAsync(file, await client.GetStringAsync(new Uri(run.AdminUrl, "metrics")));

        Assert.Equal("", AgentProcess.Run("sh", "-c", $"promtool check metrics < '{file}' 2>&1"));
        await PipelineBed.AssertStopsAsync(run);
    }
}
