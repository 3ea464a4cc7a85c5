using Weir.Core.Hashing;
using Xunit;

namespace Weir.Tests.Core;

public class JumpHashTests
{
    /// <summary>The vectors of the algorithm's paper as its implementations agree on them; a changed one would move the keys of every rekeyed topic.</summary>
    [Theory]
    [InlineData(0UL, 60, 0)]
    [InlineData(1UL, 1, 0)]
    [InlineData(1UL, 60, 55)]
    [InlineData(256UL, 1024, 520)]
    [InlineData(0xdead10ccUL, 666, 361)]
    [InlineData(ulong.MaxValue, 1, 0)]
    public void Buckets_are_those_of_the_algorithm(ulong hash, int count, int bucket) => Assert.Equal(bucket, JumpHash.BucketOf(hash, count));

    [Theory]
    [InlineData(12, 13)]
    [InlineData(12, 24)]
    [InlineData(100, 101)]
    public void More_buckets_take_their_share_of_keys_and_no_key_moves_between_old_ones(int before, int after)
    {
        const int Keys = 100_000;
        var moved = 0;
        for (var key = 0UL; key < Keys; key++)
        {
            var hash = TagHash.Combine(7, key);
            var (old, now) = (JumpHash.BucketOf(hash, before), JumpHash.BucketOf(hash, after));
            moved += old == now ? 0 : 1;
            Assert.True(old == now || now >= before);
        }

        var share = (double)(after - before) / after;
        Assert.InRange(moved / (double)Keys, share * 0.9, share * 1.1);
    }

    [Fact]
    public void Keys_are_spread_evenly()
    {
        var counts = new int[50];
        for (var key = 0UL; key < 500_000; key++)
        {
            counts[JumpHash.BucketOf(TagHash.Combine(7, key), counts.Length)]++;
        }

        Assert.All(counts, count => Assert.InRange(count, 9_500, 10_500));
    }
}
