using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using Weir.Core.Queues;

namespace Weir.Host.Admin;

/// <summary>The page at <c>/</c>: how it is, the account, the queues, and where the rest is.</summary>
/// <remarks>Plain HTML, made anew for each request.</remarks>
internal static class IndexPage
{
    private const string Style = "body{font-family:system-ui,sans-serif;margin:2em;max-width:70em}"
        + "table{border-collapse:collapse;margin:.5em 0 1.5em}"
        + "th,td{padding:.25em .8em;border-bottom:1px solid #ccc;text-align:right}th:first-child,td:first-child{text-align:left}"
        + "@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8bf}}";

    private static readonly (string Path, string Text)[] _links =
    [
        ("healthz", "alive, or why not"), ("readyz", "assigned and writing, or why not"), ("metrics", "Prometheus text"),
        ("queues", "every queue as JSON"),
        ("positions", "how far each partition is read and stored, as JSON"),
    ];

    /// <summary>The page.</summary>
    public static string Write(string version, AdminSources sources)
    {
        var page = new StringBuilder();
        page.Append($"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>weir</title><style>{Style}</style>");
        page.Append($"<h1>weir {Encode(version)}</h1>");
        WriteHealth(page, sources.Health());
        WriteAccount(page, sources);
        WriteQueues(page, sources.Queues());
        page.Append("<h2>More</h2><ul>");
        foreach (var (path, text) in _links)
        {
            page.Append($"<li><a href=\"{path}\">/{path}</a>: {text}</li>");
        }

        if (sources.Query is not null)
        {
            page.Append("<li><a href=\"query?query=SHOW+TABLES\">/query?query=SHOW TABLES</a>: SQL that only reads; "
                + "<code>&amp;format=JSON</code> or another of ClickHouse's formats</li>");
        }

        return page.Append("</ul></html>\n").ToString();
    }

    private static void WriteHealth(StringBuilder page, HealthReport health)
    {
        var reasons = health.DeadReasons.Concat(health.NotReadyReasons).ToList();
        page.Append(reasons.Count == 0 ? "<p>Ready: assigned and writing.</p>" : "<p>Not ready:</p><ul>");
        foreach (var reason in reasons)
        {
            page.Append($"<li>{Encode(reason)}</li>");
        }

        page.Append(reasons.Count == 0 ? "" : "</ul>");
    }

    private static void WriteAccount(StringBuilder page, AdminSources sources)
    {
        var account = sources.Account();
        page.Append("<h2>Account</h2><p>Records since the start, of all cuts that are closed.</p>");
        WriteTable(
            page,
            ["read", "folded", "rejected", "late", "dropped", "overwritten", "difference"],
            [
                [
                    Number(account.ReadCount), Number(account.FoldedCount), Number(account.RejectedCount), Number(account.LateCount),
                    Number(account.DroppedCount), Number(account.OverwrittenCount), Number(account.Difference),
                ],
            ]);
    }

    private static void WriteQueues(StringBuilder page, IReadOnlyList<QueueSnapshot> queues)
    {
        page.Append("<h2>Queues</h2><p>Records. Offered = enqueued + dropped; enqueued = dequeued + overwritten + depth.</p>");
        WriteTable(
            page,
            [
                "queue", "policy", "capacity", "offered", "enqueued", "dequeued", "dropped", "overwritten", "depth", "deepest", "producer waited",
            ],
            queues.Select(queue => new[]
            {
                $"{queue.Name} {queue.Index}", queue.Policy.ToString().ToLowerInvariant(), Number(queue.CapacityRecords),
                Number(queue.OfferedCount), Number(queue.EnqueuedCount), Number(queue.DequeuedCount), Number(queue.DroppedCount),
                Number(queue.OverwrittenCount), Number(queue.Depth), Number(queue.DepthMax),
                string.Create(CultureInfo.InvariantCulture, $"{queue.ProducerWait.TotalSeconds:0.0} s"),
            }));
    }

    private static void WriteTable(StringBuilder page, string[] heads, IEnumerable<string[]> rows)
    {
        page.Append("<table><tr>");
        foreach (var head in heads)
        {
            page.Append($"<th>{Encode(head)}</th>");
        }

        page.Append("</tr>");
        foreach (var row in rows)
        {
            page.Append("<tr>");
            foreach (var cell in row)
            {
                page.Append($"<td>{Encode(cell)}</td>");
            }

            page.Append("</tr>");
        }

        page.Append("</table>");
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Encode(string text) => HtmlEncoder.Default.Encode(text);
}
