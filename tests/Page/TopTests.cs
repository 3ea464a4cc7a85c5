using Weir.Core.Telemetry;
using Weir.Host;
using Weir.Host.Admin;
using Weir.Host.Commands;
using Weir.Host.Top;
using Weir.Tests.Host;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Page;

/// <summary><c>weir top</c>: the page's figures as text.</summary>
public sealed class TopTests : IAsyncDisposable
{
    private readonly FakeWeir _weir = new();
    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    [Fact]
    public async Task A_redirected_output_gets_one_plain_frame_with_path_queues_partitions_and_account()
    {
        _weir.Flow(10, overwritten: 700);
        _weir.Set(WeirMeter.WriterFreshnessSeconds, 2.26);
        _weir.Health = new HealthReport([], ["no partition [flows] is assigned"]);
        _weir.Errors = [_weir.Error("Too many parts (300)")];
        var url = await _weir.StartAsync();

        Assert.Equal(0, await RunAsync("top", "--url", url.AbsoluteUri, "--interval", "0.2"));

        var frame = _output.ToString();
        var words = string.Join(' ', frame.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)); // Lines break anywhere.
        Assert.DoesNotContain('\u001b', frame);
        foreach (var part in (string[])[
            "weir top", "ClickHouse of the test: exactly once, by the names of the last 10000 blocks of each table",
            "▲ not ready: no partition [flows] is assigned", "aggregation[0]", "overwrite", "10,000", "700", "freshness 2.3 s",
            "account since the start: read 10,000 = folded 9,300 + rejected 0 + late 0 + dropped 0 + overwritten 700 ● adds up",
            "▲ overloaded, 3 times: Too many parts (300)"])
        {
            Assert.Contains(part, words, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Rates_and_losses_are_of_the_time_between_two_looks()
    {
        _weir.Flow(10, overwritten: 700);
        var url = await _weir.StartAsync();
        using var source = new TopSource(url);
        var earlier = await source.ReadAsync(CancellationToken.None);
        _weir.Flow(12, overwritten: 900);
        _weir.Time.Advance(TimeSpan.FromSeconds(2));
        var now = await source.ReadAsync(CancellationToken.None);

        Assert.Equal(1_000, now.Rate(earlier, "weir_ingest_read_records_total"));
        Assert.Equal(100, now.Rate(earlier, "weir_queue_overwritten_records_total", "queue=\"aggregation\""));
        Assert.Null(now.Rate(earlier, "weir_queue_overwritten"));
        Assert.Null(now.Verdict);
    }

    [Fact]
    public async Task The_verdict_of_the_diagnosis_is_shown_with_the_option_to_change()
    {
        using var json = System.Text.Json.JsonDocument.Parse(PageInBrowserTests.Verdict);
        _weir.Flow(10, overwritten: 700);
        using var source = new TopSource(await _weir.StartAsync());
        var reading = await source.ReadAsync(CancellationToken.None);
        var console = Spectre.Console.AnsiConsole.Create(new Spectre.Console.AnsiConsoleSettings
        {
            Out = new Spectre.Console.AnsiConsoleOutput(_output),
            Ansi = Spectre.Console.AnsiSupport.No,
        });
        console.Profile.Width = 200;

        console.Write(TopFrame.Draw(source.Url, reading with { Verdict = TopVerdict.Parse(json.RootElement) }, reading));

        Assert.Contains("✖ losing records  aggregation: shard 0 is busy 97 % of the time", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains(
            "✖ Queue aggregation[0] is too small for the bursts; set aggregation.queue.capacity_records from 1000 to 262144",
            _output.ToString(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nobody_there_or_somebody_else_is_an_error_that_says_what_to_do()
    {
        var url = await _weir.StartAsync();
        await _weir.StopAsync();
        Assert.Equal(1, await RunAsync("top", "--url", url.AbsoluteUri));
        Assert.Contains("no weir answers at", _error.ToString(), StringComparison.Ordinal);

        await using var other = new FakeHttpServer(_ => (200, "{}"));
        Assert.Equal(1, await RunAsync("top", "--url", other.Url.AbsoluteUri));
        Assert.Contains("is no weir of this version", _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(2, await RunAsync("top", "--url", "nonsense"));
        Assert.Equal(2, await RunAsync("top", "--interval", "0"));
    }

    public async ValueTask DisposeAsync()
    {
        await _weir.DisposeAsync();
        await _output.DisposeAsync();
        await _error.DisposeAsync();
    }

    private async Task<int> RunAsync(params string[] args) => await WeirProgram.RunAsync(
        args,
        new CommandContext
        {
            Output = _output,
            OutputStream = Stream.Null,
            Error = _error,
            Environment = new Dictionary<string, string>(),
            OpenShutdownSignal = () => new ShutdownSignal(_ => { }),
        },
        new FakeBackend());
}
