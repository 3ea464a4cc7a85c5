using Weir.Core.Queues;

namespace Weir.Host.Admin;

/// <summary>A queue as <c>/queues</c> shows it; names become snake_case.</summary>
internal sealed class QueueReading(QueueSnapshot queue)
{
    /// <summary>Name of the queue.</summary>
    public string Name => queue.Name;

    /// <summary>Number of the queue among those of its name.</summary>
    public int Index => queue.Index;

    /// <summary><c>block</c>, <c>overwrite</c> or <c>drop</c>.</summary>
    public string Policy => queue.Policy.ToString().ToLowerInvariant();

    /// <inheritdoc cref="QueueSnapshot.CapacityRecords"/>
    public long CapacityRecords => queue.CapacityRecords;

    /// <inheritdoc cref="QueueSnapshot.OfferedCount"/>
    public long OfferedCount => queue.OfferedCount;

    /// <inheritdoc cref="QueueSnapshot.EnqueuedCount"/>
    public long EnqueuedCount => queue.EnqueuedCount;

    /// <inheritdoc cref="QueueSnapshot.DroppedCount"/>
    public long DroppedCount => queue.DroppedCount;

    /// <inheritdoc cref="QueueSnapshot.OverwrittenCount"/>
    public long OverwrittenCount => queue.OverwrittenCount;

    /// <inheritdoc cref="QueueSnapshot.DequeuedCount"/>
    public long DequeuedCount => queue.DequeuedCount;

    /// <inheritdoc cref="QueueSnapshot.Depth"/>
    public long Depth => queue.Depth;

    /// <inheritdoc cref="QueueSnapshot.DepthMax"/>
    public long DepthMax => queue.DepthMax;

    /// <inheritdoc cref="QueueSnapshot.DepthMaxInterval"/>
    public long DepthMaxInterval => queue.DepthMaxInterval;

    /// <inheritdoc cref="QueueSnapshot.SlotsUsed"/>
    public int SlotsUsed => queue.SlotsUsed;

    /// <inheritdoc cref="QueueSnapshot.ProducerWait"/>
    public double ProducerWaitSeconds => queue.ProducerWait.TotalSeconds;

    /// <inheritdoc cref="QueueSnapshot.ConsumerWait"/>
    public double ConsumerWaitSeconds => queue.ConsumerWait.TotalSeconds;
}
