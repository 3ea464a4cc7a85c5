using Weir.Core.Model;
using Weir.Host.Audit;
using Weir.Host.Commands;
using Weir.Host.Demo;
using Weir.Host.Options;
using Weir.Host.Reload;
using Weir.Ingest;

namespace Weir.Host;

/// <summary>Gives the commands what they need of the stages.</summary>
internal sealed class WeirBackend : IWeirBackend
{
    /// <inheritdoc/>
    public async Task<int> RunAsync(LoadedOptions loaded, CommandContext context, ShutdownSignal shutdown)
    {
        var level = new LogLevelSwitch(loaded.Options.Log.Level);
        using var logs = WeirLogging.Create(loaded.Options.Log, context.HasColour, level);
        WeirHost? running = null; // Whom a reload asks about the tables.
        using var reloader = new ConfigReloader(
            loaded,
            () => ConfigOption.Read(loaded.File, context),
            () => ConfigOption.ReadText(loaded.File),
            level,
            (options, cancel) => ReloadCheck.FindObstaclesAsync(options, Volatile.Read(ref running), cancel),
            TimeProvider.System,
            logs.CreateLogger("weir"));
        var run = new PipelineRun(reloader, logs, shutdown, host => Volatile.Write(ref running, host));
        reloader.Start();
        return await run.RunAsync();
    }

    /// <inheritdoc/>
    public Task<int> DemoAsync(DemoSettings settings, CommandContext context, ShutdownSignal shutdown) =>
        new DemoRun(settings, context, TimeProvider.System).RunAsync(shutdown.Token);

    /// <inheritdoc/>
    public IRunningBroker StartBroker(IReadOnlyList<BrokerTopic> topics, TimeSpan sessionTimeout)
    {
        try
        {
            var broker = EmbeddedBroker.Start(topics.ToDictionary(topic => topic.Name, topic => topic.PartitionCount));
            broker.SetConsumerSession(sessionTimeout);
            return new RunningBroker(broker, BrokerFaults.OfProcess(broker));
        }
        catch (InvalidOperationException error)
        {
            throw new CommandException(error.Message, error);
        }
    }

    /// <inheritdoc/>
    public Task<ProbeReport> ProbeKafkaAsync(WeirOptions options, TimeSpan timeout, CancellationToken cancel) =>
        Task.Run(() => KafkaProbe.Probe(options.Ingest, timeout), cancel);

    /// <inheritdoc/>
    public Task<IReadOnlyDictionary<PartitionKey, GroupPosition>> ReadPositionsAsync(
        WeirOptions options, TimeSpan timeout, CancellationToken cancel) =>
        Task.Run(() => KafkaPositions.Read(options.Ingest, timeout), cancel);

    /// <inheritdoc/>
    public async Task<IStoreAccess> OpenStoreAsync(WeirOptions options, CancellationToken cancel) =>
        await SinkStore.OpenAsync(options, cancel);

    private sealed class RunningBroker(EmbeddedBroker broker, BrokerFaults? faults) : IRunningBroker
    {
        public string Bootstrap => broker.Bootstrap;

        public void Dispose()
        {
            faults?.Dispose();
            broker.Dispose();
        }
    }
}
