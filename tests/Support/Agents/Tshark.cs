using System.Globalization;

namespace Weir.Tests.Support.Agents;

/// <summary>tshark as the judge of a capture: packets and bytes for each key.</summary>
internal static class Tshark
{
    private const int Tcp = 6;
    private const int Udp = 17;
    private const int Ipv6HeaderBytes = 40;

    // The first occurrence of a field is the packet's own; an ICMP error repeats the fields of the packet that caused it.
    private static readonly string[] _arguments =
    [
        "-T", "fields", "-E", "separator=|", "-E", "occurrence=f",
        "-e", "ip.src", "-e", "ip.dst", "-e", "ip.len", "-e", "ip.proto",
        "-e", "ipv6.src", "-e", "ipv6.dst", "-e", "ipv6.plen", "-e", "ipv6.nxt",
        "-e", "tcp.dstport", "-e", "udp.dstport",
    ];

    /// <summary>Sums of a capture file. ICMP has port 0, as the agents give it.</summary>
    public static FlowSumsByKey Sum(string pcap)
    {
        var sums = new FlowSumsByKey();
        foreach (string line in AgentProcess.Run("tshark", ["-r", pcap, .. _arguments]).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] fields = line.Split('|');
            bool isIpv4 = fields[0].Length > 0 && fields[2].Length > 0;
            string[] own = isIpv4 ? fields[0..4] : fields[4..8];
            int proto = Number(own[3]);
            int port = proto switch { Tcp => Number(fields[8]), Udp => Number(fields[9]), _ => 0 };
            var key = new FlowKey(FlowSumsByKey.Normalize(own[0]), FlowSumsByKey.Normalize(own[1]), port, proto);
            sums.Add(key, 1, Number(own[2]) + (isIpv4 ? 0 : Ipv6HeaderBytes));
        }

        return sums;
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
