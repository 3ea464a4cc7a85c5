using Weir.Core.Faults;
using Weir.Core.Model;
using Weir.Core.Telemetry;
using Weir.Host.Audit;
using Weir.Host.Commands;
using Weir.Host.Demo;
using Weir.Host.Options;
using Weir.Ingest;

namespace Weir.Host;

/// <summary>Gives the commands what they need of the stages.</summary>
internal sealed class WeirBackend : IWeirBackend
{
    /// <inheritdoc/>
    public async Task<int> RunAsync(LoadedOptions loaded, CommandContext context, ShutdownSignal shutdown)
    {
        var options = loaded.Options;
        using var logs = WeirLogging.Create(options.Log, context.HasColour);
        var logger = logs.CreateLogger("weir");
        await using var host = WeirHost.Create(options, WeirProgram.Version, logs, FaultClock.OfProcess());
        try
        {
            await host.StartAsync(shutdown.Token);
        }
        catch (OperationCanceledException) when (shutdown.Token.IsCancellationRequested)
        {
            return ExitCodes.Ok; // Asked to stop before anything was read.
        }

        await Task.WhenAny(shutdown.WaitAsync(), host.Faulted);
        if (!host.Faulted.IsCompleted)
        {
            WeirLog.Stopping(logger, options.ShutdownTimeout);
        }

        var isDrained = await host.StopAsync();
        WeirLog.Stopped(logger, host.Snapshot().Writer.Stored.ToString());
        return isDrained && !host.Faulted.IsCompleted ? ExitCodes.Ok : ExitCodes.Failed;
    }

    /// <inheritdoc/>
    public Task<int> DemoAsync(DemoSettings settings, CommandContext context, ShutdownSignal shutdown) =>
        new DemoRun(settings, context, TimeProvider.System).RunAsync(shutdown.Token);

    /// <inheritdoc/>
    public IRunningBroker StartBroker(IReadOnlyList<BrokerTopic> topics)
    {
        try
        {
            var broker = EmbeddedBroker.Start(topics.ToDictionary(topic => topic.Name, topic => topic.PartitionCount));
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
