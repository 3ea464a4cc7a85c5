using System.Security.Cryptography;
using System.Text;

namespace Weir.Loadgen.Capture;

/// <summary>
/// Maps addresses to addresses so that two with a common prefix of n bits keep one of exactly n bits: Crypto-PAn (Xu, Fan, Ammar, Moon
/// 2002)
/// with AES-128. One to one, and the same for the same key everywhere.
/// </summary>
/// <remarks>One thread; results are kept, up to a bound.</remarks>
public sealed class AddressMap : IDisposable
{
    private const int BlockBytes = 16;
    private const int CacheMax = 1_000_000;

    private readonly Aes _aes;
    private readonly UInt128 _pad;
    private readonly byte[] _blocks = new byte[128 * BlockBytes];
    private readonly Dictionary<UInt128, UInt128> _cache = [];

    /// <summary>Makes the map of a key.</summary>
    /// <param name="key">32 bytes: the AES key, and what becomes the padding.</param>
    public AddressMap(ReadOnlySpan<byte> key)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, 2 * BlockBytes);
        _aes = Aes.Create();
        _aes.Key = key[..BlockBytes].ToArray();
        Span<byte> pad = stackalloc byte[BlockBytes];
        _aes.EncryptEcb(key[BlockBytes..], pad, PaddingMode.None);
        _pad = System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(pad);
    }

    /// <summary>The key of a secret text.</summary>
    /// <param name="secret">Any length.</param>
    /// <param name="purpose">Different purposes give keys that tell nothing of each other.</param>
    public static byte[] KeyOf(ReadOnlySpan<byte> secret, string purpose) =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, secret.ToArray(), 2 * BlockBytes, info: Encoding.UTF8.GetBytes("weir capture " + purpose));

    /// <summary>Maps an address in 16 bytes, network order; IPv4 as ::ffff:a.b.c.d stays IPv4; the address that is all zeros
    /// stays.</summary>
    public UInt128 Map(UInt128 address)
    {
        if (address == 0)
        {
            return 0;
        }

        if (_cache.TryGetValue(address, out var mapped))
        {
            return mapped;
        }

        mapped = address >> 32 == 0xffff
            ? (UInt128)0xffff << 32 | MapBits(address << 96, 32) >> 96
            : MapBits(address, 128);
        if (_cache.Count >= CacheMax)
        {
            _cache.Clear();
        }

        _cache.Add(address, mapped);
        return mapped;
    }

    /// <inheritdoc/>
    public void Dispose() => _aes.Dispose();

    /// <summary>Bit i is flipped by a function of the bits before it.</summary>
    private UInt128 MapBits(UInt128 address, int bitCount)
    {
        var blocks = _blocks.AsSpan(0, bitCount * BlockBytes);
        for (var bit = 0; bit < bitCount; bit++)
        {
            var prefix = bit == 0 ? 0 : ~(UInt128)0 << (128 - bit);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(
                blocks[(bit * BlockBytes)..], (address & prefix) | (_pad & ~prefix));
        }

        _aes.EncryptEcb(blocks, blocks, PaddingMode.None);
        UInt128 flips = 0;
        for (var bit = 0; bit < bitCount; bit++)
        {
            flips |= (UInt128)(uint)(blocks[bit * BlockBytes] >> 7) << (127 - bit);
        }

        return address ^ flips;
    }
}
