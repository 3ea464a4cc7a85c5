using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weir.Core.Model;
using Weir.Writer;

namespace Weir.Host.Demo;

/// <summary>What the demonstration found out: the process's own account, and what ClickHouse says about the same records.</summary>
internal sealed record DemoFacts
{
    /// <summary>What became of the records, summed over all stored cuts.</summary>
    public required BlockAccount Account { get; init; }

    /// <summary>Records that the load generator sent and the broker acknowledged.</summary>
    public required long SentCount { get; init; }

    /// <summary>Records that ingest read, stored or not.</summary>
    public required long ReadCount { get; init; }

    /// <summary>Rows of each table, asked of ClickHouse, in the order of the schema's views.</summary>
    public required IReadOnlyList<KeyValuePair<string, long>> RowsByTable { get; init; }

    /// <summary><c>sum(records)</c> of each view, asked of ClickHouse.</summary>
    public required IReadOnlyList<KeyValuePair<string, long>> RecordsByTable { get; init; }

    /// <summary>The top talkers of the last minute, as ClickHouse drew the table.</summary>
    public required string TopTalkers { get; init; }

    /// <summary>Records a second while records were fed.</summary>
    public required double RecordsPerSecond { get; init; }

    /// <summary><c>sum(records)</c> of the first view.</summary>
    public long StoredRecords => RecordsByTable[0].Value;

    /// <summary>
    /// True when each record sent was read, each record read is folded or in a named loss, and every view holds exactly the
    /// records that were folded.
    /// </summary>
    public bool Closes => SentCount == ReadCount
        && ReadCount == Account.ReadCount
        && Account.Closes
        && RecordsByTable.All(table => table.Value == Account.FoldedCount);

    /// <summary>The query of <see cref="TopTalkers"/>; the report shows it.</summary>
    public const string TopTalkersSql = """
        SELECT replaceOne(toString(src_addr), '::ffff:', '') AS src, replaceOne(toString(dst_addr), '::ffff:', '') AS dst,
            dst_port AS port, proto, formatReadableSize(sum(bytes)) AS bytes, sum(packets) AS packets, sum(flows) AS flows
        FROM edge_1s WHERE time > (SELECT max(time) FROM edge_1s) - 60
        GROUP BY src_addr, dst_addr, dst_port, proto ORDER BY sum(edge_1s.bytes) DESC LIMIT 10
        """;

    /// <summary>Asks the stopped pipeline and its sink, which is still open.</summary>
    /// <exception cref="ClickHouseException">A query failed.</exception>
    public static async Task<DemoFacts> CollectAsync(WeirHost host, long sentCount, RateMeter meter, CancellationToken cancel)
    {
        var rows = new List<KeyValuePair<string, long>>();
        var records = new List<KeyValuePair<string, long>>();
        foreach (var view in host.Schema.Views.Select(plan => plan.Definition.Name))
        {
            var text = await host.Sink.QueryTextAsync($"SELECT count(), sum(records) FROM {view}", "TabSeparated", cancel);
            var columns = text.TrimEnd('\n').Split('\t');
            rows.Add(new(view, long.Parse(columns[0], CultureInfo.InvariantCulture)));
            records.Add(new(view, long.Parse(columns[1], CultureInfo.InvariantCulture)));
        }

        return new DemoFacts
        {
            Account = host.Snapshot().Writer.Stored,
            SentCount = sentCount,
            ReadCount = host.Snapshot().Ingest.ReadCount,
            RowsByTable = rows,
            RecordsByTable = records,
            TopTalkers = await host.Sink.QueryTextAsync(TopTalkersSql, "PrettyCompactNoEscapes", cancel),
            RecordsPerSecond = meter.Average,
        };
    }

    /// <summary>The facts for a program.</summary>
    public string ToJson()
    {
        var json = new JsonObject
        {
            ["account"] = new JsonObject
            {
                ["read"] = Account.ReadCount,
                ["folded"] = Account.FoldedCount,
                ["rejected"] = Account.RejectedCount,
                ["late"] = Account.LateCount,
                ["dropped"] = Account.DroppedCount,
                ["overwritten"] = Account.OverwrittenCount,
                ["closes"] = Closes,
            },
            ["rows"] = new JsonObject(RowsByTable.Select(table => KeyValuePair.Create(table.Key, (JsonNode?)table.Value))),
            ["sent_records"] = SentCount,
            ["stored_records"] = StoredRecords,
            ["records_per_s"] = Math.Round(RecordsPerSecond),
        };
        return json.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n";
    }
}
