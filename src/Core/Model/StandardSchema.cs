namespace Weir.Core.Model;

/// <summary>The tags, meters and views that Weir ships; every decoder fills those of them that its format carries.</summary>
public static class StandardSchema
{
    /// <summary>Source address.</summary>
    public static readonly TagDefinition SrcAddr = new("src_addr", TagType.Address);

    /// <summary>Destination address.</summary>
    public static readonly TagDefinition DstAddr = new("dst_addr", TagType.Address);

    /// <summary>Source port; 0 for protocols without ports.</summary>
    public static readonly TagDefinition SrcPort = new("src_port", TagType.U16);

    /// <summary>Destination port; 0 for protocols without ports.</summary>
    public static readonly TagDefinition DstPort = new("dst_port", TagType.U16);

    /// <summary>IP protocol by number.</summary>
    public static readonly TagDefinition Proto = new("proto", TagType.U8);

    /// <summary>Who measured: the address or name of the agent's device, as text.</summary>
    public static readonly TagDefinition Exporter = new("exporter", TagType.String);

    /// <summary>IP type of service byte.</summary>
    public static readonly TagDefinition Tos = new("tos", TagType.U8);

    /// <summary>TCP flags seen, or-ed.</summary>
    public static readonly TagDefinition TcpFlags = new("tcp_flags", TagType.U16);

    /// <summary>Source autonomous system.</summary>
    public static readonly TagDefinition SrcAs = new("src_as", TagType.U32);

    /// <summary>Destination autonomous system.</summary>
    public static readonly TagDefinition DstAs = new("dst_as", TagType.U32);

    /// <summary>Bits of the source prefix.</summary>
    public static readonly TagDefinition SrcMask = new("src_mask", TagType.U8);

    /// <summary>Bits of the destination prefix.</summary>
    public static readonly TagDefinition DstMask = new("dst_mask", TagType.U8);

    /// <summary>Input interface index.</summary>
    public static readonly TagDefinition InIf = new("in_if", TagType.U32);

    /// <summary>Output interface index.</summary>
    public static readonly TagDefinition OutIf = new("out_if", TagType.U32);

    /// <summary>VLAN id.</summary>
    public static readonly TagDefinition Vlan = new("vlan", TagType.U16);

    /// <summary>Source MAC address in the low 48 bits, first byte highest, as ClickHouse's MACNumToString reads it.</summary>
    public static readonly TagDefinition SrcMac = new("src_mac", TagType.U64);

    /// <summary>Destination MAC address, as <see cref="SrcMac"/>.</summary>
    public static readonly TagDefinition DstMac = new("dst_mac", TagType.U64);

    /// <summary>Ethernet type.</summary>
    public static readonly TagDefinition Etype = new("etype", TagType.U16);

    /// <summary>Address of the next hop.</summary>
    public static readonly TagDefinition NextHop = new("next_hop", TagType.Address);

    /// <summary>Flow records folded; 1 for each record. By it the account meets the database.</summary>
    public static readonly MeterDefinition Records = new("records", MeterFold.Sum);

    /// <summary>Flows, as the agent counted them; 1 where the format carries no count. Not scaled by the sampling rate.</summary>
    public static readonly MeterDefinition Flows = new("flows", MeterFold.Sum);

    /// <summary>Packets times the sampling rate.</summary>
    public static readonly MeterDefinition Packets = new("packets", MeterFold.Sum);

    /// <summary>Bytes times the sampling rate.</summary>
    public static readonly MeterDefinition Bytes = new("bytes", MeterFold.Sum);

    /// <summary>Records with the TCP SYN flag.</summary>
    public static readonly MeterDefinition TcpSyn = new("tcp_syn", MeterFold.Sum);

    /// <summary>Records with the TCP FIN flag.</summary>
    public static readonly MeterDefinition TcpFin = new("tcp_fin", MeterFold.Sum);

    /// <summary>Records with the TCP RST flag.</summary>
    public static readonly MeterDefinition TcpRst = new("tcp_rst", MeterFold.Sum);

    /// <summary>Packets sent again, where the format carries them.</summary>
    public static readonly MeterDefinition Retransmissions = new("retransmissions", MeterFold.Sum);

    /// <summary>Sum of round-trip times, µs.</summary>
    public static readonly MeterDefinition RttUs = new("rtt_us", MeterFold.Sum);

    /// <summary>Number of round-trip times in <see cref="RttUs"/>.</summary>
    public static readonly MeterDefinition RttCount = new("rtt_count", MeterFold.Sum);

    /// <summary>Sum of flow durations (end − start where both are known and in order), ms.</summary>
    public static readonly MeterDefinition DurationMs = new("duration_ms", MeterFold.Sum);

    /// <summary>All tags.</summary>
    public static IReadOnlyList<TagDefinition> Tags { get; } =
    [
        SrcAddr, DstAddr, SrcPort, DstPort, Proto, Exporter, Tos, TcpFlags, SrcAs, DstAs, SrcMask, DstMask, InIf, OutIf, Vlan,
        SrcMac, DstMac, Etype, NextHop,
    ];

    /// <summary>All meters.</summary>
    public static IReadOnlyList<MeterDefinition> Meters { get; } =
    [
        Records, Flows, Packets, Bytes, TcpSyn, TcpFin, TcpRst, Retransmissions, RttUs, RttCount, DurationMs,
    ];

    /// <summary>The views of a configuration that names none.</summary>
    public static IReadOnlyList<ViewDefinition> Views { get; } =
    [
        Edge("edge_1s", 1), Edge("edge_1m", 60), Service("service_1s", 1), Service("service_1m", 60),
    ];

    private static ViewDefinition Edge(string name, int granularitySeconds) => new(
        name,
        granularitySeconds,
        [SrcAddr, DstAddr, DstPort, Proto, Exporter],
        Meters,
        ["dst_addr", "dst_port", "proto", "src_addr", "exporter"]);

    private static ViewDefinition Service(string name, int granularitySeconds) => new(
        name,
        granularitySeconds,
        [DstAddr, DstPort, Proto],
        Meters,
        ["dst_addr", "dst_port", "proto"]);
}
