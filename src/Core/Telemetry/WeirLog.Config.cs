using Microsoft.Extensions.Logging;

namespace Weir.Core.Telemetry;

public static partial class WeirLog
{
    /// <summary>A changed configuration was taken.</summary>
    [LoggerMessage(1010, LogLevel.Information, "Reloaded ({Cause}): {Report}")]
    public static partial void Reloaded(ILogger logger, string cause, string report);

    /// <summary>A changed configuration was refused.</summary>
    [LoggerMessage(1011, LogLevel.Error, "Reload refused ({Cause}), the configuration before stays in force: {Problems}")]
    public static partial void ReloadRefused(ILogger logger, string cause, string problems);

    /// <summary>The pipeline has ended and begins anew with other options.</summary>
    [LoggerMessage(1012, LogLevel.Information, "Drained for a reload: {Account}; everything read is stored: {IsDrained}. The pipeline is built anew")]
    public static partial void Rebuilding(ILogger logger, string account, bool isDrained);

    /// <summary>The pipeline did not start with new options.</summary>
    [LoggerMessage(1013, LogLevel.Error, "The pipeline does not start with the new configuration, and the one before is taken again: {Problem}")]
    public static partial void RebuildFailed(ILogger logger, string problem);
}
