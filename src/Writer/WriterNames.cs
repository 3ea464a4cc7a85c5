using System.Globalization;

namespace Weir.Writer;

/// <summary>Who inserts, as servers log it: the comment of <c>http_user_agent</c> in <c>system.query_log</c>.</summary>
public static class WriterNames
{
    /// <summary>This process: <c>host:process</c>. A process has one thread that inserts, so this names the thread, too.</summary>
    public static string Own { get; } = string.Create(CultureInfo.InvariantCulture, $"{Environment.MachineName}:{Environment.ProcessId}");

    /// <summary>What the user agent of every weir begins with; the name follows, and a bracket.</summary>
    public const string AgentPrefix = "weir (";
}
