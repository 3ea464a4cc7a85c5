using System.CommandLine;
using Weir.Loadgen;
using Weir.Loadgen.Commands;
using Weir.Loadgen.Replay;
using Weir.Loadgen.Reports;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Loadgen;

/// <summary>Reports of generate, capture and replay: what the plots are made of, and the files that the commands write.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class ReportTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-reports-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Readings_stay_bounded_and_rates_between_those_that_are_left_are_exact()
    {
        var samples = new RunSamples(valueCount: 1);
        for (var second = 1; second <= 100_000; second++)
        {
            samples.Add(second, second * 50.0);
        }

        var rates = samples.Rates("rate", 0).Points;
        Assert.InRange(rates.Count, 500, 2_001);
        Assert.All(rates, point => Assert.Equal(50, point.Y, 6));
        Assert.Equal(100_000, rates[^1].X);
        Assert.Equal(5_000_000, samples.Values("count", 0).Points[^1].Y);
    }

    [Fact]
    public void A_reading_right_after_another_takes_its_place_so_that_no_rate_is_noise()
    {
        var samples = new RunSamples(valueCount: 1);
        samples.Add(1, 100);
        samples.Add(2, 200);
        samples.Add(2.001, 210);

        Assert.Equal([1.0, 2.001], samples.Rates("rate", 0).Points.Select(point => point.X));
        Assert.Equal(210, samples.Values("count", 0).Points[^1].Y);
    }

    [Fact]
    public void Octaves_of_lateness_have_all_sends_and_none_empty_at_the_ends()
    {
        var lateness = new LatenessHistogram();
        double[] seconds = [0.0011, 0.0012, 0.0013, 0.009, 0.5];
        Array.ForEach(seconds, lateness.Add);

        var octaves = lateness.Octaves();

        Assert.Equal(seconds.Length, octaves.Sum(octave => octave.Count));
        Assert.True(octaves[0].Count > 0 && octaves[^1].Count > 0);
        Assert.InRange(octaves[0].SecondsMax, 0.0011, 0.0022);
        Assert.InRange(octaves[^1].SecondsMax, 0.5, 1.0);
        Assert.Empty(new LatenessHistogram().Octaves());
    }

    [Fact]
    public void Bars_are_drawn_in_a_page_and_listed_in_markdown()
    {
        var report = new Report("R");
        report.Bars("sends", [("up to 1 ms", 3, "3 (75 %)"), ("up to 2 ms", 1, "1 (25 %)"), ("a < b", 0, "0")]);

        Assert.Contains("| up to 1 ms | 3 (75 %) |", report.ToMarkdown(), StringComparison.Ordinal);
        var page = report.ToHtml();
        Assert.Equal(3, page.Split("<rect").Length - 1);
        Assert.Contains("a &lt; b", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_are_told_as_they_were_used_and_secrets_are_not()
    {
        var arguments = GenerateCommand.Create().Parse(
            ["--bootstrap", "b:9092", "--topic", "t", "--rows", "--property", "sasl.password=hunter2", "--property", "linger.ms=7"]);

        var rows = CommandOptions.Used(arguments);

        Assert.Contains(rows, row => row is ["--bootstrap", "b:9092", "yes"]);
        Assert.Contains(rows, row => row is ["--rows", "yes", "yes"]);
        Assert.Contains(rows, row => row is ["--series", "100000", ""]);
        Assert.Contains(rows, row => row is ["--property", "sasl.password=*** linger.ms=7", "yes"]);
        Assert.DoesNotContain(rows, row => row[0] is "--hash" or "--report" or "--tag");
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task Generate_capture_and_replay_write_their_reports_as_pages_and_as_markdown()
    {
        using var broker = KafkaBroker.Start(new Dictionary<string, int> { ["flows"] = 2, ["copy"] = 2 });
        var capture = Path.Combine(_directory, "c.weircap");
        string To(string name) => Path.Combine(_directory, name);
        string[] to = ["--bootstrap", broker.Bootstrap, "--topic"];

        await RunAsync("generate", [.. to, "flows", "--records", "2000", "--rate", "10000", "--records-per-message", "50", "--rows",
            "--malformed", "0.01", "--report", To("g.html")]);
        await RunAsync("generate", [.. to, "flows", "--records", "2000", "--rate", "max", "--loop", "1000", "--report", To("l.md")]);
        await RunAsync("capture", [.. to, "flows", "--format", "weir", "--out", capture, "--until-end", "--report", To("c.html")]);
        await RunAsync("replay", [capture, .. to, "copy", "--count", "--times", "2", "--report", To("r.html")]);
        await RunAsync("replay", [capture, .. to, "copy", "--speed", "max", "--report", To("r.md")]);
        await RunAsync("replay", [RepositoryPaths.Of("fixtures", "pmacct-flows.ndjson.zst"), .. to, "copy", "--times", "1", "--report",
            To("p.md")]);

        AssertHas("g.html", "2,000 records", "<polyline", "asked for", "must be rejected", "edge_1s", "--malformed", "<td>rows</td>");
        AssertHas("l.md", "2,000 records", "| records | 2,000 |", "| --loop | 1000 | yes |");
        AssertHas("c.html", "Messages a second", "flows [0]", "flows [1]", "--until-end");
        AssertHas("r.html", "Sends by lateness", "<rect", "Behind the schedule", "records counted in them");
        AssertHas("r.md", "## Lateness of the sends", "| --speed | max | yes |");
        AssertHas("p.md", "| tcp |", "| all |");
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task Options_that_mean_nothing_for_finished_batches_are_refused()
    {
        var (code, output, errors) = await StartAsync(
            ["generate", "--bootstrap", "127.0.0.1:1", "--topic", "t", "--loop", "1000", "--property", "security.protocol=ssl"]);

        Assert.Equal((1, string.Empty), (code, output));
        Assert.Contains("--property has no meaning with --loop", errors, StringComparison.Ordinal);
    }

    private static async Task RunAsync(string command, string[] arguments)
    {
        var (code, output, errors) = await StartAsync([command, .. arguments]);
        Assert.True(code == 0, $"{command} ended with {code}: {output}\n{errors}");
    }

    private static async Task<(int Code, string Output, string Errors)> StartAsync(string[] arguments)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        return await WeirProgram.RunAsync(Path.Combine(AppContext.BaseDirectory, "weir-loadgen"), arguments, limit.Token);
    }

    private void AssertHas(string name, params string[] texts)
    {
        var report = File.ReadAllText(Path.Combine(_directory, name));
        Assert.All(texts, text => Assert.Contains(text, report, StringComparison.Ordinal));
    }
}
