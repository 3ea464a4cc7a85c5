using System.Globalization;

namespace Weir.Host.Diagnosis;

/// <summary>How busy a stage is.</summary>
/// <param name="Stage">Its name.</param>
/// <param name="Worker">Its busiest thread, or what else was measured.</param>
/// <param name="Busy">Part of the window, 0 to 1.</param>
internal readonly record struct StageLoad(string Stage, string Worker, double Busy)
{
    /// <summary>From which part of the window on a stage bounds the flow.</summary>
    public const double BusyMin = 0.85;

    /// <summary>Every stage, in the order of the data path.</summary>
    public static IReadOnlyList<StageLoad> Of(DiagnosisWindow window)
    {
        var loads = new List<StageLoad>
        {
            Busiest(window, "ingest", Enumerable.Range(0, window.Options.Ingest.Workers).Select(worker => $"ingest {worker}")),
        };
        if (window.Options.Aggregation.Workers > 0)
        {
            loads.Add(Busiest(
                window, "aggregation", Enumerable.Range(0, window.Options.Aggregation.Workers).Select(worker => $"fold {worker}")));
        }

        loads.Add(new StageLoad("writer", "builder", window.Busy("builder")));
        loads.Add(new StageLoad("clickhouse", "inserts", InsertBusy(window)));
        return loads;
    }

    /// <summary>Part of the window in which an insert was being answered; the one that runs counts as far as it has come.</summary>
    public static double InsertBusy(DiagnosisWindow window) => Math.Min(window.Share(InsertTime), 1);

    /// <summary>What bounds the flow, when no finding says it.</summary>
    public static FlowLimit LimitOf(DiagnosisWindow window, IReadOnlyList<StageLoad> loads)
    {
        var busiest = loads.MaxBy(load => load.Busy);
        var measured = string.Create(
            CultureInfo.InvariantCulture, $"{busiest.Worker} is busy {busiest.Busy:P0} of the time, at {window.ReadRate:N0} records a second");
        return busiest.Busy >= BusyMin && window.IsBehind
            ? new FlowLimit(busiest.Stage, $"{measured}; {DiagnosisWindow.LagOf(window.Last):N0} messages wait")
            : new FlowLimit("input", $"every stage waits for records; {measured}");
    }

    private static TimeSpan InsertTime(DiagnosisFrame frame) =>
        frame.Host.Writer.InsertTime + (frame.Host.Writer.AttemptSince is { } since && frame.Time > since ? frame.Time - since : TimeSpan.Zero);

    private static StageLoad Busiest(DiagnosisWindow window, string stage, IEnumerable<string> threads)
    {
        var busiest = threads.MaxBy(window.Busy)!;
        return new StageLoad(stage, busiest, window.Busy(busiest));
    }
}
