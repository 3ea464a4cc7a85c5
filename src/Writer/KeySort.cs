using System.Numerics;
using System.Runtime.CompilerServices;

namespace Weir.Writer;

/// <summary>Sorts keys of several 64-bit words: radix sort on a 64-bit prefix, then the runs of equal prefixes again.</summary>
/// <remarks>
/// <para>
/// The prefix leaves out the bits that are the same in all keys of a run: the leading bytes of IPv4 addresses, for example,
/// or the high half of ports. So it holds the bits that tell the keys apart, and a run of equal prefixes is sorted in the same
/// way by the bits that remain, until its keys are equal or it is short enough for insertion.
/// </para>
/// <para>One thread; nothing is allocated.</para>
/// </remarks>
internal sealed unsafe class KeySort
{
    /// <summary>Words of a key above which a prefix can't be planned.</summary>
    internal const int WordsMax = 256;

    /// <summary>Runs up to this length are sorted by insertion: below it, filling the radix counts costs more.</summary>
    private const int InsertionMax = 24;

    private const int WordBits = 64;

    private readonly PrefixSort _prefixes = new();
    private readonly ulong[] _differences = new ulong[2 * WordsMax]; // Two words for each of a key.
    private readonly Segment[] _segments = new Segment[WordBits]; // Each has at least one bit.
    private int _segmentCount;
    private ulong* _keys;
    private int _words;
    private int _stride;

    /// <summary>Sorts <paramref name="entries"/>, whose indexes name keys, by the keys.</summary>
    /// <param name="keys">The keys, <paramref name="stride"/> words from one to the next.</param>
    /// <param name="words">Words of a key that count.</param>
    /// <param name="stride">Words from one key to the next.</param>
    /// <param name="entries">Every index that is to be sorted; prefixes are written here.</param>
    /// <param name="other">As many entries of working memory.</param>
    /// <param name="count">Number of entries.</param>
    internal void Sort(ulong* keys, int words, int stride, SortEntry* entries, SortEntry* other, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(words, WordsMax);
        _keys = keys;
        _words = words;
        _stride = stride;
        SortRun(entries, other, count);
    }

    /// <summary>Recursion ends: each step takes away at least one bit that differs, and in practice nearly 64.</summary>
    private void SortRun(SortEntry* entries, SortEntry* other, int count)
    {
        if (count <= InsertionMax)
        {
            Insertion(entries, count);
            return;
        }

        var bits = PlanPrefix(entries, count);
        if (bits == 0)
        {
            return; // All keys of the run are equal.
        }

        WritePrefixes(entries, count);
        _prefixes.Sort(entries, other, count, bits);
        for (var from = 0; from < count;)
        {
            var prefix = entries[from].Prefix;
            var to = from + 1;
            while (to < count && entries[to].Prefix == prefix)
            {
                to++;
            }

            if (to - from > 1)
            {
                SortRun(entries + from, other + from, to - from);
            }

            from = to;
        }
    }

    /// <summary>Finds the first bits that tell the keys of a run apart.</summary>
    /// <returns>Bits of the prefix; 0 when all keys are equal.</returns>
    private int PlanPrefix(SortEntry* entries, int count)
    {
        // A bit that always equals, or never equals, its upper neighbour says nothing new: in a mix of IPv4 and IPv6 the
        // 16 ones of ::ffff:0:0/96 shrink to one bit. Such bits of a word are those whose "step" is the same in all keys.
        var differences = _differences.AsSpan(0, 2 * _words);
        differences.Clear();
        var first = _keys + ((nint)entries[0].Index * _stride);
        for (var index = 1; index < count; index++)
        {
            var key = _keys + ((nint)entries[index].Index * _stride);
            for (var word = 0; word < _words; word++)
            {
                var difference = key[word] ^ first[word];
                differences[2 * word] |= difference;
                differences[(2 * word) + 1] |= difference ^ (difference >> 1);
            }
        }

        var bits = 0;
        _segmentCount = 0;
        for (var word = 0; word < _words && bits < WordBits; word++)
        {
            var mask = differences[2 * word] & differences[(2 * word) + 1];
            if (mask == 0)
            {
                continue;
            }

            var width = BitOperations.PopCount(mask);
            for (; width > WordBits - bits; width--)
            {
                mask &= mask - 1; // The lowest bits don't fit; they wait for the next run.
            }

            _segments[_segmentCount++] = new Segment(word, mask, width);
            bits += width;
        }

        return bits;
    }

    private void WritePrefixes(SortEntry* entries, int count)
    {
        var segments = _segments.AsSpan(0, _segmentCount);
        for (var index = 0; index < count; index++)
        {
            var key = _keys + ((nint)entries[index].Index * _stride);
            var prefix = 0UL;
            foreach (ref readonly var segment in segments)
            {
                // A segment of 64 bits stands alone: the shift by 64, which C# makes one by 0, then moves a zero.
                prefix = (prefix << segment.Width) | BitExtract.Of(key[segment.Word], segment.Mask);
            }

            entries[index] = new SortEntry(prefix, entries[index].Index);
        }
    }

    private void Insertion(SortEntry* entries, int count)
    {
        for (var index = 1; index < count; index++)
        {
            var entry = entries[index];
            var place = index;
            for (; place > 0 && IsBefore(entry.Index, entries[place - 1].Index); place--)
            {
                entries[place] = entries[place - 1];
            }

            entries[place] = entry;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsBefore(uint left, uint right)
    {
        var a = _keys + ((nint)left * _stride);
        var b = _keys + ((nint)right * _stride);
        for (var word = 0; word < _words; word++)
        {
            if (a[word] != b[word])
            {
                return a[word] < b[word];
            }
        }

        return false;
    }

    /// <summary>The bits of one word that go into the prefix.</summary>
    private readonly record struct Segment(int Word, ulong Mask, int Width);
}
