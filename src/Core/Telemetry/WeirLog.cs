using Microsoft.Extensions.Logging;

namespace Weir.Core.Telemetry;

/// <summary>Every log message of the program, with its event id: 1000s process, 2000s ingest, 3000s aggregation, 4000s writer.</summary>
/// <remarks>Messages carry numbers and say what to do. They are logged when a state changes, never for each record.</remarks>
public static partial class WeirLog
{
    /// <summary>The program has started.</summary>
    [LoggerMessage(1001, LogLevel.Information, "weir {Version} started: {Topics} -> {Sink}, {ViewCount} views, admin at {AdminUrl}")]
    public static partial void Started(ILogger logger, string version, string topics, string sink, int viewCount, string adminUrl);

    /// <summary>A stop was asked for.</summary>
    [LoggerMessage(1002, LogLevel.Information, "Stopping: reading has ended, storing what was read (at most {Timeout}); stop again to exit at once")]
    public static partial void Stopping(ILogger logger, TimeSpan timeout);

    /// <summary>The group is left later, together with others that stop now.</summary>
    [LoggerMessage(1005, LogLevel.Information, "Stopping in {Wait}: the group is left then (kafka.join_interval is {Interval}); stop again to exit at once")]
    public static partial void LeaveAwaited(ILogger logger, TimeSpan wait, TimeSpan interval);

    /// <summary>Everything read is stored and committed.</summary>
    [LoggerMessage(1003, LogLevel.Information, "Stopped: {Account}")]
    public static partial void Stopped(ILogger logger, string account);

    /// <summary>A stage met a broken invariant; the program ends.</summary>
    [LoggerMessage(1004, LogLevel.Critical, "The {Stage} stage failed and weir stops; what is not committed will be read again")]
    public static partial void StageFailed(ILogger logger, string stage, Exception error);
}
