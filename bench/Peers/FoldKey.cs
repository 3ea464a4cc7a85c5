using System.Runtime.CompilerServices;
using Weir.Aggregator;
using Weir.Core.Hashing;

namespace Weir.Bench.Peers;

/// <summary>The key of the dictionary that the fold table is measured beside: time and 40 bytes of tags, hashed and compared as the table does it.</summary>
internal readonly unsafe struct FoldKey : IEquatable<FoldKey>
{
    /// <summary>Length in words of 8 bytes.</summary>
    internal const int WordCount = 6;

    private readonly Words _words;

    internal FoldKey(ulong* words) => _words = *(Words*)words;

    public bool Equals(FoldKey other) => RowVectors.AreEqual(
        (ulong*)Unsafe.AsPointer(ref Unsafe.AsRef(in _words)), (ulong*)Unsafe.AsPointer(ref other), WordCount);

    public override bool Equals(object? obj) => obj is FoldKey other && Equals(other);

    // Safe without a pin: keys lie on the stack, or in the dictionary's array on the large object heap.
    public override int GetHashCode() => (int)TagHash.OfWords((ulong*)Unsafe.AsPointer(ref Unsafe.AsRef(in _words)), WordCount);

    [InlineArray(WordCount)]
    private struct Words
    {
        private ulong _first;
    }
}

/// <summary>The sums that go with a <see cref="FoldKey"/>.</summary>
[InlineArray(Count)]
internal struct FoldSums
{
    internal const int Count = 11;
    private ulong _first;
}
