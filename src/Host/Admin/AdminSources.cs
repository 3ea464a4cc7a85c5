using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Core.Telemetry;
using Weir.Ingest;
using Weir.Writer;

namespace Weir.Host.Admin;

/// <summary>What the admin endpoint is asked for comes from here. All members may be called from any thread, at any time.</summary>
internal sealed record AdminSources
{
    /// <summary>Everything that has metrics.</summary>
    public required IReadOnlyList<IMetricSource> Metrics { get; init; }

    /// <summary>One reading of every queue, in the order of the data path.</summary>
    public required Func<IReadOnlyList<QueueSnapshot>> Queues { get; init; }

    /// <summary>How the process is.</summary>
    public required Func<HealthReport> Health { get; init; }

    /// <summary>What became of the records since the start, those still inside not yet in it.</summary>
    public required Func<BlockAccount> Account { get; init; }

    /// <summary>The partitions that are assigned, with their positions.</summary>
    public required Func<IReadOnlyList<PartitionSnapshot>> Positions { get; init; }

    /// <summary>The slowest cuts of the last hour.</summary>
    public Func<IReadOnlyList<CutTrace>> SlowCuts { get; init; } = () => [];

    /// <summary>What is wrong now.</summary>
    public Func<Task<Diagnosis.DiagnosisReport>>? Diagnose { get; init; }

    /// <summary>What was written, with the last errors and the promise; null where nothing writes.</summary>
    public Func<WriterSnapshot>? Writer { get; init; }

    /// <summary>The sink in a few words.</summary>
    public string Sink { get; init; } = "";

    /// <summary>The process's clock, for the history and the events of the page.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The configuration in force as text, secrets masked; a reload may change it while all else stays.</summary>
    public Func<string> Configuration { get; init; } = () => "";

    /// <summary>Shows live records.</summary>
    public Taps.TapEndpoint? Tap { get; init; }

    /// <summary>Records events of the runtime.</summary>
    public Profiling.ProfileEndpoint? Profile { get; init; }

    /// <summary>Answers SQL from the embedded store; null when the sink is a server, which answers for itself.</summary>
    public ReadOnlyQuery? Query { get; init; }

    /// <summary>Reads the configuration anew; null where the process cannot.</summary>
    public Func<CancellationToken, Task<Reload.ReloadReport>>? Reload { get; init; }
}

/// <summary>Runs SQL on a connection that may only read (<c>readonly</c>), and writes the answer asynchronously.</summary>
/// <exception cref="Commands.StoreException">The SQL was refused.</exception>
internal delegate Task ReadOnlyQuery(string sql, string format, Stream output, CancellationToken cancel);

/// <summary>How the process is.</summary>
/// <param name="DeadReasons">Why it must be started again; empty while it works or waits.</param>
/// <param name="NotReadyReasons">Why it does not do its work yet, such as no partition assigned or ClickHouse not answering.</param>
internal sealed record HealthReport(IReadOnlyList<string> DeadReasons, IReadOnlyList<string> NotReadyReasons);
