using Weir.Aggregator;
using Xunit;

namespace Weir.Tests.Aggregator;

/// <summary>Rows of each length, against plain loops; the words around a row are not the row's.</summary>
public unsafe class RowVectorsTests
{
    private const int WordsMax = 40;

    public static TheoryData<int> WordCounts => [.. Enumerable.Range(0, WordsMax + 1)];

    [Theory]
    [MemberData(nameof(WordCounts))]
    public void Sums_are_added_once_each_and_nothing_else_is_touched(int wordCount)
    {
        var into = Words(1);
        var from = Words(2);
        var expected = (ulong[])into.Clone();
        for (var index = 1; index <= wordCount; index++)
        {
            expected[index] = unchecked(into[index] + from[index]);
        }

        fixed (ulong* intoWords = into, fromWords = from)
        {
            RowVectors.Add(intoWords + 1, fromWords + 1, wordCount);
        }

        Assert.Equal(expected, into);
    }

    [Theory]
    [MemberData(nameof(WordCounts))]
    public void Words_are_copied_and_nothing_else_is_touched(int wordCount)
    {
        var to = Words(3);
        var from = Words(4);
        var expected = (ulong[])to.Clone();
        Array.Copy(from, 1, expected, 1, wordCount);
        fixed (ulong* toWords = to, fromWords = from)
        {
            RowVectors.Copy(fromWords + 1, toWords + 1, wordCount);
        }

        Assert.Equal(expected, to);
    }

    [Theory]
    [MemberData(nameof(WordCounts))]
    public void Rows_differ_by_any_bit_of_theirs_and_by_no_other(int wordCount)
    {
        var left = Words(5);
        var right = (ulong[])left.Clone();
        right[0]++;
        right[wordCount + 1]++;
        Assert.True(AreEqual(left, right, wordCount));
        for (var index = 1; index <= wordCount; index++)
        {
            right[index] ^= 1UL << (index * 7 % 64);
            Assert.False(AreEqual(left, right, wordCount), $"Word {index} differs.");
            right[index] = left[index];
        }
    }

    private static bool AreEqual(ulong[] left, ulong[] right, int wordCount)
    {
        fixed (ulong* leftWords = left, rightWords = right)
        {
            return RowVectors.AreEqual(leftWords + 1, rightWords + 1, wordCount);
        }
    }

    /// <summary>A row of any of the lengths, with a word before and one behind it.</summary>
    private static ulong[] Words(int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, WordsMax + 2).Select(_ => (ulong)random.NextInt64(long.MinValue, long.MaxValue))];
    }
}
