namespace Weir.Core.Hashing;

/// <summary>
/// Lamping and Veach's jump consistent hash: spreads hashes evenly over any number of buckets, and a new bucket takes just its share
/// of the keys, 1 in n, from all the others. The partition of a rekeyed topic is chosen by it.
/// </summary>
/// <remarks>Never changed: a topic outlives releases. <c>tests/Core/JumpHashTests.cs</c> holds the vectors.</remarks>
public static class JumpHash
{
    private const ulong Multiplier = 2862933555777941757;

    /// <summary>The bucket of a hash, 0 to <paramref name="bucketCount"/> − 1.</summary>
    public static int BucketOf(ulong hash, int bucketCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bucketCount);
        long bucket = -1;
        long next = 0;
        while (next < bucketCount)
        {
            bucket = next;
            hash = unchecked((hash * Multiplier) + 1);
            next = (long)((bucket + 1) * ((1L << 31) / (double)((hash >> 33) + 1)));
        }

        return (int)bucket;
    }
}
