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
