using Confluent.Kafka;
using Weir.Core.Model;
using Weir.Core.Telemetry;

namespace Weir.Ingest;

/// <content>What an earlier owner has left in Kafka: where a partition begins, and which range is replayed first.</content>
public sealed partial class KafkaSource
{
    /// <summary>How long the ledger may take to say whether ranges are stored; the group waits meanwhile.</summary>
    private static readonly TimeSpan _ledgerTimeout = TimeSpan.FromSeconds(20);

    /// <summary>How long a leaving partition waits for the answer to a commit, beyond what librdkafka itself gives up after.</summary>
    private static readonly TimeSpan _answerTimeout = TimeSpan.FromSeconds(60);

    /// <summary>How long after a refusal the group's own word is waited for: as a rule it takes the partitions away.</summary>
    private static readonly TimeSpan _restartDelay = TimeSpan.FromSeconds(5);

    /// <summary>How long a partition is held before it is read from another position: a worker may have a batch of the old one.</summary>
    private static readonly TimeSpan _settleTime = TimeSpan.FromSeconds(1);

    private TimeSpan? _restartAt;
    private bool _hasHeldBack;
    private bool _isForeignMetadataLogged;

    /// <summary>Where a partition begins.</summary>
    /// <param name="Key">The partition.</param>
    /// <param name="Offset">The first offset to read; <see cref="PartitionState.UnknownOffset"/> where nothing was committed.</param>
    /// <param name="ReplayTo">The end of the range to replay from there; <see cref="PartitionState.UnknownOffset"/> for none.</param>
    /// <param name="IsEndWanted">True when <paramref name="Offset"/> is ahead of what is committed.</param>
    private readonly record struct PartitionStart(PartitionKey Key, long Offset, long ReplayTo, bool IsEndWanted)
    {
        /// <summary>How far a rekeyed partition has come in its origins at <see cref="Offset"/>; null for none.</summary>
        public OriginMarks? Origins { get; init; }
    }

    /// <summary>Reads what is committed, until Kafka answers, and follows the plans there.</summary>
    /// <returns>Null when the stop came before the answer.</returns>
    private List<PartitionStart>? ReadStarts(List<TopicPartition> partitions)
    {
        var failureCount = 0;
        while (!_stopRequested.IsSet)
        {
            try
            {
                var committed = CommittedMetadata.Read(_consumer, partitions, _committedTimeout);
                return StartsOf(committed);
            }
            catch (KafkaException error) when (!error.Error.IsFatal)
            {
                if (failureCount++ == 0)
                {
                    WeirLog.CommittedOffsetsUnreadable(_logger, partitions.Count, error.Error.Reason);
                }

                _stopRequested.Wait(_drainPoll * Math.Min(failureCount, 100));
            }
        }

        return null;
    }

    private List<PartitionStart> StartsOf(List<CommittedOffset> committed)
    {
        var plans = committed.ConvertAll(commit => CutPlan.Parse(commit.Offset, commit.Metadata));
        var answers = AskLedger(committed, plans);
        var starts = new List<PartitionStart>(committed.Count);
        for (var index = 0; index < committed.Count; index++)
        {
            var commit = committed[index];
            var start = new PartitionStart(
                commit.Partition,
                commit.Offset >= 0 ? commit.Offset : PartitionState.UnknownOffset,
                PartitionState.UnknownOffset,
                IsEndWanted: false) { Origins = OriginMarks.Parse(commit.Metadata) };
            starts.Add(plans[index] is { } plan ? Follow(start, plan, answers[index]) : start);
            if (plans[index] is null && commit.Metadata.Length > 0 && start.Origins is null && !_isForeignMetadataLogged)
            {
                _isForeignMetadataLogged = true;
                WeirLog.ForeignMetadata(_logger, commit.Partition.Topic, commit.Partition.Partition, commit.Metadata);
            }
        }

        return starts;
    }

    /// <summary>
    /// A plan of this layout is replayed. One of another layout has names that this program does not make: where the ledger says
    /// that its range is stored, reading goes on after it, otherwise the range is read as if there were no plan.
    /// </summary>
    private PartitionStart Follow(in PartitionStart start, in CutPlan plan, bool isStored)
    {
        var (topic, partition) = start.Key;
        if (plan.Layout == _options.Layout)
        {
            WeirLog.ReplayBegins(_logger, topic, partition, plan.FromOffset, plan.ToOffset);
            return start with { ReplayTo = plan.ToOffset };
        }

        if (isStored)
        {
            WeirLog.ForeignPlanStored(_logger, topic, partition, plan.FromOffset, plan.ToOffset, plan.Layout);
            return start with { Offset = plan.ToOffset, IsEndWanted = true };
        }

        WeirLog.ForeignPlanFolded(_logger, topic, partition, plan.FromOffset, plan.ToOffset, plan.Layout);
        return start;
    }

    /// <summary>Asks for all ranges of other layouts at once.</summary>
    /// <returns>True for each that is known to be stored.</returns>
    private bool[] AskLedger(List<CommittedOffset> committed, List<CutPlan?> plans)
    {
        var questions = new Task<bool>?[plans.Count];
        for (var index = 0; index < plans.Count; index++)
        {
            if (_isStored is not null && plans[index] is { } plan && plan.Layout != _options.Layout)
            {
                var key = committed[index].Partition;
                questions[index] = Task.Run(() => _isStored(key, plan.FromOffset, plan.ToOffset));
            }
        }

        Task all = Task.WhenAll(questions.OfType<Task>());
        _ = Task.WhenAny(all, Task.Delay(_ledgerTimeout, _timeProvider, _hardStop.Token)).GetAwaiter().GetResult();
        var answers = new bool[plans.Count];
        for (var index = 0; index < plans.Count; index++)
        {
            if (questions[index] is { } question)
            {
                answers[index] = question.IsCompletedSuccessfully && question.Result;
                if (!question.IsCompletedSuccessfully)
                {
                    var plan = plans[index]!.Value;
                    WeirLog.LedgerNotAsked(
                        _logger,
                        committed[index].Partition.Topic,
                        committed[index].Partition.Partition,
                        plan.FromOffset,
                        plan.ToOffset,
                        question.Exception?.InnerException?.Message ?? $"no answer within {_ledgerTimeout}");
                }
            }
        }

        return answers;
    }

    /// <summary>
    /// Gives all partitions up, not only the one that was refused: it is the member that Kafka does not know. Those that are not given
    /// up could be planned over the next owner's commits as soon as that owner has left.
    /// </summary>
    private void Refuse(PartitionState refused)
    {
        foreach (var state in _states.Values.Append(refused).ToHashSet())
        {
            Abandon(state);
        }

        PublishAssigned();
        _restartAt = Now + _restartDelay;
    }

    /// <summary>
    /// The group has spoken. Where it has been formed without this process since its last word, others were owners of what is held:
    /// it is given up, and begun again when they have had the time to let it go.
    /// </summary>
    private void RenewMembership()
    {
        if (_commits.Renew() || _states.Count == 0)
        {
            return;
        }

        var states = _states.Values.ToList();
        WeirLog.GroupWentOn(_logger, states.Count, Names(states));
        states.ForEach(Abandon);
        PublishAssigned();
        _restartAt = Now + _options.RevokeTimeout + _restartDelay;
    }

    /// <summary>
    /// A member that was refused can stay or become the owner without being told so, when its refusal met a rebalance under way.
    /// Its partitions are then begun again as if they had just been assigned, from what is committed now.
    /// </summary>
    private void RestartRefused()
    {
        if (_restartAt is not { } restartAt || Now < restartAt)
        {
            return;
        }

        _restartAt = null;
        var left = _consumer.Assignment.FindAll(partition => !_states.ContainsKey(new PartitionKey(partition.Topic, partition.Partition.Value)));
        if (left.Count == 0)
        {
            return;
        }

        _consumer.Pause(left);
        _stopRequested.Wait(_settleTime);
        if (ReadStarts(left) is not { } starts)
        {
            return; // Stopping.
        }

        foreach (var start in starts)
        {
            _consumer.Seek(new TopicPartitionOffset(
                start.Key.Topic, start.Key.Partition, start.Offset >= 0 ? start.Offset : ConsumerSettings.FirstOffset(_options)));
            Assign(start);
        }

        _consumer.Resume(left);
        PublishAssigned();
        WeirLog.PartitionsAssigned(_logger, left.Count, Names(left));
    }

    /// <summary>
    /// Partitions have left: a commit that is out may be theirs, and must not reach the broker after their next owner's. The
    /// group waits for this process meanwhile, so its generation stays, and librdkafka answers each commit in the end.
    /// </summary>
    private void AwaitCommit()
    {
        var deadline = Now + _answerTimeout;
        while (_committer.IsAnswerOut && !_stopRequested.IsSet)
        {
            if (Now >= deadline)
            {
                WeirLog.CommitUnanswered(_logger, _answerTimeout);
                return;
            }

            _committer.AwaitAnswer(_commits, Now, _drainPoll);
        }
    }

    /// <summary>
    /// Replays read on when memory is used up, since only their end gives it back. The other partitions are held back at the
    /// broker meanwhile, so that they add nothing to it.
    /// </summary>
    private void HoldBackForReplays()
    {
        var mustHold = _context.Budget.IsExhausted && _states.Values.Any(state => state.IsReplaying);
        if (!mustHold)
        {
            Resume();
            return;
        }

        var others = _states.Values.Where(state => !state.IsReplaying && !state.IsHeldBack).ToList();
        if (others.Count > 0)
        {
            _hasHeldBack = true;
            _consumer.Pause(others.Select(TopicPartitionOf));
            others.ForEach(state => state.IsHeldBack = true);
        }
    }

    private void Resume()
    {
        if (_hasHeldBack)
        {
            _hasHeldBack = false;
            var heldBack = _states.Values.Where(state => state.IsHeldBack).ToList();
            heldBack.ForEach(state => state.IsHeldBack = false);
            _consumer.Resume(heldBack.Select(TopicPartitionOf));
        }
    }

    private static TopicPartition TopicPartitionOf(PartitionState state) => new(state.Key.Topic, state.Key.Partition);
}
