using System.Runtime.InteropServices;
using Weir.Core.Model;

namespace Weir.Host.Audit;

/// <summary>Reads a ledger once, row by row, and compares it with itself, with Kafka and with the tables. Pure: no clock, no I/O.</summary>
/// <remarks>
/// One thread. Its memory is that of the partitions, views and days, not of the ledger, which may have millions of rows.
/// </remarks>
internal sealed class LedgerAuditor
{
    private readonly AuditScope _scope;
    private readonly Findings _findings = new();
    private readonly Dictionary<PartitionKey, PartitionTiling> _tilings = [];
    private readonly Dictionary<string, Dictionary<int, MeterSums>> _sumsByView = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Dictionary<int, MeterSums>> _refusedByView = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _refusedBlocks = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _reasons = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, (long Cuts, long Records)> _addedLater = new(StringComparer.Ordinal);
    private readonly List<LedgerRow> _cut = [];
    private BlockAccount _account;
    private long _blockCount;
    private long _cutCount;
    private long _gapOffsetCount;

    /// <summary>Begins an audit.</summary>
    public LedgerAuditor(AuditScope scope)
    {
        _scope = scope;
        foreach (var partition in scope.Positions?.Keys ?? [])
        {
            if (IsInScope(partition))
            {
                TilingOf(partition);
            }
        }
    }

    /// <summary>Audits a ledger that is in memory.</summary>
    /// <param name="rows">Its rows, in any order.</param>
    /// <param name="tables">Sums of each view's table by day.</param>
    /// <param name="scope">What to compare.</param>
    public static AuditReport Audit(
        IEnumerable<LedgerRow> rows, IReadOnlyDictionary<string, IReadOnlyDictionary<int, MeterSums>> tables, AuditScope scope)
    {
        var auditor = new LedgerAuditor(scope);
        foreach (var row in rows
            .OrderBy(row => row.Partition.Topic, StringComparer.Ordinal)
            .ThenBy(row => row.Partition.Partition)
            .ThenBy(row => row.FromOffset)
            .ThenBy(row => row.ToOffset)
            .ThenBy(row => row.View, StringComparer.Ordinal)
            .ThenBy(row => row.Part))
        {
            auditor.Add(row);
        }

        return auditor.Finish(tables, isMoving: false);
    }

    /// <summary>Takes the next row, in the order of topic, partition, first offset, last offset, view, part.</summary>
    public void Add(LedgerRow row)
    {
        if (_cut.Count > 0 && !_cut[0].IsOfCutOf(row))
        {
            EndCut();
        }

        if (_cut.Count > 0 && _cut[^1].HasNameOf(row))
        {
            if (row.Version >= _cut[^1].Version)
            {
                _cut[^1] = row; // As ReplacingMergeTree decides.
            }

            return;
        }

        _cut.Add(row);
    }

    /// <summary>Compares with the tables, which were read after the last row, and gives the result.</summary>
    /// <param name="tables">Sums of each view's table by day.</param>
    /// <param name="isMoving">True when the ledger or the group's positions changed while they were read.</param>
    public AuditReport Finish(IReadOnlyDictionary<string, IReadOnlyDictionary<int, MeterSums>> tables, bool isMoving)
    {
        EndCut();
        var inFlight = new List<string>();
        foreach (var (partition, tiling) in _tilings
            .OrderBy(pair => pair.Key.Topic, StringComparer.Ordinal)
            .ThenBy(pair => pair.Key.Partition))
        {
            tiling.Finish(hasAllCuts: _scope.SinceDay == 0);
            if (_scope.Positions?.GetValueOrDefault(partition) is { PlannedTo: { } to } position && !tiling.IsPlanStored)
            {
                inFlight.Add($"{partition} {AuditWords.Offsets(position.CommittedOffset ?? 0, to)}");
            }
        }

        var views = _scope.Views.Select(view => TableComparison.Compare(
            view,
            new LedgerSums(
                _sumsByView.GetValueOrDefault(view.Name) ?? [],
                _refusedByView.GetValueOrDefault(view.Name) ?? [],
                _refusedBlocks.GetValueOrDefault(view.Name)),
            tables.TryGetValue(view.Name, out var table) ? table : new Dictionary<int, MeterSums>(),
            _scope)).ToList();
        AddNotes(inFlight, views);
        var isUndecided = isMoving || inFlight.Count > 0;
        var wrongDays = views.Sum(view => (long)view.Differences.Count);
        var excusedDays = isUndecided ? views.Where(view => view.IsAhead).Sum(view => (long)view.Differences.Count) : 0;
        var differenceCount = _findings.DifferenceCount + wrongDays - excusedDays;
        return new AuditReport
        {
            PartitionCount = _tilings.Count,
            BlockCount = _blockCount,
            CutCount = _cutCount,
            Account = _account,
            RejectedByReason = _reasons,
            GapOffsetCount = _gapOffsetCount,
            Gaps = _findings.Gaps,
            Overlaps = _findings.Overlaps,
            Problems = _findings.Problems,
            Views = views,
            Notes = _findings.Notes,
            DifferenceCount = differenceCount,
            Verdict = differenceCount > 0 ? AuditVerdict.Differences : excusedDays > 0 ? AuditVerdict.Unsettled : AuditVerdict.Exact,
        };
    }

    private bool IsInScope(PartitionKey partition) => _scope.Topic is null || _scope.Topic == partition.Topic;

    private PartitionTiling TilingOf(PartitionKey partition)
    {
        if (!_tilings.TryGetValue(partition, out var tiling))
        {
            var position = _scope.Positions?.GetValueOrDefault(partition) ?? default;
            if (_scope.SinceDay > 0)
            {
                position = position with { LogStart = null };
            }

            _tilings[partition] = tiling = new PartitionTiling(partition, position, _findings);
        }

        return tiling;
    }

    private void EndCut()
    {
        if (_cut.Count == 0)
        {
            return;
        }

        foreach (var row in _cut)
        {
            AddSums(row);
        }

        var cut = _cut[0];
        if (IsInScope(cut.Partition))
        {
            _cutCount++;
            _blockCount += _cut.Count(row => row.View.Length > 0);
            _account += cut.Account;
            _gapOffsetCount += cut.GapOffsetCount;
            foreach (var reason in cut.Reasons)
            {
                CollectionsMarshal.GetValueRefOrAddDefault(_reasons, reason.Reason, out _) += reason.Count;
            }

            foreach (var view in CutCheck.Check(_cut, _scope, _findings))
            {
                var (cuts, records) = _addedLater.GetValueOrDefault(view);
                _addedLater[view] = (cuts + 1, records + cut.Account.FoldedCount);
            }

            TilingOf(cut.Partition).Add(cut);
        }

        _cut.Clear();
    }

    private void AddSums(LedgerRow row)
    {
        var sumsByView = row.IsRefused ? _refusedByView : _sumsByView;
        if (row.IsRefused)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(_refusedBlocks, row.View, out _)++;
        }

        if (!sumsByView.TryGetValue(row.View, out var days))
        {
            sumsByView[row.View] = days = [];
        }

        foreach (var day in row.Days)
        {
            CollectionsMarshal.GetValueRefOrAddDefault(days, day.Day, out _) += day.Sums;
        }
    }

    private void AddNotes(List<string> inFlight, List<ViewFinding> views)
    {
        foreach (var cut in inFlight)
        {
            _findings.AddNote($"in flight: {cut}; planned, and not yet in the ledger");
        }

        foreach (var (view, (cuts, records)) in _addedLater)
        {
            _findings.AddNote(
                $"{view} has no block for {AuditWords.Count(cuts, "cut")} ({AuditWords.Count(records, "record")}) stored before its "
                + $"first one, {AuditWords.Time(_scope.ViewsSince[view])} UTC: it was added to the configuration then");
        }

        foreach (var view in views.Where(view => view.MendedRecords > 0))
        {
            _findings.AddNote(
                $"{view.Name}: {AuditWords.Count(view.MendedRecords, "record")} of refused blocks have been inserted since: the table has them");
        }

        foreach (var view in views.Where(view => view.SetApartDays > 0))
        {
            _findings.AddNote(
                $"{view.Name}: {AuditWords.Count(view.SetApartRecords, "record")} of {AuditWords.Count(view.SetApartDays, "day")} "
                + "past their retention are no longer in the table");
        }
    }
}
