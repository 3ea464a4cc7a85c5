using Microsoft.Extensions.Logging;

namespace Weir.Core.Telemetry;

public static partial class WeirLog
{
    /// <summary>A rekeyer has begun.</summary>
    [LoggerMessage(2101, LogLevel.Information, "Rekeying {From} ({FromCount} partitions) -> {To} ({ToCount} partitions) by {Tags}")]
    public static partial void RekeyStarted(ILogger logger, string from, int fromCount, string to, int toCount, string tags);

    /// <summary>Records did not decode.</summary>
    [LoggerMessage(2102, LogLevel.Warning, "{Count} records of {From} did not decode so far ({Reasons}) and are not in {To}; {Place}")]
    public static partial void RekeyRejected(ILogger logger, long count, string from, string reasons, string to, string place);

    /// <summary>Messages name an origin that is not the configured one.</summary>
    [LoggerMessage(2103, LogLevel.Warning, "{Topic}: messages say that they were rekeyed from another topic, and kafka.topics does not name it in rekeyed_from: they are all folded, also those that a rekeyer wrote twice")]
    public static partial void OriginUnheeded(ILogger logger, string topic);
}
