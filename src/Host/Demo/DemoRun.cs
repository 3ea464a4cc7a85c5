using System.Globalization;
using Weir.Host.Commands;
using Weir.Host.Options;
using Weir.Ingest;

namespace Weir.Host.Demo;

/// <summary>
/// <c>weir demo</c>: an embedded broker, real flow records replayed into it by <c>weir-loadgen</c>, the pipeline, an embedded ClickHouse.
/// </summary>
/// <remarks>
/// The pipeline is the one of <c>weir run</c>, built by the same composition root from an ordinary configuration, which is left
/// beside the data. The load generator is a process of its own, so that the figures are the pipeline's.
/// </remarks>
internal sealed class DemoRun(DemoSettings settings, CommandContext context, TimeProvider time)
{
    /// <summary>Where the data of the last demonstration lies, below the working directory.</summary>
    internal const string DirectoryName = "demo-data";

    private const string Topic = "flows";

    /// <summary>The embedded broker keeps 5 MiB a partition; four of them are enough to keep the pipeline busy.</summary>
    private const int PartitionCount = 4;

    private const string LoadgenVariable = "WEIR_LOADGEN";
    private const string FixtureName = "pmacct-flows.ndjson.zst";
    private static readonly TimeSpan _assignTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _catchUpTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Runs the demonstration; a stop asked for ends the feeding early and still shows the account.</summary>
    /// <returns>An exit code.</returns>
    public async Task<int> RunAsync(CancellationToken stopping)
    {
        var fixture = FindFixture();
        var loadgen = FindLoadgen();
        PrepareDirectory();
        using var broker = EmbeddedBroker.Start(new Dictionary<string, int> { [Topic] = PartitionCount });
        var loaded = Configure(broker.Bootstrap);
        using var logs = WeirLogging.Create(loaded.Options.Log, context.HasColour);
        await using var host = WeirHost.Create(loaded.Options, WeirProgram.Version, logs, time, configuration: () => OptionsPrinter.Print(loaded));
        await host.StartAsync(stopping);

        var progress = new DemoProgress(context, settings.Seconds, time);
        bool IsAssigned() => host.Snapshot().Ingest.Partitions.Count == PartitionCount;
        await progress.ShowAsync(host, "joining the consumer group", IsAssigned, _assignTimeout, stopping);

        using var feeder = FeederProcess.Start(loadgen, [
            "replay", fixture, "--bootstrap", broker.Bootstrap, "--topic", Topic, "--retime", "--follow", host.AdminUrl.AbsoluteUri,
            "--seconds", settings.Seconds.ToString(CultureInfo.InvariantCulture), "--json",
        ]);
        var meter = new RateMeter(time);
        await progress.FeedAsync(host, meter, feeder, stopping);
        var sentCount = await feeder.StopAsync();
        if (!host.Faulted.IsCompleted)
        {
            bool IsCaughtUp() => host.Snapshot().Ingest.ReadCount >= sentCount;
            await progress.ShowAsync(host, "reading what is left", IsCaughtUp, _catchUpTimeout, CancellationToken.None);
        }

        var isDrained = await host.StopAsync();
        var facts = await DemoFacts.CollectAsync(host, sentCount, meter, CancellationToken.None);
        DemoReport.Write(context.Output, facts, DirectoryName);
        if (settings.JsonPath is { } path)
        {
            AtomicFile.Write(path, facts.ToJson());
        }

        if (!isDrained || host.Faulted.IsCompleted)
        {
            context.WriteError("the pipeline did not store everything that it read; the log above says why");
            return ExitCodes.Failed;
        }

        return facts.Closes ? ExitCodes.Ok : ExitCodes.Failed;
    }

    /// <summary>An ordinary configuration, written beside the data so that <c>weir query</c> finds them afterwards.</summary>
    private static LoadedOptions Configure(string bootstrap)
    {
        var path = Path.Combine(DirectoryName, "weir.yaml");
        File.WriteAllText(
            path,
            $$"""
            # Written by 'weir demo'. The broker was in memory and is gone; the data stays:
            #   weir query -c {{path}} "SELECT * FROM edge_1m LIMIT 10"
            kafka:
              bootstrap: {{bootstrap}}
              group: weir-demo
              topics:
                - { name: {{Topic}}, format: pmacct-json }
              options:
                session.timeout.ms: 6000
            clickhouse:
              embedded: {{Path.Combine(DirectoryName, "store")}}
            flush: { interval: 2s }
            memory: { limit: 384MiB }
            log: { level: warn }
            admin: { listen: 127.0.0.1:0 }
            """ + "\n");
        var loaded = OptionsLoader.Load(File.ReadAllText(path), path, new Dictionary<string, string>());
        return loaded.Errors.Count == 0
            ? loaded
            : throw new InvalidOperationException($"The configuration of the demonstration is wrong: {string.Join("; ", loaded.Errors)}");
    }

    private static void PrepareDirectory()
    {
        var store = Path.Combine(DirectoryName, "store");
        if (Directory.Exists(store))
        {
            Directory.Delete(store, recursive: true); // Of an earlier demonstration: the account is of this one alone.
        }

        Directory.CreateDirectory(DirectoryName);
    }

    private static string FindFixture()
    {
        var path = Path.Combine(AppContext.BaseDirectory, "fixtures", FixtureName);
        return File.Exists(path)
            ? path
            : throw new CommandException($"the recorded flow records are not at {path}; build with ./demo, which puts them there");
    }

    private string FindLoadgen()
    {
        var path = context.Environment.TryGetValue(LoadgenVariable, out var named) && named.Length > 0
            ? named
            : Path.Combine(AppContext.BaseDirectory, "weir-loadgen.dll");
        return File.Exists(path)
            ? path
            : throw new CommandException(
                $"the load generator is not at {path}; start the demonstration with ./demo, or set {LoadgenVariable} to weir-loadgen.dll");
    }
}
