extern alias bench;

using bench::Weir.Bench.Report;
using Xunit;

namespace Weir.Tests.Bench;

public class ReportTests
{
    [Fact]
    public void Report_reads_back_what_it_has_written()
    {
        var measured = Line("path.proto", 5.71) with { Target = LineTarget.AtLeast(4, 6), Note = "a note" };
        var report = Report(measured, Skipped("vs.clickhouse.1m"));

        var again = BenchReport.Parse(report.ToJson(), "report.json");

        Assert.Equal(report.Lines, again.Lines);
        Assert.Equal(report.MadeAt, again.MadeAt);
        Assert.Equal((report.Machine, report.Quick, report.Rounds), (again.Machine, again.Quick, again.Rounds));
    }

    [Fact]
    public void Json_has_the_names_that_readers_may_rely_on()
    {
        var json = Report(Line("fold.growth.zipf", 1.65) with { Ours = 27, Peer = 17, Target = LineTarget.AtMost(2.2, 1.6) }).ToJson();

        Assert.Contains("\"version\": 1", json, StringComparison.Ordinal);
        Assert.Contains("\"made_at\": \"2026-01-02T03:04:05+00:00\"", json, StringComparison.Ordinal);
        Assert.Contains("\"id\": \"fold.growth.zipf\"", json, StringComparison.Ordinal);
        Assert.Contains("\"bound\": \"at_most\"", json, StringComparison.Ordinal);
        Assert.Contains("\"verdict\": \"passes\"", json, StringComparison.Ordinal);
        Assert.DoesNotContain("null", json, StringComparison.Ordinal);
    }

    [Fact]
    public void Numbers_keep_four_digits()
    {
        var line = BenchReportLine.Of(Line("a", 0.123456) with { Ours = 12_345.678, Peer = 0 }, baseline: null);

        Assert.Equal((12_346, 0, 0.1235), (line.Ours, line.Peer, line.Ratio));
    }

    [Fact]
    public void Report_of_another_version_is_refused_with_what_to_do()
    {
        var error = Assert.Throws<InvalidDataException>(() => BenchReport.Parse("{\"version\": 7}", "old.json"));

        Assert.Contains("old.json", error.Message, StringComparison.Ordinal);
        Assert.Contains("--write-baseline", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_that_is_no_report_is_refused_by_name()
    {
        var error = Assert.Throws<InvalidDataException>(() => BenchReport.Parse("ratio = 5", "notes.txt"));

        Assert.Contains("notes.txt", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Baseline_keeps_the_lines_that_a_part_of_a_run_has_not_measured()
    {
        var earlier = Report(Line("a", 1), Line("b", 2));
        var later = Report(Line("b", 3), Skipped("a"), Line("c", 4));

        var merged = later.With(earlier).Ratios();

        Assert.Equal(new Dictionary<string, double> { ["a"] = 1, ["b"] = 3, ["c"] = 4 }, merged);
    }

    [Fact]
    public void Line_that_was_not_measured_has_no_ratio_to_compare_with()
    {
        Assert.Empty(Report(Skipped("a")).Ratios());
    }

    [Fact]
    public void Table_line_shows_ratio_floor_goal_baseline_and_verdict()
    {
        var line = Line("path.proto", 3.5) with { Title = "competent / ours", Ours = 100, Peer = 350, Target = LineTarget.AtLeast(4, 6) };

        var text = ReportTable.Line(line, baseline: 5.5);

        Assert.Matches(@"^path\.proto +100 +350 ns +3\.50 +4\.00 +6\.00 +5\.50 UNDER FLOOR\n", text);
        Assert.Contains("competent / ours", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Table_marks_limits_from_above_and_leaves_out_what_is_not_known()
    {
        var text = ReportTable.Line(Line("memory.series", 1.1) with { Target = LineTarget.AtMost(1.25, 1.2) }, baseline: null);

        Assert.Contains("<=1.25", text, StringComparison.Ordinal);
        Assert.EndsWith("goal", text.Split('\n')[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Long_notes_are_wrapped()
    {
        var note = string.Join(' ', Enumerable.Repeat("word", 100));

        var lines = ReportTable.Line(Line("a", 1) with { Note = note }, baseline: null).Split('\n');

        Assert.True(lines.Length > 3);
        Assert.All(lines, line => Assert.True(line.Length <= 140, line));
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(0.0123, "0.0123")]
    [InlineData(1.655, "1.66")]
    [InlineData(27.04, "27.0")]
    [InlineData(534.4, "534")]
    [InlineData(23_846, "23,846")]
    public void Numbers_are_as_short_as_their_size_allows(double number, string text)
    {
        Assert.Equal(text, ReportTable.Number(number));
    }

    private static LineResult Line(string id, double ratio) => new(id, "what", "ns") { Ratio = ratio };

    private static LineResult Skipped(string id) => new(id, "what", "ns") { Skipped = "no server" };

    private static BenchReport Report(params LineResult[] lines) => new()
    {
        MadeAt = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
        Machine = "two cores",
        Rounds = 9,
        Lines = [.. lines.Select(line => BenchReportLine.Of(line, baseline: null))],
    };
}
