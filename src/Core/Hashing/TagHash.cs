using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Weir.Core.Hashing;

/// <summary>The 64-bit hash of tag sets: fixed seed, the same on every machine and in every release.</summary>
/// <remarks>
/// Words of 8 bytes are folded by a 64 × 64 → 128 bit multiplication with one half xor-ed into the other, the mixing step
/// of the wyhash family; the constants are the golden ratio and digits of π. <c>tests/Core/TagHashTests.cs</c> holds the vectors.
/// The shard of a tag set, the partition of a rekeyed topic and captures depend on it: it is never changed, only versioned.
/// </remarks>
public static class TagHash
{
    private const ulong Seed = 0x9e3779b97f4a7c15;
    private const ulong MultiplierA = 0x243f6a8885a308d3;
    private const ulong MultiplierB = 0x13198a2e03707345;

    /// <summary>Multiplies to 128 bits and folds the halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Mix(ulong left, ulong right)
    {
        var high = Math.BigMul(left, right, out var low);
        return high ^ low;
    }

    /// <summary>The hash of <paramref name="wordCount"/> 8-byte words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ulong OfWords(ulong* words, int wordCount)
    {
        var hash = Seed ^ (ulong)wordCount;
        var index = 0;
        for (; index + 1 < wordCount; index += 2)
        {
            hash = Mix(words[index] ^ hash ^ MultiplierA, words[index + 1] ^ MultiplierB);
        }

        if (index < wordCount)
        {
            hash = Mix(words[index] ^ hash ^ MultiplierA, MultiplierB);
        }

        return Mix(hash ^ MultiplierB, Seed);
    }

    /// <summary>The hash of 8-byte words of which only the bits in <paramref name="masks"/> count; the others are taken as 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe ulong OfWords(ulong* words, ReadOnlySpan<ulong> masks)
    {
        var hash = Seed ^ (ulong)masks.Length;
        var index = 0;
        for (; index + 1 < masks.Length; index += 2)
        {
            hash = Mix((words[index] & masks[index]) ^ hash ^ MultiplierA, (words[index + 1] & masks[index + 1]) ^ MultiplierB);
        }

        if (index < masks.Length)
        {
            hash = Mix((words[index] & masks[index]) ^ hash ^ MultiplierA, MultiplierB);
        }

        return Mix(hash ^ MultiplierB, Seed);
    }

    /// <summary>Takes the hash of one more value, such as the text of a string tag or a time, into <paramref name="hash"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Combine(ulong hash, ulong value) => Mix(hash ^ MultiplierA, value ^ MultiplierB);

    /// <summary>The hash of a text.</summary>
    public static ulong OfText(ReadOnlySpan<byte> text)
    {
        var hash = Seed ^ (ulong)text.Length;
        while (text.Length >= 8)
        {
            hash = Mix(BinaryPrimitives.ReadUInt64LittleEndian(text) ^ hash ^ MultiplierA, MultiplierB);
            text = text[8..];
        }

        if (!text.IsEmpty)
        {
            ulong tail = 0;
            for (var index = 0; index < text.Length; index++)
            {
                tail |= (ulong)text[index] << (8 * index);
            }

            hash = Mix(tail ^ hash ^ MultiplierA, MultiplierB);
        }

        return Mix(hash ^ MultiplierB, Seed);
    }
}
