using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Weir.Core.Hashing;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>Ids of short texts that a dictionary gave before: found by their bytes alone, without another check or hash of them.</summary>
/// <remarks>Of one dictionary, from one <see cref="StringDictionary.Clear"/> to the next. One thread.</remarks>
internal sealed unsafe class TextMemo
{
    /// <summary>Longest text that is found here: any IPv4 address is.</summary>
    public const int BytesMax = 15;

    /// <summary>Bytes that are read of each text, whatever its length.</summary>
    public const int ReadBytes = 16;

    private const int SetCount = 256; // One for each value of a byte of the hash.
    private const ulong MultiplierA = 0x9e37_79b9_7f4a_7c15;
    private const ulong MultiplierB = 0xd1b5_4a32_d192_ed03;

    private readonly Set[] _sets = GC.AllocateArray<Set>(SetCount, pinned: true);

    /// <summary>The id of a text.</summary>
    /// <param name="text">Its first byte; <see cref="ReadBytes"/> can be read.</param>
    /// <param name="length">Its bytes, 1 to <see cref="BytesMax"/>.</param>
    /// <param name="id">The id.</param>
    /// <returns>False when it is not known here.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryFind(byte* text, int length, out uint id)
    {
        var key = KeyOf(text, length);
        var set = SetOf(key);
        var isSecond = Vector128.EqualsAll(set->SecondKey, key);
        id = isSecond ? set->SecondId : set->FirstId;
        return isSecond | Vector128.EqualsAll(set->FirstKey, key);
    }

    /// <summary>Keeps an id; it may push another one out.</summary>
    /// <param name="text">As for <see cref="TryFind"/>.</param>
    /// <param name="length">As for <see cref="TryFind"/>.</param>
    /// <param name="id">The id, not that of the overflow: each look-up that meets the limit is counted.</param>
    public void Keep(byte* text, int length, uint id)
    {
        var key = KeyOf(text, length);
        var set = SetOf(key);
        (set->SecondKey, set->SecondId) = (set->FirstKey, set->FirstId);
        (set->FirstKey, set->FirstId) = (key, id);
    }

    /// <summary>Forgets all.</summary>
    public void Clear() => Array.Clear(_sets);

    /// <summary>The text, zeros, and its length in the last byte: no two texts have one key, and none has that of a free place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> KeyOf(byte* text, int length) =>
        (Vector128.Load(text) & Vector128.LessThan(Vector128<byte>.Indices, Vector128.Create((byte)length)))
            | Vector128.Create(0, (ulong)length << 56).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Set* SetOf(Vector128<byte> key)
    {
        var words = key.AsUInt64();
        var hash = TagHash.Mix(words.GetElement(0) ^ MultiplierA, words.GetElement(1) ^ MultiplierB);
        return (Set*)Unsafe.AsPointer(ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(_sets)) + (byte)hash;
    }

    [System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential, Size = 64)]
    private struct Set
    {
        public Vector128<byte> FirstKey;
        public Vector128<byte> SecondKey;
        public uint FirstId;
        public uint SecondId;
    }
}
