namespace Weir.Host.Telemetry;

/// <summary>What the process tells of itself beside its metrics.</summary>
internal sealed record TelemetryOptions
{
    /// <summary>Time that a diagnosis looks at.</summary>
    public TimeSpan DiagnosisWindow { get; init; } = TimeSpan.FromSeconds(15);
}
