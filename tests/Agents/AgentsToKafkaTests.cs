using Confluent.Kafka;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Weir.Tests.Support;
using Weir.Tests.Support.Agents;
using Xunit;

namespace Weir.Tests.Agents;

/// <summary>Real agents, a real broker protocol, our decoder; tshark counts the same packets.</summary>
[Collection(AloneCollection.Name)]
public sealed class AgentsToKafkaTests : IDisposable
{
    private const int Seed = 20260101;
    private const string Topic = "flows";

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-agents-");

    public void Dispose() => _directory.Delete(recursive: true);

    [RealPartFact(RealPart.LocalRdkafka, RealPart.Pmacctd, RealPart.Tshark, RealPart.PacketCapture)]
    public void Pmacctd_on_an_interface_tells_what_tshark_counts()
    {
        using KafkaBroker broker = KafkaBroker.Start(Topic, 2);
        using var traffic = new LoopbackTraffic();
        using AgentProcess pmacctd = PmacctAgents.StartPmacctd(_directory.FullName, broker.Bootstrap, Topic, traffic.Filter);
        FlowSumsByKey expected = Capture(traffic, out _);

        AssertDecodedEquals(expected, broker);
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.Softflowd, RealPart.Nfacctd, RealPart.Tshark, RealPart.PacketCapture)]
    public void Softflowd_and_nfacctd_tell_what_tshark_counts()
    {
        using KafkaBroker broker = KafkaBroker.Start(Topic, 2);
        using var traffic = new LoopbackTraffic();
        FlowSumsByKey expected = Capture(traffic, out string pcap);
        int port = PmacctAgents.FreeUdpPort();
        using AgentProcess nfacctd = PmacctAgents.StartNfacctd(_directory.FullName, broker.Bootstrap, Topic, port);
        PmacctAgents.ExportCapture(_directory.FullName, pcap, port);

        AssertDecodedEquals(expected, broker);
    }

    private FlowSumsByKey Capture(LoopbackTraffic traffic, out string pcap)
    {
        pcap = Path.Combine(_directory.FullName, "traffic.pcap");
        using PacketCapture capture = PacketCapture.Start(pcap, traffic.Filter);
        traffic.Talk(Seed, rounds: 10);
        capture.Stop();
        return Tshark.Sum(pcap);
    }

    // Agents give no sign that they have said everything: the test waits until the packets are as many, and then all sums must be equal.
    private static void AssertDecodedEquals(FlowSumsByKey expected, KafkaBroker broker)
    {
        StreamSchema schema = StreamSchema.Compile(StandardSchema.Views);
        using var sink = new RecordingSink(schema);
        FlowDecoder decoder = FlowFormats.Create("pmacct-json", schema);
        using IConsumer<Ignore, byte[]> consumer = new ConsumerBuilder<Ignore, byte[]>(new ConsumerConfig(KafkaBroker.QuickProperties())
        {
            BootstrapServers = broker.Bootstrap,
            GroupId = "judge",
        }).Build();
        consumer.Assign([new TopicPartitionOffset(Topic, 0, Offset.Beginning), new TopicPartitionOffset(Topic, 1, Offset.Beginning)]);

        long expectedPackets = expected.Values.Sum(sum => sum.PacketCount);
        var actual = new FlowSumsByKey();
        Eventually.True(
            () =>
            {
                while (consumer.Consume(TimeSpan.FromMilliseconds(20)) is { } message)
                {
                    decoder.Decode(message.Message.Value, sink);
                }

                actual = Sum(sink);
                return actual.Values.Sum(sum => sum.PacketCount) >= expectedPackets;
            },
            () => $"{expectedPackets} packets in Kafka; {actual.Values.Sum(sum => sum.PacketCount)} came");

        Assert.Equal(0, sink.RejectedCount);
        Assert.Equal(expected, actual);
    }

    private static FlowSumsByKey Sum(RecordingSink sink)
    {
        var sums = new FlowSumsByKey();
        for (int record = 0; record < sink.Rows.Count; record++)
        {
            var key = new FlowKey(
                FlowSumsByKey.Normalize(sink.Address(StandardSchema.SrcAddr, record)),
                FlowSumsByKey.Normalize(sink.Address(StandardSchema.DstAddr, record)),
                (int)sink.Number(StandardSchema.DstPort, record),
                (int)sink.Number(StandardSchema.Proto, record));
            sums.Add(key, (long)sink.Meter(StandardSchema.Packets, record), (long)sink.Meter(StandardSchema.Bytes, record));
        }

        return sums;
    }
}
