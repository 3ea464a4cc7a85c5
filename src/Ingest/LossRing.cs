using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>A record that was lost before it was folded, for whoever looks for its cause.</summary>
/// <param name="Number">Its place among all that were lost, from 0.</param>
/// <param name="Partition">Where it came from.</param>
/// <param name="Status">Why it was rejected; <see cref="DecodeStatus.Ok"/> for one that was late.</param>
/// <param name="Agent">The agent that measured it, as far as it had been decoded; empty when not known.</param>
/// <param name="AheadSeconds">For a late one: its time minus the broker's.</param>
public readonly record struct LossSample(long Number, PartitionKey Partition, DecodeStatus Status, string Agent, double AheadSeconds);

/// <summary>The last rejected and late records of all workers: not their bytes, but who sent them.</summary>
/// <remarks>Any thread. Nothing is allocated for a record, so a flood of them costs little; and nothing is done for a record that is kept.</remarks>
internal sealed class LossRing
{
    /// <summary>Records that are remembered.</summary>
    public const int SampleCount = 512;

    private const int AgentBytesMax = 64;

    private readonly Lock _lock = new();
    private readonly Slot[] _slots = new Slot[SampleCount];
    private long _addedCount;

    /// <summary>Records that came so far.</summary>
    public long AddedCount
    {
        get
        {
            lock (_lock)
            {
                return _addedCount;
            }
        }
    }

    /// <summary>Takes one record.</summary>
    public void Add(PartitionKey partition, DecodeStatus status, ReadOnlySpan<byte> agent, double aheadSeconds)
    {
        lock (_lock)
        {
            ref var slot = ref _slots[_addedCount++ % SampleCount];
            slot.Agent ??= new byte[AgentBytesMax];
            slot.Partition = partition;
            slot.Status = status;
            slot.AheadSeconds = aheadSeconds;
            slot.AgentBytes = Math.Min(agent.Length, AgentBytesMax);
            agent[..slot.AgentBytes].CopyTo(slot.Agent);
        }
    }

    /// <summary>The records that are remembered, oldest first.</summary>
    public IReadOnlyList<LossSample> Snapshot()
    {
        lock (_lock)
        {
            var samples = new List<LossSample>(SampleCount);
            for (var number = Math.Max(_addedCount - SampleCount, 0); number < _addedCount; number++)
            {
                ref var slot = ref _slots[number % SampleCount];
                samples.Add(new LossSample(
                    number, slot.Partition, slot.Status, System.Text.Encoding.UTF8.GetString(slot.Agent!, 0, slot.AgentBytes), slot.AheadSeconds));
            }

            return samples;
        }
    }

    private struct Slot
    {
        public PartitionKey Partition;
        public DecodeStatus Status;
        public double AheadSeconds;
        public byte[]? Agent;
        public int AgentBytes;
    }
}
