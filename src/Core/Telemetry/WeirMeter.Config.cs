namespace Weir.Core.Telemetry;

public static partial class WeirMeter
{
    /// <summary>Reloads of the configuration.</summary>
    public static readonly MetricDefinition ConfigReloadsTotal = new(
        "weir_config_reloads_total", MetricKind.Counter, "Times that the configuration was read anew, by what became of it: applied or refused.", "result");

    /// <summary>Whether the configuration in force is the one of the file.</summary>
    public static readonly MetricDefinition ConfigIsCurrent = new(
        "weir_config_is_current", MetricKind.Gauge, "1 when the file that was read last is in force; 0 when it was refused, and the one before is.");

    /// <summary>Options that wait for a new process.</summary>
    public static readonly MetricDefinition ConfigRestartOptions = new(
        "weir_config_restart_options", MetricKind.Gauge, "Options that have changed in the file and keep their old value until weir is started anew.");

    private static readonly MetricDefinition[] _config = [ConfigReloadsTotal, ConfigIsCurrent, ConfigRestartOptions];
}
