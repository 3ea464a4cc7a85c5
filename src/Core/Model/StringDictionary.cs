using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weir.Core.Hashing;

namespace Weir.Core.Model;

/// <summary>The string tags of one cut, as small integers in the order of their first sight.</summary>
/// <remarks>
/// <para>
/// One for each open cut, so it is bounded by the cut, is thrown away with it, needs no eviction, and gives the same ids
/// to the same range of a partition's log on every machine.
/// </para>
/// <para>
/// Written by the ingest worker that owns the partition. Others read it after the cut has reached them through a queue.
/// </para>
/// </remarks>
public sealed class StringDictionary
{
    /// <summary>Longest text of a tag, in bytes of UTF-8. Longer ones are rejected by the decoders.</summary>
    public const int TextBytesMax = 1024;

    /// <summary>Id of the empty text.</summary>
    public const uint EmptyId = 0;

    /// <summary>Id of <see cref="OverflowText"/>, which stands for all texts above the limit.</summary>
    public const uint OverflowId = 1;

    /// <summary>The value of a tag that has exploded.</summary>
    public const string OverflowText = "__overflow__";

    private const int SlotsInitial = 64;
    private const int AddressTextBytesMax = 64;
    private const int AddressSlotBits = 6;

    private readonly int _countMax;
    private int[] _slots = new int[SlotsInitial]; // Id + 1; 0 is free. Open addressing, at most half full.
    private Entry[] _entries = new Entry[SlotsInitial];
    private byte[] _bytes = new byte[1024];
    private int _bytesUsed;
    private int _count;

    // The agents of a partition are few: their addresses are seldom written out as texts again.
    private readonly (UInt128 Address, uint Id)[] _addresses = new (UInt128, uint)[1 << AddressSlotBits];

    // Ids of another dictionary, and what they are here + 1; 0 is not known yet.
    private StringDictionary? _source;
    private int _sourceGeneration;
    private uint[] _translated = [];
    private int _generation;

    /// <summary>Makes a dictionary that holds the empty and the overflow text.</summary>
    /// <param name="countMax">Texts above which new ones become <see cref="OverflowId"/>.</param>
    public StringDictionary(int countMax)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(countMax, 2);
        _countMax = countMax;
        Clear();
    }

    /// <summary>Texts held, the two reserved ones among them.</summary>
    public int Count => _count;

    /// <summary>Bytes of all texts.</summary>
    public int TextBytes => _bytesUsed;

    /// <summary>Look-ups since the last <see cref="Clear"/> that met the limit.</summary>
    public long OverflowCount { get; private set; }

    /// <summary>The id of <paramref name="utf8"/>, which must be valid UTF-8 of at most <see cref="TextBytesMax"/> bytes.</summary>
    /// <returns>The id, or <see cref="OverflowId"/> when the limit is reached.</returns>
    public uint Intern(ReadOnlySpan<byte> utf8)
    {
        Debug.Assert(utf8.Length <= TextBytesMax, "The decoder checks the length.");
        if (utf8.IsEmpty)
        {
            return EmptyId;
        }

        var hash = TagHash.OfText(utf8);
        var mask = _slots.Length - 1;
        var slot = (int)hash & mask;
        while (true)
        {
            var id = _slots[slot] - 1;
            if (id < 0)
            {
                return Add(utf8, hash, slot);
            }

            if (_entries[id].Hash == hash && Utf8(id).SequenceEqual(utf8))
            {
                return (uint)id;
            }

            slot = (slot + 1) & mask;
        }
    }

    /// <summary>The id of an address as text: <c>10.0.0.1</c> for an IPv4 one in either form, else as RFC 5952 writes it.</summary>
    /// <param name="address">16 bytes in network order.</param>
    public uint InternAddress(ReadOnlySpan<byte> address) => InternAddress(MemoryMarshal.Read<UInt128>(address));

    /// <inheritdoc cref="InternAddress(ReadOnlySpan{byte})"/>
    /// <param name="address">16 bytes that lie in memory in network order.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint InternAddress(UInt128 address)
    {
        ref readonly var known = ref _addresses[AddressSlotOf(address)];
        return known.Address == address && known.Id != EmptyId ? known.Id : InternNewAddress(address);
    }

    /// <summary>The id of a text that another dictionary holds; each text is looked up once.</summary>
    /// <param name="source">A dictionary that lives longer, such as a decoder's; another one than in the call before costs a look-up of each text again.</param>
    /// <param name="sourceId">An id that it gave since its last <see cref="Clear"/>.</param>
    /// <returns>The id, or <see cref="OverflowId"/> when the limit is reached.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Translate(StringDictionary source, uint sourceId)
    {
        var translated = _translated;
        return sourceId < (uint)translated.Length && translated[sourceId] is > 0 and var known
            && ReferenceEquals(source, _source) && source._generation == _sourceGeneration
                ? known - 1
                : TranslateNew(source, sourceId);
    }

    /// <summary>The text of an id that this dictionary gave.</summary>
    public ReadOnlySpan<byte> Utf8(int id) => _bytes.AsSpan(_entries[id].Start, _entries[id].Length);

    /// <summary>The 64-bit hash of the text of an id: it, not the id, goes into the hash of a tag set.</summary>
    public ulong HashOf(uint id) => _entries[id].Hash;

    /// <summary>Forgets all texts but the reserved ones and keeps the memory.</summary>
    public void Clear()
    {
        Array.Clear(_slots);
        _bytesUsed = 0;
        _count = 0;
        Array.Clear(_addresses);
        _source = null;
        _generation++;
        OverflowCount = 0;
        _entries[_count++] = new Entry(TagHash.OfText([]), 0, 0);
        _ = Intern("__overflow__"u8);
    }

    // IPAddress is an object, and agents that take turns would make one for each record.
    private static int FormatAddress(ReadOnlySpan<byte> address, Span<byte> text)
    {
        var length = 0;
        if (BinaryPrimitives.ReadUInt64BigEndian(address) == 0 && BinaryPrimitives.ReadUInt32BigEndian(address[8..]) == 0xffff)
        {
            for (var index = 12; index < address.Length; index++)
            {
                length += Format(address[index], "", text[length..]);
                text[length++] = (byte)'.';
            }

            return length - 1;
        }

        var (gapAt, gapEnd) = FindLongestGap(address);
        for (var group = 0; group < 8; group++)
        {
            if (group == gapAt)
            {
                text[length++] = (byte)':';
                group = gapEnd - 1;
                if (gapEnd == 8)
                {
                    text[length++] = (byte)':';
                }

                continue;
            }

            if (group > 0)
            {
                text[length++] = (byte)':';
            }

            length += Format(BinaryPrimitives.ReadUInt16BigEndian(address[(group * 2)..]), "x", text[length..]);
        }

        return length;
    }

    private static int Format(int value, string format, Span<byte> text)
    {
        var isFormatted = value.TryFormat(text, out var length, format, CultureInfo.InvariantCulture);
        Debug.Assert(isFormatted, "The longest address fits.");
        return length;
    }

    /// <summary>The first of the longest runs of two or more groups of zeros, which RFC 5952 shortens.</summary>
    private static (int Start, int End) FindLongestGap(ReadOnlySpan<byte> address)
    {
        var longest = (Start: -1, End: 0);
        for (var start = 0; start < 8; start++)
        {
            var end = start;
            while (end < 8 && BinaryPrimitives.ReadUInt16BigEndian(address[(end * 2)..]) == 0)
            {
                end++;
            }

            if (end - start >= 2 && end - start > longest.End - Math.Max(longest.Start, 0))
            {
                longest = (start, end);
            }

            start = Math.Max(start, end);
        }

        return longest;
    }

    private static int AddressSlotOf(UInt128 address) =>
        (int)((((ulong)address ^ (ulong)(address >> 64)) * 0x9e3779b97f4a7c15) >> (64 - AddressSlotBits));

    private uint InternNewAddress(UInt128 address)
    {
        Span<byte> text = stackalloc byte[AddressTextBytesMax];
        var length = FormatAddress(MemoryMarshal.AsBytes(new ReadOnlySpan<UInt128>(in address)), text);
        var id = Intern(text[..length]);

        // An address above the limit is not remembered: each look-up that meets the limit is counted.
        _addresses[AddressSlotOf(address)] = (address, id == OverflowId ? EmptyId : id);
        return id;
    }

    private uint TranslateNew(StringDictionary source, uint sourceId)
    {
        if (!ReferenceEquals(source, _source) || source._generation != _sourceGeneration)
        {
            Array.Clear(_translated);
            _source = source;
            _sourceGeneration = source._generation;
        }

        var id = Intern(source.Utf8((int)sourceId));
        if (id == OverflowId)
        {
            return id; // Not remembered: each look-up that meets the limit is counted.
        }

        if (sourceId >= (uint)_translated.Length)
        {
            Array.Resize(ref _translated, Math.Max(source._entries.Length, (int)sourceId + 1));
        }

        _translated[sourceId] = id + 1;
        return id;
    }

    private uint Add(ReadOnlySpan<byte> utf8, ulong hash, int slot)
    {
        if (_count >= _countMax)
        {
            OverflowCount++;
            return OverflowId;
        }

        if (_bytesUsed + utf8.Length > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _bytesUsed + utf8.Length));
        }

        if (_count == _entries.Length)
        {
            Array.Resize(ref _entries, _entries.Length * 2);
        }

        utf8.CopyTo(_bytes.AsSpan(_bytesUsed));
        _entries[_count] = new Entry(hash, _bytesUsed, utf8.Length);
        _bytesUsed += utf8.Length;
        _slots[slot] = ++_count;
        if (_count * 2 > _slots.Length)
        {
            GrowSlots();
        }

        return (uint)_count - 1;
    }

    private void GrowSlots()
    {
        _slots = new int[_slots.Length * 2];
        var mask = _slots.Length - 1;
        for (var id = 1; id < _count; id++)
        {
            var slot = (int)_entries[id].Hash & mask;
            while (_slots[slot] != 0)
            {
                slot = (slot + 1) & mask;
            }

            _slots[slot] = id + 1;
        }
    }

    private readonly record struct Entry(ulong Hash, int Start, int Length);
}
