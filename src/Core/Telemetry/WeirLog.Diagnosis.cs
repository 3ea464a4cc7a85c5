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

    /// <summary>ClickHouse does not take the rows of weir_system.</summary>
    [LoggerMessage(5003, LogLevel.Warning, "weir_system is not written and its rows are given up and counted, until ClickHouse takes them again: {Reason}. telemetry.tables: false turns it off")]
    public static partial void SystemTablesAway(ILogger logger, string reason);

    /// <summary>It does again.</summary>
    [LoggerMessage(5004, LogLevel.Information, "weir_system is written again; {DroppedCount} rows were given up since the start, their amounts are in the next ones")]
    public static partial void SystemTablesBack(ILogger logger, long droppedCount);

    /// <summary>It is gone.</summary>
    [LoggerMessage(5002, LogLevel.Information, "Diagnosis: {Id} is gone after {Seconds:0.0} s")]
    public static partial void CauseGone(ILogger logger, string id, double seconds);
}
