using Weir.Core.Model;

namespace Weir.Core.Queues;

/// <summary>An aggregation worker behind its queue: chunks that the queue loses are counted in their cut and given back.</summary>
public sealed class QueuedShard : IShard
{
    /// <summary>Name of the queues between ingest and aggregation.</summary>
    public const string QueueName = "aggregation";

    /// <summary>
    /// 2 MB of records. A chunk that was written just now lies in the cache of the core that wrote it, and getting it from there costs
    /// both cores more than getting it from the one that they share (facts/PERFORMANCE.md; <c>path.2core</c> in bench/README.md).
    /// </summary>
    private const int GatherChunks = 16;

    private readonly ChunkPool _pool;

    /// <summary>Makes the queue of shard <paramref name="index"/>.</summary>
    /// <param name="index">Number of the shard.</param>
    /// <param name="policy">What the queue does when it is full.</param>
    /// <param name="capacityRecords">Records above which it is full.</param>
    /// <param name="pool">Where the chunks come from and go to.</param>
    public QueuedShard(int index, FullPolicy policy, long capacityRecords, ChunkPool pool)
    {
        _pool = pool;
        Queue = new StageQueue<RecordChunk>(QueueName, index, policy, capacityRecords, RecordChunk.RecordsMax, Overwritten, GatherChunks);
    }

    /// <summary>The queue; the worker takes from it.</summary>
    public StageQueue<RecordChunk> Queue { get; }

    /// <inheritdoc/>
    public bool IsIdle => Queue.IsEmpty;

    /// <inheritdoc/>
    public bool IsInOtherThread => true;

    /// <inheritdoc/>
    public bool Offer(RecordChunk chunk, CancellationToken cancel)
    {
        if (Queue.Enqueue(chunk, chunk.RecordCount, cancel))
        {
            return true;
        }

        if (cancel.IsCancellationRequested || Queue.IsCompleted)
        {
            return false;
        }

        chunk.Cut.AddDropped(chunk.RecordCount);
        _pool.Return(chunk);
        return true;
    }

    private void Overwritten(RecordChunk chunk, int recordCount)
    {
        chunk.Cut.AddOverwritten(recordCount);
        _pool.Return(chunk);
    }
}
