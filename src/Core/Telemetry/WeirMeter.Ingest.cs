namespace Weir.Core.Telemetry;

public static partial class WeirMeter
{
    private static readonly MetricDefinition[] _ingest =
    [
    ];
}
