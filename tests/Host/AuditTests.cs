using Weir.Core.Model;
using Weir.Host.Audit;
using Xunit;

namespace Weir.Tests.Host;

/// <summary>The pure part of the audit: ledgers that add up, and each kind of damage with its own words and no others.</summary>
public class AuditTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 40)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_ledger_that_tiles_the_log_and_agrees_with_the_tables_is_exact(int seed)
    {
        var bed = new AuditBed(seed);

        var report = bed.Audit();

        AssertOnly(report);
        Assert.Equal(AuditVerdict.Exact, report.Verdict);
        Assert.Empty(report.Notes);
        Assert.Equal(bed.Positions.Count, report.PartitionCount);
        Assert.Equal(bed.Rows.Count(row => row.View.Length > 0), report.BlockCount);
        Assert.Equal((ulong)report.Account.FoldedCount, report.Views[0].Table.Records);
        Assert.True(report.Account.Closes);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_cut_that_was_never_stored_is_a_gap(int seed)
    {
        var bed = new AuditBed(seed);
        var cut = bed.Pick(bed.InnerCuts);
        bed.Rows.RemoveAll(row => row.IsOfCutOf(cut));
        bed.Tables = AuditBed.SumTables(bed.Rows);

        var report = bed.Audit();

        AssertOnly(report, gaps: 1);
        var gap = Assert.Single(report.Gaps);
        Assert.Equal((cut.Partition, cut.FromOffset, cut.ToOffset), (gap.Partition, gap.FromOffset, gap.ToOffset));
        Assert.Contains($"offsets {cut.FromOffset} to {cut.ToOffset - 1} ({cut.ToOffset - cut.FromOffset} messages) are in no cut", gap.Text, StringComparison.Ordinal);
        Assert.Equal(AuditVerdict.Differences, report.Verdict);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Ledger_rows_that_are_gone_leave_a_gap_and_a_table_that_has_more(int seed)
    {
        var bed = new AuditBed(seed);
        var cut = bed.Pick(bed.InnerCuts);
        var days = bed.RowsOf(cut).SelectMany(row => row.Days.Where(day => day.Sums != default).Select(day => (row.View, day.Day))).Distinct().Count();
        bed.Rows.RemoveAll(row => row.IsOfCutOf(cut));

        var report = bed.Audit();

        AssertOnly(report, gaps: 1, days: days);
        Assert.All(report.Views.SelectMany(view => view.Differences), text => Assert.Contains(" more (", text, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_range_stored_twice_under_two_names_is_an_overlap(int seed)
    {
        var bed = new AuditBed(seed);
        var cut = bed.Pick(bed.InnerCuts);
        bed.Rows.AddRange(bed.Cut(cut.Partition, cut.FromOffset + 1, cut.ToOffset, folded: 50));
        bed.Tables = AuditBed.SumTables(bed.Rows);

        var report = bed.Audit();

        AssertOnly(report, overlaps: 1);
        var overlap = Assert.Single(report.Overlaps);
        Assert.Equal((cut.FromOffset + 1, cut.ToOffset), (overlap.FromOffset, overlap.ToOffset));
        Assert.Contains("are in two cuts, so their records are counted twice", overlap.Text, StringComparison.Ordinal);
        Assert.Contains("event time 2026-09-04 00:00:00 to 2026-09-04 00:00:59 UTC", overlap.Text, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_row_that_tells_other_counts_than_its_cut_is_a_problem(int seed)
    {
        var bed = new AuditBed(seed);
        var cut = bed.Pick(bed.InnerCuts);
        var index = bed.Rows.FindLastIndex(row => row.IsOfCutOf(cut));
        bed.Rows[index] = bed.Rows[index] with { Account = cut.Account with { ReadCount = cut.Account.ReadCount + 5 } };

        var report = bed.Audit();

        AssertOnly(report, problems: 1);
        Assert.Contains("the rows of this cut tell of it differently", report.Problems[0], StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void An_account_that_does_not_add_up_is_a_problem(int seed)
    {
        var bed = new AuditBed(seed);
        var cut = bed.Pick(bed.InnerCuts);
        bed.Change(cut, row => row with { Account = row.Account with { LateCount = row.Account.LateCount + 7 } });

        var report = bed.Audit();

        AssertOnly(report, problems: 1);
        Assert.Contains("the account does not add up by 7 records: read ", report.Problems[0], StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Reasons_that_do_not_add_up_to_the_rejected_are_a_problem(int seed)
    {
        var bed = new AuditBed(seed);
        bed.Change(bed.Pick(bed.InnerCuts), row => row with { Reasons = [.. row.Reasons, new ReasonCount("empty", 1)] });

        var report = bed.Audit();

        AssertOnly(report, problems: 1);
        Assert.Contains("but the reasons add up to", report.Problems[0], StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_view_without_a_block_is_named_with_the_records_that_it_lacks(int seed)
    {
        var bed = new AuditBed(seed);
        var cut = bed.Pick(bed.InnerCuts);
        bed.Rows.RemoveAll(row => row.IsOfCutOf(cut) && row.View == "ports_1s");
        bed.Tables = AuditBed.SumTables(bed.Rows);

        var report = bed.Audit();

        AssertOnly(report, problems: 1);
        Assert.Contains($"ports_1s has no block, so its table lacks {AuditWords.Count(cut.Account.FoldedCount, "record")}", report.Problems[0], StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_part_that_is_missing_is_told_by_the_records_of_the_others(int seed)
    {
        var bed = new AuditBed(seed);
        if (bed.Rows.Find(row => row.Part == 1) is not { } part)
        {
            return; // This seed has no block of two parts.
        }

        bed.Rows.Remove(part);
        bed.Tables = AuditBed.SumTables(bed.Rows);

        var report = bed.Audit();

        AssertOnly(report, problems: 1);
        Assert.Contains($"records folded, but the blocks of {part.View} hold ", report.Problems[0], StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Rows_too_many_or_too_few_in_a_table_are_told_by_view_and_day(int seed)
    {
        var bed = new AuditBed(seed);
        var view = bed.Pick(AuditBed.Views).Name;
        bed.AddToTable(view, AuditBed.Today, 1_234);
        var more = bed.Audit();
        bed.AddToTable(view, AuditBed.Today, unchecked(0UL - 1_235));
        var fewer = bed.Audit();

        AssertOnly(more, days: 1);
        AssertOnly(fewer, days: 1);
        Assert.StartsWith($"{view} on 2026-09-04 UTC: the table has 1,234 records more (", Differences(more)[0], StringComparison.Ordinal);
        Assert.StartsWith($"{view} on 2026-09-04 UTC: the table has 1 record fewer (", Differences(fewer)[0], StringComparison.Ordinal);
        Assert.False(more.Views.Single(other => other.Name == view).IsEqual);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_refused_block_is_a_named_loss_of_its_view_until_somebody_inserts_it(int seed)
    {
        var bed = new AuditBed(seed);
        var whole = bed.Tables;
        var index = bed.Rows.IndexOf(bed.Pick(bed.Rows.FindAll(row => row.View.Length > 0)));
        var refused = bed.Rows[index] = bed.Rows[index] with { IsRefused = true };
        bed.Tables = AuditBed.SumTables(bed.Rows.Where(row => !row.IsRefused));
        var report = bed.Audit();
        bed.Tables = whole;
        var mended = bed.Audit();
        bed.AddToTable(refused.View, refused.Days[0].Day, 1);

        AssertOnly(report);
        var view = report.Views.Single(view => view.Name == refused.View);
        Assert.Equal((1, refused.Sums.Records, 0UL), (view.RefusedBlockCount, view.RefusedRecords, view.MendedRecords));
        Assert.All(report.Views.Where(other => other != view), other => Assert.Equal((0, 0UL), (other.RefusedBlockCount, other.RefusedRecords)));
        Assert.Empty(report.Notes);
        AssertOnly(mended);
        Assert.Equal(refused.Sums.Records, mended.Views.Single(view => view.Name == refused.View).MendedRecords);
        Assert.Contains("of refused blocks have been inserted since", Assert.Single(mended.Notes), StringComparison.Ordinal);
        AssertOnly(bed.Audit(), days: 1);
    }

    [Fact]
    public void Days_of_a_block_that_do_not_add_up_are_a_problem_and_a_difference()
    {
        var bed = new AuditBed(1);
        var index = bed.Rows.FindIndex(row => row.View == "edge_1m");
        bed.Rows[index] = bed.Rows[index] with { Days = [.. bed.Rows[index].Days, new DaySums(AuditBed.Today, new MeterSums(3, 0, 0))] };

        var report = bed.Audit();

        AssertOnly(report, problems: 1, days: 1);
        Assert.Contains("the days of edge_1m/0 add up to", report.Problems[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Views_of_one_cut_that_disagree_in_packets_are_a_problem()
    {
        var bed = new AuditBed(1);
        var index = bed.Rows.FindIndex(row => row is { View: "service_1m", Part: 0 });
        var row = bed.Rows[index];
        var more = new MeterSums(0, 9, 0);
        bed.Rows[index] = row with { Sums = row.Sums + more, Days = [row.Days[0] with { Sums = row.Days[0].Sums + more }, .. row.Days.Skip(1)] };
        bed.Tables = AuditBed.SumTables(bed.Rows);

        var report = bed.Audit();

        AssertOnly(report, problems: 1);
        Assert.Contains("those of edge_1m", report.Problems[0], StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_name_twice_counts_once_by_its_last_version()
    {
        var bed = new AuditBed(1);
        bed.Rows.AddRange([.. bed.Rows.Select(row => row with { Version = 0, Sums = default, Days = [] })]);

        AssertOnly(bed.Audit());
    }

    [Fact]
    public void Offsets_before_the_first_cut_that_the_log_still_has_are_a_gap_and_deleted_ones_are_not()
    {
        var bed = new AuditBed(2);
        var key = bed.Positions.Keys.First();
        var position = bed.Positions[key];
        bed.Positions[key] = position with { LogStart = position.LogStart - 1 };
        var older = bed.Audit();
        bed.Positions[key] = position with { LogStart = position.CommittedOffset };
        var deleted = bed.Audit();

        AssertOnly(older, gaps: 1);
        Assert.Contains("(1 message) are in no cut: nobody counted them, before the event time", older.Gaps[0].Text, StringComparison.Ordinal);
        AssertOnly(deleted);
    }

    [Fact]
    public void Committed_offsets_after_the_last_cut_are_a_gap_unless_nothing_was_committed()
    {
        var bed = new AuditBed(3);
        var key = bed.Positions.Keys.First();
        bed.Positions[key] = bed.Positions[key] with { CommittedOffset = bed.Positions[key].CommittedOffset + 10 };
        bed.Positions[new PartitionKey("flows", 98)] = new GroupPosition(50, null, 40);
        bed.Positions[new PartitionKey("flows", 99)] = new GroupPosition(null, null, 0);

        var report = bed.Audit();

        AssertOnly(report, gaps: 2);
        Assert.Equal([10L, 10L], report.Gaps.Select(gap => gap.ToOffset - gap.FromOffset));
    }

    [Fact]
    public void A_planned_cut_is_in_flight_and_no_gap_and_blocks_after_the_commit_are_fine()
    {
        var bed = new AuditBed(4);
        var (key, position) = bed.Positions.First();
        bed.Positions[key] = position with { PlannedTo = position.CommittedOffset + 100 };
        var planned = bed.Audit();
        bed.Rows.AddRange(bed.Cut(key, position.CommittedOffset!.Value, position.CommittedOffset.Value + 100, folded: 60));
        bed.Tables = AuditBed.SumTables(bed.Rows);
        var stored = bed.Audit();

        AssertOnly(planned);
        Assert.Equal(AuditVerdict.Exact, planned.Verdict);
        Assert.StartsWith($"in flight: {key} offsets {position.CommittedOffset}", Assert.Single(planned.Notes), StringComparison.Ordinal);
        AssertOnly(stored);
        Assert.Empty(stored.Notes);
    }

    [Fact]
    public void A_cut_that_crosses_a_plan_is_an_overlap()
    {
        var bed = new AuditBed(4);
        var (key, position) = bed.Positions.First();
        var from = position.CommittedOffset!.Value;
        bed.Positions[key] = position with { PlannedTo = from + 100 };
        bed.Rows.AddRange(bed.Cut(key, from, from + 60, folded: 60));
        bed.Tables = AuditBed.SumTables(bed.Rows);

        var report = bed.Audit();

        AssertOnly(report, overlaps: 1);
        Assert.Contains("when the plan is replayed they are counted twice", report.Overlaps[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Rows_ahead_of_the_ledger_are_unsettled_while_a_cut_is_in_flight_and_rows_behind_are_wrong_at_any_time()
    {
        var bed = new AuditBed(5);
        var (key, position) = bed.Positions.First();
        bed.Positions[key] = position with { PlannedTo = position.CommittedOffset + 100 };
        bed.AddToTable("edge_1m", AuditBed.Today, 17);
        var ahead = bed.Audit();
        bed.AddToTable("edge_1m", AuditBed.Today, unchecked(0UL - 18));
        var behind = bed.Audit();

        Assert.Equal((AuditVerdict.Unsettled, 0L), (ahead.Verdict, ahead.DifferenceCount));
        Assert.Equal((AuditVerdict.Differences, 1L), (behind.Verdict, behind.DifferenceCount));
    }

    [Fact]
    public void Days_past_their_retention_are_set_apart_and_not_missing_but_may_not_have_more()
    {
        var bed = new AuditBed(6);
        var now = DateTimeOffset.UnixEpoch.AddDays(AuditBed.Today + 30); // The view's day has begun to go, edge_1m is kept for ever.
        bed.Tables["service_1m"] = new Dictionary<int, MeterSums> { [AuditBed.Today] = default };
        var gone = bed.Audit(now);
        bed.AddToTable("service_1m", AuditBed.Today, 1_000_000_000);
        var more = bed.Audit(now);

        AssertOnly(gone);
        Assert.Equal(AuditVerdict.Exact, gone.Verdict);
        Assert.Equal(2, gone.Views.Single(view => view.Name == "service_1m").SetApartDays);
        Assert.Contains("of 2 days past their retention are no longer in the table", Assert.Single(gone.Notes), StringComparison.Ordinal);
        AssertOnly(more, days: 1);
    }

    [Fact]
    public void A_view_that_was_added_later_is_set_apart_for_the_cuts_before()
    {
        var bed = new AuditBed(7);
        bed.Rows.RemoveAll(row => row.View == "ports_1s" && row.Partition.Partition == 0);
        bed.Tables = AuditBed.SumTables(bed.Rows);
        bed.Tables.TryAdd("ports_1s", new Dictionary<int, MeterSums>());
        bed.ViewsSince["ports_1s"] = 2_000;
        var later = bed.Audit();
        bed.ViewsSince.Remove("ports_1s");
        var never = bed.Audit();

        AssertOnly(later);
        Assert.Contains("it was added to the configuration then", Assert.Single(later.Notes), StringComparison.Ordinal);
        Assert.NotEmpty(never.Problems);
    }

    [Fact]
    public void Another_topic_is_left_out_of_the_ranges_but_not_of_the_tables()
    {
        var bed = new AuditBed(8);
        bed.Rows.AddRange(bed.Cut(new PartitionKey("other", 0), 10, 20, folded: 5));
        bed.Rows.AddRange(bed.Cut(new PartitionKey("other", 0), 15, 30, folded: 5));
        bed.Tables = AuditBed.SumTables(bed.Rows);

        AssertOnly(bed.Audit(topic: "flows"));
        AssertOnly(bed.Audit(), overlaps: 1);
    }

    private static List<string> Differences(AuditReport report) => [.. report.Views.SelectMany(view => view.Differences)];

    private static void AssertOnly(AuditReport report, int gaps = 0, int overlaps = 0, int problems = 0, int days = 0)
    {
        var found = string.Join("\n", report.Gaps.Concat(report.Overlaps).Select(range => range.Text).Concat(report.Problems).Concat(Differences(report)));
        Assert.True(
            (gaps, overlaps, problems, days) == (report.Gaps.Count, report.Overlaps.Count, report.Problems.Count, Differences(report).Count), found);
    }
}
