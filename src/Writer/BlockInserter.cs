using Microsoft.Extensions.Logging;
using Weir.Core.Faults;
using Weir.Core.Telemetry;

namespace Weir.Writer;

/// <summary>Inserts the blocks of a cut, in order, each until it is stored or refused for ever, and writes their ledger rows.</summary>
/// <remarks>
/// <para>
/// Every attempt sends the same bytes under the same name, and a block that is stored is not sent again for the sake of a
/// later one. A server remembers names for a while only: blocks that may have been sent before that, by this process or by a
/// former owner of the partition, are looked up in the ledger first.
/// </para>
/// <para>One thread.</para>
/// </remarks>
internal sealed class BlockInserter(
    IBlockSink sink,
    WriterOptions options,
    RetryLoop retries,
    LedgerStore ledger,
    LedgerRows rows,
    WriterCounters counters,
    TimeProvider time,
    ILogger logger)
{
    /// <summary>Part of the server's memory of names, as a divisor, that retries rely on: clocks and other writers have the rest.</summary>
    private const int SafeWindowShare = 2;

    /// <summary>The memory relied on where it is limited by a number of blocks only, which other processes may use up.</summary>
    private static readonly TimeSpan _windowWithoutTime = TimeSpan.FromMinutes(30);

    private readonly HashSet<(string View, int Code)> _refusalsLogged = [];
    private readonly BlockDeadLetters? _deadLetters =
        options.DeadLetterDirectory is { } directory ? new BlockDeadLetters(directory, options.DeadLetterBytesMax) : null;

    /// <summary>Makes the server that the next attempt goes to ready; its reply says why it is not. Set before the first cut.</summary>
    internal Func<CancellationToken, Task<InsertReply>> Prepare { get; set; } = _ => Task.FromResult(InsertReply.Stored);

    /// <summary>Called whenever no ledger row waits any more: their cuts may be reported.</summary>
    internal Action LedgerStored { get; set; } = () => { };

    /// <summary>For how long after the first attempt the server is relied on to know a block.</summary>
    internal TimeSpan SafeWindow => (counters.Promise?.Window ?? (_windowWithoutTime * SafeWindowShare)) / SafeWindowShare;

    /// <summary>Inserts all blocks of <paramref name="built"/>, whose plan stands, and adds their ledger rows to those that wait.</summary>
    /// <returns>False when the cut was abandoned meanwhile: what is not stored yet is left to the partition's next owner.</returns>
    /// <exception cref="BlockRefusedException">A block was refused, and the options say to stop, or there is no other way.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> came: the cut is not stored.</exception>
    internal async Task<bool> InsertAsync(BuiltCut built, CancellationToken cancel)
    {
        var attempts = new CutAttempts(time.GetTimestamp());
        if (built.Cut.IsReplay && !await LookUpAsync(built, attempts, cancel).ConfigureAwait(false))
        {
            return false;
        }

        var refusals = new List<string>(built.Blocks.Count);
        for (var index = 0; index < built.Blocks.Count; index++)
        {
            if (index > 0)
            {
                FaultPoint.Hit(FaultPoint.MidInsert);
            }

            if (await InsertAsync(built, built.Blocks[index], attempts, cancel).ConfigureAwait(false) is not { } refusal)
            {
                return false;
            }

            refusals.Add(refusal);
        }

        FaultPoint.Hit(FaultPoint.AfterInsert);
        if (!FaultPoint.LeavesNamesOut)
        {
            Account(built, attempts, refusals);
        }

        return !built.Cut.IsAbandoned;
    }

    /// <summary>Inserts the ledger rows that wait, trying until they are stored.</summary>
    /// <exception cref="ClickHouseException">The server refuses them for ever.</exception>
    internal async Task FlushLedgerAsync(CancellationToken cancel)
    {
        var reply = await retries.RunAsync(
            async token =>
            {
                var ready = await Prepare(token).ConfigureAwait(false);
                return ready.Outcome == InsertOutcome.Stored ? await SendLedgerAsync(token).ConfigureAwait(false) : ready;
            },
            cancel).ConfigureAwait(false);
        if (reply.Outcome != InsertOutcome.Stored)
        {
            throw new ClickHouseException(reply);
        }
    }

    private async Task<InsertReply> SendLedgerAsync(CancellationToken cancel)
    {
        if (rows.Count > 0)
        {
            var reply = await ledger.InsertAsync(rows, cancel).ConfigureAwait(false);
            if (reply.Outcome != InsertOutcome.Stored)
            {
                return reply;
            }

            counters.LedgerStored(rows.Count);
            rows.Clear();
            FaultPoint.Hit(FaultPoint.AfterLedger);
        }

        LedgerStored();
        return InsertReply.Stored;
    }

    /// <summary>Adds the rows of the blocks that the ledger does not have.</summary>
    private void Account(BuiltCut built, CutAttempts attempts, List<string> refusals)
    {
        var now = time.GetUtcNow();
        for (var index = 0; index < built.Blocks.Count; index++)
        {
            var block = built.Blocks[index];
            if (!attempts.Known.Contains((block.Name.View, block.Name.Part)))
            {
                rows.Add(built, block, refusals[index], now);
            }
        }

        if (built.Blocks.Count == 0 && attempts.Known.Count == 0)
        {
            rows.Add(built, null, "", now);
        }
    }

    /// <summary>Asks the ledger which blocks of the cut it has.</summary>
    /// <returns>False when the cut was abandoned.</returns>
    private async Task<bool> LookUpAsync(BuiltCut built, CutAttempts attempts, CancellationToken cancel)
    {
        var reply = await retries.RunAsync(
            async token =>
            {
                if (built.Cut.IsAbandoned)
                {
                    return InsertReply.GivenUp;
                }

                var ready = await Prepare(token).ConfigureAwait(false);
                return ready.Outcome == InsertOutcome.Stored ? await FindAsync(built, attempts, token).ConfigureAwait(false) : ready;
            },
            cancel).ConfigureAwait(false);
        return reply.Outcome switch
        {
            InsertOutcome.Stored => true,
            InsertOutcome.GivenUp => false,
            _ => throw new ClickHouseException(reply),
        };
    }

    private async Task<InsertReply> FindAsync(BuiltCut built, CutAttempts attempts, CancellationToken cancel)
    {
        var cut = built.Cut;
        try
        {
            attempts.Known.UnionWith(
                await ledger.FindAsync(cut.Partition, cut.FromOffset, cut.ToOffset, cancel).ConfigureAwait(false));
            return InsertReply.Stored;
        }
        catch (ClickHouseException error)
        {
            return error.Reply;
        }
    }

    /// <summary>Inserts one block.</summary>
    /// <returns>Empty when it is in its table; otherwise what became of it; null when the cut was abandoned.</returns>
    private async Task<string?> InsertAsync(BuiltCut built, Block block, CutAttempts attempts, CancellationToken cancel)
    {
        if (attempts.Known.Contains((block.Name.View, block.Name.Part)))
        {
            counters.BlockKnown(block);
            return "";
        }

        attempts.BeginBlock();
        var from = time.GetUtcNow();
        var reply = await retries.RunAsync(token => AttemptAsync(built, block, attempts, token), cancel).ConfigureAwait(false);
        built.Inserts.Add(new InsertTrace(
            block.Name.View, block.Name.Part, block.RowCount, attempts.TriedCount, from, time.GetUtcNow(), attempts.LastError));
        switch (reply.Outcome)
        {
            case InsertOutcome.Stored when attempts.Known.Contains((block.Name.View, block.Name.Part)):
                counters.BlockKnown(block);
                return "";
            case InsertOutcome.Stored:
                counters.BlockStored(block);
                return "";
            case InsertOutcome.GivenUp:
                return null;
            default:
                return Refuse(built, block, reply);
        }
    }

    private async Task<InsertReply> AttemptAsync(BuiltCut built, Block block, CutAttempts attempts, CancellationToken cancel)
    {
        attempts.TriedCount++;
        var reply = await TryAsync(built, block, attempts, cancel).ConfigureAwait(false);
        attempts.LastError = reply.Outcome is InsertOutcome.Stored or InsertOutcome.GivenUp ? attempts.LastError : reply.Message;
        return reply;
    }

    private async Task<InsertReply> TryAsync(BuiltCut built, Block block, CutAttempts attempts, CancellationToken cancel)
    {
        if (built.Cut.IsAbandoned)
        {
            return InsertReply.GivenUp;
        }

        var ready = await Prepare(cancel).ConfigureAwait(false);
        if (ready.Outcome != InsertOutcome.Stored)
        {
            return ready;
        }

        if (attempts.SentCount > 0)
        {
            // Cuts that are stored already do not wait for this one's outage to end. What it answers is asked again later.
            await SendLedgerAsync(cancel).ConfigureAwait(false);
            if (time.GetElapsedTime(attempts.From) > SafeWindow)
            {
                var asked = await FindAsync(built, attempts, cancel).ConfigureAwait(false);
                if (asked.Outcome != InsertOutcome.Stored || attempts.Known.Contains((block.Name.View, block.Name.Part)))
                {
                    return asked;
                }

                NoteUnsure(block, attempts);
            }
        }

        attempts.SentCount++;
        var reply = await sink.InsertAsync(block, cancel).ConfigureAwait(false);
        attempts.IsUnsure |= reply.Cause is ReplyCause.AnswerLost or ReplyCause.TimedOut;
        return reply;
    }

    /// <summary>
    /// Says, once for a block, that it is sent again although an answer was lost longer ago than the server surely remembers: the
    /// ledger cannot know of a block whose cut is not yet whole.
    /// </summary>
    private void NoteUnsure(Block block, CutAttempts attempts)
    {
        if (attempts is { IsUnsure: true, IsUnsureNoted: false })
        {
            attempts.IsUnsureNoted = true;
            counters.BlockUnsure();
            WeirLog.WriterBlockUnsure(logger, block.Name.ToString(), time.GetElapsedTime(attempts.From), SafeWindow);
        }
    }

    private string Refuse(BuiltCut built, Block block, in InsertReply reply)
    {
        if (options.OnRefused == RefusedBlock.Stop)
        {
            throw new BlockRefusedException(block, reply, "clickhouse.on_refused: dead-letter or drop would go on without such blocks.");
        }

        var isFirst = _refusalsLogged.Add((block.Name.View, reply.Code));
        if (options.OnRefused == RefusedBlock.Drop)
        {
            counters.BlockDropped(block);
            if (isFirst)
            {
                WeirLog.WriterBlockDropped(
                    logger, block.Name.ToString(), reply.Code, reply.Message, block.RowCount, block.RecordsSum, reply.Advice);
            }

            return "dropped";
        }

        WriteDeadLetter(built, block, reply);
        counters.BlockDeadLettered(block);
        if (isFirst)
        {
            WeirLog.WriterBlockDeadLettered(
                logger,
                block.Name.ToString(),
                reply.Code,
                reply.Message,
                block.RowCount,
                block.RecordsSum,
                options.DeadLetterDirectory!,
                reply.Advice);
        }

        return "dead_letter";
    }

    private void WriteDeadLetter(BuiltCut built, Block block, in InsertReply reply)
    {
        var deadLetters = _deadLetters ?? throw new BlockRefusedException(
            block, reply, "clickhouse.on_refused is dead-letter, but clickhouse.refused_directory is not set.");
        try
        {
            if (!deadLetters.TryWrite(built, block, reply, time.GetUtcNow()))
            {
                throw new BlockRefusedException(
                    block,
                    reply,
                    $"It does not go to {options.DeadLetterDirectory} either, which would hold more than clickhouse.refused_directory_max "
                    + $"({options.DeadLetterBytesMax} bytes): mend the table, insert the blocks there, and remove them.");
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new BlockRefusedException(
                block, reply, $"It could not be written to {options.DeadLetterDirectory} either: {error.Message}.");
        }
    }

    /// <summary>What was tried for one cut.</summary>
    private sealed class CutAttempts(long from)
    {
        /// <summary>When its first attempt began.</summary>
        internal long From => from;

        /// <summary>View and part of the blocks that the ledger has.</summary>
        internal HashSet<(string View, int Part)> Known { get; } = [];

        /// <summary>Attempts for the present block, those that found no server among them.</summary>
        internal int TriedCount { get; set; }

        /// <summary>What the last failed attempt for the present block was answered; null for none.</summary>
        internal string? LastError { get; set; }

        /// <summary>Times that the present block was sent.</summary>
        internal int SentCount { get; set; }

        /// <summary>True when an answer about the present block was lost.</summary>
        internal bool IsUnsure { get; set; }

        /// <summary>True when that was said.</summary>
        internal bool IsUnsureNoted { get; set; }

        internal void BeginBlock()
        {
            TriedCount = 0;
            LastError = null;
            SentCount = 0;
            IsUnsure = false;
            IsUnsureNoted = false;
        }
    }
}

/// <summary>ClickHouse will never take a block; the process stops, and the records will be read again.</summary>
public sealed class BlockRefusedException : Exception
{
    internal BlockRefusedException(Block block, in InsertReply reply, string remedy)
        : base($"ClickHouse refuses block {block.Name} ({block.RowCount} rows) for ever: {reply.Message}; {reply.Advice}. "
            + $"Nothing of its cut is committed. {remedy}")
    {
        Reply = reply;
    }

    /// <summary>The server's answer.</summary>
    public InsertReply Reply { get; }
}
