namespace Weir.Host.Audit;

/// <summary>Whether the ledger rows of one cut add up, each for itself and all with each other.</summary>
internal static class CutCheck
{
    /// <summary>Checks a cut.</summary>
    /// <param name="rows">All rows of one cut, sorted by view and part, one for each name.</param>
    /// <param name="scope">The views that it has to have.</param>
    /// <param name="findings">Gets what is wrong.</param>
    /// <returns>The views that the cut lacks because they were added later.</returns>
    public static IReadOnlyList<string> Check(List<LedgerRow> rows, AuditScope scope, Findings findings)
    {
        var cut = rows[0];
        var name = $"{cut.Partition}: {AuditWords.Offsets(cut.FromOffset, cut.ToOffset)}{AuditWords.Events(cut)}";
        if (cut.ToOffset <= cut.FromOffset)
        {
            findings.AddProblem($"{cut.Partition}: the ledger has a cut from offset {cut.FromOffset} to {cut.ToOffset}, which is no range");
        }

        if (rows.Find(row => !IsSame(row, cut)) is { } other)
        {
            findings.AddProblem(
                $"{name}: the rows of this cut tell of it differently: {NameOf(cut)} says {cut.Account}, "
                + $"{NameOf(other)} says {other.Account}");
        }
        else if (!cut.Account.Closes)
        {
            findings.AddProblem(
                $"{name}: the account does not add up by {AuditWords.Count(Math.Abs(cut.Account.Difference), "record")}: {cut.Account}");
        }
        else if (cut.Reasons.Sum(reason => reason.Count) != cut.Account.RejectedCount)
        {
            findings.AddProblem(
                $"{name}: {AuditWords.Count(cut.Account.RejectedCount, "record")} rejected, but the reasons add up to "
                + $"{cut.Reasons.Sum(reason => reason.Count)}");
        }

        foreach (var row in rows)
        {
            CheckDays(row, name, findings);
        }

        return CheckViews(rows, name, scope, findings);
    }

    private static bool IsSame(LedgerRow row, LedgerRow other) =>
        row.Account == other.Account
        && row.GapOffsetCount == other.GapOffsetCount
        && row.FirstEvent == other.FirstEvent
        && row.LastEvent == other.LastEvent
        && row.Layout == other.Layout
        && row.Reasons.SequenceEqual(other.Reasons);

    private static void CheckDays(LedgerRow row, string name, Findings findings)
    {
        var days = row.Days.Aggregate(default(MeterSums), (sum, day) => sum + day.Sums);
        if (days != row.Sums)
        {
            findings.AddProblem(
                $"{name}: the days of {NameOf(row)} add up to {Describe(days)}, its block to {Describe(row.Sums)}");
        }
    }

    private static List<string> CheckViews(List<LedgerRow> rows, string name, AuditScope scope, Findings findings)
    {
        var addedLater = new List<string>();
        var storedAt = rows.Max(row => row.StoredAt);
        var folded = rows[0].Account.FoldedCount;
        (AuditView View, MeterSums Sums)? first = null;
        foreach (var view in scope.Views)
        {
            var sums = default(MeterSums);
            var partCount = 0;
            foreach (var row in rows)
            {
                if (row.View == view.Name)
                {
                    sums += row.Sums;
                    partCount++;
                }
            }

            if (partCount == 0 && folded > 0)
            {
                if (scope.ViewsSince.TryGetValue(view.Name, out var since) && storedAt < since)
                {
                    addedLater.Add(view.Name);
                }
                else
                {
                    findings.AddProblem($"{name}: {view.Name} has no block, so its table lacks {AuditWords.Count(folded, "record")}");
                }
            }
            else if (sums.Records != (ulong)folded)
            {
                findings.AddProblem(
                    $"{name}: {AuditWords.Count(folded, "record")} folded, but the blocks of {view.Name} hold {sums.Records:N0}");
            }
            else if (partCount > 0)
            {
                CheckMeters(name, first, view, sums, findings);
                first ??= view is { HasPackets: true, HasBytes: true } ? (view, sums) : null;
            }
        }

        return addedLater;
    }

    /// <summary>Packets and bytes are the same in every view that has both.</summary>
    private static void CheckMeters(
        string name, (AuditView View, MeterSums Sums)? first, AuditView view, MeterSums sums, Findings findings)
    {
        if (first is { } other && view is { HasPackets: true, HasBytes: true } && other.Sums != sums)
        {
            findings.AddProblem(
                $"{name}: the blocks of {view.Name} hold {Describe(sums)}, those of {other.View.Name} {Describe(other.Sums)}");
        }
    }

    private static string NameOf(LedgerRow row) => row.View.Length == 0 ? "the row without a view" : $"{row.View}/{row.Part}";

    private static string Describe(MeterSums sums) =>
        $"{AuditWords.Count(sums.Records, "record")}, {AuditWords.Count(sums.Packets, "packet")}, {AuditWords.Count(sums.Bytes, "byte")}";
}
