using Weir.Core.Model;

namespace Weir.Host.Audit;

/// <summary>Whether the cuts of one partition tile its log from the first to the committed offset.</summary>
/// <remarks>One thread; cuts come in the order of their first offset.</remarks>
internal sealed class PartitionTiling(PartitionKey partition, GroupPosition position, Findings findings)
{
    private LedgerRow? _reach; // The cut that reaches farthest so far.

    /// <summary>True when the planned cut is in the ledger already.</summary>
    public bool IsPlanStored { get; private set; }

    private long PlanFrom => position.CommittedOffset ?? 0;

    /// <summary>Takes the next cut.</summary>
    public void Add(LedgerRow cut)
    {
        if (_reach is null)
        {
            if (position.LogStart is { } start && start < cut.FromOffset)
            {
                AddGap(start, cut.FromOffset, null, cut);
            }
        }
        else if (cut.FromOffset > _reach.ToOffset)
        {
            AddGap(_reach.ToOffset, cut.FromOffset, _reach, cut);
        }
        else if (cut.FromOffset < _reach.ToOffset)
        {
            AddOverlap(_reach, cut);
        }

        ComparePlan(cut);
        if (_reach is null || cut.ToOffset > _reach.ToOffset)
        {
            _reach = cut;
        }
    }

    /// <summary>Says that no cut follows.</summary>
    /// <param name="hasAllCuts">False when only cuts since some day were looked at, so that none at all tells nothing.</param>
    public void Finish(bool hasAllCuts)
    {
        if (position.CommittedOffset is not { } committed)
        {
            return;
        }

        if (_reach is not null)
        {
            if (_reach.ToOffset < committed)
            {
                AddGap(_reach.ToOffset, committed, _reach, null);
            }
        }
        else if (hasAllCuts && position.LogStart is { } start && start < committed)
        {
            AddGap(start, committed, null, null);
        }
    }

    private void ComparePlan(LedgerRow cut)
    {
        if (position.PlannedTo is not { } to)
        {
            return;
        }

        if (cut.FromOffset == PlanFrom && cut.ToOffset == to)
        {
            IsPlanStored = true;
        }
        else if (cut.FromOffset < to && cut.ToOffset > PlanFrom)
        {
            var (first, end) = (Math.Max(cut.FromOffset, PlanFrom), Math.Min(cut.ToOffset, to));
            findings.AddOverlap(new RangeFinding(
                partition,
                first,
                end,
                $"{partition}: {AuditWords.Offsets(first, end)} are stored in the cut of {Name(cut)} and planned again in "
                + $"{AuditWords.Offsets(PlanFrom, to)}: when the plan is replayed they are counted twice"));
        }
    }

    private void AddGap(long from, long to, LedgerRow? before, LedgerRow? after)
    {
        if (position.PlannedTo is { } plannedTo && from >= PlanFrom && to <= plannedTo)
        {
            return; // In flight.
        }

        var times = (before, after) switch
        {
            ({ LastEvent: > 0 }, { FirstEvent: > 0 }) =>
                $", between the event times {AuditWords.Time(before.LastEvent)} and {AuditWords.Time(after.FirstEvent)} UTC",
            ({ LastEvent: > 0 }, _) => $", after the event time {AuditWords.Time(before.LastEvent)} UTC",
            (_, { FirstEvent: > 0 }) => $", before the event time {AuditWords.Time(after.FirstEvent)} UTC",
            _ => "",
        };
        findings.AddGap(new RangeFinding(
            partition,
            from,
            to,
            $"{partition}: {AuditWords.Offsets(from, to)} ({AuditWords.Count(to - from, "message")}) are in no cut: nobody counted "
            + $"them{times}"));
    }

    private void AddOverlap(LedgerRow earlier, LedgerRow later)
    {
        var (first, end) = (later.FromOffset, Math.Min(earlier.ToOffset, later.ToOffset));
        findings.AddOverlap(new RangeFinding(
            partition,
            first,
            end,
            $"{partition}: {AuditWords.Offsets(first, end)} are in two cuts, so their records are counted twice: {Name(earlier)} "
            + $"and {Name(later)}"));
    }

    private static string Name(LedgerRow cut) =>
        $"{AuditWords.Offsets(cut.FromOffset, cut.ToOffset)} ({AuditWords.Count(cut.Account.ReadCount, "record")}{AuditWords.Events(cut)})";
}
