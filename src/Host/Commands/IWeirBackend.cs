using Weir.Core.Model;
using Weir.Host.Audit;
using Weir.Host.Options;

namespace Weir.Host.Commands;

/// <summary>What the commands need of the stages. The composition root gives it; tests of the commands give doubles.</summary>
internal interface IWeirBackend
{
    /// <summary>Runs the pipeline until <paramref name="shutdown"/>; returns an exit code.</summary>
    Task<int> RunAsync(LoadedOptions loaded, CommandContext context, ShutdownSignal shutdown);

    /// <summary>Runs the demonstration; returns an exit code.</summary>
    Task<int> DemoAsync(DemoSettings settings, CommandContext context, ShutdownSignal shutdown);

    /// <summary>Starts a broker in memory.</summary>
    /// <param name="topics">Its topics.</param>
    /// <param name="sessionTimeout">How long a member with <c>group.protocol=consumer</c> may be silent.</param>
    /// <exception cref="CommandException">It did not start.</exception>
    IRunningBroker StartBroker(IReadOnlyList<BrokerTopic> topics, TimeSpan sessionTimeout);

    /// <summary>Asks the broker for the topics, and tells what it found.</summary>
    Task<ProbeReport> ProbeKafkaAsync(WeirOptions options, TimeSpan timeout, CancellationToken cancel);

    /// <summary>Asks the broker where the consumer group is in each partition, without joining it.</summary>
    /// <exception cref="CommandException">The broker did not answer.</exception>
    Task<IReadOnlyDictionary<PartitionKey, GroupPosition>> ReadPositionsAsync(
        WeirOptions options, TimeSpan timeout, CancellationToken cancel);

    /// <summary>Opens the sink for questions; the embedded one is locked while it is open.</summary>
    /// <exception cref="StoreException">
    /// It cannot be opened; <see cref="StoreException.IsHeld"/> says whether another process has it.
    /// </exception>
    Task<IStoreAccess> OpenStoreAsync(WeirOptions options, CancellationToken cancel);
}

/// <summary>Either sink, for questions and for its tables. One caller at a time.</summary>
internal interface IStoreAccess : IAsyncDisposable
{
    /// <summary>What it is, in one line; and what it promises, once <see cref="PlanSchemaAsync"/> has read the tables.</summary>
    string Description { get; }

    /// <summary>Compares the tables with what the views need.</summary>
    Task<SchemaReport> PlanSchemaAsync(CancellationToken cancel);

    /// <summary>Compares the tables of all nodes of a cluster with what the views need.</summary>
    /// <exception cref="CommandException">This store has no clusters.</exception>
    Task<SchemaReport> PlanClusterAsync(string cluster, CancellationToken cancel);

    /// <summary>Runs the statements of a plan.</summary>
    Task ApplySchemaAsync(SchemaReport plan, CancellationToken cancel);

    /// <summary>Runs SQL that only reads and writes its answer to <paramref name="output"/>.</summary>
    /// <exception cref="StoreException">The server refused it.</exception>
    Task QueryAsync(string sql, string format, Stream output, CancellationToken cancel);

    /// <summary>The same of one shard of servers; the tables of the views are spread over all of them.</summary>
    /// <exception cref="StoreException">The server refused it.</exception>
    Task QueryShardAsync(int shard, string sql, string format, Stream output, CancellationToken cancel) => QueryAsync(sql, format, output, cancel);
}

/// <summary>A broker that runs until it is disposed.</summary>
internal interface IRunningBroker : IDisposable
{
    /// <summary><c>127.0.0.1:port</c>.</summary>
    string Bootstrap { get; }
}

/// <summary>A topic of the broker to try out.</summary>
internal sealed record BrokerTopic(string Name, int PartitionCount);

/// <summary>What a demonstration was asked to do.</summary>
/// <param name="Seconds">How long it feeds records.</param>
/// <param name="JsonPath">Where the facts go for a program; null for nowhere.</param>
internal sealed record DemoSettings(int Seconds, string? JsonPath);

/// <summary>What was found out about something outside the process.</summary>
/// <param name="Findings">What is as it should be, one line each.</param>
/// <param name="Problems">What is not, with what to do, one line each.</param>
internal sealed record ProbeReport(IReadOnlyList<string> Findings, IReadOnlyList<string> Problems);

/// <summary>The way from the tables that are to those that should be.</summary>
/// <param name="Steps">What is to be done, in order.</param>
/// <param name="Conflicts">What no statement may mend without losing rows, with what to do; one line each.</param>
internal sealed record SchemaReport(IReadOnlyList<SchemaReportStep> Steps, IReadOnlyList<string> Conflicts);

/// <summary>One statement of a plan.</summary>
/// <param name="Reason">What differs, a sentence.</param>
/// <param name="Statement">SQL that mends it.</param>
/// <param name="RunsAtStart">True when <c>weir run</c> does it by itself; otherwise it waits for <c>weir schema apply</c>.</param>
/// <param name="Shard">The shard of servers that it is for.</param>
internal sealed record SchemaReportStep(string Reason, string Statement, bool RunsAtStart, int Shard = 0);

/// <summary>A command cannot go on, for a reason outside the program. The message is for people: what is wrong; what to do.</summary>
internal class CommandException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The sink said no, or could not be reached.</summary>
internal sealed class StoreException(string message, bool isHeld = false, Exception? inner = null) : CommandException(message, inner)
{
    /// <summary>True when another process has the embedded store open.</summary>
    public bool IsHeld { get; } = isHeld;
}
