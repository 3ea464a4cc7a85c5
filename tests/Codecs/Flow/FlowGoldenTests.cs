using System.Text;
using Google.Protobuf;
using Weir.Codecs.Flow;
using Weir.Tests.Goflow2;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Codecs.Flow;

/// <summary>
/// Committed messages of every format, and what they decode to. A change that moves one of them breaks agents that are in use:
/// the files are made anew (WEIR_GOLDEN_WRITE=1) only together with a new version of the format.
/// </summary>
public sealed class FlowGoldenTests
{
    public static TheoryData<string> Formats => [.. FlowFormats.Names];

    [Theory]
    [MemberData(nameof(Formats))]
    public void Golden_message_decodes_to_what_is_written_beside_it(string format)
    {
        var file = RepositoryPaths.Of("tests", "Golden", "Flow", format + ".bin");
        if (Environment.GetEnvironmentVariable("WEIR_GOLDEN_WRITE") == "1")
        {
            File.WriteAllBytes(file, Message(format));
        }

        using var sink = FlowSamples.Decode(format, File.ReadAllBytes(file));
        var lines = Enumerable.Range(0, sink.Rows.Count).Select(sink.Describe)
            .Concat(sink.Rejects.Select(status => "rejected=" + status))
            .Append($"markers={sink.MarkerCount} sampling_unknown={sink.SamplingUnknownCount}");
        var text = string.Join('\n', lines) + "\n";
        if (Environment.GetEnvironmentVariable("WEIR_GOLDEN_WRITE") == "1")
        {
            File.WriteAllText(Path.ChangeExtension(file, ".txt"), text);
        }

        Assert.Equal(File.ReadAllText(Path.ChangeExtension(file, ".txt")), text);
    }

    [Theory]
    [InlineData("weir")]
    [InlineData("weir-proto")]
    public void Encoders_still_write_the_golden_bytes(string format) =>
        Assert.Equal(File.ReadAllBytes(RepositoryPaths.Of("tests", "Golden", "Flow", format + ".bin")), Message(format));

    [Fact]
    public void Example_of_the_documentation_is_a_batch()
    {
        var bytes = Convert.FromHexString(
            "5745495201000200010000002800000000000000000000000202000000000000070000000000000004010000000000003500000000000000");
        byte[] batch = [.. bytes, .. BitConverter.GetBytes(Crc32C.Of(bytes))];
        using var sink = FlowSamples.Decode("weir", batch);

        Assert.Equal(60, batch.Length);
        Assert.Equal("time=7 dst_port=53 flows=1", sink.Describe(0));
    }

    private static byte[] Message(string format)
    {
        var random = new Random(7);
        var records = Enumerable.Range(0, 3).Select(_ => FlowSamples.Random(random)).ToArray();
        return format switch
        {
            "weir" => FlowSamples.WeirBatch(records),
            "weir-proto" => FlowSamples.WeirProto(records),
            "goflow2" => Goflow2DecoderTests.Delimited(
                new FlowMessage
                {
                    Type = 3, SamplingRate = 100, SrcAddr = ByteString.CopyFrom(10, 0, 0, 1), DstAddr = ByteString.CopyFrom(10, 0, 0, 2), Bytes = 1500,
                    Packets = 2, SamplerAddress = ByteString.CopyFrom(192, 0, 2, 1), SrcPort = 40000, DstPort = 443, Proto = 6, TcpFlags = 0x12,
                    TimeFlowStartNs = 1_767_225_819_140_856_000, TimeFlowEndNs = 1_767_225_820_000_000_000, Etype = 0x800, VlanId = 12, SrcMac = 0x1b210a0b0c,
                },
                new FlowMessage { TimeReceivedNs = 1_767_225_819_000_000_000, Packets = 1, DstPort = 53, Proto = 17 },
                new FlowMessage { TimeReceivedNs = 1_767_225_819_000_000_000, DstPort = 70_000 }),
            "goflow2-json" => Encoding.UTF8.GetBytes(FlowSamples.Goflow2Line() + "\n{\"dst_port\":70000}\n" + FlowSamples.Goflow2Line("\"packets\":1") + "\n"),
            _ => Encoding.UTF8.GetBytes(
                "{\"event_type\": \"purge_init\", \"writer_id\": \"default_kafka/17\", \"writer_pid\": 17}\n" + FlowSamples.PmacctLine() + "\n"
                + FlowSamples.PmacctLine("\"stamp_inserted\": \"2026-01-01 00:00:00\", \"peer_ip_src\": \"192.0.2.7\"") + "\n{\"bytes\": -1}\n"
                + "{\"event_type\": \"purge_close\", \"writer_id\": \"default_kafka/17\", \"writer_pid\": 17, \"purged_entries\": 2}\n"),
        };
    }
}
