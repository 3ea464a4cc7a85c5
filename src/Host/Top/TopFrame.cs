using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Weir.Host.Top;

/// <summary>One look as text: verdict, path, queues, partitions, account. States have a mark and a word beside the colour.</summary>
internal static class TopFrame
{
    private const int PartitionsMax = 8;
    private const int ErrorsMax = 3;
    private const double FullShare = 0.8;

    /// <summary>Above any real capacity: the queue is bounded by memory.limit.</summary>
    private const long UnboundedRecords = 1L << 39;

    /// <summary>Draws a look.</summary>
    /// <param name="url">Whom it was taken of.</param>
    /// <param name="now">The look.</param>
    /// <param name="earlier">One before it, for rates.</param>
    public static IRenderable Draw(Uri url, TopReading now, TopReading earlier)
    {
        var rows = new List<IRenderable> { Head(url, now) };
        rows.AddRange(now.NotReady.Select(reason => new Markup($"[yellow]▲ not ready:[/] {Markup.Escape(reason)}")));
        rows.AddRange(Verdict(now.Verdict));
        rows.Add(Path(now, earlier));
        rows.Add(Queues(now, earlier));
        rows.Add(Partitions(now));
        rows.Add(Account(now));
        rows.AddRange(now.Errors.Take(ErrorsMax).Select(error => new Markup($"[yellow]▲[/] {Markup.Escape(error)}")));
        return new Rows(rows);
    }

    private static Markup Head(Uri url, TopReading now)
    {
        var at = DateTimeOffset.FromUnixTimeMilliseconds((long)(now.Time * 1000));
        return new Markup(string.Create(
            CultureInfo.InvariantCulture,
            $"[bold]weir top[/]  {Markup.Escape(url.ToString())}  {at:HH:mm:ss} UTC  {Markup.Escape(now.Sink)}"));
    }

    private static IEnumerable<IRenderable> Verdict(TopVerdict? verdict)
    {
        if (verdict is null)
        {
            yield break;
        }

        var headline = verdict.State switch
        {
            "healthy" => "[green]● healthy[/]",
            "losing" => "[red]✖ losing records[/]",
            _ => $"[yellow]▲ {Markup.Escape(verdict.State)}[/]",
        };
        yield return new Markup($"{headline}  {Markup.Escape(verdict.Limit)}");
        foreach (var (severity, text) in verdict.Findings)
        {
            var mark = severity switch { "loss" => "[red]✖[/]", "warning" => "[yellow]▲[/]", _ => "●" };
            yield return new Markup($"  {mark} {Markup.Escape(text)}");
        }
    }

    private static Table Path(TopReading now, TopReading earlier)
    {
        var table = NewTable("stage", "a second", "now", "lost a second");
        Row(
            table, "ingest", $"{Rate(now, earlier, "weir_ingest_read_records_total")} records",
            $"lag {Count(now.Value("weir_ingest_lag_messages"))} messages",
            Loss(now, earlier, ("rejected", "weir_ingest_rejected_records_total"), ("late", "weir_ingest_late_records_total")));
        Row(
            table, "queues", $"{Rate(now, earlier, "weir_queue_dequeued_records_total")} records",
            $"depth {Count(now.Value("weir_queue_depth_records"))}",
            Loss(now, earlier, ("dropped", "weir_queue_dropped_records_total"), ("overwritten", "weir_queue_overwritten_records_total")));
        Row(
            table, "aggregation", $"{Rate(now, earlier, "weir_aggregation_folded_records_total")} records",
            $"{Count(now.Value("weir_aggregation_open_series"))} series",
            Loss(now, earlier, ("to overflow", "weir_aggregation_overflow_records_total")));
        Row(
            table, "writer", $"{Rate(now, earlier, "weir_writer_rows_total")} rows",
            $"freshness {Seconds(now.Value("weir_writer_freshness_seconds"))}, {Count(now.Value("weir_writer_waiting_cuts"))} cuts waiting",
            Loss(now, earlier, ("dropped", "weir_writer_dropped_records_total"), ("retries", "weir_writer_retries_total")));
        return table;
    }

    private static Table Queues(TopReading now, TopReading earlier)
    {
        var table = NewTable("queue", "state", "policy", "in/s", "out/s", "depth", "capacity", "deepest", "dropped", "overwritten");
        foreach (var queue in now.Queues)
        {
            var before = earlier.Queues.FirstOrDefault(other => other.Name == queue.Name && other.Index == queue.Index) ?? queue;
            var seconds = Math.Max(now.Time - earlier.Time, 1e-3);
            var isLosing = queue.Dropped + queue.Overwritten > before.Dropped + before.Overwritten;
            var state = isLosing ? "[red]✖ losing[/]"
                : queue.Depth >= FullShare * queue.Capacity ? "[yellow]▲ full[/]"
                : queue.Offered > before.Offered ? "[green]● ok[/]" : "○ idle";
            table.AddRow(
                Markup.Escape($"{queue.Name}[{queue.Index}]"), state, queue.Policy, Count((queue.Offered - before.Offered) / seconds),
                Count((queue.Dequeued - before.Dequeued) / seconds), Count(queue.Depth),
                queue.Capacity >= UnboundedRecords ? "memory" : Count(queue.Capacity), Count(queue.Deepest), Count(queue.Dropped),
                Count(queue.Overwritten));
        }

        return table;
    }

    private static Table Partitions(TopReading now)
    {
        var table = NewTable("topic", "partition", "lag", "unstored", "read up to");
        foreach (var partition in now.Partitions.OrderByDescending(partition => partition.LagMessages).Take(PartitionsMax))
        {
            var isKnown = partition is { NextOffset: >= 0, CommittedOffset: >= 0 };
            Row(
                table,
                Markup.Escape(partition.Topic),
                partition.Partition.ToString(CultureInfo.InvariantCulture),
                Count(partition.LagMessages),
                isKnown ? Count(Math.Max(0, partition.NextOffset - partition.CommittedOffset)) : "–",
                partition.NextOffset >= 0 ? Count(partition.NextOffset) : "–");
        }

        if (now.Partitions.Count > PartitionsMax)
        {
            Row(table, $"and {now.Partitions.Count - PartitionsMax} more", "", "", "", "");
        }

        return table;
    }

    private static Markup Account(TopReading now)
    {
        var read = now.Account[0].Value;
        var rest = now.Account.Skip(1).ToList();
        var difference = read - rest.Sum(line => line.Value);
        var verdict = difference == 0 ? "[green]● adds up[/]" : $"[red]✖ {Count(difference)} records in no named loss[/]";
        var sum = string.Join(" + ", rest.Select(line => $"{line.Key} {Count(line.Value)}"));
        return new Markup($"account since the start: read {Count(read)} = {sum}  {verdict}");
    }

    private static Table NewTable(params ReadOnlySpan<string> heads)
    {
        var table = new Table().Border(TableBorder.Simple);
        for (var index = 0; index < heads.Length; index++)
        {
            var isText = index == 0 || heads[index] is "state" or "policy" or "now" or "lost a second";
            var column = new TableColumn(heads[index]).NoWrap();
            table.AddColumn(isText ? column : column.RightAligned());
        }

        return table;
    }

    private static void Row(Table table, params string[] cells) => table.AddRow([.. cells.Select(cell => new Markup(cell))]);

    private static string Loss(TopReading now, TopReading earlier, params ReadOnlySpan<(string Word, string Metric)> losses)
    {
        var texts = new List<string>();
        foreach (var (word, metric) in losses)
        {
            if (now.Rate(earlier, metric) is > 0 and var rate)
            {
                texts.Add($"{Count(Math.Ceiling(rate))} {word}");
            }
        }

        return texts.Count == 0 ? "none" : $"[red]✖ {string.Join(", ", texts)}[/]";
    }

    private static string Rate(TopReading now, TopReading earlier, string metric) => Count(now.Rate(earlier, metric));

    private static string Count(double? value) => value is { } known ? known.ToString("N0", CultureInfo.InvariantCulture) : "–";

    private static string Seconds(double? value) =>
        value is { } known ? string.Create(CultureInfo.InvariantCulture, $"{known:0.0} s") : "–";
}
