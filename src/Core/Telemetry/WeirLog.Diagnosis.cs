using Microsoft.Extensions.Logging;

namespace Weir.Core.Telemetry;

public static partial class WeirLog
{
    /// <summary>The diagnosis has found a cause.</summary>
    [LoggerMessage(
        5001,
        LogLevel.Warning,
        "Diagnosis: {Id} at {Place} by {Party}: {Title} {Evidence}. Option: {Change} ({HeldBackCount} times like it were not logged)")]
    public static partial void CauseFound(
        ILogger logger, string id, string place, string party, string title, string evidence, string change, long heldBackCount);

    /// <summary>It is gone.</summary>
    [LoggerMessage(5002, LogLevel.Information, "Diagnosis: {Id} is gone after {Seconds:0.0} s")]
    public static partial void CauseGone(ILogger logger, string id, double seconds);
}
