using System.Globalization;
using System.Text.Json.Serialization;

namespace Weir.Host.Diagnosis;

/// <summary>What ClickHouse's own <c>system.query_log</c> says of the inserts of weir's views and ledger.</summary>
/// <param name="WhyNot">Why nothing is known; null where the log was read.</param>
/// <param name="WindowS">Seconds that the log was read for.</param>
/// <param name="Writers">Who inserted, this process first, then the busiest.</param>
internal sealed record InsertLogReading(string? WhyNot, double WindowS, IReadOnlyList<WriterInserts> Writers)
{
    /// <summary>Writers that get a line of their own.</summary>
    private const int LinesMax = 8;

    /// <summary>The inserts of this process; null where the log has none.</summary>
    [JsonIgnore]
    public WriterInserts? Own => Writers.FirstOrDefault(writer => writer.IsThis);

    /// <summary>The reading for people: one line, or one for each writer.</summary>
    public IReadOnlyList<string> Lines =>
        WhyNot is not null ? [$"system.query_log is not available: {WhyNot}"]
        : Writers.Count == 0 ? [Text($"system.query_log has no insert of weir in the last {WindowS:0} s (is log_queries on for its user?)")]
        : [.. Writers.Take(LinesMax).Select(Line)];

    /// <summary>Nothing is known.</summary>
    public static InsertLogReading NotAvailable(string whyNot) => new(whyNot, 0, []);

    private string Line(WriterInserts writer)
    {
        var who = $"{writer.Writer}{(writer.IsThis ? " (this process)" : "")}";
        var times = Text($"{writer.InsertCount} inserts, {writer.MeanS:0.000} s each, {writer.MaxS:0.000} s at most");
        var rows = Text($"{writer.RowsPerS:N0} rows a second of insert time, {writer.FailedCount} failed");
        return Text($"system.query_log, last {WindowS:0} s, writer {who}: {times}, {rows}");
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

/// <summary>The inserts of one writer: one thread of one process of weir.</summary>
/// <param name="Writer">Its host and process.</param>
/// <param name="IsThis">True for the process that asks.</param>
/// <param name="InsertCount">Inserts that ended well.</param>
/// <param name="FailedCount">Those that ended with an error.</param>
/// <param name="MeanS">Seconds that one took within the server.</param>
/// <param name="MaxS">Seconds that the slowest took.</param>
/// <param name="RowCount">Rows of those that ended well.</param>
internal sealed record WriterInserts(
    string Writer, bool IsThis, long InsertCount, long FailedCount, double MeanS, double MaxS, long RowCount)
{
    /// <summary>Rows that the server took in a second of an insert.</summary>
    public double RowsPerS => MeanS * InsertCount > 0 ? RowCount / (MeanS * InsertCount) : 0;
}
