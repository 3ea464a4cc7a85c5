using Weir.Loadgen.Generate;
using Weir.Loadgen.Kafka;
using Weir.Loadgen.Replay;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Loadgen;

/// <summary>generate → weir → ClickHouse: what the generator says must be there is there, to the record, in every format.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class GenerateToTablesTests
{
    private const int RecordCount = 30_000;
    private const long LoopedRecordCount = 1_200_000;
    private const long BrokerPartitionBytes = 5 * 1024 * 1024; // What weir broker keeps of a partition.

    [RealPartTheory(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    [InlineData("weir", true)]
    [InlineData("weir-proto", false)]
    [InlineData("goflow2", true)]
    [InlineData("goflow2-json", false)]
    [InlineData("pmacct-json", false)]
    public async Task The_account_closes_to_the_record(string format, bool isKeyed)
    {
        using var bed = await PipelineBed.StartAsync("flows:3");
        using var producer = new TopicProducer(new ProducerOptions { Bootstrap = bed.Kafka.Bootstrap, Topic = "flows" });
        var generator = new Generator(new GeneratorOptions
        {
            StartSecond = (long)FlowFeed.RecentMinute, Format = format, IsKeyed = isKeyed, PartitionCount =
                producer.PartitionCount, Seed = 5,
            SeriesCount = 3_000, RecordsPerMessage = 200, AttackShare = 0.02, LateShare = 0.01, FutureShare = 0.01, MalformedShare = 0.02,
            OutOfOrderShare = 0.05, SkewedAgentShare = 0.2, ChurnPerSecond = 0.05, CountsRows = true, Rate = RateShape.Steady(1_000),
        });
        using (var generate = new GenerateRun(generator, producer, isPaced: false, isHashed: false))
        {
            await generate.RunAsync(RecordCount, null, CancellationToken.None);
            Assert.Equal(0, generate.UnsentRecordCount);
        }

        var totals = generator.Totals;
        Assert.Equal(RecordCount, producer.Delivered.RecordCount);
        var run = await bed.RunAsync(bed.Configure(bed.Embedded(), [("flows", format)]));
        var read = 0L;
        await Eventually.TrueAsync(async () => (read = await run.AccountAsync("read")) >= RecordCount, () => $"all read; {read} are");

        Assert.Equal(RecordCount, read);
        await AssertTablesAsync(run, totals);
        await PipelineBed.AssertStopsAsync(run);
    }

    [RealPartTheory(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    [InlineData("weir", false)]
    [InlineData("goflow2", true)]
    public async Task The_account_of_batches_that_are_sent_again_and_again_closes_to_the_record(string format, bool isKeyed)
    {
        using var bed = await PipelineBed.StartAsync("flows:3");
        var run = await bed.RunAsync(bed.Configure(bed.Embedded(), [("flows", format)]));
        using var positions = new AdminPositions(run.AdminUrl);
        var options = new GeneratorOptions
        {
            StartSecond = (long)FlowFeed.RecentMinute, Format = format, IsKeyed = isKeyed, PartitionCount = 3, Seed = 5,
            SeriesCount = 3_000, AttackShare = 0.02, LateShare = 0.01, FutureShare = 0.01, MalformedShare = 0.02, OutOfOrderShare = 0.05, CountsRows = true,
            Rate = RateShape.Steady(10_000),
        };
        var batches = FinishedBatch.Make(options, 60_000, "lz4", null, CancellationToken.None);
        var loop = new LoopOptions { Bootstrap = bed.Kafka.Bootstrap, Topic = "flows", RecordsMax = LoopedRecordCount };
        using var generate = new LoopRun(loop, batches, positions.ReadAsync);
        await generate.RunAsync(CancellationToken.None);

        // More than the broker keeps, so that it is the followed position that loses nothing.
        Assert.True(generate.StoredBytes > 3 * BrokerPartitionBytes, $"{generate.StoredBytes} bytes");
        Assert.InRange(generate.Totals.RecordCount, LoopedRecordCount, LoopedRecordCount + batches.Max(batch => batch.RecordCount));
        var read = 0L;
        await Eventually.TrueAsync(
            async () => (read = await run.AccountAsync("read")) >= generate.Totals.RecordCount, () => $"all read; {read} are");
        Assert.Equal(generate.Totals.RecordCount, read);
        await AssertTablesAsync(run, generate.Totals);
        await PipelineBed.AssertStopsAsync(run);
    }

    private static async Task AssertTablesAsync(WeirRun run, GeneratedTotals totals)
    {
        Assert.Equal(totals.MalformedCount, await run.AccountAsync("rejected"));
        Assert.Equal(totals.LateCount, await run.AccountAsync("late"));
        for (var view = 0; view < GeneratedTotals.Views.Count; view++)
        {
            var name = GeneratedTotals.Views[view].Name;
            var sums = string.Join(", ", GeneratedTotals.Meters.Select(meter => $"sum({meter})"));
            var keys = string.Join(", ", GeneratedTotals.Views[view].Tags.Select(tag => tag.Name));
            var row = Assert.Single(await run.QueryAsync($"SELECT {sums}, uniqExact(time, {keys}) FROM {name}"));
            Assert.Equal(string.Join('\t', totals.MeterSums) + $"\t{totals.RowCount(view)}", row);
        }
    }
}
