using System.Buffers.Binary;
using System.Numerics;

namespace Weir.Codecs.Flow;

/// <summary>CRC-32C (Castagnoli), as iSCSI and Kafka use it: initial value and final xor are all ones. "123456789" gives e3069283.</summary>
internal static class Crc32C
{
    private const int WordBytes = sizeof(ulong);

    /// <summary>The checksum of <paramref name="bytes"/>; the processor's own instruction where it has one.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        while (bytes.Length >= WordBytes)
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[WordBytes..];
        }

        foreach (var value in bytes)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return ~crc;
    }
}
