using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>A record that was rejected, for whoever looks for the agent that sent it.</summary>
/// <param name="Topic">Topic of its message.</param>
/// <param name="Partition">Partition of its message.</param>
/// <param name="Offset">Offset of its message.</param>
/// <param name="Status">Why.</param>
/// <param name="EvidenceBytes">Length of the record, or of its message.</param>
/// <param name="Evidence">Its first bytes, at most <see cref="EvidenceBytesMax"/>.</param>
public sealed record RejectSample(
    string Topic, int Partition, long Offset, DecodeStatus Status, int EvidenceBytes, ReadOnlyMemory<byte> Evidence)
{
    /// <summary>Most bytes that are kept of a rejected record.</summary>
    public const int EvidenceBytesMax = 256;

    /// <summary>Its place among all that were rejected, from 0.</summary>
    public long Number { get; init; }
}

/// <summary>The last few rejected records of all workers.</summary>
/// <remarks>Any thread. Nothing is allocated for a reject, so a flood of them costs little.</remarks>
internal sealed class RejectRing
{
    /// <summary>Rejected records that are kept.</summary>
    public const int SampleCount = 16;

    private readonly Lock _lock = new();
    private readonly Slot[] _slots = new Slot[SampleCount];
    private long _addedCount;

    /// <summary>Takes a copy of a rejected record's first bytes.</summary>
    public void Add(PartitionKey partition, long offset, DecodeStatus status, ReadOnlySpan<byte> evidence)
    {
        lock (_lock)
        {
            ref var slot = ref _slots[_addedCount++ % SampleCount];
            slot.Bytes ??= new byte[RejectSample.EvidenceBytesMax];
            slot.Partition = partition;
            slot.Offset = offset;
            slot.Status = status;
            slot.EvidenceBytes = evidence.Length;
            evidence[..Math.Min(evidence.Length, RejectSample.EvidenceBytesMax)].CopyTo(slot.Bytes);
        }
    }

    /// <summary>The records that are kept, newest first.</summary>
    public IReadOnlyList<RejectSample> Snapshot()
    {
        lock (_lock)
        {
            var samples = new List<RejectSample>(SampleCount);
            for (var number = _addedCount - 1; number >= 0 && number >= _addedCount - SampleCount; number--)
            {
                ref var slot = ref _slots[number % SampleCount];
                var kept = slot.Bytes.AsSpan(0, Math.Min(slot.EvidenceBytes, RejectSample.EvidenceBytesMax)).ToArray();
                samples.Add(new RejectSample(
                    slot.Partition.Topic, slot.Partition.Partition, slot.Offset, slot.Status, slot.EvidenceBytes, kept)
                {
                    Number = number,
                });
            }

            return samples;
        }
    }

    private struct Slot
    {
        public PartitionKey Partition;
        public long Offset;
        public DecodeStatus Status;
        public int EvidenceBytes;
        public byte[]? Bytes;
    }
}
