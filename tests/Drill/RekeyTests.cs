using Confluent.Kafka;
using Weir.Ingest;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Drill;

/// <summary><c>weir rekey</c> and <c>weir run</c> behind one another, both killed in the middle: each record is in the sums once.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class RekeyTests
{
    private const int FromPartitions = 3;
    private const int ToPartitions = 5;
    private const int RoundRecords = 6_000;
    private const int Rounds = 4;

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task Records_of_a_rekeyed_topic_are_stored_once_although_rekeyer_and_weir_are_killed()
    {
        using var bed = await PipelineBed.StartAsync($"raw:{FromPartitions}", $"flows:{ToPartitions}");
        var config = bed.Configure(bed.Embedded(), [("flows", "weir, rekeyed_from: raw")]);
        var oracle = new FlowOracle();
        var run = await bed.RunAsync(config);
        for (var round = 0; round < Rounds; round++)
        {
            using var rekeyer = Rekey(bed, config);
            await rekeyer.LineAsync("Rekeying raw");
            Produce(bed, oracle, round);

            // Killed when something was written, most of the time before it was committed; the next one begins at the last commit.
            var before = (await run.ListAsync("positions")).Sum(position => position.GetProperty("high_watermark").GetInt64());
            await Eventually.TrueAsync(
                async () => (await run.ListAsync("positions")).Sum(position => position.GetProperty("high_watermark").GetInt64()) > before,
                () => $"the rekeyer writes; it said {rekeyer.ErrorText}",
                TimeSpan.FromSeconds(90));
            rekeyer.Signal("KILL");
            await rekeyer.ExitCodeAsync();
            if (round == 1)
            {
                run.Process.Signal("KILL");
                await run.Process.ExitCodeAsync();
                run = await bed.RunAsync(config);
            }
        }

        bed.Kafka.Produce("raw", 1, "no record"u8.ToArray());
        using var last = Rekey(bed, config);
        await Eventually.TrueAsync(
            async () => await run.NumberAsync("SELECT sum(records) FROM edge_1s") >= oracle.RecordCount,
            () => $"all {oracle.RecordCount} are stored; the rekeyer said {last.ErrorText}\nweir said {run.Process.ErrorText}",
            TimeSpan.FromSeconds(120));
        await last.LineAsync("1 records of raw did not decode so far");
        last.Signal("TERM");
        Assert.Equal(0, await last.ExitCodeAsync());
        Assert.Contains(" 1 rejected (", last.ErrorText, StringComparison.Ordinal);

        // Nobody downstream can know of it, so its bytes are kept by the rekeyer.
        var letters = await ProgramProcess.RunAsync(bed.DirectoryPath, Letters(bed), "deadletters", "show", "-c", config);
        Assert.True(letters.Code == 0, letters.Error);
        Assert.Contains("no record", letters.Output, StringComparison.Ordinal);
        Assert.Contains("raw/1", letters.Output, StringComparison.Ordinal);

        // The committed range of the raw topic once more, as after a crash between delivery and commit: all of it is passed over.
        using (var again = Rekey(bed, config, "--group", "again"))
        {
            var before = await run.MetricAsync("weir_ingest_repeated_messages_total");
            var repeated = before;
            await Eventually.TrueAsync(
                async () => (repeated = await run.MetricAsync("weir_ingest_repeated_messages_total")) >= before + 100,
                () => $"messages written twice are passed over, {before} before and {repeated} now; it said {again.ErrorText}\nweir said {run.Process.ErrorText}",
                TimeSpan.FromSeconds(90));
            again.Signal("TERM");
            Assert.Equal(0, await again.ExitCodeAsync());
        }

        await PipelineBed.AssertStopsAsync(run);
        var audit = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "audit", "-c", config);
        Assert.True(audit.Code == 0, audit.Output + audit.Error);
        var after = await bed.RunAsync(config);
        await oracle.AssertStoredAsync(after);
        Assert.Equal(oracle.RecordCount, await after.NumberAsync("SELECT sum(records) FROM edge_1s"));
    }

    /// <summary>
    /// Anybody who may write a topic can write headers: they count only in a topic that is said to be rekeyed, and from the topic named.
    /// </summary>
    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task Origins_in_a_topic_that_nobody_rekeys_have_no_message_passed_over()
    {
        using var bed = await PipelineBed.StartAsync("flows:1", "made:1");
        var config = bed.Configure(bed.Embedded(), [("flows", "weir"), ("made", "weir, rekeyed_from: raw")]);
        var run = await bed.RunAsync(config);
        ProduceFrom(bed, "flows", "raw/0@9000", "raw/0@1", "raw/0@1");
        ProduceFrom(bed, "made", "other/0@9000", "other/0@1", "raw/0@9000", "raw/0@1");
        await bed.StoredAsync(run);

        Assert.Equal(6, await run.NumberAsync("SELECT sum(records) FROM edge_1s")); // All but the last one.
        Assert.Equal(1, await run.MetricAsync("weir_ingest_repeated_messages_total"));
        await run.Process.LineAsync("flows: messages say that they were rekeyed from another topic");
        await run.Process.LineAsync("made: messages say that they were rekeyed from another topic"); // Whichever comes first hides no other.
        await PipelineBed.AssertStopsAsync(run);

        var refused = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "rekey", "-c", config, "--from", "raw:weir", "--to", "flows");
        Assert.NotEqual(0, refused.Code);
        Assert.Contains("kafka.topics has flows without rekeyed_from: raw", refused.Error, StringComparison.Ordinal);
    }

    private static void ProduceFrom(PipelineBed bed, string topic, params string[] origins)
    {
        using var producer = new ProducerBuilder<Null, byte[]>(new ProducerConfig { BootstrapServers = bed.Kafka.Bootstrap }).Build();
        foreach (var origin in origins)
        {
            producer.Produce(topic, new Message<Null, byte[]>
            {
                Value = FlowFeed.Message("weir", FlowFeed.Make("weir", 1, 1)[0]),
                Headers = new Headers { { OriginMarks.Header, System.Text.Encoding.UTF8.GetBytes(origin) } },
            });
        }

        Assert.Equal(0, producer.Flush(TimeSpan.FromSeconds(60)));
        bed.AddProduced(topic, 0, origins.Length);
    }

    private static Dictionary<string, string> Letters(PipelineBed bed) => new()
    {
        ["WEIR__DEAD_LETTERS__DIRECTORY"] = Path.Combine(bed.DirectoryPath, "letters"),
    };

    private static ProgramProcess Rekey(PipelineBed bed, string config, params string[] more) => ProgramProcess.Start(
        bed.DirectoryPath, Letters(bed), ["rekey", "-c", config, "--from", "raw:pmacct-json", "--to", "flows", .. more]);

    private static void Produce(PipelineBed bed, FlowOracle oracle, int round)
    {
        var records = FlowFeed.Make("pmacct-json", round, RoundRecords);
        records.ForEach(record => oracle.Add(record));
        bed.Produce("raw", FromPartitions, FlowFeed.Messages("pmacct-json", records, 20));
    }
}
