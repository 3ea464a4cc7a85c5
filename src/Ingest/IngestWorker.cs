using System.Collections.Concurrent;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Weir.Core.Telemetry;

namespace Weir.Ingest;

/// <summary>Reads the messages of its partitions, decodes them into the chunks of the shards, and cuts.</summary>
/// <remarks>
/// <para>
/// One thread runs <see cref="Step"/> again and again; it owns the state of the partitions given to it. The source speaks to it
/// through <see cref="Post"/>. A message is decoded whole into one cut: a cut ends between messages.
/// </para>
/// <para>
/// Back-pressure is that the worker does not take messages: while a shard's queue is full it waits in
/// <see cref="IShard.Offer"/>, while the memory budget is used up it waits here. librdkafka then stops fetching for it. Only
/// while a plan is replayed it reads on without memory: that range can be stored no earlier than it is complete.
/// </para>
/// </remarks>
internal sealed partial class IngestWorker : IDisposable
{
    /// <summary>Most messages of one step. At 1,000 the costs of a step vanish beside those of its messages.</summary>
    internal const int MessagesPerStepMax = 1024;

    /// <summary>Payload bytes of one step, about: memory and commands are looked at between steps.</summary>
    internal const int BytesPerStep = 4 * 1024 * 1024;

    /// <summary>How long a step waits for messages, and with it the longest time to notice a command or a cut that is due.</summary>
    internal static readonly TimeSpan PollTimeout = TimeSpan.FromMilliseconds(10);

    /// <summary>Age at which a part-filled chunk is sent to a busy shard.</summary>
    internal static readonly TimeSpan ChunkAgeMax = TimeSpan.FromMilliseconds(50);

    private const string UnpackableAdvice = "that batch is damaged, or larger than receive.message.max.bytes when decompressed, and this "
        + "partition waits at it: raise that in kafka.options, or set the group's offset behind the batch";

    private static readonly TimeSpan _logInterval = TimeSpan.FromSeconds(10);

    private readonly ConcurrentQueue<WorkerCommand> _commands = new();
    private readonly ManualResetEventSlim _commandReady = new();
    private readonly PartitionState?[][] _partitions; // [topic][partition], grown as partitions are assigned.
    private readonly List<PartitionState> _assigned = [];
    private readonly List<PartitionState> _withOpenChunks = [];
    private readonly List<PartitionState> _replaying = [];
    private readonly KafkaMessage[] _messages = new KafkaMessage[MessagesPerStepMax];
    private readonly IMessageQueue _queue;
    private readonly FlowDecoder[] _decoders;
    private readonly ShardRouter _router;
    private readonly IngestContext _context;
    private readonly LogLimiter _rejectLog = new(_logInterval);
    private readonly LogLimiter _gapLog = new(_logInterval);
    private readonly LogLimiter _errorLog = new(_logInterval);
    private readonly LogLimiter _pauseLog = new(_logInterval);
    private int _messagesPerStep = MessagesPerStepMax;
    private long _tickNumber;
    private long _rejectedSeen;
    private long _memoryPauseTicks;
    private long _consumeErrorCount;
    private TimeSpan _stepAt;
    private bool _isPaused;
    private bool _isPauseLogged;
    private bool _hasDueCuts;

    /// <summary>Makes a worker without partitions.</summary>
    /// <param name="index">Its number.</param>
    /// <param name="context">What all workers share.</param>
    /// <param name="queue">Where its messages come from.</param>
    public IngestWorker(int index, IngestContext context, IMessageQueue queue)
    {
        Index = index;
        _context = context;
        _queue = queue;
        var topics = context.Options.Topics;
        _decoders = [.. topics.Select(topic => context.DecoderOf(topic.Format))];
        Counters = [.. topics.Select(_ => new TopicCounters())];
        _partitions = [.. topics.Select(_ => Array.Empty<PartitionState?>())];
        _router = new ShardRouter(
            context.Schema, context.ShardsOf(index), context.ChunkPool, context.Options, context.Rejects, context.HardStop, context.Losses)
        {
            DeadLetters = context.DeadLetters is { } letters ? new DeadLetterTap(letters) : null,
        };
    }

    /// <summary>Its number.</summary>
    public int Index { get; }

    /// <summary>Its counters, by topic. Any thread reads.</summary>
    public TopicCounters[] Counters { get; }

    /// <summary>Time that it did not read because the memory budget was used up. Any thread.</summary>
    public TimeSpan MemoryPauseTotal => new(Volatile.Read(ref _memoryPauseTicks));

    /// <summary>Errors that librdkafka delivered in place of messages. Any thread.</summary>
    public long ConsumeErrorCount => Volatile.Read(ref _consumeErrorCount);

    /// <summary>Tells the worker something; it is done within a step. Any thread, in practice the source's.</summary>
    public void Post(WorkerCommand command)
    {
        _commands.Enqueue(command);
        _commandReady.Set();
    }

    /// <summary>Does what is due at <paramref name="now"/>, then reads one batch of messages, waiting at most <paramref name="timeout"/>.</summary>
    /// <param name="now">Time since the start, never running backwards.</param>
    /// <param name="timeout">How long to wait for messages, or for memory.</param>
    /// <returns>False when the worker was told to end.</returns>
    public bool Step(TimeSpan now, TimeSpan timeout)
    {
        if (!HandleCommands())
        {
            return false;
        }

        MarkDueCuts(now);
        CutReplaysShort(now);
        if (MustPause(now))
        {
            CloseDueCuts();
            _commandReady.Wait(timeout);
            return true;
        }

        CloseDueCuts();
        var count = _queue.Take(_messages.AsSpan(0, _messagesPerStep), timeout);

        // Once more: a partition may have been assigned, and its first messages have come, while this thread waited for messages.
        if (!HandleCommands())
        {
            _queue.Release();
            return false;
        }

        var messageBytes = 0L;
        for (var index = 0; index < count; index++)
        {
            ref readonly var message = ref _messages[index];
            messageBytes += message.LengthBytes;
            HandleMessage(message, now);
        }

        _queue.Release();
        SendPartFilledChunks(now);
        LogRejects(now);
        if (count > 0)
        {
            _messagesPerStep = (int)Math.Clamp(BytesPerStep / Math.Max(messageBytes / count, 1), 1, MessagesPerStepMax);
        }

        return true;
    }

    /// <summary>Gives unsent chunks back. The worker's thread has ended.</summary>
    public void Dispose()
    {
        foreach (var state in _assigned)
        {
            _router.ReturnChunks(state);
        }

        _router.Dispose();
        _commandReady.Dispose();
    }

    private bool HandleCommands()
    {
        _commandReady.Reset();
        while (_commands.TryDequeue(out var command))
        {
            switch (command.Kind)
            {
                case WorkerCommandKind.Assign:
                    Assign(command.State!);
                    break;
                case WorkerCommandKind.Revoke:
                    Revoke(command.State!);
                    break;
                case WorkerCommandKind.Abandon:
                    Abandon(command.State!);
                    break;
                case WorkerCommandKind.Stored:
                    command.State!.InFlightCut = null;
                    _hasDueCuts = true; // Perhaps one has waited for this.
                    ReleaseIfDone(command.State);
                    break;
                default:
                    return false;
            }
        }

        return true;
    }

    private void Assign(PartitionState state)
    {
        ref var partitions = ref _partitions[state.TopicIndex];
        if (partitions.Length <= state.Key.Partition)
        {
            Array.Resize(ref partitions, Math.Max(state.Key.Partition + 1, partitions.Length * 2));
        }

        partitions[state.Key.Partition] = state;
        _assigned.Add(state);
        if (state.IsReplaying)
        {
            _replaying.Add(state);
        }
    }

    /// <summary>Forgets a partition that this process may no longer store: its cuts go on to their end, marked as given up.</summary>
    private void Abandon(PartitionState state)
    {
        if (state.IsReleased)
        {
            return;
        }

        state.IsLeaving = true;
        state.InFlightCut?.Abandon();
        if (state.OpenCut is { } open)
        {
            open.Abandon();
            CloseCut(state, open);
        }

        EndReplay(state);
        state.InFlightCut = null;
        ReleaseIfDone(state);
    }

    private void ReleaseIfDone(PartitionState state)
    {
        if (!state.IsLeaving || state.IsReleased || state.OpenCut is not null || state.InFlightCut is not null)
        {
            return;
        }

        var partitions = _partitions[state.TopicIndex];
        if (partitions[state.Key.Partition] == state)
        {
            partitions[state.Key.Partition] = null;
        }

        _router.ReturnChunks(state);
        _assigned.Remove(state);
        EndReplay(state);
        _withOpenChunks.Remove(state);
        state.IsReleased = true;
        _context.Released();
    }

    /// <summary>Once in each flush interval, at the same tick for all partitions of the process, every open cut is due.</summary>
    private void MarkDueCuts(TimeSpan now)
    {
        var tickNumber = now.Ticks / _context.Options.FlushInterval.Ticks;
        if (tickNumber != _tickNumber)
        {
            _tickNumber = tickNumber;
            MarkAllDue();
        }
    }

    private void MarkAllDue()
    {
        foreach (var state in _assigned)
        {
            MarkDue(state);
        }
    }

    private void MarkDue(PartitionState state)
    {
        if (state.OpenCut is not null && !state.IsReplaying)
        {
            state.IsCutDue = true;
            _hasDueCuts = true;
        }
    }

    private void CloseDueCuts()
    {
        if (!_hasDueCuts)
        {
            return;
        }

        _hasDueCuts = false;
        foreach (var state in _assigned)
        {
            if (state.IsCutDue && state.InFlightCut is null && state.OpenCut is { } cut)
            {
                CloseCut(state, cut);
            }
        }
    }

    private void CloseCut(PartitionState state, Cut cut)
    {
        state.OpenCut = null;
        state.IsCutDue = false;
        (cut.ClosedAt, cut.OriginsAtEnd) = (_context.TimeProvider.GetUtcNow(), state.Origins?.ToString() ?? "");

        // Before the marker: with shards in this thread the cut may be stored before SendMarker returns.
        state.InFlightCut = cut;
        if (cut.IsReplay && cut.ToOffset == state.ReplayTo)
        {
            cut.MarkPlanned(); // By the owner before.
        }
        else if (!cut.IsAbandoned)
        {
            _context.Closed(state, cut);
        }

        _router.SendMarker(state, cut);
    }

    /// <summary>True while the memory budget is used up. What is read already is cut early, since only stored cuts give memory back.</summary>
    private bool MustPause(TimeSpan now)
    {
        if (_isPaused)
        {
            Volatile.Write(ref _memoryPauseTicks, _memoryPauseTicks + (now - _stepAt).Ticks);
        }

        _stepAt = now;
        var isExhausted = _context.Budget.IsExhausted;
        _isPaused = isExhausted && _replaying.Count == 0;
        if (isExhausted)
        {
            MarkAllDue();
        }

        if (_isPaused && !_isPauseLogged && _pauseLog.TryPass(now, out _))
        {
            _isPauseLogged = true;
            WeirLog.IngestPaused(_context.Logger, Index, _context.Budget.UsedBytes, _context.Budget.LimitBytes);
        }
        else if (!_isPaused && _isPauseLogged)
        {
            _isPauseLogged = false;
            WeirLog.IngestResumed(_context.Logger, Index, _context.Budget.UsedBytes);
        }

        return _isPaused;
    }

    private void HandleMessage(in KafkaMessage message, TimeSpan now)
    {
        if (message.ErrorCode != 0 || message.TopicIndex < 0)
        {
            HandleError(message, now);
            return;
        }

        var counters = Counters[message.TopicIndex];
        var partitions = _partitions[message.TopicIndex];
        var state = (uint)message.Partition < (uint)partitions.Length ? partitions[message.Partition] : null;
        if (state is null || state.IsLeaving)
        {
            counters.LeavingMessageCount++;
            return;
        }

        var nextOffset = state.NextOffset;
        if (message.Offset != nextOffset && nextOffset != PartitionState.UnknownOffset)
        {
            if (message.Offset < nextOffset)
            {
                counters.RepeatedMessageCount++;
                return;
            }

            HandleGap(state, counters, message.Offset, now);
        }

        // From the offset expected, not from the one that came: the ranges of a partition tile its log, gaps within them.
        OpenCutOf(state, nextOffset == PartitionState.UnknownOffset ? message.Offset : state.NextOffset);

        if (!state.HasOpenChunks)
        {
            state.HasOpenChunks = true;
            _withOpenChunks.Add(state);
        }

        if (message.OriginPartition != -1 && IsRepeated(state, message, now))
        {
            PassOver(state, counters, message.Offset);
            return;
        }

        counters.MessageCount++;
        counters.MessageBytes += message.LengthBytes;
        _router.DeadLetters?.Begin(state.Key, message);
        _router.Begin(state, counters, message.Offset, message.TimestampMs, now);
        _decoders[message.TopicIndex].Decode(message.Value, _router);
        _router.End();
        _router.DeadLetters?.End(message, _router.MessageReadCount, _router.MessageLateCount);
        state.LastTimestampMs = message.TimestampMs;
        AdvanceTo(state, message.Offset + 1);
    }

    private Cut OpenCutOf(PartitionState state, long fromOffset) => state.OpenCut ??= new Cut(
        state.Key, fromOffset, _router.ShardCount, _context.Schema.Views.Length, _context.Strings.Rent())
    {
        IsReplay = state.IsReplaying,
        OriginsAtStart = state.Origins?.ToString() ?? "",
    };

    private void AdvanceTo(PartitionState state, long nextOffset)
    {
        state.OpenCut!.ToOffset = nextOffset;
        state.NextOffset = nextOffset;
        if (state.IsReplaying)
        {
            ContinueReplay(state);
        }
    }

    /// <summary>
    /// The offsets from the one expected up to <paramref name="offset"/> did not come: they are counted, and lie in the cut that
    /// is open or in the next one, and where they pass the end of a replay, in both.
    /// </summary>
    private void HandleGap(PartitionState state, TopicCounters counters, long offset, TimeSpan now)
    {
        var missingCount = offset - state.NextOffset;
        counters.GapOffsetCount += missingCount;
        if (_gapLog.TryPass(now, out var heldBackCount))
        {
            WeirLog.OffsetGap(
                _context.Logger, state.Key.Topic, state.Key.Partition, state.NextOffset, offset, missingCount, heldBackCount);
        }

        if (state.IsReplaying && offset >= state.ReplayTo)
        {
            AddGap(state, state.ReplayTo); // Ends the replay.
        }

        if (offset > state.NextOffset)
        {
            AddGap(state, offset);
        }
    }

    private void AddGap(PartitionState state, long offset)
    {
        OpenCutOf(state, state.NextOffset).GapOffsetCount += offset - state.NextOffset;
        AdvanceTo(state, offset);
    }

    private void HandleError(in KafkaMessage message, TimeSpan now)
    {
        if (message.ErrorCode == EndOfPartition)
        {
            HandleEnd(message, now);
            return;
        }

        Volatile.Write(ref _consumeErrorCount, _consumeErrorCount + 1);
        if (_errorLog.TryPass(now, out var heldBackCount))
        {
            var text = System.Text.Encoding.UTF8.GetString(message.Value);
            var topic = message.TopicIndex >= 0 ? _context.Options.Topics[message.TopicIndex].Name : "?";
            var advice = message.ErrorCode == KafkaNative.BadCompression ? UnpackableAdvice : "it is tried again";
            WeirLog.PartitionError(_context.Logger, topic, message.Partition, message.ErrorCode, text, advice, heldBackCount);
        }
    }

    private void SendPartFilledChunks(TimeSpan now)
    {
        for (var index = _withOpenChunks.Count - 1; index >= 0; index--)
        {
            var state = _withOpenChunks[index];
            if (_router.SendPartFilled(state, now - ChunkAgeMax))
            {
                state.HasOpenChunks = false;
                _withOpenChunks[index] = _withOpenChunks[^1];
                _withOpenChunks.RemoveAt(_withOpenChunks.Count - 1);
            }
        }
    }

    private void LogRejects(TimeSpan now)
    {
        var rejected = 0L;
        foreach (var counters in Counters)
        {
            foreach (var count in counters.RejectedCounts)
            {
                rejected += count;
            }
        }

        if (rejected != _rejectedSeen && _rejectLog.TryPass(now, out _))
        {
            var last = _context.Rejects.Snapshot()[0];
            WeirLog.RecordsRejected(
                _context.Logger, rejected - _rejectedSeen, last.Status.Label(), last.Topic, last.Partition, last.Offset);
            _rejectedSeen = rejected;
        }
    }
}
