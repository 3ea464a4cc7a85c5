using Weir.Core.Queues;

namespace Weir.Aggregator;

/// <summary>How records are folded.</summary>
public sealed record AggregatorOptions
{
    /// <summary>Aggregation workers, one thread each; 0 folds in the ingest workers' threads, with no queue between.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>Records that the queue in front of each worker holds.</summary>
    public long QueueCapacityRecords { get; init; } = 262_144;

    /// <summary>What that queue does when it is full.</summary>
    public FullPolicy QueuePolicy { get; init; } = FullPolicy.Block;
}
