using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

public sealed unsafe class KeySortTests
{
    [Fact]
    public void Keys_of_any_shape_come_out_in_order()
    {
        for (var seed = 1; seed <= 300; seed++)
        {
            var random = new Random(seed);
            var words = random.Next(1, 7);
            var count = random.Next(0, seed % 10 == 0 ? 20_000 : 400);
            var masks = Enumerable.Range(0, words).Select(_ => Mask(random)).ToArray();
            var keys = new ulong[Math.Max(count, 1) * (words + 1)];
            for (var index = 0; index < count * (words + 1); index++)
            {
                var word = index % (words + 1);
                var noise = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
                keys[index] = word == words ? noise : noise & masks[word]; // The last one is no part of the key.
            }

            var order = Sort(keys, words, count);

            Assert.Equal(Enumerable.Range(0, count), order.Order());
            for (var place = 1; place < count; place++)
            {
                var left = keys.AsSpan(order[place - 1] * (words + 1), words);
                var right = keys.AsSpan(order[place] * (words + 1), words);
                Assert.True(left.SequenceCompareTo(right) <= 0, $"seed {seed}, place {place}");
            }
        }
    }

    [Fact]
    public void Ties_deeper_than_several_prefixes_are_sorted_and_equal_keys_end()
    {
        // All 64 bits of the first words differ somewhere, but in one key only: each prefix leaves one long run.
        const int Words = 40;
        const int Count = 3_000;
        var keys = new ulong[Count * (Words + 1)];
        for (var word = 0; word < Words - 1; word++)
        {
            keys[(word * (Words + 1)) + word] = ulong.MaxValue;
        }

        for (var index = 0; index < Count; index++)
        {
            keys[(index * (Words + 1)) + Words - 1] = (ulong)(index % 1_000) << 50;
        }

        var order = Sort(keys, Words, Count);
        for (var place = 1; place < Count; place++)
        {
            var left = keys.AsSpan(order[place - 1] * (Words + 1), Words);
            var right = keys.AsSpan(order[place] * (Words + 1), Words);
            Assert.True(left.SequenceCompareTo(right) <= 0, $"place {place}");
        }
    }

    [Fact]
    public void Bits_are_taken_out_one_by_one_as_the_mask_says()
    {
        var random = new Random(3);
        for (var round = 0; round < 2_000; round++)
        {
            var (value, mask) = ((ulong)random.NextInt64(long.MinValue, long.MaxValue), Mask(random));
            var expected = 0UL;
            for (var bit = 63; bit >= 0; bit--)
            {
                expected = ((mask >> bit) & 1) == 0 ? expected : (expected << 1) | ((value >> bit) & 1);
            }

            Assert.Equal(expected, BitExtract.Of(value, mask));
            Assert.Equal(expected, BitExtract.OfRuns(value, mask));
        }
    }

    [Theory]
    [InlineData(1_000, 64)]
    [InlineData(50_000, 64)]
    [InlineData(50_000, 13)]
    [InlineData(50_000, 1)]
    [InlineData(9_000, 8)]
    public void Prefixes_of_any_spread_come_out_in_order(int count, int bits)
    {
        var random = new Random(count + bits);
        var highest = ulong.MaxValue >> (64 - bits);
        Func<ulong>[] draws =
        [
            () => (ulong)random.NextInt64(long.MinValue, long.MaxValue) & highest,
            () => (ulong)random.Next(3) & highest, // Long runs of equal ones.
            () => random.Next(100) == 0 ? highest - (ulong)random.Next(2) : (ulong)random.NextInt64() & (highest >> 20), // One bucket has most.
            () => highest,
        ];
        foreach (var draw in draws)
        {
            var entries = new SortEntry[2 * count];
            for (var index = 0; index < count; index++)
            {
                entries[index] = new SortEntry(draw(), (uint)index);
            }

            var expected = entries.Take(count).OrderBy(entry => entry.Prefix).ToList(); // Stable, as the radix sort is.
            fixed (SortEntry* first = entries)
            {
                new PrefixSort().Sort(first, first + count, count, bits);
            }

            Assert.Equal(expected, entries.Take(count));
        }
    }

    private static ulong Mask(Random random) => random.Next(6) switch
    {
        0 => 0,
        1 => ulong.MaxValue,
        2 => 0x8000_0FFF_0000_0001,
        3 => 1UL << random.Next(64),
        4 => 0xFFFF_FFFF,
        _ => (ulong)random.NextInt64(long.MinValue, long.MaxValue) & (ulong)random.NextInt64(long.MinValue, long.MaxValue),
    };

    private static List<int> Sort(ulong[] keys, int words, int count)
    {
        var entries = new SortEntry[Math.Max(2 * count, 1)];
        for (var index = 0; index < count; index++)
        {
            entries[index] = new SortEntry(0, (uint)index);
        }

        fixed (ulong* firstKey = keys)
        fixed (SortEntry* firstEntry = entries)
        {
            new KeySort().Sort(firstKey, words, words + 1, firstEntry, firstEntry + count, count);
        }

        return [.. entries.Take(count).Select(entry => (int)entry.Index)];
    }
}
