using Microsoft.Extensions.Logging;

namespace Weir.Core.Telemetry;

public static partial class WeirLog
{
    /// <summary>The writer is connected and the tables are right.</summary>
    [LoggerMessage(
        4001,
        LogLevel.Information,
        "Writing to {Sink}, ClickHouse {Version}: blocks that are sent again are stored {Guarantee}")]
    public static partial void WriterConnected(ILogger logger, string sink, string version, string guarantee);

    /// <summary>The server takes no blocks. Once for each cause until it is back.</summary>
    [LoggerMessage(
        4002,
        LogLevel.Warning,
        "{Sink} takes no blocks ({Cause}, code {Code}): {Message}. They wait and are sent again, no offset is committed; {Advice}")]
    public static partial void WriterAway(ILogger logger, string sink, string cause, int code, string message, string advice);

    /// <summary>The server takes blocks again.</summary>
    [LoggerMessage(4003, LogLevel.Information, "{Sink} takes blocks again, after {Seconds:0.0} s and {AttemptCount} attempts")]
    public static partial void WriterBack(ILogger logger, string sink, double seconds, long attemptCount);

    /// <summary>A statement of the schema plan was run.</summary>
    [LoggerMessage(4004, LogLevel.Information, "Schema: {Reason} Ran: {Statement}")]
    public static partial void WriterSchemaStep(ILogger logger, string reason, string statement);

    /// <summary>Rows were dropped with a refused block. Once for each view and cause.</summary>
    [LoggerMessage(
        4005,
        LogLevel.Error,
        "Block {Block} was refused (code {Code}): {Message}. Its {RowCount} rows of {RecordCount} records are dropped and counted; "
        + "{Advice}. Further ones of this view and code are counted only")]
    public static partial void WriterBlockDropped(
        ILogger logger, string block, int code, string message, int rowCount, ulong recordCount, string advice);

    /// <summary>Old days were dropped on a server without TTL.</summary>
    [LoggerMessage(4006, LogLevel.Information, "Retention: {Statement}")]
    public static partial void WriterPartitionDropped(ILogger logger, string statement);

    /// <summary>Old days could not be dropped.</summary>
    [LoggerMessage(4007, LogLevel.Warning, "Retention could not drop old days, and tries again in {Interval}: {Message}")]
    public static partial void WriterRetentionFailed(ILogger logger, TimeSpan interval, string message);

    /// <summary>The stop came before all cuts were stored.</summary>
    [LoggerMessage(
        4008,
        LogLevel.Warning,
        "{CutCount} cuts were not stored; their offsets are not committed and their records will be read again")]
    public static partial void WriterCutsLeft(ILogger logger, long cutCount);

    /// <summary>Rows went to the dead-letter directory. Once for each view and cause.</summary>
    [LoggerMessage(
        4009,
        LogLevel.Error,
        "Block {Block} was refused (code {Code}): {Message}. Its {RowCount} rows of {RecordCount} records are in {Directory}; {Advice}. "
        + "Further ones of this view and code are counted only")]
    public static partial void WriterBlockDeadLettered(
        ILogger logger, string block, int code, string message, int rowCount, ulong recordCount, string directory, string advice);

    /// <summary>A block may count twice.</summary>
    [LoggerMessage(
        4010,
        LogLevel.Warning,
        "Block {Block} is sent again {Elapsed} after its first attempt, of which an answer was lost; ClickHouse is relied on to remember it "
        + "for {Window}, so it may count twice: compare its range with 'weir audit'")]
    public static partial void WriterBlockUnsure(ILogger logger, string block, TimeSpan elapsed, TimeSpan window);

    /// <summary>The embedded engine was interrupted while it created something.</summary>
    [LoggerMessage(
        4011,
        LogLevel.Warning,
        "The definition {File} is empty: its creation was interrupted, or the disk was full. It is in {Aside} now, and what it names is created "
        + "again; if that had rows, 'weir audit' tells them as missing")]
    public static partial void WriterDefinitionEmpty(ILogger logger, string file, string aside);

    /// <summary>The embedded engine was interrupted while it wrote the definition of a database.</summary>
    [LoggerMessage(
        4012,
        LogLevel.Warning,
        "The definition {File} of a database was empty: its writing was interrupted, or the disk was full. It is written again; nothing is lost")]
    public static partial void WriterDefinitionRestored(ILogger logger, string file);
}
