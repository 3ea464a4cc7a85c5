using System.Numerics;

namespace Weir.Codecs.Flow;

/// <summary>CRC-32C (Castagnoli), as iSCSI and Kafka use it: initial value and final xor are all ones. "123456789" gives e3069283.</summary>
/// <remarks>
/// The processor's instruction gives its result three cycles later and can begin one in each cycle, so long inputs are read as three
/// lanes side by side, whose checksums are then joined: the checksum of A before B is that of A followed by zeros, xor that of B.
/// </remarks>
internal static unsafe class Crc32C
{
    private const int WordBytes = sizeof(ulong);
    private const int LaneBytes = 512;

    // What LaneBytes zeros make of each byte of a checksum.
    private static readonly uint[] _zeros0 = Zeros(0);
    private static readonly uint[] _zeros1 = Zeros(1);
    private static readonly uint[] _zeros2 = Zeros(2);
    private static readonly uint[] _zeros3 = Zeros(3);

    /// <summary>The checksum of <paramref name="bytes"/>; the processor's own instruction where it has one.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        fixed (byte* start = bytes)
        {
            var position = start;
            var end = start + bytes.Length;
            for (; end - position >= 3 * LaneBytes; position += 3 * LaneBytes)
            {
                var first = crc;
                uint second = 0;
                uint third = 0;
                for (var word = position; word < position + LaneBytes; word += WordBytes)
                {
                    first = BitOperations.Crc32C(first, *(ulong*)word);
                    second = BitOperations.Crc32C(second, *(ulong*)(word + LaneBytes));
                    third = BitOperations.Crc32C(third, *(ulong*)(word + (2 * LaneBytes)));
                }

                crc = AppendZeros(AppendZeros(first) ^ second) ^ third;
            }

            for (; end - position >= WordBytes; position += WordBytes)
            {
                crc = BitOperations.Crc32C(crc, *(ulong*)position);
            }

            for (; position < end; position++)
            {
                crc = BitOperations.Crc32C(crc, *position);
            }
        }

        return ~crc;
    }

    private static uint AppendZeros(uint crc) =>
        _zeros0[(byte)crc] ^ _zeros1[(byte)(crc >> 8)] ^ _zeros2[(byte)(crc >> 16)] ^ _zeros3[(byte)(crc >> 24)];

    private static uint[] Zeros(int position)
    {
        var table = new uint[256];
        for (uint value = 0; value < table.Length; value++)
        {
            var crc = value << (8 * position);
            for (var word = 0; word < LaneBytes / WordBytes; word++)
            {
                crc = BitOperations.Crc32C(crc, 0UL);
            }

            table[value] = crc;
        }

        return table;
    }
}
