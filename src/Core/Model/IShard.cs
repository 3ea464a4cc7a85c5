namespace Weir.Core.Model;

/// <summary>One aggregation worker as the ingest workers see it: behind a queue, or called in their own thread.</summary>
public interface IShard
{
    /// <summary>True when nothing waits in front of the worker, so that a part-filled chunk is better sent than kept.</summary>
    bool IsIdle { get; }

    /// <summary>True when chunks go to another thread, and so, as a rule, to another core's cache.</summary>
    bool IsInOtherThread { get; }

    /// <summary>Hands over a chunk, or a cut's marker. What a full queue loses is counted there, in the chunk's cut.</summary>
    /// <returns>True when the chunk is no longer the caller's; false when the process stops and the caller keeps it.</returns>
    bool Offer(RecordChunk chunk, CancellationToken cancel);
}
