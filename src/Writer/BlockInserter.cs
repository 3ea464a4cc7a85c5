using Microsoft.Extensions.Logging;
using Weir.Core.Telemetry;

namespace Weir.Writer;

/// <summary>Inserts the blocks of a cut, in order, each until it is stored or refused for ever.</summary>
/// <remarks>
/// Every attempt sends the same bytes under the same name, and a block that is stored is not sent again for the sake of a
/// later one. One thread.
/// </remarks>
internal sealed class BlockInserter(IBlockSink sink, WriterOptions options, RetryLoop retries, WriterCounters counters, ILogger logger)
{
    private readonly HashSet<(string View, int Code)> _dropsLogged = [];

    /// <summary>Inserts all blocks of <paramref name="built"/>.</summary>
    /// <returns>False when the cut was abandoned meanwhile: what is not stored yet is left to the partition's next owner.</returns>
    /// <exception cref="BlockRefusedException">A block was refused, and the options say to stop.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> came: the cut is not stored.</exception>
    internal async Task<bool> InsertAsync(BuiltCut built, CancellationToken cancel)
    {
        foreach (var block in built.Blocks)
        {
            var reply = await retries.RunAsync(token => AttemptAsync(built, block, token), cancel).ConfigureAwait(false);
            if (reply.Outcome == InsertOutcome.Stored)
            {
                counters.BlockStored(block);
                continue;
            }

            if (reply.Outcome == InsertOutcome.GivenUp)
            {
                return false;
            }

            if (options.OnRefused == RefusedBlock.Stop)
            {
                throw new BlockRefusedException(block, reply);
            }

            counters.BlockDropped(block);
            if (_dropsLogged.Add((block.Name.View, reply.Code)))
            {
                WeirLog.WriterBlockDropped(
                    logger, block.Name.ToString(), reply.Code, reply.Message, block.RowCount, block.RecordsSum, reply.Advice);
            }
        }

        return !built.Cut.IsAbandoned;
    }

    private Task<InsertReply> AttemptAsync(BuiltCut built, Block block, CancellationToken cancel) =>
        built.Cut.IsAbandoned ? Task.FromResult(InsertReply.GivenUp) : sink.InsertAsync(block, cancel);
}

/// <summary>ClickHouse will never take a block; the process stops, and the records will be read again.</summary>
public sealed class BlockRefusedException : Exception
{
    internal BlockRefusedException(Block block, in InsertReply reply)
        : base($"ClickHouse refuses block {block.Name} ({block.RowCount} rows) for ever: {reply.Message}; {reply.Advice}. "
            + "Nothing of its cut is committed. clickhouse.on_refused: drop would drop and count such blocks instead.")
    {
        Reply = reply;
    }

    /// <summary>The server's answer.</summary>
    public InsertReply Reply { get; }
}
