namespace Weir.Host.Audit;

/// <summary>What the ledger tells of one view.</summary>
/// <param name="Stored">Sums of the blocks that its table should have, by day.</param>
/// <param name="Refused">Sums of the blocks that ClickHouse refused for ever, by day.</param>
/// <param name="RefusedBlockCount">How many those are.</param>
internal sealed record LedgerSums(
    IReadOnlyDictionary<int, MeterSums> Stored, IReadOnlyDictionary<int, MeterSums> Refused, long RefusedBlockCount);

/// <summary>The sums of one view's table beside those of the ledger, day by day.</summary>
internal static class TableComparison
{
    private const int DaySeconds = 86_400;

    /// <summary>Compares a view.</summary>
    /// <param name="view">The view.</param>
    /// <param name="ledger">Sums of the ledger by day, and of refused blocks apart.</param>
    /// <param name="table">Sums of the table by day.</param>
    /// <param name="scope">From which day, and what is past its retention.</param>
    public static ViewFinding Compare(
        AuditView view, LedgerSums ledger, IReadOnlyDictionary<int, MeterSums> table, AuditScope scope)
    {
        var differences = new List<string>();
        var (tableSum, ledgerSum) = (default(MeterSums), default(MeterSums));
        var (setApartRecords, setApartDays, isAhead) = (0UL, 0, true);
        var (refusedRecords, mendedRecords) = (0UL, 0UL);
        foreach (var day in ledger.Stored.Keys.Union(ledger.Refused.Keys).Union(table.Keys).Where(day => day >= scope.SinceDay).Order())
        {
            var has = Known(view, table.GetValueOrDefault(day));
            var should = Known(view, ledger.Stored.GetValueOrDefault(day));
            var refused = Known(view, ledger.Refused.GetValueOrDefault(day));
            if (refused != default && has == should + refused)
            {
                should = has; // Its refused blocks were inserted by hand, after the table was mended.
                mendedRecords += refused.Records;
            }
            else
            {
                refusedRecords += refused.Records;
            }

            tableSum += has;
            ledgerSum += should;
            if (has == should)
            {
                continue;
            }

            if (IsPastRetention(view, day, scope.Now) && has.Records <= should.Records)
            {
                setApartDays++;
                setApartRecords += should.Records - has.Records;
                continue;
            }

            isAhead &= has.Records > should.Records;
            differences.Add($"{view.Name} on {AuditWords.Day(day)} UTC: {Describe(view, has, should)}");
        }

        isAhead &= differences.Count > 0;
        return new ViewFinding(view.Name, tableSum, ledgerSum, differences, setApartRecords, setApartDays, isAhead)
        {
            RefusedBlockCount = ledger.RefusedBlockCount,
            RefusedRecords = refusedRecords,
            MendedRecords = mendedRecords,
        };
    }

    /// <summary>A part of a day goes when all of its rows are past their retention: from then on the day may be short.</summary>
    private static bool IsPastRetention(AuditView view, int day, DateTimeOffset now) =>
        view.Retention is { } retention && DateTimeOffset.FromUnixTimeSeconds((long)day * DaySeconds) + retention <= now;

    private static MeterSums Known(AuditView view, MeterSums sums) =>
        new(sums.Records, view.HasPackets ? sums.Packets : 0, view.HasBytes ? sums.Bytes : 0);

    private static string Describe(AuditView view, MeterSums has, MeterSums should)
    {
        var parts = new List<string> { Describe(has.Records, should.Records, "record") };
        if (view.HasPackets)
        {
            parts.Add(Describe(has.Packets, should.Packets, "packet"));
        }

        if (view.HasBytes)
        {
            parts.Add(Describe(has.Bytes, should.Bytes, "byte"));
        }

        return $"the table has {string.Join(", ", parts.Where(part => part.Length > 0))} than the ledger tells";
    }

    private static string Describe(ulong has, ulong should, string one) => has == should
        ? ""
        : has > should
            ? $"{AuditWords.Count(has - should, one)} more ({has:N0} and not {should:N0})"
            : $"{AuditWords.Count(should - has, one)} fewer ({has:N0} and not {should:N0})";
}
