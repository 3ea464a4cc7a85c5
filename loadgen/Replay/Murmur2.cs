using System.Buffers.Binary;

namespace Weir.Loadgen.Replay;

/// <summary>MurmurHash2 with the seed of Kafka's Java clients: the partition of a key is its low 31 bits modulo the partitions.</summary>
internal static class Murmur2
{
    private const uint Seed = 0x9747b28c;
    private const uint Multiplier = 0x5bd1e995;

    /// <summary>The hash of a key.</summary>
    public static uint Of(ReadOnlySpan<byte> key)
    {
        var hash = Seed ^ (uint)key.Length;
        for (; key.Length >= 4; key = key[4..])
        {
            var word = BinaryPrimitives.ReadUInt32LittleEndian(key) * Multiplier;
            hash = (hash * Multiplier) ^ ((word ^ (word >> 24)) * Multiplier);
        }

        if (!key.IsEmpty)
        {
            for (var index = key.Length - 1; index >= 0; index--)
            {
                hash ^= (uint)key[index] << (8 * index);
            }

            hash *= Multiplier;
        }

        hash = (hash ^ (hash >> 13)) * Multiplier;
        return hash ^ (hash >> 15);
    }
}
