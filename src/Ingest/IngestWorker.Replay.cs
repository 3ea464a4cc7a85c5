using Weir.Core.Telemetry;

namespace Weir.Ingest;

/// <content>
/// Replay: where an earlier owner has planned a range, the first cut is exactly that range, so that its blocks get the same
/// names and the same contents. It is closed by its end alone, never by a tick or for want of memory.
/// </content>
internal sealed partial class IngestWorker
{
    /// <summary>
    /// How long the log may seem to end before a planned range does. After a change of leaders a broker may say so for a
    /// moment; after this time it is believed.
    /// </summary>
    internal static readonly TimeSpan LogEndTrust = TimeSpan.FromSeconds(30);

    private const int EndOfPartition = -191; // RD_KAFKA_RESP_ERR__PARTITION_EOF

    private readonly Dictionary<string, LogLimiter> _originLogs = new(StringComparer.Ordinal); // One topic that is told of must not hide another.

    private long _replayCount;

    /// <summary>Planned ranges that were read again. Any thread.</summary>
    public long ReplayCount => Volatile.Read(ref _replayCount);

    /// <summary>Closes the cut when the whole planned range has been read.</summary>
    private void ContinueReplay(PartitionState state)
    {
        state.LogEnd = PartitionState.UnknownOffset;
        if (state.NextOffset == state.ReplayTo)
        {
            CloseCut(state, state.OpenCut!);
            EndReplay(state);
            Volatile.Write(ref _replayCount, _replayCount + 1);
        }
    }

    private void EndReplay(PartitionState state)
    {
        state.ReplayTo = PartitionState.UnknownOffset;
        _replaying.Remove(state);
    }

    /// <summary>Reads no more of a partition. What a replay has read so far cannot be stored: the plan stands for the next owner.</summary>
    private void Revoke(PartitionState state)
    {
        if (state.IsReplaying && state.OpenCut is not null)
        {
            state.IsGivenUp = true;
            Abandon(state);
            return;
        }

        state.IsLeaving = true;
        EndReplay(state);
        MarkDue(state);
        ReleaseIfDone(state);
    }

    /// <summary>
    /// The broker has no more messages of a partition. Where its log is longer than the range that is replayed, what did not
    /// come of the range is gone; where it is shorter, that is watched for a while.
    /// </summary>
    private void HandleEnd(in KafkaMessage message, TimeSpan now)
    {
        var partitions = message.TopicIndex < 0 ? [] : _partitions[message.TopicIndex];
        var state = (uint)message.Partition < (uint)partitions.Length ? partitions[message.Partition] : null;
        if (state is not { IsReplaying: true, IsLeaving: false })
        {
            return;
        }

        if (message.Offset >= state.ReplayTo)
        {
            HandleGap(state, Counters[message.TopicIndex], state.ReplayTo, now);
        }
        else
        {
            state.LogEnd = message.Offset;
            state.LogEndAt = now;
        }
    }

    /// <summary>
    /// Ends the replays whose range the broker no longer has to its end. The rule: what is there becomes a cut of its own, under
    /// another name and with a plan of its own. If the earlier owner had stored the range, that part of it counts twice.
    /// </summary>
    private void CutReplaysShort(TimeSpan now)
    {
        for (var index = _replaying.Count - 1; index >= 0; index--)
        {
            var state = _replaying[index];
            if (state.LogEnd == PartitionState.UnknownOffset || now - state.LogEndAt < LogEndTrust)
            {
                continue;
            }

            var fromOffset = state.OpenCut?.FromOffset ?? state.NextOffset;
            WeirLog.ReplayCutShort(
                _context.Logger, state.Key.Topic, state.Key.Partition, fromOffset, state.ReplayTo, state.LogEnd, state.ReplayTo - state.LogEnd);
            EndReplay(state);
            MarkDue(state);
        }
    }

    /// <summary>A rekeyer wrote this message twice: it is part of the range, and nothing of it is folded.</summary>
    private void PassOver(PartitionState state, TopicCounters counters, long offset)
    {
        counters.RepeatedMessageCount++;
        AdvanceTo(state, offset + 1);
    }

    /// <summary>True for a message that a rekeyer wrote before: its origin is not beyond the partition's mark.</summary>
    private bool IsRepeated(PartitionState state, in KafkaMessage message, TimeSpan now)
    {
        if (message.OriginPartition != KafkaMessage.UnheededOrigin)
        {
            return !(state.Origins ??= new OriginMarks()).TryPass(message.OriginPartition, message.OriginOffset);
        }

        if (!_originLogs.TryGetValue(state.Key.Topic, out var log))
        {
            _originLogs.Add(state.Key.Topic, log = new LogLimiter(_logInterval));
        }

        if (log.TryPass(now, out _))
        {
            WeirLog.OriginUnheeded(_context.Logger, state.Key.Topic);
        }

        return false;
    }
}
