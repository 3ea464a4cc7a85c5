namespace Weir.Codecs.Flow;

/// <summary>One flow record with the standard fields, for the encoders. A field that is 0 or empty is not written.</summary>
public struct FlowRecord
{
    /// <summary>Time, seconds since the epoch.</summary>
    public ulong TimeSeconds { get; set; }

    /// <summary>Source address, network order; IPv4 as ::ffff:a.b.c.d (<see cref="Ipv4"/>).</summary>
    public UInt128 SrcAddr { get; set; }

    /// <summary>Destination address, as <see cref="SrcAddr"/>.</summary>
    public UInt128 DstAddr { get; set; }

    /// <summary>Next hop, as <see cref="SrcAddr"/>.</summary>
    public UInt128 NextHop { get; set; }

    /// <summary>Source port.</summary>
    public ushort SrcPort { get; set; }

    /// <summary>Destination port.</summary>
    public ushort DstPort { get; set; }

    /// <summary>IP protocol.</summary>
    public byte Proto { get; set; }

    /// <summary>Who measured, UTF-8.</summary>
    public ReadOnlyMemory<byte> Exporter { get; set; }

    /// <summary>Type of service.</summary>
    public byte Tos { get; set; }

    /// <summary>TCP flags, or-ed.</summary>
    public ushort TcpFlags { get; set; }

    /// <summary>Source autonomous system.</summary>
    public uint SrcAs { get; set; }

    /// <summary>Destination autonomous system.</summary>
    public uint DstAs { get; set; }

    /// <summary>Bits of the source prefix.</summary>
    public byte SrcMask { get; set; }

    /// <summary>Bits of the destination prefix.</summary>
    public byte DstMask { get; set; }

    /// <summary>Input interface.</summary>
    public uint InIf { get; set; }

    /// <summary>Output interface.</summary>
    public uint OutIf { get; set; }

    /// <summary>VLAN id.</summary>
    public ushort Vlan { get; set; }

    /// <summary>Source MAC address in the low 48 bits.</summary>
    public ulong SrcMac { get; set; }

    /// <summary>Destination MAC address in the low 48 bits.</summary>
    public ulong DstMac { get; set; }

    /// <summary>Ethernet type.</summary>
    public ushort Etype { get; set; }

    /// <summary>Flows. 1 in most records; goflow2 has no field for it.</summary>
    public ulong Flows { get; set; }

    /// <summary>Packets, not scaled.</summary>
    public ulong Packets { get; set; }

    /// <summary>Bytes, not scaled.</summary>
    public ulong Bytes { get; set; }

    /// <summary>Connections with SYN; goflow2 has no field for it.</summary>
    public ulong TcpSyn { get; set; }

    /// <summary>Connections with FIN; goflow2 has no field for it.</summary>
    public ulong TcpFin { get; set; }

    /// <summary>Connections with RST; goflow2 has no field for it.</summary>
    public ulong TcpRst { get; set; }

    /// <summary>Sum of round-trip times, µs; goflow2 has no field for it.</summary>
    public ulong RttUs { get; set; }

    /// <summary>Number of round-trip times; goflow2 has no field for it.</summary>
    public ulong RttCount { get; set; }

    /// <summary>Packets sent again; goflow2 has no field for it.</summary>
    public ulong Retransmissions { get; set; }

    /// <summary>Duration, ms; goflow2 gets the end of the flow from it.</summary>
    public ulong DurationMs { get; set; }

    /// <summary>One of so many packets was seen.</summary>
    public ulong SamplingRate { get; set; }

    /// <summary>The 128-bit form of an IPv4 address given as a number, 10.0.0.1 being 0x0a000001.</summary>
    public static UInt128 Ipv4(uint address) => new(0, 0xffff_0000_0000UL | address);
}
