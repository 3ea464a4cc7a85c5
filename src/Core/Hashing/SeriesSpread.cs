using System.Runtime.CompilerServices;

namespace Weir.Core.Hashing;

/// <summary>Chooses the shards of one cut's records: by range of the hash, but in turns for series that would fill a shard alone.</summary>
/// <remarks>
/// <para>
/// With tags drawn by a zipf law of 1.1, the busiest of 8 shards gets up to 2.4 times its share by ranges, and 1.2 times with
/// the few hot series in turns (<c>bench/README.md</c>). Their rows of several shards become one again in the block builder.
/// </para>
/// <para>
/// The choice depends on the records of the cut and their order only: a range of the log that is read again goes to the same
/// shards, so a view above its limit of series overflows by the same records. One thread, the ingest worker's.
/// </para>
/// </remarks>
public sealed class SeriesSpread(int shardCount)
{
    /// <summary>Candidates. Each takes a thousandth of the other records, far below the share of a hot series.</summary>
    private const int CandidateCount = 1024;

    /// <summary>Records by which a candidate must lead, besides its share: a short cut needs no spreading.</summary>
    private const int LeadMin = 256;

    /// <summary>A series is hot when it brings more than about a 32nd of what a shard should get.</summary>
    private const int ShardParts = 32;

    private readonly Candidate[] _candidates = new Candidate[CandidateCount];
    private readonly long _partCount = (long)shardCount * ShardParts;
    private long _recordCount;

    /// <summary>The shard for the next record.</summary>
    /// <param name="hash">Hash of its tag set.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int ShardOf(ulong hash)
    {
        var number = _recordCount++;
        ref var candidate = ref _candidates[(int)hash & (CandidateCount - 1)];
        if (candidate.Hash != hash)
        {
            // A vote: who has more than half of the place's records keeps it.
            if (--candidate.Lead < 0)
            {
                candidate.Hash = hash;
                candidate.Lead = 1;
            }
        }
        else if ((++candidate.Lead - LeadMin) * _partCount > number)
        {
            return (int)(number % shardCount);
        }

        return (int)Math.BigMul(hash, (ulong)shardCount, out _);
    }

    private struct Candidate
    {
        internal ulong Hash;
        internal long Lead;
    }
}
