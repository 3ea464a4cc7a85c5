using System.Net;
using Weir.Aggregator;
using Weir.Core.Model;
using Weir.Ingest;
using Weir.Writer;

namespace Weir.Host;

/// <summary>Everything that can be configured.</summary>
/// <remarks>Each stage owns its branch; <see cref="Options.OptionSpecs"/> says where each value is in the file.</remarks>
internal sealed record WeirOptions
{
    /// <summary>Where records come from: <c>kafka</c>, <c>ingest</c>, <c>flush</c> and <c>time</c>.</summary>
    public IngestOptions Ingest { get; init; } = new();

    /// <summary>How records are folded: <c>aggregation</c>.</summary>
    public AggregatorOptions Aggregation { get; init; } = new();

    /// <summary>Where blocks go: <c>clickhouse</c>.</summary>
    public WriterOptions Writer { get; init; } = new();

    /// <summary>Views that the user defined; none means the standard ones. See <see cref="EffectiveViews"/>.</summary>
    public IReadOnlyList<ViewDefinition> Views { get; init; } = [];

    /// <summary>The admin endpoint.</summary>
    public AdminOptions Admin { get; init; } = new();

    /// <summary>What the process tells of itself beside its metrics.</summary>
    public Telemetry.TelemetryOptions Telemetry { get; init; } = new();

    /// <summary>The log.</summary>
    public LogOptions Log { get; init; } = new();

    /// <summary>How long a stop may take to store what was read; after it, the next start reads the rest again.</summary>
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Bytes that chunks, sums and waiting blocks may hold together; at the limit, reading pauses.</summary>
    public long MemoryLimitBytes { get; init; } = 1L << 30;

    /// <summary>The views that are made.</summary>
    public IReadOnlyList<ViewDefinition> EffectiveViews => Views.Count == 0 ? StandardSchema.Views : Views;
}

/// <summary>The admin endpoint.</summary>
internal sealed record AdminOptions
{
    /// <summary>Address it listens on; port 0 takes a free one.</summary>
    public IPEndPoint Listen { get; init; } = new(IPAddress.Loopback, 9526);

    /// <summary>Secret that requests must bring; null for none. See <see cref="Weir.Host.Admin.AdminToken"/>.</summary>
    public string? Token { get; init; }

    /// <summary>File whose first line is that secret; null for none.</summary>
    public string? TokenFile { get; init; }

    /// <summary>True to answer <c>/query</c> on an address that other machines reach.</summary>
    public bool RemoteQueries { get; init; }
}

/// <summary>How log lines are written; they go to stderr.</summary>
internal enum LogFormat
{
    /// <summary>One line of text for each message.</summary>
    Text,

    /// <summary>One JSON object for each message.</summary>
    Json,
}

/// <summary>The log.</summary>
internal sealed record LogOptions
{
    /// <summary>The least level that is written.</summary>
    public LogLevel Level { get; init; } = LogLevel.Information;

    /// <summary>Text or JSON.</summary>
    public LogFormat Format { get; init; } = LogFormat.Text;
}
