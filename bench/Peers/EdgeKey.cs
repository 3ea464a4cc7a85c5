namespace Weir.Bench.Peers;

/// <summary>Key of the edge view as a .NET developer would write it: a struct with value equality.</summary>
internal readonly record struct EdgeKey(UInt128 SrcAddr, UInt128 DstAddr, uint Time, ushort DstPort, byte Proto, int Exporter)
{
    public override int GetHashCode() =>
        HashCode.Combine((ulong)SrcAddr, (ulong)DstAddr, Time, ((uint)DstPort << 8) | Proto, Exporter, (ulong)(SrcAddr >> 64));
}

/// <summary>The eleven sums of a series; folded by reference.</summary>
internal struct EdgeSums
{
    public ulong Records;
    public ulong Flows;
    public ulong Packets;
    public ulong Bytes;
    public ulong TcpSyn;
    public ulong TcpFin;
    public ulong TcpRst;
    public ulong Retransmissions;
    public ulong RttUs;
    public ulong RttCount;
    public ulong DurationMs;

    /// <summary>Those of one record, scaled by its sampling rate.</summary>
    public static EdgeSums Of(Weir.V1.FlowRecord record, ulong rate) => new()
    {
        Records = 1,
        Flows = record.HasFlows ? record.Flows : 1,
        Packets = record.Packets * rate,
        Bytes = record.Bytes * rate,
        TcpSyn = record.TcpSyn,
        TcpFin = record.TcpFin,
        TcpRst = record.TcpRst,
        Retransmissions = record.Retransmissions,
        RttUs = record.RttUs,
        RttCount = record.RttCount,
        DurationMs = record.DurationMs,
    };

    /// <summary>Adds another one's.</summary>
    public void Add(in EdgeSums other)
    {
        Records += other.Records;
        Flows += other.Flows;
        Packets += other.Packets;
        Bytes += other.Bytes;
        TcpSyn += other.TcpSyn;
        TcpFin += other.TcpFin;
        TcpRst += other.TcpRst;
        Retransmissions += other.Retransmissions;
        RttUs += other.RttUs;
        RttCount += other.RttCount;
        DurationMs += other.DurationMs;
    }
}
