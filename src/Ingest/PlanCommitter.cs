using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Weir.Core.Faults;
using Weir.Core.Model;
using Weir.Core.Telemetry;

namespace Weir.Ingest;

/// <summary>
/// Keeps what stands in Kafka for each partition in step with its cuts: the plan of a closed cut before anything of it is
/// inserted, and the end of a stored cut that no newer one follows. All partitions of the process go in one commit.
/// </summary>
/// <remarks>
/// <para>
/// The source's thread. A commit is sent and its answer is taken later, so a coordinator that does not answer holds no thread:
/// the cuts wait for their plans, the inserts wait for the cuts, and reading pauses when memory is used up.
/// </para>
/// <para>
/// <b>A commit is out by itself, and is answered before its partitions go to another owner</b> (<see cref="AwaitAnswer"/>):
/// Kafka refuses a commit of an old generation of the group, but not one for a partition that is no longer the member's; and
/// librdkafka sends a commit that it had to put off under the generation of the day.
/// </para>
/// <para>
/// librdkafka gives the error of one partition to all of a commit. So what failed together is tried again in halves, last in
/// turn: a partition that Kafka will not take (its topic was deleted) does not hold the others back for long.
/// </para>
/// </remarks>
internal sealed class PlanCommitter(ILogger logger, Action<PartitionState> refused, int layout = BlockName.LayoutVersion)
{
    /// <summary>How long the first closed cut waits for those of the other workers, so that they share a commit.</summary>
    internal static readonly TimeSpan GatherTime = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan _retryDelayMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _retryDelayMax = TimeSpan.FromSeconds(5);

    private readonly List<PartitionState> _waiting = []; // In the order of their turns.
    private readonly List<(PartitionState State, Cut? Plan, long Offset)> _sent = [];
    private readonly List<CommittedOffset> _commits = [];
    private TimeSpan _planSince;
    private TimeSpan _retryDelay = _retryDelayMin;
    private TimeSpan _retryAt;
    private int _partitionsMax = int.MaxValue; // In the next commit.
    private bool _hasPlans;
    private bool _areEndsDue;
    private TimeSpan? _rebalancingSince;
    private long _failureCount;
    private long _errorCount;
    private long _commitCount;

    /// <summary>Commits that failed, in whole or for some partitions. Any thread.</summary>
    public long ErrorCount => Volatile.Read(ref _errorCount);

    /// <summary>Commits sent. Any thread.</summary>
    public long CommitCount => Volatile.Read(ref _commitCount);

    /// <summary>True while a commit is not answered.</summary>
    public bool IsAnswerOut => _sent.Count > 0;

    /// <summary>
    /// How long commits have been refused because the group is being formed anew. It may be waiting for this very process, which
    /// cannot join while it waits for a commit.
    /// </summary>
    public TimeSpan RebalanceRefusalTime(TimeSpan now) => _rebalancingSince is { } since ? now - since : TimeSpan.Zero;

    /// <summary>A cut is closed and needs its plan.</summary>
    public void AddPlan(PartitionState state, Cut cut, TimeSpan now)
    {
        if (FaultPoint.LeavesNamesOut)
        {
            cut.MarkPlanned();
            return;
        }

        state.PlanWanted = cut;
        Wait(state);
        if (!_hasPlans)
        {
            _hasPlans = true;
            _planSince = now;
        }
    }

    /// <summary>The log up to an offset is stored; this is committed with the next plan, or at the next tick when there is none.</summary>
    public void AddEnd(PartitionState state, long toOffset)
    {
        state.EndWanted = toOffset;
        Wait(state);
    }

    /// <summary>A flush interval has passed: ends that no plan follows are committed now.</summary>
    public void Tick() => _areEndsDue = true;

    /// <summary>Forgets a partition that is no longer ours.</summary>
    public void Remove(PartitionState state) => _waiting.Remove(state);

    /// <summary>True while something of the partition is not yet accepted by Kafka.</summary>
    public bool IsWaiting(PartitionState state) => _waiting.Contains(state);

    /// <summary>Takes the answer that has come, then sends what is due.</summary>
    /// <param name="channel">The member of the group.</param>
    /// <param name="now">Time since the start.</param>
    /// <param name="isHurried">True when partitions are leaving: nothing waits for company.</param>
    /// <param name="wait">How long to wait for an answer that is out.</param>
    public void Serve(ICommitChannel channel, TimeSpan now, bool isHurried, TimeSpan wait)
    {
        TakeAnswer(channel, now, wait);
        if (IsAnswerOut || now < _retryAt || _waiting.Count == 0)
        {
            _areEndsDue &= _waiting.Count > 0;
            return;
        }

        var isPlanDue = _hasPlans && (isHurried || now - _planSince >= GatherTime);
        if (isPlanDue || (!_hasPlans && (isHurried || _areEndsDue)))
        {
            Send(channel, now);
        }
    }

    /// <summary>Waits for the answer that is out, at most <paramref name="timeout"/>.</summary>
    public void AwaitAnswer(ICommitChannel channel, TimeSpan now, TimeSpan timeout) => TakeAnswer(channel, now, timeout);

    private static bool IsRefusal(ErrorCode error) =>
        error is ErrorCode.UnknownMemberId or ErrorCode.FencedInstanceId or ErrorCode.FencedMemberEpoch;

    private void Wait(PartitionState state)
    {
        if (!_waiting.Contains(state))
        {
            _waiting.Add(state);
        }
    }

    private void Send(ICommitChannel channel, TimeSpan now)
    {
        _commits.Clear();
        foreach (var state in _waiting.Take(_partitionsMax))
        {
            var plan = state.PlanWanted;
            var offset = plan?.FromOffset ?? state.EndWanted;
            _sent.Add((state, plan, offset));
            var metadata = plan is null
                ? CutPlan.EndMetadataOf(state.EndOrigins)
                : CutPlan.MetadataOf(plan.ToOffset, plan.OriginsAtStart, layout);
            _commits.Add(new CommittedOffset(state.Key, offset, metadata));
        }

        if (_hasPlans)
        {
            FaultPoint.Hit(FaultPoint.BeforePlan);
        }

        _hasPlans = false;
        _areEndsDue = false;
        Volatile.Write(ref _commitCount, _commitCount + 1);
        var error = channel.Send(_commits);
        if (error != ErrorCode.NoError)
        {
            if (IsRefusal(error))
            {
                Refuse(_sent[0].State, error);
            }

            Fail(now, error, _sent.Count);
            Finish(now, hasFailed: true);
        }
    }

    private void TakeAnswer(ICommitChannel channel, TimeSpan now, TimeSpan wait)
    {
        if (!IsAnswerOut || channel.TakeAnswer(wait) is not { } answers)
        {
            return;
        }

        var errors = answers.ToDictionary(answer => answer.Partition, answer => answer.Error);
        if (_sent.Exists(sent => sent.Plan is not null && ErrorOf(sent.State) == ErrorCode.NoError))
        {
            FaultPoint.Hit(FaultPoint.AfterPlan);
        }

        var failedCount = 0;
        var hasPassed = false;
        var lastError = ErrorCode.NoError;
        foreach (var sent in _sent)
        {
            var error = ErrorOf(sent.State);
            if (!_waiting.Contains(sent.State))
            {
                continue; // Given up meanwhile.
            }

            if (error == ErrorCode.NoError)
            {
                hasPassed |= sent.Offset > sent.State.CommittedOffset;
                Accept(sent.State, sent.Plan, sent.Offset);
                continue;
            }

            failedCount++;
            lastError = error;
            if (IsRefusal(error))
            {
                Refuse(sent.State, error);
            }
        }

        if (hasPassed)
        {
            FaultPoint.Hit(FaultPoint.AfterCommit);
        }

        if (failedCount > 0)
        {
            Fail(now, lastError, failedCount);
        }
        else
        {
            Recover();
        }

        Finish(now, failedCount > 0);

        ErrorCode ErrorOf(PartitionState state) => errors.GetValueOrDefault(state.Key, ErrorCode.Unknown);
    }

    /// <summary>Kafka does not know the member, so none of its partitions is its own any more, whichever the commit was about.</summary>
    private void Refuse(PartitionState state, ErrorCode error)
    {
        WeirLog.PlanRefused(logger, state.Key.Topic, state.Key.Partition, error.ToString());
        refused(state);
    }

    private void Accept(PartitionState state, Cut? plan, long offset)
    {
        state.CommittedOffset = offset;
        if (state.EndWanted <= offset)
        {
            state.EndWanted = PartitionState.UnknownOffset;
        }

        if (plan is not null && state.PlanWanted == plan)
        {
            state.PlanWanted = null;
            plan.MarkPlanned();
        }

        if (state.PlanWanted is null && state.EndWanted == PartitionState.UnknownOffset)
        {
            _waiting.Remove(state);
        }
    }

    /// <summary>The commit is done with, well or not; plans that came meanwhile, or failed, have waited long enough.</summary>
    private void Finish(TimeSpan now, bool hasFailed)
    {
        _partitionsMax = hasFailed
            ? Math.Max(_sent.Count / 2, 1)
            : (int)Math.Min(_partitionsMax * 2L, int.MaxValue);
        foreach (var (state, _, _) in _sent)
        {
            if (_waiting.Remove(state))
            {
                _waiting.Add(state);
            }
        }

        _sent.Clear();
        _areEndsDue |= hasFailed;
        if (!_hasPlans && _waiting.Any(state => state.PlanWanted is not null))
        {
            _hasPlans = true;
            _planSince = now - GatherTime;
        }
    }

    private void Fail(TimeSpan now, ErrorCode error, int failedCount)
    {
        Volatile.Write(ref _errorCount, _errorCount + 1);
        _rebalancingSince = error == ErrorCode.RebalanceInProgress ? _rebalancingSince ?? now : null;
        if (_failureCount++ == 0)
        {
            WeirLog.CommitFailed(logger, failedCount, error.GetReason());
        }

        _retryAt = now + _retryDelay;
        _retryDelay = TimeSpan.FromTicks(Math.Min(_retryDelay.Ticks * 2, _retryDelayMax.Ticks));
    }

    private void Recover()
    {
        if (_failureCount > 0)
        {
            WeirLog.CommitRecovered(logger, _failureCount);
            _failureCount = 0;
        }

        _rebalancingSince = null;
        _retryDelay = _retryDelayMin;
        _retryAt = TimeSpan.Zero;
    }
}
