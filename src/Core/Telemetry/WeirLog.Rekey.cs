using Microsoft.Extensions.Logging;

namespace Weir.Core.Telemetry;

public static partial class WeirLog
{
    /// <summary>A rekeyer has begun.</summary>
    [LoggerMessage(2101, LogLevel.Information, "Rekeying {From} ({FromCount} partitions) -> {To} ({ToCount} partitions) by {Tags}")]
    public static partial void RekeyStarted(ILogger logger, string from, int fromCount, string to, int toCount, string tags);
}
