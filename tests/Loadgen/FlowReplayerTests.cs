using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using Weir.Loadgen.Replay;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Loadgen;

[Collection(RealPartsCollection.Name)]
public sealed class FlowReplayerTests
{
    private const string Topic = "flows";
    private const int PartitionCount = 2;

    private static readonly string _fixture = RepositoryPaths.Of("fixtures", "pmacct-flows.ndjson.zst");

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task The_broker_holds_each_record_of_the_fixture_once_with_its_times_moved_to_now()
    {
        using KafkaBroker broker = KafkaBroker.Start(Topic, PartitionCount);
        DateTimeOffset before = DateTimeOffset.UtcNow;
        var replayer = new FlowReplayer(
            new ReplayOptions { File = _fixture, Bootstrap = broker.Bootstrap, Topic = Topic, Times = 1, IsRetimed = true });

        ReplayTotals totals = await replayer.RunAsync();

        Assert.Equal(new FlowSums(9_000, 48_047, 18_008_127), totals.Sums);
        Assert.Equal(totals.Sums, totals.Protocols.Values.Aggregate(FlowSums.Add));
        Assert.Equal(0, totals.FailedRecordCount);
        List<JsonElement> records = ReadAll(broker, totals.MessageCount);
        Assert.Equal(totals.Sums.RecordCount, records.Count);
        Assert.Equal(totals.Sums.ByteCount, records.Sum(record => record.GetProperty("bytes").GetInt64()));
        Assert.All(records, record => Assert.InRange(Seconds(record), before.ToUnixTimeSeconds(), before.ToUnixTimeSeconds() + 60));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task Without_news_of_the_consumer_no_partition_gets_more_than_it_may_be_ahead()
    {
        using KafkaBroker broker = KafkaBroker.Start(Topic, PartitionCount);
        var options = new ReplayOptions
        {
            File = _fixture, Bootstrap = broker.Bootstrap, Topic = Topic, AheadBytesMax = 300_000, Duration = TimeSpan.FromSeconds(1),
        };
        var replayer = new FlowReplayer(options, positions: _ => ValueTask.FromResult<IReadOnlyList<ConsumerPosition>>([]));

        ReplayTotals totals = await replayer.RunAsync();

        Assert.InRange(totals.MessageBytes, 1, PartitionCount * options.AheadBytesMax);
    }

    private static long Seconds(JsonElement record) =>
        long.Parse(record.GetProperty("timestamp_end").GetString().AsSpan(0, 10), System.Globalization.CultureInfo.InvariantCulture);

    private static List<JsonElement> ReadAll(KafkaBroker broker, long messageCount)
    {
        using IConsumer<Ignore, byte[]> consumer = new ConsumerBuilder<Ignore, byte[]>(new ConsumerConfig(KafkaBroker.QuickProperties())
        {
            BootstrapServers = broker.Bootstrap,
            GroupId = "judge",
        }).Build();
        consumer.Assign(Enumerable.Range(0, PartitionCount).Select(
            partition => new TopicPartitionOffset(Topic, partition, Offset.Beginning)));
        var records = new List<JsonElement>();
        for (long count = 0; count < messageCount; count++)
        {
            byte[] value = consumer.Consume(TimeSpan.FromSeconds(10)).Message.Value;
            records.AddRange(Encoding.UTF8.GetString(value).Split('\n').Select(line => JsonDocument.Parse(line).RootElement));
        }

        return records;
    }
}
