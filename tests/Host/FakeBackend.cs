using System.Text;
using Weir.Core.Model;
using Weir.Host;
using Weir.Host.Audit;
using Weir.Host.Commands;
using Weir.Host.Options;

namespace Weir.Tests.Host;

/// <summary>Stages in the place of the real ones, for tests of the commands.</summary>
internal sealed class FakeBackend : IWeirBackend, IStoreAccess, IRunningBroker
{
    public ProbeReport Kafka { get; set; } = new(["kafka: there"], []);

    public SchemaReport Schema { get; set; } = new([], []);

    public StoreException? OpenError { get; set; }

    public StoreException? QueryError { get; set; }

    public Action? BrokerStarted { get; set; }

    public List<string> Calls { get; } = [];

    public string Description => "ClickHouse 99.9: exactly once";

    public string Bootstrap => "127.0.0.1:4711";

    public Task<int> RunAsync(LoadedOptions loaded, CommandContext context, ShutdownSignal shutdown)
    {
        Calls.Add($"run {loaded.Options.Ingest.Group}");
        return Task.FromResult(ExitCodes.Ok);
    }

    public Task<int> DemoAsync(DemoSettings settings, CommandContext context, ShutdownSignal shutdown)
    {
        Calls.Add($"demo {settings.Seconds} {settings.JsonPath}");
        return Task.FromResult(ExitCodes.Failed);
    }

    public IRunningBroker StartBroker(IReadOnlyList<BrokerTopic> topics, TimeSpan sessionTimeout)
    {
        Calls.Add($"broker {string.Join(' ', topics.Select(topic => $"{topic.Name}/{topic.PartitionCount}"))}, session {sessionTimeout.TotalSeconds:0}s");
        BrokerStarted?.Invoke();
        return this;
    }

    public Task<ProbeReport> ProbeKafkaAsync(WeirOptions options, TimeSpan timeout, CancellationToken cancel) => Task.FromResult(Kafka);

    public Dictionary<PartitionKey, GroupPosition>? Positions { get; set; }

    public Task<IReadOnlyDictionary<PartitionKey, GroupPosition>> ReadPositionsAsync(
        WeirOptions options, TimeSpan timeout, CancellationToken cancel) => Positions is null
        ? Task.FromException<IReadOnlyDictionary<PartitionKey, GroupPosition>>(new CommandException("no broker answers"))
        : Task.FromResult<IReadOnlyDictionary<PartitionKey, GroupPosition>>(Positions);

    public Task<IStoreAccess> OpenStoreAsync(WeirOptions options, CancellationToken cancel)
    {
        Calls.Add("open");
        return OpenError is null ? Task.FromResult<IStoreAccess>(this) : Task.FromException<IStoreAccess>(OpenError);
    }

    public Task<SchemaReport> PlanSchemaAsync(CancellationToken cancel) => Task.FromResult(Schema);

    public Task<SchemaReport> PlanClusterAsync(string cluster, CancellationToken cancel)
    {
        Calls.Add($"cluster {cluster}");
        return Task.FromResult(Schema);
    }

    public Task ApplySchemaAsync(SchemaReport plan, CancellationToken cancel)
    {
        Calls.Add($"apply {plan.Steps.Count}");
        return Task.CompletedTask;
    }

    public async Task QueryAsync(string sql, string format, Stream output, CancellationToken cancel)
    {
        Calls.Add($"query {format} {sql}");
        if (QueryError is not null)
        {
            throw QueryError;
        }

        await output.WriteAsync(Encoding.UTF8.GetBytes("42\n"), cancel);
    }

    public ValueTask DisposeAsync()
    {
        Calls.Add("close");
        return ValueTask.CompletedTask;
    }

    public void Dispose() => Calls.Add("stop");
}
