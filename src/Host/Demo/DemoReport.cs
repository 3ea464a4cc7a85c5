using System.Globalization;

namespace Weir.Host.Demo;

/// <summary>What the demonstration says at its end.</summary>
internal static class DemoReport
{
    private const int LabelWidth = 34;

    /// <summary>Writes the report.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="facts">What was found out.</param>
    /// <param name="directory">Where data and configuration lie.</param>
    public static void Write(TextWriter output, DemoFacts facts, string directory)
    {
        output.WriteLine();
        output.WriteLine("Top talkers of the last minute");
        output.WriteLine(facts.TopTalkers.TrimEnd('\n'));
        output.WriteLine();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"The account, at {facts.RecordsPerSecond:N0} records/s"));
        var account = facts.Account;
        Line(output, "  sent by the load generator", facts.SentCount);
        Line(output, "  read from Kafka", account.ReadCount);
        Line(output, "  = folded into sums", account.FoldedCount);
        Line(output, "  + rejected (did not decode)", account.RejectedCount);
        Line(output, "  + late (outside time.past_max)", account.LateCount);
        Line(output, "  + dropped (by a full queue)", account.DroppedCount);
        Line(output, "  + overwritten (in a full queue)", account.OverwrittenCount);
        foreach (var ((table, records), (_, rows)) in facts.RecordsByTable.Zip(facts.RowsByTable))
        {
            Line(output, $"  sum(records) of {table}", records, string.Create(CultureInfo.InvariantCulture, $"  in {rows:N0} rows"));
        }

        output.WriteLine(facts.Closes
            ? "The account closes: every record sent was read, and is in each view exactly once or in a line above."
            : "THE ACCOUNT DOES NOT CLOSE.");
        output.WriteLine();
        var config = Path.Combine(directory, "weir.yaml");
        output.WriteLine($"The data lies in {Path.Combine(directory, "store")}, its configuration in {config}. What to try next:");
        output.WriteLine($"  ./weir query -c {config} \"SELECT time, sum(bytes) FROM service_1s GROUP BY time ORDER BY time\"");
        output.WriteLine($"  ./weir query -c {config} \"SELECT dst_port, sum(flows) f FROM service_1m GROUP BY dst_port ORDER BY f DESC LIMIT 10\"");
        output.WriteLine("  ./weir check -c weir.yaml      with your own brokers and server; ./weir --help shows the first steps");
    }

    private static void Line(TextWriter output, string label, long count, string after = "") =>
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{label.PadRight(LabelWidth)}{count,15:N0}{after}"));
}
