using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Google.Protobuf;
using Weir.Core.Model;
using Weir.Tests.Goflow2;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Codecs.Flow;

/// <summary>Our decoders against System.Text.Json and Google.Protobuf, field by field.</summary>
public sealed class FlowPeerTests
{
    private const int SampleRecords = 31_002;
    private const int SampleBeforeEpoch = 2_429; // Agents with clocks that are decades off.

    // What an independent reader needs: the names in the sample that are not numbers.
    private static readonly Dictionary<string, ulong> _protocols = new()
    {
        ["tcp"] = 6, ["udp"] = 17, ["icmp"] = 1, ["igmp"] = 2, ["ipv6-icmp"] = 58, ["ah"] = 51, ["ipencap"] = 4, ["ipv6"] = 41,
        ["l2tp"] = 115, ["ospf"] = 89, ["pim"] = 103, ["vrrp"] = 112,
    };

    [RealPartFact(RealPart.SampleData, RealPart.Jq)]
    public void Every_record_of_the_sample_is_decoded_as_system_text_json_reads_it()
    {
        var payload = Decompress(RealParts.SampleDataFile);
        using var sink = FlowSamples.Decode("pmacct-json", payload);

        var index = 0;
        var rejectedIndex = 0;
        foreach (var line in System.Text.Encoding.UTF8.GetString(payload).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using var document = JsonDocument.Parse(line);
            if (document.RootElement.GetProperty("timestamp_start").GetString()!.StartsWith('-'))
            {
                Assert.Equal(DecodeStatus.TimeOutOfRange, sink.Rejects[rejectedIndex]);
                Assert.Equal(line, sink.Evidence[rejectedIndex++], StringComparer.Ordinal);
                continue;
            }

            AssertEqual(document.RootElement, sink, index++);
        }

        Assert.Equal((SampleBeforeEpoch, SampleRecords - SampleBeforeEpoch), (rejectedIndex, index));
        Assert.Equal((rejectedIndex, index), (sink.RejectedCount, sink.AcceptedCount));
    }

    [Fact]
    public void Every_message_that_google_protobuf_writes_is_decoded_to_its_values()
    {
        var random = new Random(20261121);
        for (var round = 0; round < 2_000; round++)
        {
            var message = RandomMessage(random);
            using var sink = FlowSamples.Decode("goflow2", round % 2 == 0 ? message.ToByteArray() : Goflow2DecoderTests.Delimited(message));

            Assert.True(sink.RejectedCount == 0, message.ToString());
            Assert.Equal(message.TimeFlowStartNs / 1_000_000_000, sink.Time());
            Assert.Equal(Text(message.SrcAddr), sink.Address(StandardSchema.SrcAddr));
            Assert.Equal(Text(message.DstAddr), sink.Address(StandardSchema.DstAddr));
            Assert.Equal(Text(message.NextHop), sink.Address(StandardSchema.NextHop));
            Assert.Equal(message.SamplerAddress.IsEmpty ? "" : Text(message.SamplerAddress), sink.Text(StandardSchema.Exporter));
            Assert.Equal(message.SrcPort, sink.Number(StandardSchema.SrcPort));
            Assert.Equal(message.DstPort, sink.Number(StandardSchema.DstPort));
            Assert.Equal(message.Proto, sink.Number(StandardSchema.Proto));
            Assert.Equal(message.IpTos, sink.Number(StandardSchema.Tos));
            Assert.Equal(message.TcpFlags, sink.Number(StandardSchema.TcpFlags));
            Assert.Equal(message.SrcAs, sink.Number(StandardSchema.SrcAs));
            Assert.Equal(message.DstAs, sink.Number(StandardSchema.DstAs));
            Assert.Equal(message.SrcNet, sink.Number(StandardSchema.SrcMask));
            Assert.Equal(message.DstNet, sink.Number(StandardSchema.DstMask));
            Assert.Equal(message.InIf, sink.Number(StandardSchema.InIf));
            Assert.Equal(message.OutIf, sink.Number(StandardSchema.OutIf));
            Assert.Equal(message.VlanId, sink.Number(StandardSchema.Vlan));
            Assert.Equal(message.SrcMac, sink.Number(StandardSchema.SrcMac));
            Assert.Equal(message.DstMac, sink.Number(StandardSchema.DstMac));
            Assert.Equal(message.Etype, sink.Number(StandardSchema.Etype));
            Assert.Equal(message.Packets * Math.Max(1, message.SamplingRate), sink.Meter(StandardSchema.Packets));
            Assert.Equal(message.Bytes * Math.Max(1, message.SamplingRate), sink.Meter(StandardSchema.Bytes));
            Assert.Equal(
                message.TimeFlowEndNs > message.TimeFlowStartNs
                    ? ((message.TimeFlowEndNs / 1_000) - (message.TimeFlowStartNs / 1_000)) / 1_000
                    : 0,
                sink.Meter(StandardSchema.DurationMs));
        }
    }

    private static FlowMessage RandomMessage(Random random)
    {
        ByteString Address()
        {
            var bytes = new byte[random.Next(3) switch { 0 => 0, 1 => 4, _ => 16 }];
            random.NextBytes(bytes);
            return ByteString.CopyFrom(bytes);
        }

        var message = new FlowMessage
        {
            Type = (uint)random.Next(5),
            SequenceNum = (uint)random.Next(),
            SamplingRate = (ulong)random.Next(3) * 512,
            SrcAddr = Address(),
            DstAddr = Address(),
            SamplerAddress = Address(),
            NextHop = Address(),
            Bytes = (ulong)random.Next(),
            Packets = (ulong)random.Next(),
            SrcPort = (uint)random.Next(65536),
            DstPort = (uint)random.Next(65536),
            Proto = (uint)random.Next(256),
            IpTos = (uint)random.Next(256),
            TcpFlags = (uint)random.Next(512),
            SrcAs = (uint)random.NextInt64(uint.MaxValue + 1L),
            DstAs = (uint)random.Next(),
            SrcNet = (uint)random.Next(129),
            DstNet = (uint)random.Next(33),
            InIf = (uint)random.Next(),
            OutIf = (uint)random.Next(),
            VlanId = (uint)random.Next(4096),
            SrcMac = (ulong)random.NextInt64(1L << 48),
            DstMac = (ulong)random.NextInt64(1L << 48),
            Etype = 0x86dd,
            BgpNextHop = Address(),
            TimeReceivedNs = (ulong)random.NextInt64(1, uint.MaxValue) * 1_000_000_000,
            TimeFlowStartNs = (ulong)random.NextInt64(1, uint.MaxValue) * 1_000_000_001,
        };
        message.TimeFlowEndNs = message.TimeFlowStartNs + (ulong)random.NextInt64(-5_000_000_000, 90_000_000_000);
        message.MplsLabel.Add(Enumerable.Repeat(300u, random.Next(3)));
        message.MplsIp.Add(Address());
        return message;
    }

    private static void AssertEqual(JsonElement line, RecordingSink sink, int index)
    {
        string TextOf(string key) => line.GetProperty(key).GetString()!;
        var start = decimal.Parse(TextOf("timestamp_start"), CultureInfo.InvariantCulture);
        var end = decimal.Parse(TextOf("timestamp_end"), CultureInfo.InvariantCulture);
        var flags = ulong.Parse(TextOf("tcp_flags"), CultureInfo.InvariantCulture);
        var proto = _protocols.TryGetValue(TextOf("ip_proto"), out var known) ? known : ulong.Parse(TextOf("ip_proto"), CultureInfo.InvariantCulture);

        Assert.Equal((ulong)start, sink.Time(index));
        Assert.Equal(Text(IPAddress.Parse(TextOf("ip_src"))), sink.Address(StandardSchema.SrcAddr, index));
        Assert.Equal(Text(IPAddress.Parse(TextOf("ip_dst"))), sink.Address(StandardSchema.DstAddr, index));
        Assert.Equal(line.GetProperty("port_src").GetUInt64(), sink.Number(StandardSchema.SrcPort, index));
        Assert.Equal(line.GetProperty("port_dst").GetUInt64(), sink.Number(StandardSchema.DstPort, index));
        Assert.Equal(proto, sink.Number(StandardSchema.Proto, index));
        Assert.Equal(line.GetProperty("tos").GetUInt64(), sink.Number(StandardSchema.Tos, index));
        Assert.Equal(line.GetProperty("vlan").GetUInt64(), sink.Number(StandardSchema.Vlan, index));
        Assert.Equal(flags, sink.Number(StandardSchema.TcpFlags, index));
        Assert.Equal("", sink.Text(StandardSchema.Exporter, index));
        Assert.Equal(line.GetProperty("packets").GetUInt64(), sink.Meter(StandardSchema.Packets, index));
        Assert.Equal(line.GetProperty("bytes").GetUInt64(), sink.Meter(StandardSchema.Bytes, index));
        Assert.Equal(1UL, sink.Meter(StandardSchema.Flows, index));
        Assert.Equal(proto == 6 ? (flags >> 1) & 1 : 0, sink.Meter(StandardSchema.TcpSyn, index));
        Assert.Equal(proto == 6 ? flags & 1 : 0, sink.Meter(StandardSchema.TcpFin, index));
        Assert.Equal(proto == 6 ? (flags >> 2) & 1 : 0, sink.Meter(StandardSchema.TcpRst, index));
        Assert.Equal(end >= start ? (ulong)((end - start) * 1000) : 0, sink.Meter(StandardSchema.DurationMs, index));
    }

    private static string Text(ByteString bytes) => bytes.IsEmpty ? "::" : Text(new IPAddress(bytes.Span));

    private static string Text(IPAddress address) => (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString();

    private static byte[] Decompress(string file)
    {
        using var zstd = Process.Start(new ProcessStartInfo("zstd", ["-dc", file]) { RedirectStandardOutput = true })!;
        using var output = new MemoryStream();
        zstd.StandardOutput.BaseStream.CopyTo(output);
        zstd.WaitForExit();
        Assert.Equal(0, zstd.ExitCode);
        return output.ToArray();
    }
}
