using Weir.Host.Commands;
using Weir.Host.Options;

namespace Weir.Host;

/// <summary>Gives the commands what they need of the stages.</summary>
internal sealed class WeirBackend : IWeirBackend
{
    /// <inheritdoc/>
    public Task<int> RunAsync(LoadedOptions loaded, CommandContext context, ShutdownSignal shutdown) =>
        throw new StoreException("this build has no pipeline");

    /// <inheritdoc/>
    public Task<int> DemoAsync(DemoSettings settings, CommandContext context, ShutdownSignal shutdown) =>
        throw new StoreException("this build has no demonstration");

    /// <inheritdoc/>
    public IRunningBroker StartBroker(IReadOnlyList<BrokerTopic> topics) => throw new StoreException("this build has no broker");

    /// <inheritdoc/>
    public Task<ProbeReport> ProbeKafkaAsync(WeirOptions options, TimeSpan timeout, CancellationToken cancel) =>
        Task.Run(() => KafkaProbe.Probe(options.Ingest, timeout), cancel);

    /// <inheritdoc/>
    public Task<IStoreAccess> OpenStoreAsync(WeirOptions options, CancellationToken cancel) =>
        throw new StoreException("this build has no sink");
}
