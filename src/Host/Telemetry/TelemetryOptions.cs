namespace Weir.Host.Telemetry;

/// <summary>What the process tells of itself beside its metrics.</summary>
internal sealed record TelemetryOptions
{
    /// <summary>Time that a diagnosis looks at.</summary>
    public TimeSpan DiagnosisWindow { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>True to write what is counted to the database <c>weir_system</c>.</summary>
    public bool Tables { get; init; } = true;

    /// <summary>Address of an OTLP collector that gets the spans of cuts; null for none.</summary>
    public Uri? TracesUrl { get; init; }

    /// <summary>How often.</summary>
    public TimeSpan TablesInterval { get; init; } = TimeSpan.FromSeconds(10);
}
