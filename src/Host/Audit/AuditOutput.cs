using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Weir.Host.Audit;

/// <summary>An audit's result for people, and for programs.</summary>
internal static class AuditOutput
{
    private static readonly JsonSerializerOptions _json = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    };

    /// <summary>Writes the result as lines.</summary>
    public static void WriteText(AuditReport report, TextWriter output)
    {
        foreach (var finding in report.Gaps.Select(gap => gap.Text)
            .Concat(report.Overlaps.Select(overlap => overlap.Text))
            .Concat(report.Problems)
            .Concat(report.Views.SelectMany(view => view.Differences)))
        {
            output.WriteLine($"wrong: {finding}");
        }

        foreach (var note in report.Notes)
        {
            output.WriteLine($"note: {note}");
        }

        output.WriteLine($"{AuditWords.Count(report.PartitionCount, "partition")}, {AuditWords.Count(report.CutCount, "cut")}, "
            + $"{AuditWords.Count(report.BlockCount, "block")}");
        output.WriteLine($"account: {report.Account}");
        if (report.RejectedByReason.Count > 0)
        {
            output.WriteLine($"rejected: {string.Join(", ", Reasons(report).Select(pair => $"{pair.Key} {pair.Value}"))}");
        }

        if (report.GapOffsetCount > 0)
        {
            output.WriteLine($"named gaps: {AuditWords.Count(report.GapOffsetCount, "message")} that the broker no longer had");
        }

        foreach (var view in report.Views.Where(view => view.RefusedRecords > 0))
        {
            output.WriteLine($"refused: {AuditWords.Count(view.RefusedRecords, "record")} of {view.Name}, in "
                + $"{AuditWords.Count(view.RefusedBlockCount, "block")} that ClickHouse did not take; see clickhouse.refused_directory");
        }

        foreach (var view in report.Views)
        {
            output.WriteLine($"{view.Name}: {AuditWords.Count(view.Table.Records, "record")}, "
                + (view.IsEqual ? "as the ledger tells" : $"and the ledger tells {view.Ledger.Records:N0}"));
        }

        output.WriteLine(Verdict(report));
    }

    /// <summary>Writes the result as one JSON object.</summary>
    public static void WriteJson(AuditReport report, TextWriter output)
    {
        var views = new JsonObject();
        foreach (var view in report.Views)
        {
            views[view.Name] = Json(view);
        }

        output.WriteLine(new JsonObject
        {
            ["partitions"] = report.PartitionCount,
            ["cuts"] = report.CutCount,
            ["blocks"] = report.BlockCount,
            ["records_read"] = report.Account.ReadCount,
            ["records_folded"] = report.Account.FoldedCount,
            ["losses"] = new JsonObject
            {
                ["rejected"] = report.Account.RejectedCount,
                ["late"] = report.Account.LateCount,
                ["dropped"] = report.Account.DroppedCount,
                ["overwritten"] = report.Account.OverwrittenCount,
                ["refused"] = report.Views.Aggregate(0UL, (sum, view) => sum + view.RefusedRecords),
            },
            ["rejected_by_reason"] = new JsonObject(Reasons(report).Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value))),
            ["gap_offsets"] = report.GapOffsetCount,
            ["gaps"] = Json(report.Gaps),
            ["overlaps"] = Json(report.Overlaps),
            ["problems"] = Json(report.Problems),
            ["views"] = views,
            ["notes"] = Json(report.Notes),
            ["differences"] = report.DifferenceCount,
            ["verdict"] = report.Verdict.ToString().ToLowerInvariant(),
        }.ToJsonString(_json));
    }

    /// <summary>Writes that the audit could not look, as JSON of the same kind.</summary>
    public static void WriteJsonFailure(string reason, TextWriter output) =>
        output.WriteLine(new JsonObject { ["verdict"] = "unknown", ["problems"] = new JsonArray(reason) }.ToJsonString(_json));

    private static string Verdict(AuditReport report) => report.Verdict switch
    {
        AuditVerdict.Exact => "exact: every record read is in the sums once, or in a named loss",
        AuditVerdict.Unsettled => "unsettled: the tables are ahead of the ledger while cuts are in flight; audit again when weir has "
            + "stored them (a weir that starts replays them first)",
        _ => $"{AuditWords.Count(report.DifferenceCount, "difference")}",
    };

    private static IEnumerable<KeyValuePair<string, long>> Reasons(AuditReport report) =>
        report.RejectedByReason.OrderBy(pair => pair.Key, StringComparer.Ordinal);

    private static JsonObject Json(ViewFinding view) => new()
    {
        ["records"] = view.Table.Records,
        ["packets"] = view.Table.Packets,
        ["bytes"] = view.Table.Bytes,
        ["equal"] = view.IsEqual,
        ["ledger"] = new JsonObject
        {
            ["records"] = view.Ledger.Records,
            ["packets"] = view.Ledger.Packets,
            ["bytes"] = view.Ledger.Bytes,
        },
        ["refused"] = new JsonObject { ["blocks"] = view.RefusedBlockCount, ["records"] = view.RefusedRecords },
        ["set_apart"] = new JsonObject { ["days"] = view.SetApartDays, ["records"] = view.SetApartRecords },
        ["differences"] = Json(view.Differences),
    };

    private static JsonArray Json(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode?)text)]);

    private static JsonArray Json(IEnumerable<RangeFinding> ranges) => new([.. ranges.Select(range => (JsonNode?)new JsonObject
    {
        ["topic"] = range.Partition.Topic,
        ["partition"] = range.Partition.Partition,
        ["from"] = range.FromOffset,
        ["to"] = range.ToOffset,
        ["text"] = range.Text,
    })]);
}
