namespace Weir.Ingest;

/// <summary>What the source tells an ingest worker.</summary>
internal enum WorkerCommandKind
{
    /// <summary>Read the partition from now on.</summary>
    Assign,

    /// <summary>Read no more of it, cut what was read, and release it when that is stored. An unfinished replay is given up.</summary>
    Revoke,

    /// <summary>Read no more of it and give up what is not stored.</summary>
    Abandon,

    /// <summary>The cut in flight is stored; the next one may be closed.</summary>
    Stored,

    /// <summary>End.</summary>
    Exit,
}

/// <summary>A command for an ingest worker.</summary>
/// <param name="Kind">What to do.</param>
/// <param name="State">The partition; null for <see cref="WorkerCommandKind.Exit"/>.</param>
internal readonly record struct WorkerCommand(WorkerCommandKind Kind, PartitionState? State);
