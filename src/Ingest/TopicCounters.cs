using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>What one ingest worker has counted for one topic.</summary>
/// <remarks>The worker's thread writes, without interlocking; others read through <see cref="AddTo"/>.</remarks>
internal sealed class TopicCounters
{
    /// <summary>Rejected records by <see cref="DecodeStatus"/>.</summary>
    public readonly long[] RejectedCounts = new long[DecodeStatuses.Count];

    /// <summary>Messages read.</summary>
    public long MessageCount;

    /// <summary>Bytes of their values.</summary>
    public long MessageBytes;

    /// <summary>Records read: accepted, rejected and late ones.</summary>
    public long ReadCount;

    /// <summary>Late records.</summary>
    public long LateCount;

    /// <summary>The agents' markers, which are no records.</summary>
    public long MarkerCount;

    /// <summary>Records whose sampling rate is unknown.</summary>
    public long SamplingUnknownCount;

    /// <summary>Offsets that the broker did not deliver.</summary>
    public long GapOffsetCount;

    /// <summary>Messages that had been read before.</summary>
    public long RepeatedMessageCount;

    /// <summary>Messages of partitions that are leaving; their next owner reads them.</summary>
    public long LeavingMessageCount;

    /// <summary>Adds one reading, each number as it is at its own instant.</summary>
    public void AddTo(ref TopicSnapshot sum)
    {
        for (var status = 0; status < RejectedCounts.Length; status++)
        {
            sum.RejectedCounts[status] += Volatile.Read(ref RejectedCounts[status]);
        }

        sum = sum with
        {
            MessageCount = sum.MessageCount + Volatile.Read(ref MessageCount),
            MessageBytes = sum.MessageBytes + Volatile.Read(ref MessageBytes),
            ReadCount = sum.ReadCount + Volatile.Read(ref ReadCount),
            LateCount = sum.LateCount + Volatile.Read(ref LateCount),
            MarkerCount = sum.MarkerCount + Volatile.Read(ref MarkerCount),
            SamplingUnknownCount = sum.SamplingUnknownCount + Volatile.Read(ref SamplingUnknownCount),
            GapOffsetCount = sum.GapOffsetCount + Volatile.Read(ref GapOffsetCount),
            RepeatedMessageCount = sum.RepeatedMessageCount + Volatile.Read(ref RepeatedMessageCount),
            LeavingMessageCount = sum.LeavingMessageCount + Volatile.Read(ref LeavingMessageCount),
        };
    }
}
