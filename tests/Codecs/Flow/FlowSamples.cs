using System.Buffers;
using System.Text;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Codecs.Flow;

/// <summary>Schemas and records that the tests of the flow formats share.</summary>
internal static class FlowSamples
{
    public static readonly TagDefinition UserText = new("app", TagType.String, new FieldSource("app", 2000));
    public static readonly TagDefinition UserNumber = new("pod", TagType.U32, new FieldSource("pod", 2001));
    public static readonly TagDefinition UserAddress = new("nat", TagType.Address, new FieldSource("nat", 2002));
    public static readonly TagDefinition UserPortAgain = new("port_again", TagType.U16, new FieldSource("port_dst", 22));
    public static readonly MeterDefinition UserMeter = new("srt_us", MeterFold.Max, new FieldSource("srt_us", 2003));

    /// <summary>All that Weir knows, and what a user might add.</summary>
    public static StreamSchema Everything { get; } = Schema(
        [.. StandardSchema.Tags, UserText, UserNumber, UserAddress, UserPortAgain], [.. StandardSchema.Meters, UserMeter]);

    /// <summary>What a configuration without views has.</summary>
    public static StreamSchema Standard { get; } = StreamSchema.Compile(StandardSchema.Views);

    public static StreamSchema Schema(IReadOnlyList<TagDefinition> tags, IReadOnlyList<MeterDefinition> meters) =>
        StreamSchema.Compile([new ViewDefinition("test", 1, tags, meters, [.. tags.Select(tag => tag.Name)])]);

    /// <summary>
    /// Decodes one message with every tag and meter in the schema: row by row, and again, by a decoder that has seen it, in blocks
    /// and with readable memory behind it. Both must give the same.
    /// </summary>
    public static RecordingSink Decode(string format, ReadOnlySpan<byte> payload)
    {
        var decoder = FlowFormats.Create(format, Everything);
        var sink = new RecordingSink(Everything);
        decoder.Decode(payload, sink);
        sink.CheckClean();
        for (var round = 0; round < 2; round++)
        {
            using var blocks = new RecordingSink(Everything, rowsMax: 7);
            decoder.Decode(payload, blocks);
            blocks.CheckClean();
            AssertSame(sink, blocks);
        }

        return sink;
    }

    /// <summary>Fails unless two sinks have got the same.</summary>
    public static void AssertSame(RecordingSink expected, RecordingSink actual)
    {
        Assert.Equal(
            (expected.AcceptedCount, expected.RejectedCount, expected.EvidenceBytes, expected.MarkerCount, expected.SamplingUnknownCount),
            (actual.AcceptedCount, actual.RejectedCount, actual.EvidenceBytes, actual.MarkerCount, actual.SamplingUnknownCount));
        Assert.Equal(expected.Rejects, actual.Rejects);
        Assert.Equal(expected.Evidence, actual.Evidence);
        Assert.Equal(expected.Hashes, actual.Hashes);
        for (var index = 0; index < expected.Rows.Count; index++)
        {
            if (!expected.Rows[index].AsSpan().SequenceEqual(actual.Rows[index]))
            {
                Assert.Equal(expected.Describe(index), actual.Describe(index));
            }
        }
    }

    public static RecordingSink Decode(string format, string payload) => Decode(format, Encoding.UTF8.GetBytes(payload));

    /// <summary>A record with values of all sizes; every field of the standard schema is set in some.</summary>
    public static FlowRecord Random(Random random)
    {
        ulong Count() => (ulong)random.NextInt64() >> random.Next(20, 63);
        UInt128 Address() => random.Next(3) switch
        {
            0 => new UInt128((ulong)random.NextInt64(1, long.MaxValue), (ulong)random.NextInt64()),
            1 => 0,
            _ => FlowRecord.Ipv4((uint)random.Next(1, int.MaxValue)),
        };
        return new FlowRecord
        {
            TimeSeconds = (ulong)random.NextInt64(1, uint.MaxValue + 1L),
            SrcAddr = Address(),
            DstAddr = Address(),
            NextHop = Address(),
            SrcPort = (ushort)random.Next(65536),
            DstPort = (ushort)random.Next(65536),
            Proto = (byte)random.Next(256),
            Exporter = Encoding.UTF8.GetBytes(random.Next(4) switch { 0 => "", 1 => "2001:db8::7", 2 => "rtr-é-" + random.Next(9), _ => "10.0.0.9" }),
            Tos = (byte)random.Next(256),
            TcpFlags = (ushort)random.Next(65536),
            SrcAs = (uint)random.NextInt64(uint.MaxValue + 1L),
            DstAs = (uint)random.Next(70000),
            SrcMask = (byte)random.Next(129),
            DstMask = (byte)random.Next(33),
            InIf = (uint)random.NextInt64(uint.MaxValue + 1L),
            OutIf = (uint)random.Next(48),
            Vlan = (ushort)random.Next(4096),
            SrcMac = (ulong)random.NextInt64(1L << 48),
            DstMac = (ulong)random.NextInt64(1L << 48),
            Etype = (ushort)(random.Next(2) == 0 ? 0x0800 : 0x86dd),
            Flows = (ulong)random.Next(3),
            Packets = Count(),
            Bytes = Count(),
            TcpSyn = Count(),
            TcpFin = Count(),
            TcpRst = Count(),
            RttUs = Count(),
            RttCount = Count(),
            Retransmissions = Count(),
            DurationMs = (ulong)random.Next(100_000),
            SamplingRate = (ulong)random.Next(0, 3) * 100,
        };
    }

    public static byte[] WeirProto(params FlowRecord[] records)
    {
        var output = new ArrayBufferWriter<byte>();
        foreach (var record in records)
        {
            WeirProtoWriter.Write(output, record);
        }

        return output.WrittenSpan.ToArray();
    }

    public static byte[] WeirBatch(params FlowRecord[] records)
    {
        var writer = new WeirBatchWriter();
        foreach (var record in records)
        {
            Assert.True(writer.TryAdd(record));
        }

        return writer.Finish().ToArray();
    }

    public static byte[] Goflow2(bool isDelimited, params FlowRecord[] records)
    {
        var output = new ArrayBufferWriter<byte>();
        foreach (var record in records)
        {
            Goflow2Writer.Write(output, record, isDelimited);
        }

        return output.WrittenSpan.ToArray();
    }

    /// <summary>A line of pmacct's, as its Kafka plugin writes it.</summary>
    public static string PmacctLine(string extra = "") =>
        """{"event_type": "purge", "vlan": 7, "ip_src": "10.0.0.2", "ip_dst": "10.128.0.2", "port_src": 24102, "port_dst": 443, """
        + """ "tcp_flags": "18", "ip_proto": "tcp", "tos": 4, "timestamp_start": "1767225819.140856", "timestamp_end": "1767225820.5", """
        + $$""" "packets": 3, "bytes": 360{{(extra.Length == 0 ? "" : ", " + extra)}}}""";

    public static string Goflow2Line(string extra = "") =>
        """{"type":"NETFLOW_V9","time_received_ns":1767225820000000000,"sampling_rate":10,"sampler_address":"192.0.2.1","""
        + """ "time_flow_start_ns":1767225819140856000,"time_flow_end_ns":1767225820500000000,"bytes":360,"packets":3,"""
        + """ "src_addr":"2001:db8::1","dst_addr":"10.128.0.2","etype":"IPv6","proto":"TCP","src_port":24102,"dst_port":443,"in_if":5,"""
        + $$""" "src_mac":"00:11:22:33:44:55","src_net":"2001:db8::/32","tcp_flags":18,"layer_stack":[1,{"a":[]}],"next_hop":""{{(extra.Length == 0 ? "" : "," + extra)}}}""";
}
