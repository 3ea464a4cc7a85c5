namespace Weir.Core.Queues;

/// <summary>One consistent reading of a queue. Counts and depths are in records, slots in chunks.</summary>
/// <remarks>
/// Holds for every reading: <c>Offered = Enqueued + Dropped</c> and <c>Enqueued = Dequeued + Overwritten + Depth</c>.
/// </remarks>
/// <param name="Name">Name of the queue.</param>
/// <param name="Index">Number of the queue among those of its name.</param>
/// <param name="Policy">What it does when it is full.</param>
/// <param name="CapacityRecords">Records above which it is full.</param>
/// <param name="OfferedCount">Records that producers brought.</param>
/// <param name="EnqueuedCount">Records taken in.</param>
/// <param name="DroppedCount">Records refused on arrival.</param>
/// <param name="OverwrittenCount">Records pushed out by newer ones.</param>
/// <param name="DequeuedCount">Records taken out by the consumer.</param>
/// <param name="Depth">Records inside.</param>
/// <param name="DepthMax">Most records inside since the start.</param>
/// <param name="DepthMaxInterval">Most records inside since the interval was last ended.</param>
/// <param name="SlotsUsed">Chunks and markers inside.</param>
/// <param name="ProducerWait">Time that producers have waited for room since the start.</param>
/// <param name="ConsumerWait">Time that the consumer has waited for records since the start.</param>
public readonly record struct QueueSnapshot(
    string Name,
    int Index,
    FullPolicy Policy,
    long CapacityRecords,
    long OfferedCount,
    long EnqueuedCount,
    long DroppedCount,
    long OverwrittenCount,
    long DequeuedCount,
    long Depth,
    long DepthMax,
    long DepthMaxInterval,
    int SlotsUsed,
    TimeSpan ProducerWait,
    TimeSpan ConsumerWait);
