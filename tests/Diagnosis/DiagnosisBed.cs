using System.Diagnostics;
using System.Globalization;
using Weir.Host.Commands;
using Weir.Host.Diagnosis;
using Weir.Tests.EndToEnd;
using Weir.Tests.Host;
using Weir.Tests.Support;

namespace Weir.Tests.Diagnosis;

/// <summary>A broker with faults, a feeder, and <c>weir run</c> processes that are asked by <c>weir diagnose --json</c>.</summary>
internal sealed class DiagnosisBed : IDisposable
{
    /// <summary>Partitions of each topic.</summary>
    public const int PartitionCount = 4;

    private static readonly TimeSpan _deadline = TimeSpan.FromSeconds(90);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-diagnosis-");
    private readonly List<WeirRun> _runs = [];
    private int _count;

    public DiagnosisBed()
    {
        Kafka = KafkaBroker.Start(new Dictionary<string, int> { ["flows"] = PartitionCount, ["own"] = PartitionCount });
        Feeder = new FlowFeeder(Kafka.Bootstrap);
    }

    public KafkaBroker Kafka { get; }

    public FlowFeeder Feeder { get; }

    /// <summary>The directory of an embedded store that no other run has.</summary>
    public string NewStore() => $"embedded: {Path.Combine(_directory.FullName, $"store-{++_count}")}";

    /// <summary>Starts weir with a group of its own, and lets the feeder follow it.</summary>
    /// <param name="clickHouse">Keys of the section clickhouse.</param>
    /// <param name="window">The window of the diagnosis.</param>
    /// <param name="more">Further sections.</param>
    /// <param name="environment">Variables of the process.</param>
    public async Task<WeirRun> RunAsync(string clickHouse, string window, string more = "", params (string Name, string Value)[] environment)
    {
        var config = Path.Combine(_directory.FullName, $"weir-{++_count}.yaml");
        await File.WriteAllTextAsync(config, $$"""
            kafka:
              bootstrap: {{Kafka.Bootstrap}}
              group: diagnosis-{{_count}}
              topics: [ { name: flows, format: pmacct-json }, { name: own, format: weir } ]
              options: { fetch.wait.max.ms: 20, session.timeout.ms: 6000, heartbeat.interval.ms: 200, auto.offset.reset: latest }
            clickhouse: { {{clickHouse}} }
            admin: { listen: "127.0.0.1:0" }
            diagnosis: { window: {{window}} }
            {{more}}
            """);
        var run = await WeirRun.StartAsync(_directory.FullName, config, environment.ToDictionary(variable => variable.Name, variable => variable.Value));
        _runs.Add(run);
        Feeder.Follow(run.AdminUrl);
        return run;
    }

    /// <summary>What <c>weir diagnose --json</c> writes.</summary>
    public static async Task<DiagnosisReport> DiagnoseAsync(WeirRun run)
    {
        using var output = new StringWriter(CultureInfo.InvariantCulture);
        using var error = new StringWriter(CultureInfo.InvariantCulture);
        var code = await WeirProgram.RunAsync(
            ["diagnose", "--url", run.AdminUrl.AbsoluteUri, "--json"],
            new CommandContext
            {
                Output = output,
                OutputStream = Stream.Null,
                Error = error,
                Environment = new Dictionary<string, string>(),
                OpenShutdownSignal = () => throw new InvalidOperationException("It asks and ends."),
            },
            new FakeBackend());
        return code == ExitCodes.Refused
            ? throw new InvalidOperationException($"weir diagnose: {error}\n{run.Process.ErrorText}")
            : DiagnosisJson.Read(output.ToString());
    }

    /// <summary>Waits until a report is what the test waits for.</summary>
    /// <returns>It, and how long it took.</returns>
    public static async Task<(DiagnosisReport Report, TimeSpan After)> UntilAsync(WeirRun run, Func<DiagnosisReport, bool> condition, string what)
    {
        var from = Stopwatch.GetTimestamp();
        var last = await DiagnoseAsync(run);
        await Eventually.TrueAsync(
            async () => condition(last = await DiagnoseAsync(run)),
            () => $"{what}; the last report was\n{DiagnosisJson.Write(last)}\n{run.Process.ErrorText}",
            _deadline);
        return (last, Stopwatch.GetElapsedTime(from));
    }

    /// <summary>Ends a process; what it has not stored is of no interest here.</summary>
    public void End(WeirRun run)
    {
        _runs.Remove(run);
        run.Dispose();
    }

    public void Dispose()
    {
        Feeder.Dispose();
        _runs.ForEach(run => run.Dispose());
        Kafka.Dispose();
        _directory.Delete(recursive: true);
    }
}
