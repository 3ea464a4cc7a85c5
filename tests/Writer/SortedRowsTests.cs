using Weir.Core.Hashing;
using Weir.Core.Model;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

public sealed unsafe class SortedRowsTests
{
    /// <summary>The radix sort of prefixes, whose first bits are the shard, against a plain sort by shard and by all words of the key.</summary>
    [Theory]
    [InlineData(1, 400)]
    [InlineData(2, 400)]
    [InlineData(5, 400)]
    [InlineData(64, 400)]
    [InlineData(3, 10_000)] // More than the cache has room for: the highest digit first.
    public void Rows_come_by_the_shard_of_their_series_and_then_by_the_whole_key(int serverShards, int recordsMax)
    {
        for (var seed = 1; seed <= (recordsMax > 1_000 ? 4 : 40); seed++)
        {
            var random = new Random((serverShards * 1_000) + seed);
            using var fixture = new CutFixture(seed % 2 == 0 ? TestRecords.Standard : TestRecords.AllTypes);
            using var rows = new SortedRows(fixture.Schema, blockDaysMax: 10, serverShards, fixture.Budget);
            for (var round = 0; round < 2; round++) // The second cut begins with the bits of the first.
            {
                var records = TestRecords.Random(
                    fixture.Schema, random, random.Next(1, recordsMax), spread: random.Next(2, round == 0 ? 20 : 30_000));
                var foldShards = random.Next(1, 4);
                var cut = fixture.Make(records, foldShards, _ => random.Next(foldShards));
                var texts = new TextRanks();
                texts.Load(cut.Strings);
                foreach (var view in fixture.Schema.Views)
                {
                    var plan = new SortKeyPlan(view);
                    var expected = AllRows(cut, view).Select(row => KeyOf((byte*)row, view, plan, texts, serverShards))
                        .Order(Comparer<Key>.Create(Compare)).DistinctBy(key => string.Join(' ', key.Words)).ToList();

                    rows.Load(cut, view, plan, texts);

                    var actual = Enumerable.Range(0, rows.Count)
                        .Select(place => KeyOf(rows.Rows[place], view, plan, texts, serverShards)).ToList();
                    Assert.True(expected.Count == actual.Count, $"seed {seed}: {expected.Count} keys, {actual.Count} rows");
                    Assert.All(expected.Zip(actual), pair => Assert.True(Compare(pair.First, pair.Second) == 0, $"seed {seed}"));
                    AssertGroups(rows, [.. actual.Select(key => key.Shard)]);
                    Assert.Equal(records.Count, RecordsOf(rows, view));
                }

                cut.ReleaseRows();
            }
        }
    }

    /// <summary>Each group is one shard, and none is cut in two.</summary>
    private static void AssertGroups(SortedRows rows, List<int> shards)
    {
        var ends = Enumerable.Range(1, shards.Count).Where(end => end == shards.Count || shards[end] != shards[end - 1]).ToList();
        Assert.Equal(ends, rows.GroupEnds);
        Assert.Equal(ends.Select(end => shards[end - 1]), rows.GroupShards);
    }

    private static List<nint> AllRows(Cut cut, ViewPlan view)
    {
        var found = new List<nint>();
        for (var shard = 0; shard < cut.ShardCount; shard++)
        {
            for (var index = 0; index < (cut.Rows(shard, view.Index)?.Count ?? 0); index++)
            {
                found.Add((nint)cut.Rows(shard, view.Index)![index]);
            }
        }

        return found;
    }

    private static Key KeyOf(byte* row, ViewPlan view, SortKeyPlan plan, TextRanks texts, int serverShards)
    {
        var key = new ulong[plan.Stride];
        fixed (ulong* words = key)
        {
            _ = plan.Compose(row, view.KeyBytes, 1, words, texts.RanksById);
            return new Key(JumpHash.BucketOf(plan.SeriesHash(words, texts), serverShards), key[..plan.Words]);
        }
    }

    private static long RecordsOf(SortedRows rows, ViewPlan view)
    {
        var sum = 0L;
        for (var place = 0; place < rows.Count; place++)
        {
            sum += *(long*)(rows.Rows[place] + view.KeyBytes); // Meter 0.
        }

        return sum;
    }

    private static int Compare(Key left, Key right) =>
        left.Shard != right.Shard ? left.Shard.CompareTo(right.Shard) : left.Words.AsSpan().SequenceCompareTo(right.Words);

    private sealed record Key(int Shard, ulong[] Words);
}
