using Weir.Core.Model;
using Xunit;

namespace Weir.Tests.Codecs.Flow;

public sealed class PmacctJsonDecoderTests
{
    private const string Format = "pmacct-json";

    [Fact]
    public void All_fields_of_a_record_land_in_their_tags_and_meters()
    {
        using var sink = FlowSamples.Decode(Format, FlowSamples.PmacctLine(
            """
            "as_src": 64500, "as_dst": 4200000000, "mask_src": 24, "mask_dst": "32", "iface_in": 12, "iface_out": 13, "etype": "86dd", "mac_src": "00:1b:21:0a:0b:0c", "mac_dst": "ff:ff:ff:ff:ff:ff", "peer_ip_src": "192.0.2.1", "peer_ip_dst": "2001:db8::9", "flows": 5, "sampling_rate": 100, "app": "caf\u00e9 \ud83d\ude00", "pod": "77", "nat": "::1", "srt_us": 12.0e2, "writer_id": "default_kafka/1", "x": {"y": [1, {"z": null}, [], {}], "w": true}, "stamp_inserted": "1767225780"
            """));

        Assert.Empty(sink.Rejects);
        Assert.Equal(
            "time=1767225780 src_addr=10.0.0.2 dst_addr=10.128.0.2 src_port=24102 dst_port=443 proto=6 exporter=192.0.2.1 tos=4 tcp_flags=18 "
            + "src_as=64500 dst_as=4200000000 src_mask=24 dst_mask=32 in_if=12 out_if=13 vlan=7 src_mac=116518423308 "
            + "dst_mac=281474976710655 etype=34525 next_hop=2001:db8::9 app=café 😀 pod=77 nat=::1 port_again=443 "
            + "flows=5 packets=300 bytes=36000 tcp_syn=1 duration_ms=1359 srt_us=1200",
            sink.Describe(0));
        Assert.Equal(0, sink.SamplingUnknownCount);
    }

    [Theory]
    [InlineData("""{"stamp_inserted": "1767225780", "timestamp_start": "1767225819.1"}""", 1767225780)]
    [InlineData("""{"stamp_inserted": "0.000000", "timestamp_start": "1767225819.9"}""", 1767225819)]
    [InlineData("""{"timestamp_min": "1767225819.9", "timestamp_max": "1"}""", 1767225819)]
    [InlineData("""{"timestamp_start": "2026-01-01 00:00:19"}""", 1767225619)]
    [InlineData("""{"timestamp_start": "2026-01-01 00:00:19.123456"}""", 1767225619)]
    [InlineData("""{"timestamp_start": "2026-01-01T00:00:19Z"}""", 1767225619)]
    [InlineData("""{"timestamp_start": "2026-01-01T02:00:19.5+02:00"}""", 1767225619)]
    [InlineData("""{"timestamp_start": "2025-12-31T19:00:19-0500"}""", 1767225619)]
    [InlineData("""{"timestamp_start": 1767225619}""", 1767225619)]
    [InlineData("""{"timestamp_start": 1767225619.75}""", 1767225619)]
    [InlineData("""{"timestamp_start": "4294967295"}""", 4294967295)]
    [InlineData("""{"timestamp_start": "2106-02-07 06:28:15"}""", 4294967295)]
    [InlineData("""{"timestamp_start": "1970-01-01 00:00:01"}""", 1)]
    public void Time_is_read_in_every_form(string line, ulong expected)
    {
        using var sink = FlowSamples.Decode(Format, line);

        Assert.Empty(sink.Rejects);
        Assert.Equal(expected, sink.Time());
    }

    [Theory]
    [InlineData("", DecodeStatus.Empty)]
    [InlineData("\n \r\n", DecodeStatus.Empty)]
    [InlineData("[]", DecodeStatus.Malformed)]
    [InlineData("{", DecodeStatus.Truncated)]
    [InlineData("{\"a", DecodeStatus.Truncated)]
    [InlineData("{\"a\\", DecodeStatus.Truncated)]
    [InlineData("{\"a\":", DecodeStatus.Truncated)]
    [InlineData("{\"a\":tru", DecodeStatus.Truncated)]
    [InlineData("{\"a\":1", DecodeStatus.Truncated)]
    [InlineData("{\"a\":{\"b\":[", DecodeStatus.Truncated)]
    [InlineData("{\"a\":1,}", DecodeStatus.Malformed)]
    [InlineData("{\"a\" 1}", DecodeStatus.Malformed)]
    [InlineData("{\"a\":[1,]}", DecodeStatus.Malformed)]
    [InlineData("{\"a\":[1}}", DecodeStatus.Malformed)]
    [InlineData("{\"a\":{\"b\"}}", DecodeStatus.Malformed)]
    [InlineData("{\"a\":01}", DecodeStatus.Malformed)]
    [InlineData("{\"a\":1.}", DecodeStatus.Malformed)]
    [InlineData("{\"a\":1e}", DecodeStatus.Malformed)]
    [InlineData("{\"a\":\"\\q\"}", DecodeStatus.Malformed)]
    [InlineData("{\"a\":\"\t\"}", DecodeStatus.Malformed)]
    [InlineData("{} {}", DecodeStatus.Malformed)]
    [InlineData("{\"app\":\"\\u12x4\"}", DecodeStatus.Malformed)]
    [InlineData("{\"app\":\"\\ud800\"}", DecodeStatus.InvalidUtf8)]
    [InlineData("{\"app\":\"\\udc00\\ud800\"}", DecodeStatus.InvalidUtf8)]
    [InlineData("{\"ip_src\":{}}", DecodeStatus.Malformed)]
    [InlineData("{\"packets\":NaN}", DecodeStatus.NumberOutOfRange)]
    [InlineData("{\"packets\":\"NaN\"}", DecodeStatus.NumberOutOfRange)]
    [InlineData("{\"packets\":-Infinity}", DecodeStatus.NumberOutOfRange)]
    [InlineData("{\"packets\":1.5}", DecodeStatus.NumberOutOfRange)]
    [InlineData("{\"packets\":1e400}", DecodeStatus.NumberOutOfRange)]
    [InlineData("{\"packets\":1e-1}", DecodeStatus.NumberOutOfRange)]
    [InlineData("{\"packets\":18446744073709551616}", DecodeStatus.NumberOutOfRange)]
    [InlineData("{\"packets\":\"many\"}", DecodeStatus.NumberOutOfRange)]
    [InlineData("{\"packets\":-1}", DecodeStatus.NumberNegative)]
    [InlineData("{\"bytes\":\"-3\"}", DecodeStatus.NumberNegative)]
    [InlineData("{\"bytes\":-1.5}", DecodeStatus.NumberNegative)]
    [InlineData("{\"tos\":256}", DecodeStatus.NumberOutOfRange)]
    [InlineData("{\"vlan\":65536}", DecodeStatus.NumberOutOfRange)]
    [InlineData("{\"as_src\":4294967296}", DecodeStatus.NumberOutOfRange)]
    [InlineData("{\"port_dst\":65536}", DecodeStatus.PortOutOfRange)]
    [InlineData("{\"port_src\":-1}", DecodeStatus.PortOutOfRange)]
    [InlineData("{\"port_src\":\"70000\"}", DecodeStatus.PortOutOfRange)]
    [InlineData("{\"ip_src\":\"10.0.0\"}", DecodeStatus.AddressInvalid)]
    [InlineData("{\"ip_src\":\"10.0.0.256\"}", DecodeStatus.AddressInvalid)]
    [InlineData("{\"ip_dst\":7}", DecodeStatus.AddressInvalid)]
    [InlineData("{\"mac_src\":\"00:11\"}", DecodeStatus.AddressInvalid)]
    [InlineData("{\"ip_proto\":\"nosuch\"}", DecodeStatus.ProtocolUnknown)]
    [InlineData("{\"ip_proto\":256}", DecodeStatus.ProtocolUnknown)]
    [InlineData("{\"ip_proto\":\"256\"}", DecodeStatus.ProtocolUnknown)]
    [InlineData("{\"packets\":1}", DecodeStatus.TimeMissing)]
    [InlineData("{\"timestamp_start\":\"0.000000\"}", DecodeStatus.TimeMissing)]
    [InlineData("{\"timestamp_start\":\"yesterday\"}", DecodeStatus.TimeInvalid)]
    [InlineData("{\"timestamp_start\":\"2026-13-01 00:00:00\"}", DecodeStatus.TimeInvalid)]
    [InlineData("{\"timestamp_start\":\"2026-02-29 00:00:00\"}", DecodeStatus.TimeInvalid)]
    [InlineData("{\"timestamp_start\":NaN}", DecodeStatus.TimeInvalid)]
    [InlineData("{\"timestamp_start\":\"12.\"}", DecodeStatus.TimeInvalid)]
    [InlineData("{\"timestamp_start\":\"-5.0\"}", DecodeStatus.TimeOutOfRange)]
    [InlineData("{\"timestamp_start\":-5}", DecodeStatus.TimeOutOfRange)]
    [InlineData("{\"timestamp_start\":\"4294967296\"}", DecodeStatus.TimeOutOfRange)]
    [InlineData("{\"timestamp_start\":1e30}", DecodeStatus.TimeOutOfRange)]
    [InlineData("{\"timestamp_start\":\"1969-12-31 23:59:59\"}", DecodeStatus.TimeOutOfRange)]
    [InlineData("{\"timestamp_start\":\"2106-02-07 06:28:16\"}", DecodeStatus.TimeOutOfRange)]
    [InlineData("{\"timestamp_start\":\"9\",\"packets\":9223372036854775808,\"sampling_rate\":2}", DecodeStatus.NumberOutOfRange)]
    public void Bad_line_is_rejected_with_its_reason(string line, DecodeStatus expected)
    {
        using var sink = FlowSamples.Decode(Format, line);

        Assert.Equal([expected], sink.Rejects);
        Assert.Equal(line, sink.Evidence[0], StringComparer.Ordinal);
        Assert.Equal(0, sink.AcceptedCount);
    }

    [Theory]
    [InlineData("3.0", 3)]
    [InlineData("1e3", 1000)]
    [InlineData("1.25E2", 125)]
    [InlineData("\"15\"", 15)]
    [InlineData("0", 0)]
    [InlineData("-0", 0)]
    [InlineData("null", 0)]
    [InlineData("18446744073709551615", ulong.MaxValue)]
    [InlineData("1844674407370955161500e-2", ulong.MaxValue)]
    public void Number_is_read_exactly_in_every_form(string number, ulong expected)
    {
        using var sink = FlowSamples.Decode(Format, $$"""{"timestamp_start":"9","packets":{{number}}}""");

        Assert.Empty(sink.Rejects);
        Assert.Equal(expected, sink.Meter(StandardSchema.Packets));
    }

    [Theory]
    [InlineData("tcp", 6)]
    [InlineData("UDP", 17)]
    [InlineData("icmp", 1)]
    [InlineData("ipv6-icmp", 58)]
    [InlineData("ICMPv6", 58)]
    [InlineData("icmp6", 58)]
    [InlineData("gre", 47)]
    [InlineData("esp", 50)]
    [InlineData("ah", 51)]
    [InlineData("igmp", 2)]
    [InlineData("SCTP", 132)]
    [InlineData("ospf", 89)]
    [InlineData("ipencap", 4)]
    [InlineData("pim", 103)]
    [InlineData("vrrp", 112)]
    [InlineData("l2tp", 115)]
    [InlineData("ipip", 94)]
    [InlineData("eigrp", 88)]
    [InlineData("isis", 124)]
    [InlineData("mpls-in-ip", 137)]
    [InlineData("udplite", 136)]
    [InlineData("rohc", 142)]
    [InlineData("bit-emu", 147)]
    [InlineData("raw", 255)]
    [InlineData("113", 113)]
    [InlineData("0", 0)]
    public void Protocol_is_known_by_name_and_number(string name, ulong number)
    {
        using var sink = FlowSamples.Decode(Format, $$"""{"timestamp_start":"9","ip_proto":"{{name}}"}""");

        Assert.Empty(sink.Rejects);
        Assert.Equal(number, sink.Number(StandardSchema.Proto));
    }

    [Fact]
    public void Agent_markers_are_counted_and_are_neither_records_nor_rejects()
    {
        using var sink = FlowSamples.Decode(
            Format,
            """{"event_type": "purge_init", "writer_id": "a", "writer_pid": 7}""" + "\n" + FlowSamples.PmacctLine() + "\n"
            + """{"event_type": "purge_close", "writer_id": "a", "purged_entries": 1, "total_entries": 1, "duration": 0, "timestamp_start": "8"}"""
            + "\n" + """{"event_type": "heartbeat", "n": 1}""" + "\n" + """{"event_type": "other", "timestamp_start": "9", "packets": 1}""");

        Assert.Equal(3, sink.MarkerCount);
        Assert.Equal(2, sink.AcceptedCount);
        Assert.Empty(sink.Rejects);
    }

    [Fact]
    public void Bad_line_takes_only_itself_out_of_a_message()
    {
        var good = FlowSamples.PmacctLine();
        using var sink = FlowSamples.Decode(Format, $"{good}\n{good[..40]}\n\r\n{good}\r\n{{\"port_dst\": 70000}}\n{good}");

        Assert.Equal(3, sink.AcceptedCount);
        Assert.Equal([DecodeStatus.Truncated, DecodeStatus.PortOutOfRange], sink.Rejects);
        Assert.Equal([good[..40], "{\"port_dst\": 70000}"], sink.Evidence);
    }

    [Fact]
    public void Last_value_of_a_key_that_comes_twice_counts()
    {
        using var sink = FlowSamples.Decode(Format, FlowSamples.PmacctLine("\"packets\": 9, \"ip_src\": \"::2\", \"port\\u005fdst\": 80"));

        Assert.Equal(9UL, sink.Meter(StandardSchema.Packets));
        Assert.Equal("::2", sink.Address(StandardSchema.SrcAddr));
        Assert.Equal(80UL, sink.Number(StandardSchema.DstPort));
    }

    [Fact]
    public void Exporter_that_is_an_address_is_kept_in_its_canonical_text_and_another_as_it_came()
    {
        using var sink = FlowSamples.Decode(
            Format,
            FlowSamples.PmacctLine("\"peer_ip_src\": \"2001:DB8:0:0::0001\"") + "\n"
            + FlowSamples.PmacctLine("\"peer_ip_src\": \"Edge/1\"") + "\n" + FlowSamples.PmacctLine());

        Assert.Equal("2001:db8::1", sink.Text(StandardSchema.Exporter, 0));
        Assert.Equal("Edge/1", sink.Text(StandardSchema.Exporter, 1));
        Assert.Equal("", sink.Text(StandardSchema.Exporter, 2));
    }

    [Theory]
    [InlineData("tcp", 1)]
    [InlineData("udp", 0)]
    public void Tcp_flags_count_for_tcp_only(string proto, ulong expected)
    {
        using var sink = FlowSamples.Decode(Format, $$"""{"timestamp_start":"9","tcp_flags":"7","ip_proto":"{{proto}}"}""");

        Assert.Equal(7UL, sink.Number(StandardSchema.TcpFlags));
        Assert.Equal(expected, sink.Meter(StandardSchema.TcpSyn));
        Assert.Equal(expected, sink.Meter(StandardSchema.TcpFin));
        Assert.Equal(expected, sink.Meter(StandardSchema.TcpRst));
    }

    [Fact]
    public void Text_that_is_used_must_be_utf8_and_short_and_one_that_is_not_used_may_be_anything()
    {
        byte[] Line(string key, byte[] text) => [.. "{\"timestamp_start\":\"9\",\""u8, .. System.Text.Encoding.ASCII.GetBytes(key), .. "\":\""u8, .. text, .. "\"}"u8];

        using var invalid = FlowSamples.Decode(Format, Line("app", [0xc3, 0x28]));
        using var unused = FlowSamples.Decode(Format, Line("other", [0xc3, 0x28]));
        using var longest = FlowSamples.Decode(Format, Line("app", [.. Enumerable.Repeat((byte)'x', StringDictionary.TextBytesMax)]));
        using var tooLong = FlowSamples.Decode(Format, Line("app", [.. Enumerable.Repeat((byte)'x', StringDictionary.TextBytesMax + 1)]));

        Assert.Equal([DecodeStatus.InvalidUtf8], invalid.Rejects);
        Assert.Equal(1, unused.AcceptedCount);
        Assert.Equal(1, longest.AcceptedCount);
        Assert.Equal([DecodeStatus.LengthOverLimit], tooLong.Rejects);
    }

    [Fact]
    public void Sampling_rate_scales_packets_and_bytes_and_a_rate_of_zero_is_counted_as_unknown()
    {
        using var sink = FlowSamples.Decode(
            Format, FlowSamples.PmacctLine("\"sampling_rate\": 7, \"flows\": 2") + "\n" + FlowSamples.PmacctLine("\"sampling_rate\": 0"));

        Assert.Equal(21UL, sink.Meter(StandardSchema.Packets, 0));
        Assert.Equal(2520UL, sink.Meter(StandardSchema.Bytes, 0));
        Assert.Equal(2UL, sink.Meter(StandardSchema.Flows, 0));
        Assert.Equal(3UL, sink.Meter(StandardSchema.Packets, 1));
        Assert.Equal(1UL, sink.Meter(StandardSchema.Flows, 1));
        Assert.Equal(1, sink.SamplingUnknownCount);
    }

    [Fact]
    public void Nesting_is_limited_and_a_hundred_megabytes_of_braces_are_one_reject()
    {
        string Nested(int depth) => "{\"timestamp_start\":\"9\",\"x\":" + new string('[', depth) + new string(']', depth) + "}";
        var braces = new byte[100_000_000];
        braces.AsSpan().Fill((byte)'{');

        using var deepest = FlowSamples.Decode(Format, Nested(64));
        using var tooDeep = FlowSamples.Decode(Format, Nested(65));
        using var manyBraces = FlowSamples.Decode(Format, braces);

        Assert.Equal(1, deepest.AcceptedCount);
        Assert.Equal([DecodeStatus.LengthOverLimit], tooDeep.Rejects);
        Assert.Equal([DecodeStatus.Malformed], manyBraces.Rejects);
    }

    [Fact]
    public void Records_of_a_message_are_limited()
    {
        using var sink = FlowSamples.Decode(Format, string.Concat(Enumerable.Repeat("{}\n", Weir.Codecs.Flow.FlowDecoder.RecordsPerMessageMax + 5)));

        Assert.Equal(Weir.Codecs.Flow.FlowDecoder.RecordsPerMessageMax + 1, sink.Rejects.Count);
        Assert.Equal(DecodeStatus.LengthOverLimit, sink.Rejects[^1]);
    }
}
