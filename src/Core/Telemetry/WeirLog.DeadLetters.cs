using Microsoft.Extensions.Logging;

namespace Weir.Core.Telemetry;

public static partial class WeirLog
{
    /// <summary>Dead letters could not be written.</summary>
    [LoggerMessage(2060, LogLevel.Warning, "Dead letters are not written to {Target} and only counted ({HeldBackCount} more messages like this were held back): {Reason}")]
    public static partial void DeadLettersUnwritten(ILogger logger, string target, string reason, long heldBackCount);
}
