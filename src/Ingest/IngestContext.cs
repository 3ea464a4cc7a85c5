using Microsoft.Extensions.Logging;
using Weir.Codecs.Flow;
using Weir.Core.Buffers;
using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>What the ingest workers share. Immutable; each member is safe for any thread.</summary>
/// <param name="Options">Options of the stage.</param>
/// <param name="Schema">Layout of the records.</param>
/// <param name="ShardsOf">The aggregation workers that an ingest worker sends to, by its number.</param>
/// <param name="ChunkPool">Where the chunks come from.</param>
/// <param name="Budget">When it is used up, reading pauses.</param>
/// <param name="DecoderOf">Makes a decoder for a format; called once for each worker and topic.</param>
/// <param name="TimeProvider">The process's clock.</param>
/// <param name="Logger">Where state changes are logged.</param>
/// <param name="Strings">Dictionaries for open cuts.</param>
/// <param name="Rejects">Gets the rejected records.</param>
/// <param name="Closed">Called when a worker has closed a cut that needs a plan, before its marker is sent.</param>
/// <param name="Released">Called when a worker has released a partition.</param>
/// <param name="HardStop">Cancelled when the process no longer waits for what is inside.</param>
internal sealed record IngestContext(
    IngestOptions Options,
    StreamSchema Schema,
    Func<int, IReadOnlyList<IShard>> ShardsOf,
    ChunkPool ChunkPool,
    MemoryBudget Budget,
    Func<string, FlowDecoder> DecoderOf,
    TimeProvider TimeProvider,
    ILogger Logger,
    StringDictionaryPool Strings,
    RejectRing Rejects,
    Action<PartitionState, Cut> Closed,
    Action Released,
    CancellationToken HardStop)
{
    /// <summary>Gets who sent what is rejected or late.</summary>
    public LossRing Losses { get; } = new();

    /// <summary>Gets the rejected and late records; null when they go nowhere.</summary>
    public DeadLetterQueue? DeadLetters { get; init; }
}
