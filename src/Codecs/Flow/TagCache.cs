using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Weir.Core.Buffers;
using Weir.Core.Hashing;

namespace Weir.Codecs.Flow;

/// <summary>What runs of tag bytes have been decoded to: the tags of a row, and the hash of the tag set.</summary>
/// <remarks>
/// <para>
/// Found by a hash of the bytes and compared byte by byte, so nothing is decoded twice; two encodings of one tag set are two
/// entries with the same tags. Entries lie one behind the other, a multiple of a cache line each; where there is no room for another
/// one all are forgotten, so that memory is bounded whatever comes.
/// </para>
/// <para>One thread, that of the decoder it belongs to.</para>
/// </remarks>
internal sealed unsafe class TagCache
{
    /// <summary>Longest run of tag bytes that is kept; one byte of length says so much.</summary>
    public const int TagBytesMax = 127;

    private const int LineBytes = 64;
    private const int SlotsPerLine = LineBytes / sizeof(ulong);
    private const int HeaderBytes = 2 * sizeof(ulong); // Length of the bytes, hash of the tag set.
    private const ulong HashPart = 0xffff_ffff_0000_0000;
    private const ulong MultiplierA = 0x8ebc_6af0_9c88_c6e3;
    private const ulong MultiplierB = 0x5895_4f54_a5ce_2a39;

    private readonly void* _memory;
    private readonly long _memoryBytes;
    private readonly MemoryBudget? _budget;
    private readonly int _imageBytes;
    private readonly int _lineCount;
    private readonly uint _slotLineMask;
    private readonly ulong* _slots; // Upper half of the bytes' hash, number of the entry's first line + 1; 0 is free. Lines of 8.
    private readonly byte* _entries;
    private int _linesUsed;

    /// <summary>Makes an empty cache.</summary>
    /// <param name="imageBytes">Bytes of the tags of a row.</param>
    /// <param name="memoryBytes">Memory for entries.</param>
    /// <param name="budget">Charged with all of the memory, whether the system has given it yet or not; null for none.</param>
    public TagCache(int imageBytes, int memoryBytes, MemoryBudget? budget = null)
    {
        _imageBytes = imageBytes;
        _lineCount = memoryBytes / LineBytes;

        // At most half a slot for each entry of two lines or more: a line of eight is full once in a hundred times.
        var slotLines = BitOperations.RoundUpToPowerOf2((uint)Math.Max(1, _lineCount / SlotsPerLine));
        _slotLineMask = slotLines - 1;

        // Zeroed by the system, page by page when they are first used: a decoder of few tag sets has little memory.
        _memoryBytes = ((long)slotLines + _lineCount + 2) * LineBytes;
        _memory = NativeMemory.AllocZeroed((nuint)_memoryBytes);
        _slots = (ulong*)(((nint)_memory + LineBytes - 1) & ~(LineBytes - 1));
        _entries = (byte*)_slots + ((nuint)slotLines * LineBytes);
        GC.AddMemoryPressure(_memoryBytes);
        _budget = budget;
        budget?.Add(_memoryBytes);
    }

    /// <summary>Times that all entries were forgotten for want of room, or by <see cref="Clear"/>.</summary>
    public int ClearCount { get; private set; }

    /// <summary>A hash of tag bytes. Not of the tag set: another encoding of it has another one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HashOf(byte* bytes, int length)
    {
        if (length < 16)
        {
            return HashOfFew(bytes, length);
        }

        // The last 16 bytes may have been read before: no loop at the end.
        var last = bytes + length - 16;
        var hash = TagHash.Mix(*(ulong*)last ^ MultiplierA ^ (ulong)length, *(ulong*)(last + 8) ^ MultiplierB);
        for (; bytes < last; bytes += 16)
        {
            hash = BitOperations.RotateLeft(hash, 23) + TagHash.Mix(*(ulong*)bytes ^ MultiplierB, *(ulong*)(bytes + 8) ^ MultiplierA);
        }

        return (hash ^ (hash >> 32)) * MultiplierA;
    }

    /// <summary>Asks for the slots of a hash, so that they are there when <see cref="Find"/> needs them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(ulong hash)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(_slots + ((nuint)((uint)hash & _slotLineMask) * SlotsPerLine));
        }
    }

    /// <summary>An entry that may be that of a hash, asked for ahead of <see cref="IsOf"/>.</summary>
    /// <returns>Null when there is none.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* Find(ulong hash)
    {
        var slots = _slots + ((nuint)((uint)hash & _slotLineMask) * SlotsPerLine);
        var parts = Vector512.Load(slots) & Vector512.Create(HashPart);
        var same = Vector512.Equals(parts, Vector512.Create(hash & HashPart)).ExtractMostSignificantBits();
        if (same == 0)
        {
            return null;
        }

        var line = (uint)slots[BitOperations.TrailingZeroCount(same)];
        if (line == 0)
        {
            return null; // A free slot, and a hash that begins with zeros.
        }

        var entry = _entries + ((nuint)(line - 1) * LineBytes);
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(entry);
            Sse.Prefetch0(entry + LineBytes);
        }

        return entry;
    }

    /// <summary>True when an entry is that of these bytes.</summary>
    /// <param name="entry">From <see cref="Find"/>.</param>
    /// <param name="bytes">The tag bytes.</param>
    /// <param name="length">Their number.</param>
    /// <param name="readableEnd">Memory before this address may be read.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsOf(byte* entry, byte* bytes, int length, byte* readableEnd)
    {
        if (*(ulong*)entry != (ulong)length)
        {
            return false;
        }

        var known = entry + HeaderBytes + _imageBytes;
        if (length <= LineBytes && readableEnd - bytes >= LineBytes)
        {
            var same = Vector512.Equals(Vector512.Load(known), Vector512.Load(bytes)).ExtractMostSignificantBits();
            var wanted = ulong.MaxValue >> (LineBytes - length);
            return (same & wanted) == wanted;
        }

        return new ReadOnlySpan<byte>(known, length).SequenceEqual(new ReadOnlySpan<byte>(bytes, length));
    }

    /// <summary>The hash of an entry's tag set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong TagHashOf(byte* entry) => *(ulong*)(entry + sizeof(ulong));

    /// <summary>The tags of an entry, as they lie in a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong* ImageOf(byte* entry) => (ulong*)(entry + HeaderBytes);

    /// <summary>Keeps what bytes have been decoded to.</summary>
    /// <param name="hash">Hash of the bytes.</param>
    /// <param name="bytes">The tag bytes.</param>
    /// <param name="length">Their number, 1 to <see cref="TagBytesMax"/>.</param>
    /// <param name="image">The tags of the row.</param>
    /// <param name="tagHash">Hash of the tag set.</param>
    public void Add(ulong hash, byte* bytes, int length, byte* image, ulong tagHash)
    {
        var lines = (HeaderBytes + _imageBytes + length + LineBytes - 1) / LineBytes;
        if (_linesUsed + lines > _lineCount)
        {
            Clear();
        }

        var entry = _entries + ((nuint)_linesUsed * LineBytes);
        *(ulong*)entry = (ulong)length;
        *(ulong*)(entry + sizeof(ulong)) = tagHash;
        Unsafe.CopyBlockUnaligned(entry + HeaderBytes, image, (uint)_imageBytes);
        Unsafe.CopyBlockUnaligned(entry + HeaderBytes + _imageBytes, bytes, (uint)length);

        var slots = _slots + ((nuint)((uint)hash & _slotLineMask) * SlotsPerLine);
        var at = (int)(hash >> 29) & (SlotsPerLine - 1); // Whom a full line gives up.
        for (var index = 0; index < SlotsPerLine; index++)
        {
            if (slots[index] == 0 || ((slots[index] ^ hash) & HashPart) == 0)
            {
                at = index;
                break;
            }
        }

        slots[at] = (hash & HashPart) | ((uint)_linesUsed + 1);
        _linesUsed += lines;
    }

    /// <summary>Forgets all entries: those that <see cref="Find"/> has given are not to be used any more.</summary>
    public void Clear()
    {
        NativeMemory.Clear(_slots, (nuint)(_slotLineMask + 1) * LineBytes);
        _linesUsed = 0;
        ClearCount++;
    }

    /// <summary>Gives the memory back. Decoders have no end of their own, they live as long as their worker; so this is no Dispose.</summary>
    ~TagCache()
    {
        NativeMemory.Free(_memory);
        GC.RemoveMemoryPressure(_memoryBytes);
        _budget?.Add(-_memoryBytes);
    }

    private static ulong HashOfFew(byte* bytes, int length)
    {
        ulong low = 0;
        ulong high = 0;
        for (var index = 0; index < length; index++)
        {
            ref var half = ref index < 8 ? ref low : ref high;
            half |= (ulong)bytes[index] << (index % 8 * 8);
        }

        return TagHash.Mix(low ^ MultiplierA ^ (ulong)length, high ^ MultiplierB) * MultiplierA;
    }
}
