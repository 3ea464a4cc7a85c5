using Weir.Core.Hashing;
using Xunit;

namespace Weir.Tests.Core;

public class SeriesSpreadTests
{
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void Hot_series_of_a_zipf_law_leave_no_shard_with_much_more_than_its_share(int shardCount)
    {
        var hashes = Zipf(10_000, 200_000);
        var spread = new SeriesSpread(shardCount);
        var counts = new int[shardCount];
        var byRange = new int[shardCount];
        foreach (var hash in hashes)
        {
            counts[spread.ShardOf(hash)]++;
            byRange[ByRange(hash, shardCount)]++;
        }

        var share = (double)hashes.Length / shardCount;
        Assert.All(counts, count => Assert.InRange(count / share, 0.7, 1.25));

        // The control: the hot series are in the draws.
        Assert.True(byRange.Max() > counts.Max());
        Assert.True(shardCount < 8 || byRange.Max() / share > 1.5);
    }

    [Fact]
    public void The_same_records_in_the_same_order_go_to_the_same_shards()
    {
        var hashes = Zipf(1_000, 50_000);
        var (first, second) = (new SeriesSpread(4), new SeriesSpread(4));

        Assert.Equal(hashes.Select(first.ShardOf).ToArray(), hashes.Select(second.ShardOf).ToArray());
    }

    [Fact]
    public void Series_without_weight_stay_on_the_shard_of_their_hash()
    {
        var random = new Random(5);
        var hashes = Enumerable.Range(0, 100_000).Select(_ => TagHash.Mix((ulong)random.Next(20_000) + 1, 77)).ToArray();
        var spread = new SeriesSpread(4);

        Assert.All(hashes, hash => Assert.Equal(ByRange(hash, 4), spread.ShardOf(hash)));
    }

    private static int ByRange(ulong hash, int shardCount) => (int)Math.BigMul(hash, (ulong)shardCount, out _);

    private static ulong[] Zipf(int seriesCount, int recordCount)
    {
        var random = new Random(20_260_101);
        var cumulative = new double[seriesCount];
        var sum = 0.0;
        for (var rank = 0; rank < seriesCount; rank++)
        {
            cumulative[rank] = sum += Math.Pow(rank + 1, -1.1);
        }

        var hashes = new ulong[recordCount];
        for (var index = 0; index < recordCount; index++)
        {
            var rank = Array.BinarySearch(cumulative, random.NextDouble() * sum);
            hashes[index] = TagHash.Mix((ulong)(rank < 0 ? ~rank : rank) + 1, 0x9e3779b97f4a7c15);
        }

        return hashes;
    }
}
