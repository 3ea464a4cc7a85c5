using System.Numerics;
using System.Text;
using Weir.Core.Hashing;
using Xunit;

namespace Weir.Tests.Core;

public class TagHashTests
{
    [Theory]
    [InlineData(0, 0x93e260453f358765UL)]
    [InlineData(1, 0x521c53c78f041ee2UL)]
    [InlineData(2, 0x5d732ed2e4888e57UL)]
    [InlineData(5, 0xbb11671cb7cb3106UL)]
    [InlineData(6, 0x8b225e89d7ae7c60UL)]
    [InlineData(16, 0x830e6d2ffcdea53fUL)]
    public void Words_have_the_hash_of_the_first_release(int wordCount, ulong expected)
    {
        Assert.Equal(expected, OfWords([.. Enumerable.Range(1, wordCount).Select(number => 0x0102030405060708UL * (ulong)number)]));
    }

    [Theory]
    [InlineData("", 0x93e260453f358765UL)]
    [InlineData("a", 0x89e389e3c2766bb8UL)]
    [InlineData("10.0.0.1", 0x93148ce68b0a0230UL)]
    [InlineData("edge-router-07.example", 0x8f338d890eea31b2UL)]
    [InlineData("\u00fcber", 0xaa0d46a90e6c2161UL)]
    public void Texts_have_the_hash_of_the_first_release(string text, ulong expected)
    {
        Assert.Equal(expected, TagHash.OfText(Encoding.UTF8.GetBytes(text)));
    }

    [Fact]
    public void Combining_has_the_value_of_the_first_release() =>
        Assert.Equal(0x03b5760051864717UL, TagHash.Combine(0x0123456789abcdef, 1_760_000_000));

    [Fact]
    public void Each_bit_of_the_input_changes_about_half_of_the_hash()
    {
        var random = new Random(7);
        var changedBits = 0L;
        const int Rounds = 200;
        for (var round = 0; round < Rounds; round++)
        {
            ulong[] words = [(ulong)random.NextInt64(), (ulong)random.NextInt64(), (ulong)random.NextInt64()];
            var hash = OfWords(words);
            for (var bit = 0; bit < 192; bit++)
            {
                words[bit / 64] ^= 1UL << (bit % 64);
                changedBits += BitOperations.PopCount(hash ^ OfWords(words));
                words[bit / 64] ^= 1UL << (bit % 64);
            }
        }

        Assert.InRange((double)changedBits / (Rounds * 192), 31.5, 32.5);
    }

    [Theory]
    [InlineData(56)] // The top bits choose the shard and the slot.
    [InlineData(0)]
    public void Small_numbers_spread_evenly_over_each_byte_of_the_hash(int shift)
    {
        var counts = new int[256];
        for (var number = 0UL; number < 256 * 400; number++)
        {
            counts[(OfWords([number, 0]) >> shift) & 255]++;
        }

        // 400 each with a deviation of 20: six of them.
        Assert.InRange(counts.Min(), 280, 520);
        Assert.InRange(counts.Max(), 280, 520);
    }

    [Fact]
    public void A_time_spreads_one_tag_set()
    {
        var hashes = Enumerable.Range(0, 100_000).Select(second => TagHash.Combine(42, (ulong)second) >> 32).ToHashSet();

        Assert.True(hashes.Count > 99_990); // 2^32 values: about one pair of 100,000 meets.
    }

    private static unsafe ulong OfWords(ulong[] words)
    {
        fixed (ulong* first = words)
        {
            return TagHash.OfWords(first, words.Length);
        }
    }
}
