using System.Diagnostics;

namespace Weir.Writer;

/// <summary>A key on its way to its place.</summary>
/// <param name="Prefix">The first bits in which the keys differ.</param>
/// <param name="Index">Number of the key.</param>
internal readonly record struct SortEntry(ulong Prefix, uint Index);

/// <summary>Radix sort of entries by their prefixes: split by the highest digit until a part fits the cache, then lowest digit first.</summary>
/// <remarks>
/// A pass over a million entries moves 32 MB; over a part that stays in the second-level cache it costs less than half of that
/// (<c>bench/README.md</c>, 'The flush'). One thread; nothing is allocated.
/// </remarks>
internal sealed unsafe class PrefixSort
{
    /// <summary>Entries that stay in a second-level cache of 512 KB, with the room that they move to: 8,192 of 16 B, twice.</summary>
    private const int CacheEntries = 8_192;

    /// <summary>Entries up to this number are sorted by insertion: below it, filling the counts costs more.</summary>
    private const int InsertionMax = 24;

    private const int DigitBits = 8;
    private const int Buckets = 1 << DigitBits;
    private const int DigitsMax = 64 / DigitBits;

    private readonly int[] _counts = new int[DigitsMax * Buckets];
    private readonly int[] _splitCounts = new int[DigitsMax * Buckets]; // A level of splitting each.

    /// <summary>Sorts <paramref name="entries"/> by their prefixes.</summary>
    /// <param name="entries">The entries; sorted afterwards.</param>
    /// <param name="other">As many entries of working memory.</param>
    /// <param name="count">Number of entries.</param>
    /// <param name="bits">Bits of the prefixes; those above them are 0.</param>
    internal void Sort(SortEntry* entries, SortEntry* other, int count, int bits)
    {
        fixed (int* counts = _counts)
        fixed (int* splitCounts = _splitCounts)
        {
            Sort(entries, other, count, bits, isWantedInOther: false, counts, splitCounts);
        }
    }

    /// <summary>Sorts what lies in <paramref name="from"/>, and leaves it there or in <paramref name="to"/>.</summary>
    private static void Sort(SortEntry* from, SortEntry* to, int count, int bits, bool isWantedInOther, int* counts, int* splitCounts)
    {
        if (count > CacheEntries && bits > DigitBits)
        {
            Split(from, to, count, bits, isWantedInOther, counts, splitCounts);
            return;
        }

        var isInOther = false;
        if (count <= InsertionMax)
        {
            Insertion(from, count);
        }
        else
        {
            isInOther = LowestFirst(from, to, count, bits, counts);
        }

        if (isInOther != isWantedInOther)
        {
            var source = isInOther ? to : from;
            var target = isInOther ? from : to;
            new ReadOnlySpan<SortEntry>(source, count).CopyTo(new Span<SortEntry>(target, count));
        }
    }

    private static void Split(SortEntry* from, SortEntry* to, int count, int bits, bool isWantedInOther, int* counts, int* splitCounts)
    {
        var shift = bits - DigitBits;
        new Span<int>(splitCounts, Buckets).Clear();
        for (var index = 0; index < count; index++)
        {
            splitCounts[(byte)(from[index].Prefix >> shift)]++;
        }

        if (!ToPlaces(splitCounts, count))
        {
            Sort(from, to, count, shift, isWantedInOther, counts, splitCounts);
            return;
        }

        Move(from, to, count, shift, splitCounts);
        var begin = 0;
        for (var bucket = 0; bucket < Buckets; bucket++)
        {
            var end = splitCounts[bucket]; // A place has moved to the end of its bucket.
            if (end > begin)
            {
                Sort(to + begin, from + begin, end - begin, shift, !isWantedInOther, counts, splitCounts + Buckets);
            }

            begin = end;
        }
    }

    /// <summary>Digits that are the same in all entries cost nothing but the counting.</summary>
    /// <returns>True when the entries are in <paramref name="to"/> at the end.</returns>
    private static bool LowestFirst(SortEntry* from, SortEntry* to, int count, int bits, int* counts)
    {
        var digits = (bits + DigitBits - 1) / DigitBits;
        new Span<int>(counts, digits * Buckets).Clear();
        for (var index = 0; index < count; index++)
        {
            var prefix = from[index].Prefix;
            for (var digit = 0; digit < digits; digit++, prefix >>= DigitBits)
            {
                counts[(digit * Buckets) + (byte)prefix]++;
            }
        }

        var isInOther = false;
        for (var digit = 0; digit < digits; digit++)
        {
            var places = counts + (digit * Buckets);
            if (ToPlaces(places, count))
            {
                Move(isInOther ? to : from, isInOther ? from : to, count, digit * DigitBits, places);
                isInOther = !isInOther;
            }
        }

        return isInOther;
    }

    private static void Move(SortEntry* from, SortEntry* to, int count, int shift, int* places)
    {
        for (var index = 0; index < count; index++)
        {
            to[places[(byte)(from[index].Prefix >> shift)]++] = from[index];
        }
    }

    /// <summary>Turns counts into first places.</summary>
    /// <returns>False when one bucket has everything, so that the digit moves nothing.</returns>
    private static bool ToPlaces(int* counts, int count)
    {
        var place = 0;
        for (var bucket = 0; bucket < Buckets; bucket++)
        {
            var inBucket = counts[bucket];
            if (inBucket == count)
            {
                return false;
            }

            counts[bucket] = place;
            place += inBucket;
        }

        Debug.Assert(place == count, "Each entry was counted once.");
        return true;
    }

    private static void Insertion(SortEntry* entries, int count)
    {
        for (var index = 1; index < count; index++)
        {
            var entry = entries[index];
            var place = index;
            for (; place > 0 && entry.Prefix < entries[place - 1].Prefix; place--)
            {
                entries[place] = entries[place - 1];
            }

            entries[place] = entry;
        }
    }
}
