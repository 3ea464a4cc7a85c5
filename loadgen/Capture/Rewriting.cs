using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Weir.Loadgen.Capture;

/// <summary>What changes in the records of a message: addresses, names, MAC addresses, times. Nothing else does.</summary>
/// <remarks>One thread.</remarks>
public sealed class Rewriting : IDisposable
{
    private const int NameBytes = 6;
    private const int CacheMax = 1_000_000;

    private readonly AddressMap? _addresses;
    private readonly byte[]? _nameKey;
    private readonly Dictionary<string, byte[]> _names = [];

    private Rewriting(AddressMap? addresses, byte[]? nameKey)
    {
        _addresses = addresses;
        _nameKey = nameKey;
    }

    /// <summary>True when addresses are mapped.</summary>
    public bool MapsAddresses => _addresses is not null;

    /// <summary>True when what can't be read must not pass, and names and MAC addresses become hashes.</summary>
    public bool IsAnonymising => _nameKey is not null;

    /// <summary>Seconds that are added to each time of a record.</summary>
    public long AddSeconds { get; set; }

    /// <summary>False when every message stays as it is.</summary>
    public bool ChangesAnything => MapsAddresses || AddSeconds != 0;

    /// <summary>Replaces addresses, prefixes kept, and names, by keys made of a secret.</summary>
    public static Rewriting Anonymise(ReadOnlySpan<byte> secret) =>
        new(new AddressMap(AddressMap.KeyOf(secret, "addresses")), AddressMap.KeyOf(secret, "names"));

    /// <summary>Renames the addresses of one of several copies; copy 0 keeps them.</summary>
    public static Rewriting Copy(int copy) =>
        new(copy == 0 ? null : new AddressMap(AddressMap.KeyOf(BitConverter.GetBytes(copy), "copies")), null);

    /// <summary>The address in the place of an address.</summary>
    public UInt128 Map(UInt128 address) => _addresses?.Map(address) ?? address;

    /// <summary>The address in the place of one of 4 or 16 bytes; other lengths stay.</summary>
    public void MapInPlace(Span<byte> address)
    {
        if (_addresses is null)
        {
            return;
        }

        if (address.Length == 4)
        {
            var mapped = _addresses.Map(((UInt128)0xffff << 32) | BinaryPrimitives.ReadUInt32BigEndian(address));
            BinaryPrimitives.WriteUInt32BigEndian(address, (uint)mapped);
        }
        else if (address.Length == 16)
        {
            BinaryPrimitives.WriteUInt128BigEndian(address, _addresses.Map(BinaryPrimitives.ReadUInt128BigEndian(address)));
        }
    }

    /// <summary>The MAC address in the place of a MAC address; 0 stays.</summary>
    public ulong MapMac(ulong mac)
    {
        if (_nameKey is null || mac == 0)
        {
            return mac;
        }

        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, mac);
        Span<byte> hash = stackalloc byte[32];
        HMACSHA256.HashData(_nameKey, bytes, hash);
        return BinaryPrimitives.ReadUInt64BigEndian(hash) & 0xffff_ffff_ffff;
    }

    /// <summary>The text in the place of a text: an address by the map, anything else by its hash where names are hashed.</summary>
    public byte[] MapText(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty || _addresses is null)
        {
            return text.ToArray();
        }

        var key = Encoding.Latin1.GetString(text);
        if (_names.TryGetValue(key, out var known))
        {
            return known;
        }

        var mapped = IPAddress.TryParse(key, out var address)
            && (key.Contains(':', StringComparison.Ordinal) || key.Count(letter => letter == '.') == 3)
            ? Encoding.UTF8.GetBytes(MapAddress(address).ToString())
            : _nameKey is null ? text.ToArray() : HashName(text);
        if (_names.Count >= CacheMax)
        {
            _names.Clear();
        }

        _names.Add(key, mapped);
        return mapped;
    }

    /// <summary>The hash in the place of a name: the same for the same name and key.</summary>
    public byte[] HashName(ReadOnlySpan<byte> name) => Encoding.UTF8.GetBytes("n-" + Convert.ToHexStringLower(Hash(name)[..NameBytes]));

    /// <summary>Bytes in the place of bytes whose meaning is not known: as many, made of their hash.</summary>
    public byte[] HashBytes(ReadOnlySpan<byte> bytes)
    {
        var hash = Hash(bytes);
        var result = new byte[bytes.Length];
        for (var index = 0; index < result.Length; index++)
        {
            result[index] = (byte)"0123456789abcdef"[hash[index % hash.Length] & 15]; // Text stays text.
        }

        return result;
    }

    /// <inheritdoc/>
    public void Dispose() => _addresses?.Dispose();

    private byte[] Hash(ReadOnlySpan<byte> bytes) => HMACSHA256.HashData(_nameKey ?? [], bytes);

    private IPAddress MapAddress(IPAddress address)
    {
        var isIpv4 = address.AddressFamily == AddressFamily.InterNetwork;
        var mapped = Map(BinaryPrimitives.ReadUInt128BigEndian((isIpv4 ? address.MapToIPv6() : address).GetAddressBytes()));
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, mapped);
        return new IPAddress(isIpv4 ? bytes[12..] : bytes);
    }
}
