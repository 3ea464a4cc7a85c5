extern alias bench;

using bench::Weir.Bench;
using bench::Weir.Bench.Lines;
using bench::Weir.Bench.Measure;
using bench::Weir.Bench.Report;
using Xunit;

namespace Weir.Tests.Bench;

public sealed class BenchRunTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-bench-tests-").FullName;
    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    [Fact]
    public void Gate_fails_for_a_line_under_its_floor_and_names_it()
    {
        Assert.Equal(1, Run(["--gate"], Group("a", 1.9, LineTarget.AtLeast(2, 3)), Group("b", 2.5, LineTarget.AtLeast(2, 3))));
        Assert.Contains("1 fail: a (1.90: UnderFloor)", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_gate_a_line_under_its_floor_is_shown_and_the_run_is_good()
    {
        Assert.Equal(0, Run([], Group("a", 1.9, LineTarget.AtLeast(2, 3))));
        Assert.Contains("UNDER FLOOR", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Gate_passes_when_all_lines_hold()
    {
        Assert.Equal(0, Run(["--gate"], Group("a", 2.5, LineTarget.AtLeast(2, 3)), Group("b", 0.1, target: null)));
    }

    [Fact]
    public void Gate_fails_for_a_line_that_lost_more_than_a_quarter_since_the_baseline()
    {
        Assert.Equal(0, Run(["--write-baseline"], Group("a", 10, LineTarget.AtLeast(2, 3))));

        Assert.Equal(1, Run(["--gate"], Group("a", 7.4, LineTarget.AtLeast(2, 3))));
        Assert.Equal(0, Run(["--gate"], Group("a", 7.6, LineTarget.AtLeast(2, 3))));
    }

    [Fact]
    public void Peers_that_disagree_fail_the_run_even_without_gate_and_the_other_lines_go_on()
    {
        var broken = new LineGroup(["a"], "", _ => throw new ChecksumException("A said 1, B said 2."));

        Assert.Equal(1, Run([], broken, Group("b", 2.5, LineTarget.AtLeast(2, 3))));
        Assert.Contains("FAILED a: A said 1, B said 2.", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("b ", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Json_file_has_the_lines_with_the_baseline_that_they_were_compared_with()
    {
        var path = Path.Combine(_directory, "out.json");
        _ = Run(["--write-baseline"], Group("a", 10, LineTarget.AtLeast(2, 3)));

        _ = Run(["--json", path], Group("a", 9, LineTarget.AtLeast(2, 3)));

        var line = Assert.Single(BenchReport.Parse(File.ReadAllText(path), path).Lines);
        Assert.Equal(("a", 9d, 10d, "reaches_goal"), (line.Id, line.Ratio, line.Baseline, line.Verdict));
    }

    [Fact]
    public void Only_the_lines_asked_for_are_measured()
    {
        var other = new LineGroup(["vs.clickhouse-raw"], "", _ => throw new InvalidOperationException("Nobody asked."));
        string[] names = ["vs.clickhouse.100k", "vs.clickhouse.1m"];
        var asked = new LineGroup(names, "", _ => names.Select(name => new LineResult(name, "", "") { Ratio = 1 }));

        Assert.Equal(0, Run(["--only", "vs.clickhouse"], asked, other));
        Assert.Contains("vs.clickhouse.100k", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("vs.clickhouse.1m", _output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Quick_leaves_out_what_takes_minutes_and_says_how_to_have_it()
    {
        var isMeasured = false;
        var slow = new LineGroup(["slow"], "", _ =>
        {
            isMeasured = true;
            return [new LineResult("slow", "", "") { Ratio = 1 }];
        })
        {
            IsLong = true,
        };

        Assert.Equal(0, Run(["--quick", "--gate"], slow, Group("b", 2.5, LineTarget.AtLeast(2, 3))));
        Assert.False(isMeasured);
        Assert.Contains("slow                       not measured:", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("./weir-bench --only slow", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("1 lines in", _output.ToString(), StringComparison.Ordinal);

        Assert.Equal(0, Run(["--quick", "--only", "slow"], slow));
        Assert.True(isMeasured);
    }

    [Fact]
    public void Without_quick_everything_is_measured()
    {
        var isMeasured = false;
        var slow = new LineGroup(["slow"], "", _ =>
        {
            isMeasured = true;
            return [];
        })
        {
            IsLong = true,
        };

        Assert.Equal(0, Run([], slow));
        Assert.True(isMeasured);
    }

    [Fact]
    public void Baseline_that_cannot_be_read_is_wrong_usage()
    {
        File.WriteAllText(BaselinePath, "nothing");

        Assert.Equal(2, Run(["--gate"], Group("a", 2.5, LineTarget.AtLeast(2, 3))));
        Assert.Contains(BaselinePath, _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--fast")]
    [InlineData("--only")]
    [InlineData("--json")]
    public void Wrong_option_is_an_error(string argument)
    {
        _ = BenchOptions.Parse([argument], [], out var error);

        Assert.Contains(argument, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_line_is_an_error()
    {
        _ = BenchOptions.Parse(["--only", "path.proto,path.prot"], LineCatalog.Groups, out var error);

        Assert.Contains("no line path.prot;", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Catalog_has_every_line_of_the_issue_once()
    {
        string[] wanted =
        [
            "decode.proto", "decode.native", "decode.json", "fold.zipf", "fold.fresh", "fold.growth", "fold.ns1", "flush.rows",
            "flush.bytes", "handoff", "path.proto", "path.goflow2", "path.native", "path.1m", "path.2core", "vs.clickhouse",
            "vs.clickhouse-raw", "process", "memory.series", "gc.gen2",
        ];
        var ids = LineCatalog.Groups.SelectMany(group => group.Ids).ToList();

        Assert.All(wanted, name => Assert.Contains(ids, id => LineGroup.IsNamed(id, name)));
        Assert.Equal(ids.Count, ids.Distinct().Count());
    }

    public void Dispose()
    {
        Directory.Delete(_directory, recursive: true);
        _output.Dispose();
        _error.Dispose();
    }

    private string BaselinePath => Path.Combine(_directory, "baseline.json");

    private static LineGroup Group(string id, double ratio, LineTarget? target) =>
        new([id], "", _ => [new LineResult(id, "what", "ns") { Ratio = ratio, Target = target }]);

    private int Run(string[] arguments, params LineGroup[] groups)
    {
        var options = BenchOptions.Parse([.. arguments, "--baseline", BaselinePath], groups, out var error);
        Assert.Null(error);
        return new BenchRun(options, groups, _output, _error).Run();
    }
}
