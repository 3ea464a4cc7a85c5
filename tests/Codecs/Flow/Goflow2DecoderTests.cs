using Google.Protobuf;
using Weir.Core.Model;
using Weir.Tests.Goflow2;
using Xunit;

namespace Weir.Tests.Codecs.Flow;

public sealed class Goflow2DecoderTests
{
    private const ulong TimeNs = 1_767_225_819_140_856_000;

    [Fact]
    public void Json_fields_land_in_their_tags_and_meters_and_the_start_of_the_flow_is_its_time()
    {
        using var sink = FlowSamples.Decode("goflow2-json", FlowSamples.Goflow2Line());

        Assert.Empty(sink.Rejects);
        Assert.Equal(
            "time=1767225819 src_addr=2001:db8::1 dst_addr=10.128.0.2 src_port=24102 dst_port=443 proto=6 exporter=192.0.2.1 tcp_flags=18 "
            + "src_mask=32 in_if=5 src_mac=73588229205 etype=34525 flows=1 packets=30 bytes=3600 tcp_syn=1 duration_ms=1359",
            sink.Describe(0));
    }

    [Theory]
    [InlineData("""{"time_received_ns":1767225819000000001}""", 1767225819)]
    [InlineData("""{"time_received_ns":"2026-01-01T00:03:39.5Z","time_flow_start_ns":0}""", 1767225819)]
    [InlineData("""{"time_flow_end_ns":"1767225819000000001"}""", 1767225819)]
    public void Json_time_falls_back_to_reception_and_then_to_the_end(string line, ulong expected)
    {
        using var sink = FlowSamples.Decode("goflow2-json", line);

        Assert.Equal(expected, sink.Time());
        Assert.Equal(1, sink.SamplingUnknownCount);
    }

    [Theory]
    [InlineData("\"proto\":\"\",\"etype\":\"\",\"dst_net\":\"invalid Prefix\"", 0, 0)]
    [InlineData("\"proto\":\"ICMPv6\",\"etype\":\"ARP\",\"dst_net\":\"10.0.0.0/24\"", 58, 24)]
    [InlineData("\"proto\":47,\"etype\":2054,\"dst_net\":24", 47, 24)]
    public void Json_names_that_goflow2_writes_are_read(string extra, ulong proto, ulong mask)
    {
        using var sink = FlowSamples.Decode("goflow2-json", $$"""{"time_received_ns":1767225819000000001,{{extra}}}""");

        Assert.Empty(sink.Rejects);
        Assert.Equal(proto, sink.Number(StandardSchema.Proto));
        Assert.Equal(mask, sink.Number(StandardSchema.DstMask));
    }

    [Theory]
    [InlineData("{\"time_received_ns\":0}", DecodeStatus.TimeMissing)]
    [InlineData("{\"time_received_ns\":18446744073709551615}", DecodeStatus.TimeOutOfRange)]
    [InlineData("{\"time_received_ns\":-1}", DecodeStatus.TimeOutOfRange)]
    [InlineData("{\"time_received_ns\":\"soon\"}", DecodeStatus.TimeInvalid)]
    [InlineData("{\"dst_port\":65536}", DecodeStatus.PortOutOfRange)]
    [InlineData("{\"src_addr\":\"1.2.3\"}", DecodeStatus.AddressInvalid)]
    public void Json_line_that_is_bad_is_rejected_with_its_reason(string line, DecodeStatus expected)
    {
        using var sink = FlowSamples.Decode("goflow2-json", line);

        Assert.Equal([expected], sink.Rejects);
    }

    [Fact]
    public void Bare_and_delimited_messages_of_every_length_are_told_apart()
    {
        // Unknown bytes make the message longer by one each time, past lengths that are tags themselves (8, 16, 18, 24, 128…).
        for (var extra = 0; extra < 300; extra++)
        {
            var message = new FlowMessage { Type = (uint)(extra % 5), TimeFlowStartNs = TimeNs, Packets = 1 };
            message.AsPath.Add(Enumerable.Repeat(1u, extra));
            using var bare = FlowSamples.Decode("goflow2", message.ToByteArray());
            using var delimited = FlowSamples.Decode("goflow2", Delimited(message));
            using var several = FlowSamples.Decode("goflow2", Delimited(message, message, message));

            Assert.True(bare.AcceptedCount == 1 && bare.RejectedCount == 0, $"bare, {message.CalculateSize()} bytes");
            Assert.True(delimited.AcceptedCount == 1 && delimited.RejectedCount == 0, $"delimited, {message.CalculateSize()} bytes");
            Assert.True(several.AcceptedCount == 3 && several.RejectedCount == 0, $"three, {message.CalculateSize()} bytes");
        }
    }

    [Theory]
    [InlineData(6)]
    [InlineData(8)]
    [InlineData(10)]
    [InlineData(12)]
    [InlineData(16)]
    [InlineData(18)]
    public void Delimited_message_whose_length_looks_like_a_tag_is_not_taken_for_a_bare_one(int length)
    {
        // time_received_ns as a varint of 1 to 9 bytes behind a tag of 2, and packets to fill up.
        var message = new FlowMessage { TimeReceivedNs = 2_000_000_000 };
        for (ulong packets = 1; message.CalculateSize() < length; packets <<= 7)
        {
            message.Packets = packets;
        }

        while (message.CalculateSize() < length)
        {
            message.SrcPort = 1;
        }

        using var sink = FlowSamples.Decode("goflow2", Delimited(message));

        Assert.Equal(1, sink.AcceptedCount);
        Assert.Equal(2UL, sink.Time());
    }

    [Fact]
    public void Bad_record_between_good_ones_is_one_reject_and_broken_framing_rejects_the_rest_once()
    {
        var good = new FlowMessage { TimeReceivedNs = TimeNs, DstPort = 443 };
        var bad = new FlowMessage { TimeReceivedNs = TimeNs, DstPort = 70_000 };
        byte[] malformed = [3, 0x08, 0xff, 0xff];

        using var port = FlowSamples.Decode("goflow2", Delimited(good, bad, good));
        using var inside = FlowSamples.Decode("goflow2", [.. Delimited(good), .. malformed, .. Delimited(good)]);
        using var firstBad = FlowSamples.Decode("goflow2", [.. malformed, .. Delimited(good)]);
        using var framing = FlowSamples.Decode("goflow2", [.. Delimited(good, good), 100, 1, 2, 3]);
        using var zeros = FlowSamples.Decode("goflow2", [.. Delimited(good), .. new byte[1000]]);

        Assert.Equal((2, DecodeStatus.PortOutOfRange), (port.AcceptedCount, Assert.Single(port.Rejects)));
        Assert.Equal((2, DecodeStatus.Truncated), (inside.AcceptedCount, Assert.Single(inside.Rejects)));
        Assert.Equal((1, DecodeStatus.Truncated), (firstBad.AcceptedCount, Assert.Single(firstBad.Rejects)));
        Assert.Equal((2, DecodeStatus.Truncated), (framing.AcceptedCount, Assert.Single(framing.Rejects)));
        Assert.Equal((1, DecodeStatus.Malformed), (zeros.AcceptedCount, Assert.Single(zeros.Rejects)));
        Assert.Equal("d\u0001\u0002\u0003", framing.Evidence[0]);
    }

    [Theory]
    [InlineData("", DecodeStatus.Empty)]
    [InlineData("00", DecodeStatus.Malformed)]
    [InlineData("0000000000", DecodeStatus.Malformed)]
    [InlineData("0801", DecodeStatus.TimeMissing)]
    [InlineData("80808080808080808001", DecodeStatus.LengthOverLimit)] // A length of 2^63.
    [InlineData("ffffffffffffffffffffff", DecodeStatus.Malformed)] // A varint of 11 bytes.
    [InlineData("32030102030801", DecodeStatus.AddressInvalid)]
    [InlineData("a001ff03", DecodeStatus.ProtocolUnknown)]
    [InlineData("b001ffff07", DecodeStatus.PortOutOfRange)]
    [InlineData("b801ff07", DecodeStatus.NumberOutOfRange)]
    [InlineData("7080808080f0ffffff01", DecodeStatus.NumberOutOfRange)]
    [InlineData("4a0101", DecodeStatus.Malformed)] // bytes as a length-delimited value.
    [InlineData("f806ffffffffffffffffff01", DecodeStatus.TimeOutOfRange)]
    [InlineData("827d02c328", DecodeStatus.InvalidUtf8)] // Field 2000, which the schema uses as a text.
    public void Bad_message_is_rejected_with_its_reason(string hex, DecodeStatus expected)
    {
        using var sink = FlowSamples.Decode("goflow2", Convert.FromHexString(hex));

        Assert.Equal([expected], sink.Rejects);
    }

    [Fact]
    public void Unknown_fields_of_every_wire_type_are_passed_and_those_of_users_are_kept()
    {
        var message = new FlowMessage
        {
            TimeReceivedNs = TimeNs, CustomText = "é", CustomFixed = 7, CustomAddr = ByteString.CopyFrom(10, 0, 0, 1), DstPort = 53,
        };
        byte[] unknown =
        [
            .. message.ToByteArray(), 0xc0, 0x3e, 1, 0xc1, 0x3e, 1, 2, 3, 4, 5, 6, 7, 8, 0xc2, 0x3e, 1, 9, 0xc5, 0x3e, 1, 2, 3, 4, 0xc3, 0x3e, 0x08, 1,
            0xcb, 0x3e, 0xcc, 0x3e, 0xc4, 0x3e,
        ];

        using var sink = FlowSamples.Decode("goflow2", unknown);

        Assert.Empty(sink.Rejects);
        Assert.Equal("time=1767225819 dst_port=53 app=é pod=7 nat=10.0.0.1 port_again=53 flows=1", sink.Describe(0));
    }

    [Fact]
    public void Sampling_rate_of_zero_is_counted_and_another_one_scales()
    {
        var unknown = new FlowMessage { TimeReceivedNs = TimeNs, Packets = 2, Bytes = 3 };
        var known = new FlowMessage(unknown) { SamplingRate = 1000 };
        var tooMuch = new FlowMessage(unknown) { SamplingRate = ulong.MaxValue / 2 };

        using var sink = FlowSamples.Decode("goflow2", Delimited(unknown, known, tooMuch));

        Assert.Equal(1, sink.SamplingUnknownCount);
        Assert.Equal((2UL, 3UL), (sink.Meter(StandardSchema.Packets, 0), sink.Meter(StandardSchema.Bytes, 0)));
        Assert.Equal((2000UL, 3000UL), (sink.Meter(StandardSchema.Packets, 1), sink.Meter(StandardSchema.Bytes, 1)));
        Assert.Equal([DecodeStatus.NumberOutOfRange], sink.Rejects);
    }

    internal static byte[] Delimited(params FlowMessage[] messages)
    {
        using var stream = new MemoryStream();
        foreach (var message in messages)
        {
            message.WriteDelimitedTo(stream);
        }

        return stream.ToArray();
    }

    [Fact]
    public void Encoder_writes_what_google_protobuf_reads()
    {
        var random = new Random(20261121);
        for (var round = 0; round < 500; round++)
        {
            var record = FlowSamples.Random(random);
            var message = FlowMessage.Parser.ParseFrom(FlowSamples.Goflow2(isDelimited: false, record));

            Assert.Equal(record.Packets, message.Packets);
            Assert.Equal(record.SrcMac, message.SrcMac);
            Assert.Equal(record.DstPort, message.DstPort);
            Assert.Equal(record.TimeSeconds, message.TimeFlowStartNs / 1_000_000_000);
        }
    }
}
