using System.Text.Json;
using Weir.Loadgen;
using Weir.Loadgen.Capture;
using Weir.Loadgen.Generate;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Loadgen;

/// <summary>Ctrl-C ends every command with true totals and a clean exit code; a running replay obeys signals, keys and a file.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class StopTests : IDisposable
{
    private const int SignalInterrupt = 2;
    private const int SignalUser1 = 10;
    private const int SignalUser2 = 12;

    private readonly string _directory = Directory.CreateTempSubdirectory("weir-stop-").FullName;
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromMinutes(5));

    public void Dispose()
    {
        _limit.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task Generate_and_capture_stop_with_totals_that_are_those_of_the_topic()
    {
        var (broker, bootstrap) = await BrokerAsync();
        using var owner = broker;
        var file = Path.Combine(_directory, "c.weircap");
        using var generate = Start("generate", "--bootstrap", bootstrap, "--topic", "flows", "--rate", "5000", "--records-per-message",
            "10", "--json");
        await SaidAsync(generate, "records/s");
        using var totals = await StopAsync(generate);
        var messages = totals.RootElement.GetProperty("messages").GetInt64();
        Assert.True(messages > 0);
        Assert.Equal(0, totals.RootElement.GetProperty("failed_records").GetInt64());

        using var capture = Start("capture", "--bootstrap", bootstrap, "--topic", "flows", "--format", "weir", "--out", file, "--json");
        await Eventually.TrueAsync(
            () => LastLine(capture).Contains($" {messages:N0} messages ", StringComparison.Ordinal), "all messages captured");
        using var captured = await StopAsync(capture);
        Assert.Equal(messages, captured.RootElement.GetProperty("messages").GetInt64());

        var (code, output, errors) = await WeirProgram.RunAsync(Program, ["capture", "info", file, "--verify", "--json"], _limit.Token);
        Assert.True(code == 0, errors);
        using var info = JsonDocument.Parse(output);
        Assert.True(info.RootElement.GetProperty("closed").GetBoolean()); // With its index, as one that ended by itself.
        Assert.Equal(messages, info.RootElement.GetProperty("messages").GetInt64());
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task A_running_replay_obeys_signals_and_its_file_and_stops_with_totals()
    {
        var (broker, bootstrap) = await BrokerAsync();
        using var owner = broker;
        var control = Path.Combine(_directory, "speed.txt");
        using var replay = Start("replay", MakeCapture(seconds: 600), "--bootstrap", bootstrap, "--topic", "flows", "--speed", "2",
            "--control", control, "--json");
        await SaysAsync(replay, "speed 2 ");
        replay.Signal(SignalUser1);
        await SaysAsync(replay, "paused");
        replay.Signal(SignalUser1);
        await SaysAsync(replay, "speed 2 ");
        await File.WriteAllTextAsync(control, "8\n", _limit.Token);
        await SaysAsync(replay, "speed 8 ");
        replay.Signal(SignalUser2); // The first speed again.
        await SaysAsync(replay, "speed 2 ");

        using var totals = await StopAsync(replay);
        Assert.InRange(totals.RootElement.GetProperty("messages").GetInt64(), 1, 600 * 5);
        Assert.Equal(0, totals.RootElement.GetProperty("failed_messages").GetInt64());
        Assert.True(totals.RootElement.TryGetProperty("lateness_p99_ms", out _));
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task Codecs_that_is_stopped_prints_what_it_has_measured()
    {
        using var codecs = Start("codecs", "--generate", "goflow2", "--sample", "300000", "--codec", "none", "--codec", "zstd:3",
            "--batch", "128KiB", "--json");
        await SaidAsync(codecs, "through the broker");
        using var totals = await StopAsync(codecs);
        Assert.Equal(2, totals.RootElement.GetProperty("alone").GetArrayLength());
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task A_shadow_run_that_is_stopped_compares_what_both_have_got()
    {
        using var compare = Start("compare", MakeCapture(seconds: 600), "--speed", "4", "--a", QuickConfig(), "--b", QuickConfig(), "--json");
        await SaidAsync(compare, " messages");
        using var totals = await StopAsync(compare);
        Assert.True(totals.RootElement.GetProperty("equal").GetBoolean());
        Assert.InRange(totals.RootElement.GetProperty("messages").GetInt64(), 1, 600 * 5 - 1);
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task A_soak_that_is_stopped_stores_and_audits_what_was_made()
    {
        using var soak = Start("soak", "--for", "1h", "--fault-every", "0s", "--rate", "2000", "--series", "500", "--partitions", "2",
            "-c", QuickConfig(), "--json");
        await SaidAsync(soak, "records sent");
        using var totals = await StopAsync(soak);
        Assert.True(totals.RootElement.GetProperty("exact").GetBoolean());
        Assert.True(totals.RootElement.GetProperty("records").GetInt64() > 0);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public async Task The_second_interrupt_ends_at_once()
    {
        var (broker, bootstrap) = await BrokerAsync();
        using var owner = broker;
        using var generate = Start("generate", "--bootstrap", bootstrap, "--topic", "flows", "--rate", "1000", "--json");
        await SaidAsync(generate, "records/s");
        broker.Signal(19); // SIGSTOP: nobody acknowledges, so that the first one has to wait.
        try
        {
            generate.Signal(SignalInterrupt);
            await SaidAsync(generate, "once more");
            generate.Signal(SignalInterrupt);
            var (code, output, _) = await generate.EndAsync(_limit.Token);
            Assert.Equal((130, string.Empty), (code, output));
        }
        finally
        {
            broker.Signal(18);
        }
    }

    private static string Program => Path.Combine(AppContext.BaseDirectory, "weir-loadgen");

    private static WeirProgram Start(params string[] arguments) => WeirProgram.Start(Program, arguments);

    private Task<(WeirProgram Broker, string Bootstrap)> BrokerAsync() =>
        WeirProgram.StartBrokerAsync(Path.Combine(AppContext.BaseDirectory, "weir"), _directory, ["flows:2"], _limit.Token);

    private string QuickConfig()
    {
        var path = Path.Combine(_directory, "quick.yaml");
        File.WriteAllText(path, "flush: { interval: 500ms }\n");
        return path;
    }

    /// <summary>A capture of five messages of ten records a second.</summary>
    private string MakeCapture(int seconds)
    {
        var path = Path.Combine(_directory, "made.weircap");
        using var writer = CaptureWriter.Create(path, new CaptureHeader([new CapturedTopic("flows", "weir", 2)], 0, false));
        var generator = new Generator(new GeneratorOptions
        {
            StartSecond = DateTimeOffset.UtcNow.ToUnixTimeSeconds() - (2 * seconds), SeriesCount = 200, RecordsPerMessage = 10,
            PartitionCount = 2, Rate = RateShape.Steady(50),
        });
        var offset = 0;
        foreach (var message in generator.Messages(seconds * 50))
        {
            writer.Add(new CapturedMessage(0, message.Partition, offset++, message.TimestampMs, 1, null, message.Value, []));
        }

        return path;
    }

    private static string LastLine(WeirProgram program) =>
        program.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries).LastOrDefault(string.Empty);

    private static Task SaidAsync(WeirProgram program, string text) => Eventually.TrueAsync(
        () => Task.FromResult(program.Errors.Contains(text, StringComparison.Ordinal)),
        () => $"'{text}' is said; all it said: {program.Errors}");

    /// <summary>Progress comes once a second, so that a state stays the last line.</summary>
    private static Task SaysAsync(WeirProgram program, string text) => Eventually.TrueAsync(
        () => Task.FromResult(LastLine(program).Contains(text, StringComparison.Ordinal)),
        () => $"the last line is '{text}'; all it said: {program.Errors}");

    private async Task<JsonDocument> StopAsync(WeirProgram program)
    {
        program.Signal(SignalInterrupt);
        var (code, output, errors) = await program.EndAsync(_limit.Token);
        Assert.True(code == 0, $"{code}: {output}\n{errors}");
        return JsonDocument.Parse(output);
    }
}
