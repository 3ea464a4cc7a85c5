using System.Text;
using Weir.Codecs.Flow;
using Weir.Core.Hashing;

namespace Weir.Loadgen.Generate;

/// <summary>The tags of one series, and its hashes.</summary>
internal struct SeriesTags
{
    public UInt128 SrcAddr;
    public UInt128 DstAddr;
    public uint SrcAs;
    public uint DstAs;
    public uint InIf;
    public uint OutIf;
    public ushort SrcPort;
    public ushort DstPort;
    public ushort Vlan;
    public byte Proto;
    public byte Tos;
    public byte SrcMask;
    public byte DstMask;

    /// <summary>Index of the exporter's text.</summary>
    public int Exporter;

    /// <summary>Of all tags; chooses the partition where messages are keyed.</summary>
    public ulong Hash;

    /// <summary>Of the tags of the view edge.</summary>
    public ulong EdgeHash;

    /// <summary>Of the tags of the view service.</summary>
    public ulong ServiceHash;
}

/// <summary>The series that exist at a time: each slot holds one, and churn puts new ones into slots.</summary>
/// <remarks>One thread. A series is a pure function of seed, slot and generation.</remarks>
internal sealed class SeriesSet
{
    private const uint DstNetwork = 0x6440_0000; // 100.64.0.0/10
    private const uint SrcNetwork = 0x0a00_0000; // 10.0.0.0/9
    private const int ProtoTcp = 6;
    private const int ProtoUdp = 17;
    private const int ProtoIcmp = 1;
    private const int ProtoIcmpV6 = 58;
    private static readonly ushort[] _services = [443, 443, 80, 53, 853, 8443, 22, 123];

    private readonly GeneratorOptions _options;
    private readonly SeriesTags[] _series;
    private readonly ulong[] _exporterHashes;
    private readonly WeightedDraw _customers;
    private readonly WeightedDraw _pops;
    private uint _generation;
    private int _churned;
    private double _churnDebt;

    public SeriesSet(GeneratorOptions options)
    {
        _options = options;
        Exporters = options.Tags.GetValueOrDefault("exporter")?.Texts ?? [.. Enumerable.Range(0, options.PopCount * options.AgentsPerPop)
            .Select(index => Encoding.UTF8.GetBytes($"10.254.{(index / options.AgentsPerPop) + 1}.{(index % options.AgentsPerPop) + 1}"))];
        _exporterHashes = [.. Exporters.Select(text => TagHash.OfText(text))];
        _customers = WeightedDraw.Zipf(options.CustomerCount, 1.0);
        _pops = WeightedDraw.Zipf(options.PopCount, 0.5);
        _series = new SeriesTags[options.SeriesCount];
        for (var slot = 0; slot < _series.Length; slot++)
        {
            Make(slot, 0);
        }
    }

    /// <summary>Texts of the exporters.</summary>
    public IReadOnlyList<byte[]> Exporters { get; }

    /// <summary>Series that ever were.</summary>
    public long SeriesMadeCount { get; private set; }

    /// <summary>The series in a slot.</summary>
    public ref readonly SeriesTags At(int slot) => ref _series[slot];

    /// <summary>A second of event time has passed: replaces the share of the series that churns.</summary>
    public void Churn()
    {
        _churnDebt += _options.ChurnPerSecond * _series.Length;
        while (_churnDebt >= 1)
        {
            _churnDebt--;
            if (_churned == 0)
            {
                _generation++;
            }

            Make(_churned, _generation);
            _churned = (_churned + 1) % _series.Length;
        }
    }

    /// <summary>The hash of the exporter's text.</summary>
    public ulong ExporterHash(int exporter) => _exporterHashes[exporter];

    /// <summary>Fills in the hashes.</summary>
    public static void Hash(ref SeriesTags tags, ulong exporterHash)
    {
        var service = TagHash.Combine((ulong)(tags.DstAddr >> 64), (ulong)tags.DstAddr);
        service = TagHash.Combine(service, ((ulong)tags.DstPort << 8) | tags.Proto);
        tags.ServiceHash = service;
        tags.EdgeHash = TagHash.Combine(
            TagHash.Combine(TagHash.Combine(service, (ulong)(tags.SrcAddr >> 64)), (ulong)tags.SrcAddr), exporterHash);
        var rest = ((ulong)tags.SrcPort << 48) | ((ulong)tags.Vlan << 32) | ((ulong)tags.Tos << 16);
        tags.Hash = TagHash.Combine(
            TagHash.Combine(TagHash.Combine(tags.EdgeHash, rest), ((ulong)tags.SrcAs << 32) | tags.DstAs),
                ((ulong)tags.InIf << 32) | tags.OutIf);
    }

    private void Make(int slot, uint generation)
    {
        SeriesMadeCount++;
        var random = new SeededRandom(TagHash.Combine(_options.Seed, ((ulong)generation << 32) | (uint)slot));
        ref var tags = ref _series[slot];
        tags = default;
        var pop = _pops.Draw(ref random);
        tags.Exporter = (pop * _options.AgentsPerPop) + (int)random.Below((ulong)_options.AgentsPerPop);
        var customer = (uint)_customers.Draw(ref random);
        var zone = (customer * (uint)_options.ZonesPerCustomer) + (uint)random.Below((ulong)_options.ZonesPerCustomer);
        var record = (uint)random.Below((ulong)_options.RecordsPerZone) + 1;
        var client = (uint)random.Below((ulong)_options.ClientCount);
        var isIpv6 = random.Unit() < _options.Ipv6Share;
        tags.DstAddr = isIpv6 ? new UInt128(0x2001_0db8_0064_0000, ((ulong)zone << 16) | record)
            : FlowRecord.Ipv4(DstNetwork + (zone << 8) + record);
        tags.SrcAddr = isIpv6 ? new UInt128(0x2001_0db8_000a_0000, client + 1UL) : FlowRecord.Ipv4(SrcNetwork + client + 1);
        tags.DstMask = (byte)(isIpv6 ? 112 : 24);
        tags.SrcMask = (byte)(isIpv6 ? 64 : 16);
        tags.DstAs = 64_512 + customer;
        tags.SrcAs = 1_000 + (client / 256);
        tags.InIf = 1 + (uint)random.Below(8);
        tags.OutIf = 100 + (uint)pop;
        var roll = random.Below(100);
        tags.Proto = (byte)(roll < 70 ? ProtoTcp : roll < 97 ? ProtoUdp : isIpv6 ? ProtoIcmpV6 : ProtoIcmp);
        if (tags.Proto is ProtoTcp or ProtoUdp)
        {
            tags.SrcPort = (ushort)(1_024 + random.Below(64_512));
            tags.DstPort = _services[(zone + record) % (uint)_services.Length];
        }

        Override(ref tags, ref random);
        Hash(ref tags, _exporterHashes[tags.Exporter]);
    }

    private void Override(ref SeriesTags tags, ref SeededRandom random)
    {
        foreach (var name in TagValues.Names) // In this order, whatever the order of the options was.
        {
            if (!_options.Tags.TryGetValue(name, out var values))
            {
                continue;
            }

            var value = values.Draw(ref random);
            switch (name)
            {
                case "src_addr": tags.SrcAddr = value; break;
                case "dst_addr": tags.DstAddr = value; break;
                case "src_port": tags.SrcPort = (ushort)value; break;
                case "dst_port": tags.DstPort = (ushort)value; break;
                case "proto": tags.Proto = (byte)value; break;
                case "exporter": tags.Exporter = (int)value; break;
                case "tos": tags.Tos = (byte)value; break;
                case "src_as": tags.SrcAs = (uint)value; break;
                case "dst_as": tags.DstAs = (uint)value; break;
                case "in_if": tags.InIf = (uint)value; break;
                case "out_if": tags.OutIf = (uint)value; break;
                case "vlan": tags.Vlan = (ushort)value; break;
                default: throw new InvalidOperationException($"{name} has values and no place.");
            }
        }
    }
}
