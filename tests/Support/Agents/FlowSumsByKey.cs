using System.Globalization;

namespace Weir.Tests.Support.Agents;

/// <summary>What a flow is compared by: the tags of the edge views but the exporter. IPv4 addresses are as ClickHouse keeps them, mapped into IPv6.</summary>
internal readonly record struct FlowKey(string SrcAddr, string DstAddr, int DstPort, int Proto);

/// <summary>Packets, and bytes as NetFlow counts them: whole IP packets, without Ethernet.</summary>
internal readonly record struct FlowSum(long PacketCount, long ByteCount);

/// <summary>Sums of one source, to be compared with those of another.</summary>
internal sealed class FlowSumsByKey : SortedDictionary<string, FlowSum>
{
    public FlowSumsByKey()
        : base(StringComparer.Ordinal)
    {
    }

    /// <summary>Adds packets and bytes to a key.</summary>
    public void Add(FlowKey key, long packetCount, long byteCount)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"{key.SrcAddr} {key.DstAddr} {key.DstPort} {key.Proto}");
        TryGetValue(text, out FlowSum sum);
        this[text] = new FlowSum(sum.PacketCount + packetCount, sum.ByteCount + byteCount);
    }

    /// <summary>An address in the one form that is compared.</summary>
    public static string Normalize(string address) => System.Net.IPAddress.Parse(address).MapToIPv6().ToString();
}
