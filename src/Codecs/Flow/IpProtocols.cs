using Weir.Core.Hashing;

namespace Weir.Codecs.Flow;

/// <summary>Names of IP protocols, as IANA registers them and as pmacct, goflow2 and /etc/protocols write them.</summary>
internal static class IpProtocols
{
    private const int NameBytesMax = 32;
    private const int SlotCount = 1024; // Some 240 names: a quarter full.

    // By number; the names of one number are separated by blanks. Case does not matter.
    private static readonly string[] _names =
    [
        "hopopt ip", "icmp", "igmp", "ggp", "ipencap ip-encap ipv4", "st st2", "tcp", "cbt", "egp", "igp igrp",
        "bbn-rcc bbn-rcc-mon", "nvp nvp-ii", "pup", "argus", "emcon", "xnet", "chaos", "udp", "mux", "dcn dcn-meas",
        "hmp", "prm", "xns-idp", "trunk-1", "trunk-2", "leaf-1", "leaf-2", "rdp", "irtp", "iso-tp4",
        "netblt", "mfe-nsp", "merit-inp", "dccp sep", "3pc", "idpr", "xtp", "ddp", "idpr-cmtp", "tp++",
        "il", "ipv6", "sdrp", "ipv6-route", "ipv6-frag", "idrp", "rsvp", "gre", "dsr mhrp", "bna",
        "esp ipsec-esp ipv6-crypt", "ah ipsec-ah ipv6-auth", "i-nlsp", "swipe", "narp", "mobile min-ipv4", "tlsp", "skip",
        "ipv6-icmp icmp6 icmpv6", "ipv6-nonxt",
        "ipv6-opts", "any-host-internal", "cftp", "any-local-network", "sat-expak", "kryptolan", "rvd", "ippc", "any-distributed-fs",
        "sat-mon",
        "visa", "ipcv", "cpnx", "cphb rspf", "wsn", "pvp", "br-sat-mon", "sun-nd", "wb-mon", "wb-expak",
        "iso-ip", "vmtp", "secure-vmtp", "vines", "ttp iptm", "nsfnet-igp", "dgp", "tcf", "eigrp", "ospf ospfigp ospf-igp",
        "sprite-rpc", "larp", "mtp", "ax.25", "ipip", "micp", "scc-sp", "etherip", "encap", "any-private-encryption",
        "gmtp", "ifmp", "pnni", "pim", "aris", "scps", "qnx", "a/n", "ipcomp", "snp",
        "compaq-peer", "ipx-in-ip", "vrrp carp", "pgm", "any-0-hop", "l2tp", "ddx", "iatp", "stp", "srp",
        "uti", "smp", "sm", "ptp", "isis is-is", "fire", "crtp", "crudp", "sscopmce", "iplt",
        "sps", "pipe", "sctp", "fc", "rsvp-e2e-ignore", "mobility-header", "udplite", "mpls-in-ip", "manet", "hip",
        "shim6", "wesp", "rohc", "ethernet", "aggfrag", "nsh", "homa", "bit-emu",
    ];

    private static readonly Slot[] _slots = Build();

    /// <summary>The number of a protocol.</summary>
    /// <param name="name">Its name in any case.</param>
    /// <param name="number">0 to 255.</param>
    /// <returns>False when there is no such name.</returns>
    public static bool TryFind(ReadOnlySpan<byte> name, out byte number)
    {
        number = 0;
        if (name.IsEmpty || name.Length > NameBytesMax)
        {
            return false;
        }

        Span<byte> lower = stackalloc byte[NameBytesMax];
        for (var index = 0; index < name.Length; index++)
        {
            var letter = name[index];
            lower[index] = letter is >= (byte)'A' and <= (byte)'Z' ? (byte)(letter | 0x20) : letter;
        }

        lower = lower[..name.Length];
        for (var slot = (int)(TagHash.OfText(lower) % SlotCount); _slots[slot].Name is { } known; slot = (slot + 1) % SlotCount)
        {
            if (lower.SequenceEqual(known))
            {
                number = _slots[slot].Number;
                return true;
            }
        }

        return false;
    }

    private static Slot[] Build()
    {
        var slots = new Slot[SlotCount];
        for (var number = 0; number < _names.Length; number++)
        {
            foreach (var name in _names[number].Split(' '))
            {
                Add(slots, name, (byte)number);
            }
        }

        Add(slots, "raw", 255);
        Add(slots, "reserved", 255);
        return slots;
    }

    private static void Add(Slot[] slots, string name, byte number)
    {
        var bytes = System.Text.Encoding.ASCII.GetBytes(name);
        var slot = (int)(TagHash.OfText(bytes) % SlotCount);
        while (slots[slot].Name is not null)
        {
            slot = (slot + 1) % SlotCount;
        }

        slots[slot] = new Slot(bytes, number);
    }

    private readonly record struct Slot(byte[]? Name, byte Number);
}
