using Weir.Core.Model;
using Weir.Core.Telemetry;

namespace Weir.Writer;

/// <summary>The writer's counters. They move a few times for each block, so one lock makes every reading consistent.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class WriterCounters
{
    private readonly Lock _lock = new();
    private readonly ViewWriterSnapshot[] _views;
    private readonly long[] _retryCounts = new long[Enum.GetValues<ReplyCause>().Length];
    private BlockAccount _stored;
    private long _cutCount;
    private TimeSpan _insertTime;
    private long _waitingBuiltCount;
    private long _waitingBytes;
    private bool _isWriting;
    private string? _lastError;
    private uint _eventTimeMax;
    private DateTimeOffset? _storedAt;
    private SinkPromise? _promise;
    private long _knownBlockCount;
    private long _unsureBlockCount;
    private long _ledgerRowCount;
    private long _ledgerInsertCount;
    private DateTimeOffset? _attemptSince;
    private InsertReply? _lastFailure;
    private DateTimeOffset _lastFailureAt;
    private readonly LogHistogram _insertSeconds = LogHistogram.OfSeconds();
    private readonly LogHistogram _freshnessSeconds = LogHistogram.OfSeconds();
    private readonly LogHistogram _storeSeconds = LogHistogram.OfSeconds();
    private readonly LogHistogram _cutRecords = LogHistogram.OfSizes();
    private readonly LogHistogram _blockRows = LogHistogram.OfSizes();

    internal WriterCounters(StreamSchema schema)
    {
        _views = [.. schema.Views.Select(view => new ViewWriterSnapshot(view.Definition.Name, 0, 0, 0, 0, 0, 0, 0))];
    }

    /// <summary>The last errors, for people.</summary>
    internal WriterErrors Errors { get; } = new();

    /// <summary>What the tables promise; null before they were seen.</summary>
    internal SinkPromise? Promise => Volatile.Read(ref _promise);

    /// <summary>The connection and the tables are right.</summary>
    internal void Connected(SinkPromise promise)
    {
        lock (_lock)
        {
            Volatile.Write(ref _promise, promise);
            _isWriting = true;
            _lastError = null;
        }
    }

    /// <summary>An attempt begins at <paramref name="now"/>.</summary>
    internal void Attempting(DateTimeOffset now)
    {
        lock (_lock)
        {
            _attemptSince = now;
        }
    }

    /// <summary>An attempt took <paramref name="elapsed"/> and was answered by <paramref name="reply"/>.</summary>
    internal void Attempted(in InsertReply reply, TimeSpan elapsed, DateTimeOffset now)
    {
        lock (_lock)
        {
            _attemptSince = null;
        }

        if (reply.Outcome == InsertOutcome.GivenUp)
        {
            return; // Nothing was sent, so nothing is known of the server.
        }

        lock (_lock)
        {
            _insertTime += elapsed;
            if (reply.Outcome == InsertOutcome.Stored)
            {
                _insertSeconds.Add(elapsed.TotalSeconds);
            }
            else
            {
                _lastFailure = reply;
                _lastFailureAt = now;
            }

            _isWriting = reply.Outcome == InsertOutcome.Stored;
            _lastError = _isWriting ? null : reply.Message;
            if (reply.Outcome == InsertOutcome.NotNow)
            {
                _retryCounts[(int)reply.Cause]++;
            }
        }
    }

    /// <summary>A block was not sent, because the ledger has it.</summary>
    internal void BlockKnown(Block block)
    {
        lock (_lock)
        {
            _knownBlockCount++;
        }

        BlockStored(block);
    }

    /// <summary>A block is sent again although nobody knows whether it is stored.</summary>
    internal void BlockUnsure()
    {
        lock (_lock)
        {
            _unsureBlockCount++;
        }
    }

    /// <summary>Rows of the ledger are stored.</summary>
    internal void LedgerStored(int rowCount)
    {
        lock (_lock)
        {
            _ledgerRowCount += rowCount;
            _ledgerInsertCount++;
        }
    }

    /// <summary>A block was refused and is in the dead-letter directory.</summary>
    internal void BlockDeadLettered(Block block)
    {
        lock (_lock)
        {
            ref var view = ref _views[block.View.Index];
            view = view with
            {
                DeadLetterBlockCount = view.DeadLetterBlockCount + 1,
                DeadLetterRecordCount = view.DeadLetterRecordCount + (long)block.RecordsSum,
            };
            _isWriting = true; // The server answers, and the pipeline goes on.
        }
    }

    /// <summary>A block is stored.</summary>
    internal void BlockStored(Block block)
    {
        lock (_lock)
        {
            _blockRows.Add(block.RowCount);
            ref var view = ref _views[block.View.Index];
            view = view with
            {
                BlockCount = view.BlockCount + 1,
                RowCount = view.RowCount + block.RowCount,
                RawBytes = view.RawBytes + block.RawBytes,
                EncodedBytes = view.EncodedBytes + block.EncodedBytes,
            };
        }
    }

    /// <summary>A block was refused and is dropped.</summary>
    internal void BlockDropped(Block block)
    {
        lock (_lock)
        {
            ref var view = ref _views[block.View.Index];
            view = view with
            {
                DroppedBlockCount = view.DroppedBlockCount + 1,
                DroppedRowCount = view.DroppedRowCount + block.RowCount,
                DroppedRecordCount = view.DroppedRecordCount + (long)block.RecordsSum,
            };
            _isWriting = true; // The server answers, and the pipeline goes on.
        }
    }

    /// <summary>A built cut begins to wait.</summary>
    internal void CutBuilt(long bytesHeld)
    {
        lock (_lock)
        {
            _waitingBuiltCount++;
            _waitingBytes += bytesHeld;
        }
    }

    /// <summary>A built cut waits no longer, stored or not.</summary>
    internal void CutEnded(long bytesHeld)
    {
        lock (_lock)
        {
            _waitingBuiltCount--;
            _waitingBytes -= bytesHeld;
        }
    }

    /// <summary>All blocks of a cut are stored.</summary>
    internal void CutStored(Cut cut, in BlockAccount account, DateTimeOffset now)
    {
        lock (_lock)
        {
            _stored += account;
            _cutCount++;
            _cutRecords.Add(account.ReadCount);
            _storeSeconds.Add((now - cut.ClosedAt).TotalSeconds);
            if (cut.EventTimeMax != 0)
            {
                _freshnessSeconds.Add((now - DateTimeOffset.FromUnixTimeSeconds(cut.EventTimeMax)).TotalSeconds);
                _eventTimeMax = cut.EventTimeMax;
                _storedAt = now;
            }
        }
    }

    /// <summary>Reads all counters.</summary>
    /// <param name="queuedCutCount">Cuts that wait to be built.</param>
    internal WriterSnapshot Snapshot(long queuedCutCount)
    {
        lock (_lock)
        {
            return new WriterSnapshot(
                _isWriting,
                _stored,
                _cutCount,
                [.. _views],
                [.. _retryCounts],
                _insertTime,
                queuedCutCount + _waitingBuiltCount,
                _waitingBytes,
                _lastError,
                _eventTimeMax,
                _storedAt)
            {
                Promise = _promise,
                AttemptSince = _attemptSince,
                LastFailure = _lastFailure,
                LastFailureAt = _lastFailureAt,
                InsertSeconds = _insertSeconds.Snapshot(),
                FreshnessSeconds = _freshnessSeconds.Snapshot(),
                StoreSeconds = _storeSeconds.Snapshot(),
                CutRecords = _cutRecords.Snapshot(),
                BlockRows = _blockRows.Snapshot(),
                Errors = Errors.Snapshot(),
                KnownBlockCount = _knownBlockCount,
                UnsureBlockCount = _unsureBlockCount,
                LedgerRowCount = _ledgerRowCount,
                LedgerInsertCount = _ledgerInsertCount,
            };
        }
    }
}
