using System.Text;
using Weir.Codecs.Flow;
using Weir.Tests.Codecs.Flow;

namespace Weir.Tests.EndToEnd;

/// <summary>Seeded records, and their bytes in each format.</summary>
internal static class FlowFeed
{
    private static readonly string[] _exporters = ["10.0.3.1", "2001:db8::7", ""];
    private static readonly byte[][] _exporterTexts = [.. _exporters.Select(Encoding.UTF8.GetBytes)];
    private static readonly byte[][] _exporterNames = ["10.0.3.1"u8.ToArray(), "rtr-é-1"u8.ToArray(), "border router 7"u8.ToArray(), []];

    /// <summary>A minute that began an hour ago: in time for every default.</summary>
    public static ulong RecentMinute { get; } = (ulong)DateTimeOffset.UtcNow.AddHours(-1).ToUnixTimeSeconds() / 60 * 60;

    /// <summary>Records over three minutes whose tag sets come again, with the fields that the format carries.</summary>
    public static List<FlowRecord> Make(string format, int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => Make(format, random))];
    }

    /// <summary>Records of as many series as there are records, for input that does not fold.</summary>
    public static IEnumerable<FlowRecord> MakeDistinct(int from, int count) => Enumerable.Range(from, count).Select(index => new FlowRecord
    {
        TimeSeconds = RecentMinute + ((ulong)index % 180),
        SrcAddr = FlowRecord.Ipv4(0x0a000000 + (uint)index),
        DstAddr = FlowRecord.Ipv4(0x0b000000 + ((uint)index * 7 % 0x100000)),
        DstPort = (ushort)(index % 60_000),
        Proto = 17,
        Flows = 1,
        Packets = 1 + ((ulong)index % 5),
        Bytes = 100 + ((ulong)index % 1_000),
    });

    /// <summary>Messages of up to <paramref name="perMessage"/> records each.</summary>
    public static IEnumerable<byte[]> Messages(string format, IEnumerable<FlowRecord> records, int perMessage) =>
        records.Chunk(perMessage).Select(chunk => Message(format, chunk));

    /// <summary>One message.</summary>
    public static byte[] Message(string format, params FlowRecord[] records) => format switch
    {
        "pmacct-json" => Lines(records.Select(record => PmacctLine(record))),
        "goflow2-json" => Lines(records.Select(record => Goflow2Line(record))),
        "goflow2" => FlowSamples.Goflow2(isDelimited: true, records),
        "weir-proto" => FlowSamples.WeirProto(records),
        "weir" => FlowSamples.WeirBatch(records),
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, "No format."),
    };

    /// <summary>A record as pmacct's Kafka plugin writes it.</summary>
    public static string PmacctLine(in FlowRecord record)
    {
        var protocol = record.Proto switch { 6 => "\"tcp\"", 58 => "\"ipv6-icmp\"", _ => FlowOracle.Number(record.Proto) };
        return $$"""
            {"event_type": "purge", "peer_ip_src": "{{Encoding.UTF8.GetString(record.Exporter.Span)}}",
            "ip_src": "{{FlowOracle.AgentText(record.SrcAddr)}}", "ip_dst": "{{FlowOracle.AgentText(record.DstAddr)}}",
            "port_src": {{record.SrcPort}}, "port_dst": {{record.DstPort}}, "tcp_flags": "{{record.TcpFlags}}", "ip_proto": {{protocol}},
            "timestamp_start": "{{record.TimeSeconds}}.000000",
            "timestamp_end": "{{record.TimeSeconds + (record.DurationMs / 1000)}}.{{record.DurationMs % 1000:000}}000",
            "sampling_rate": {{record.SamplingRate}}, "packets": {{record.Packets}}, "bytes": {{record.Bytes}}, "flows": {{record.Flows}}}
            """.ReplaceLineEndings(" ");
    }

    /// <summary>A record as goflow2 writes it.</summary>
    public static string Goflow2Line(in FlowRecord record)
    {
        var protocol = record.Proto switch { 1 => "ICMP", 6 => "TCP", 17 => "UDP", _ => "IPv6-ICMP" };
        return $$"""
            {"type":"NETFLOW_V9","time_received_ns":{{record.TimeSeconds + 5}}000000000,"sampling_rate":{{record.SamplingRate}},
            "sampler_address":"{{Encoding.UTF8.GetString(record.Exporter.Span)}}","time_flow_start_ns":{{record.TimeSeconds}}000000000,
            "time_flow_end_ns":{{(record.TimeSeconds * 1000) + record.DurationMs}}000000,
            "bytes":{{record.Bytes}},"packets":{{record.Packets}},
            "src_addr":"{{FlowOracle.AgentText(record.SrcAddr)}}","dst_addr":"{{FlowOracle.AgentText(record.DstAddr)}}",
            "proto":"{{protocol}}","src_port":{{record.SrcPort}},"dst_port":{{record.DstPort}},"tcp_flags":{{record.TcpFlags}}}
            """.ReplaceLineEndings("");
    }

    private static FlowRecord Make(string format, Random random)
    {
        var isOwn = format.StartsWith("weir", StringComparison.Ordinal);
        byte[] protocols = [6, 6, 17, 1, 58];
        var proto = protocols[random.Next(protocols.Length)];
        var flags = (ushort)(proto == 6 ? random.Next(32) : 0);
        var texts = isOwn ? _exporterNames : _exporterTexts;
        var record = new FlowRecord
        {
            TimeSeconds = RecentMinute + (ulong)random.Next(180),
            SrcAddr = Address(random, proto, 0x0a140000),
            DstAddr = Address(random, proto, 0xcb007100),
            SrcPort = (ushort)(proto is 6 or 17 ? random.Next(1024, 65536) : 0),
            DstPort = (ushort)(proto is 6 or 17 ? random.Next(4) * 21_845 : 0), // 0 and 65,535 are among them.
            Proto = proto,
            Exporter = texts[random.Next(texts.Length)],
            TcpFlags = flags,
            Flows = format.StartsWith("goflow2", StringComparison.Ordinal) ? 1 : (ulong)random.Next(1, 4),
            Packets = (ulong)random.Next(0, 1_000),
            Bytes = (ulong)random.NextInt64(0, 1L << 40),
            TcpSyn = isOwn ? (ulong)random.Next(5) : (ulong)(flags >> 1) & 1,
            TcpFin = isOwn ? (ulong)random.Next(5) : flags & 1UL,
            TcpRst = isOwn ? (ulong)random.Next(5) : (ulong)(flags >> 2) & 1,
            DurationMs = (ulong)random.Next(100_000),
            SamplingRate = (ulong)(random.Next(3) switch { 0 => 1, 1 => 0, _ => 1_000 }),
        };
        if (isOwn)
        {
            record.RttUs = (ulong)random.Next(10_000);
            record.RttCount = (ulong)random.Next(10);
            record.Retransmissions = (ulong)random.Next(10);
        }

        return record;
    }

    private static UInt128 Address(Random random, int proto, uint network) => proto == 58 || random.Next(4) == 0
        ? new UInt128(0x2001_0db8_0000_0000, (ulong)random.Next(1, 6))
        : FlowRecord.Ipv4(network + (uint)random.Next(1, 6));

    private static byte[] Lines(IEnumerable<string> lines) => Encoding.UTF8.GetBytes(string.Join('\n', lines) + "\n");
}
