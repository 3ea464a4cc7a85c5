using Microsoft.Extensions.Logging.Console;
using Weir.Host.Reload;

namespace Weir.Host;

/// <summary>The log: stderr, one line for each message, UTC.</summary>
internal static class WeirLogging
{
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";

    /// <summary>Makes the loggers of the program; disposing it writes what still waits.</summary>
    /// <param name="options">Level and format.</param>
    /// <param name="hasColour">True on a terminal without NO_COLOR.</param>
    /// <param name="level">The least level while the process runs; null for that of <paramref name="options"/>.</param>
    public static ILoggerFactory Create(LogOptions options, bool hasColour, LogLevelSwitch? level = null) => LoggerFactory.Create(logging =>
    {
        logging.SetMinimumLevel(level is null ? options.Level : LogLevel.Trace);
        if (level is not null)
        {
            logging.AddFilter(found => found >= level.Level);
        }

        logging.AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        if (options.Format == LogFormat.Json)
        {
            logging.AddJsonConsole(json =>
            {
                json.UseUtcTimestamp = true;
                json.TimestampFormat = TimeFormat.TrimEnd();
            });
        }
        else
        {
            logging.AddSimpleConsole(text =>
            {
                text.SingleLine = true;
                text.UseUtcTimestamp = true;
                text.TimestampFormat = TimeFormat;
                text.ColorBehavior = hasColour ? LoggerColorBehavior.Enabled : LoggerColorBehavior.Disabled;
            });
        }
    });
}
