using System.Globalization;
using Spectre.Console;
using Weir.Host.Commands;

namespace Weir.Host.Demo;

/// <summary>What the demonstration shows while it runs: a live table on a terminal, a line every few seconds elsewhere.</summary>
internal sealed class DemoProgress
{
    private static readonly TimeSpan _refreshInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan _lineInterval = TimeSpan.FromSeconds(5);
    private readonly CommandContext _context;
    private readonly IAnsiConsole _console;
    private readonly TimeSpan _feedTime;
    private readonly TimeProvider _time;

    /// <summary>Prepares to show.</summary>
    /// <param name="context">Where to.</param>
    /// <param name="feedSeconds">How long records are fed.</param>
    /// <param name="time">The process's clock.</param>
    public DemoProgress(CommandContext context, int feedSeconds, TimeProvider time)
    {
        _context = context;
        _feedTime = TimeSpan.FromSeconds(feedSeconds);
        _time = time;
        _console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(context.Output),
            Ansi = context.IsOutputTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = context.HasColour ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
        });
    }

    /// <summary>Waits for a step that has no figures of its own.</summary>
    /// <returns>False when it was not done within <paramref name="timeout"/>, the pipeline failed, or the stop came.</returns>
    public async Task<bool> ShowAsync(WeirHost host, string what, Func<bool> isDone, TimeSpan timeout, CancellationToken stopping)
    {
        _context.Output.WriteLine($"… {what}");
        var from = _time.GetTimestamp();
        while (!isDone())
        {
            if (stopping.IsCancellationRequested || host.Faulted.IsCompleted || _time.GetElapsedTime(from) > timeout)
            {
                return false;
            }

            await Task.Delay(_refreshInterval, _time, CancellationToken.None);
        }

        return true;
    }

    /// <summary>Shows the pipeline until the feeder ends or the stop comes.</summary>
    public async Task FeedAsync(WeirHost host, RateMeter meter, FeederProcess feeder, CancellationToken stopping)
    {
        _context.Output.WriteLine(
            $"… feeding recorded flows for {_feedTime.TotalSeconds:0} s, their times moved to now (Ctrl-C ends it early)");
        var from = _time.GetTimestamp();
        bool IsOver() => feeder.HasExited || stopping.IsCancellationRequested || host.Faulted.IsCompleted;
        if (_context.IsOutputTerminal)
        {
            await _console.Live(new Text("")).StartAsync(async live =>
            {
                while (!IsOver())
                {
                    var snapshot = host.Snapshot();
                    meter.Look(snapshot.Ingest.ReadCount);
                    live.UpdateTarget(Table(snapshot, host, meter, _time.GetElapsedTime(from)));
                    await Task.Delay(_refreshInterval, _time, CancellationToken.None);
                }
            });
            return;
        }

        var lineAt = TimeSpan.Zero;
        while (!IsOver())
        {
            var elapsed = _time.GetElapsedTime(from);
            var snapshot = host.Snapshot();
            meter.Look(snapshot.Ingest.ReadCount);
            if (elapsed >= lineAt)
            {
                lineAt = elapsed + _lineInterval;
                _context.Output.WriteLine(Line(snapshot, meter, elapsed));
            }

            await Task.Delay(_refreshInterval, _time, CancellationToken.None);
        }
    }

    private Table Table(HostSnapshot snapshot, WeirHost host, RateMeter meter, TimeSpan elapsed)
    {
        var table = new Table().Border(TableBorder.Rounded);
        table.AddColumn("stage").AddColumn("what").AddColumn(new TableColumn("now").RightAligned());
        table.Title = new TableTitle($"weir demo  {elapsed.TotalSeconds:0} of {_feedTime.TotalSeconds:0} s");
        table.AddRow("ingest", "records/s of pmacct JSON", Bold(meter.Present.ToString("N0", CultureInfo.InvariantCulture)));
        table.AddRow("", "records read", Count(snapshot.Ingest.ReadCount));
        table.AddRow("", "rejected, late", $"{Count(snapshot.Ingest.RejectedCount)}, {Count(snapshot.Ingest.LateCount)}");
        foreach (var queue in snapshot.Queues)
        {
            table.AddRow(
                "queue",
                Markup.Escape($"{queue.Name}[{queue.Index}] depth (deepest), records"),
                $"{Count(queue.Depth)} ({Count(queue.DepthMax)})");
        }

        table.AddRow("aggregation", "series open", Count(OpenSeries(snapshot)));
        table.AddRow("writer", "rows written", Count(snapshot.Writer.RowCount));
        table.AddRow("", "freshness", Freshness(snapshot));
        table.AddRow("memory", "rows, chunks, blocks", Mebibytes(host.Budget.UsedBytes) + " of " + Mebibytes(host.Budget.LimitBytes));
        return table;
    }

    private string Line(HostSnapshot snapshot, RateMeter meter, TimeSpan elapsed)
    {
        var depths = string.Join(", ", snapshot.Queues.Select(queue => $"{queue.Name}[{queue.Index}] {Count(queue.Depth)}"));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"  {elapsed.TotalSeconds,3:0} s  {meter.Average,9:N0} records/s  series {Count(OpenSeries(snapshot))}  depth {depths}  "
            + $"rows written {Count(snapshot.Writer.RowCount)}  freshness {Freshness(snapshot)}");
    }

    private static long OpenSeries(HostSnapshot snapshot) =>
        snapshot.Aggregation.Sum(worker => worker.Views.Sum(view => view.OpenSeriesCount));

    private string Freshness(HostSnapshot snapshot) => snapshot.Writer.Freshness(_time.GetUtcNow()) is { } freshness
        ? string.Create(CultureInfo.InvariantCulture, $"{freshness.TotalSeconds:0.0} s")
        : "–";

    private static string Bold(string text) => $"[bold]{Markup.Escape(text)}[/]";

    private static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    private static string Mebibytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:N0} MiB");
}
