using System.Globalization;
using Weir.Host.Options;
using Weir.Writer;

namespace Weir.Host.Diagnosis;

/// <summary>Causes at ClickHouse and on the way to it.</summary>
internal static class WriterRules
{
    /// <summary>Failures in a window that matter although the server takes blocks again.</summary>
    private const int FailuresMin = 3;

    /// <summary>Part of weir's time for an insert below which the server's own time does not explain it.</summary>
    private const double ServerShareMax = 0.5;

    private const int NotEnoughSpaceCode = 243;
    private const int TooManyPartsCode = 252;

    private static readonly TimeSpan _slowMin = TimeSpan.FromMilliseconds(400);
    private static readonly TimeSpan _slowRunningMin = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan _partsInterval = TimeSpan.FromSeconds(10);

    /// <summary>Looks for them.</summary>
    public static IEnumerable<Finding> Find(DiagnosisWindow window)
    {
        if (Failing(window) is { } failing)
        {
            yield return failing;
        }
        else if (Slow(window) is { } slow)
        {
            yield return slow;
        }

        if (Refused(window) is { } refused)
        {
            yield return refused;
        }

        if (window.Last.Host.Writer.Promise is { IsExactlyOnce: false } promise)
        {
            yield return new Finding(
                "not-exactly-once", Severity.Info, "clickhouse", "A block that is sent again after a lost answer may count twice.")
            {
                Party = ServerOf(window.Options),
                Evidence = [promise.ToString()],
            };
        }
    }

    private static Finding? Failing(DiagnosisWindow window)
    {
        var writer = window.Last.Host.Writer;
        var failed = window.Delta(frame => frame.Host.Writer.RetryCounts.Sum());

        // With a long backoff a window may see no attempt; the state says it then.
        if (writer.LastFailure is not { } failure || (writer.IsWriting ? failed < FailuresMin : writer.LastFailureAt < window.First.Time && failed == 0 && writer.LastError is null))
        {
            return null;
        }

        var options = window.Options;
        var (id, title, option, to) = Classify(window, failure);
        return new Finding(id, Severity.Warning, "clickhouse", title)
        {
            Party = ServerOf(options),
            Evidence =
            [
                failure.Message,
                string.Create(CultureInfo.InvariantCulture, $"{failed} attempts failed in {window.Seconds:0.#} s; {writer.WaitingCutCount} cuts wait, nothing is committed"),
                .. id == "clickhouse-slow" ? ServersOwn(window, options.Writer.RequestTimeout) : [],
            ],
            Option = option,
            From = option is null ? null : DiagnosisRules.ValueOf(options, option),
            To = to,
            Rate = failed / window.Seconds,
        };
    }

    private static (string Id, string Title, string? Option, string? To) Classify(DiagnosisWindow window, in InsertReply failure)
    {
        var options = window.Options;
        var urlOption = options.Writer.Urls.Count > 0 ? "clickhouse.urls" : "clickhouse.url";
        if (failure.Cause == ReplyCause.Unreachable)
        {
            return window.Delta(frame => frame.Host.Writer.ResolveFailedCount) > 0
                ? ("dns", "The name of the ClickHouse server has no address: mend the name service, or the name.", urlOption, "a name that resolves, or an address")
                : ("clickhouse-unreachable", "ClickHouse takes no connection: start it, or correct its address.", urlOption, "the address of a server that runs");
        }

        return (failure.Cause, failure.Code) switch
        {
            (_, TooManyPartsCode) => (
                "clickhouse-too-many-parts", "ClickHouse has too many parts to merge: make fewer, larger inserts.", "flush.interval",
                Durations.Format(options.Ingest.FlushInterval < _partsInterval ? _partsInterval : options.Ingest.FlushInterval * 2)),
            (_, NotEnoughSpaceCode) => Full(),
            _ when failure.Message.Contains("No space left", StringComparison.OrdinalIgnoreCase) => Full(),
            (ReplyCause.Access, _) => (
                "clickhouse-access", "ClickHouse refuses the user: check user, password and rights.", "clickhouse.password", "the password of clickhouse.user"),
            (ReplyCause.TimedOut, _) => (
                "clickhouse-slow", "ClickHouse does not answer in time: look at its load; fewer, larger inserts help.", "flush.interval",
                Durations.Format(options.Ingest.FlushInterval * 4)),
            (ReplyCause.ReadOnly, _) => ("clickhouse-read-only", "The tables are read-only: look at the server's ZooKeeper or Keeper.", null, null),
            (ReplyCause.Overloaded, _) => (
                "clickhouse-overloaded", "ClickHouse is short of memory, threads or quota: look at its other queries; fewer inserts help.", "flush.interval",
                Durations.Format(options.Ingest.FlushInterval * 2)),
            (ReplyCause.AnswerLost, _) => ("clickhouse-answers-lost", "Answers of ClickHouse are lost: look for restarts and proxies between.", null, null),
            _ => ("clickhouse-error", "ClickHouse answers with an error that passes or is mended there: look at its log.", null, null),
        };

        static (string, string, string?, string?) Full() => (
            "clickhouse-disk-full", "ClickHouse's disk is full: free space there, or keep rows for a shorter time.", "clickhouse.retention", "shorter times");
    }

    private static Finding? Slow(DiagnosisWindow window)
    {
        var busy = StageLoad.InsertBusy(window);
        var seconds = window.Last.Host.Writer.InsertSeconds!.Since(window.First.Host.Writer.InsertSeconds!);
        var running = window.Last.Host.Writer.AttemptSince is { } since ? window.Last.Time - since : TimeSpan.Zero;
        var mean = seconds.Count > 0 ? TimeSpan.FromSeconds(seconds.Sum / seconds.Count) : running;
        if (window.First.Host.Writer.Promise is null // The first attempt makes the tables.
            || busy < StageLoad.BusyMin
            || (mean < _slowMin && running < _slowRunningMin))
        {
            return null;
        }

        var interval = window.Options.Ingest.FlushInterval;
        return new Finding("clickhouse-slow", Severity.Warning, "clickhouse", "ClickHouse bounds the flow: look at its load; fewer, larger inserts help.")
        {
            Party = ServerOf(window.Options),
            Evidence =
            [
                string.Create(CultureInfo.InvariantCulture, $"inserts were being answered {busy:P0} of the time; the mean takes {mean.TotalSeconds:0.00} s, the one that runs {running.TotalSeconds:0.0} s so far"),
                string.Create(CultureInfo.InvariantCulture, $"{window.Rate(frame => frame.Host.Writer.RowCount):N0} rows a second are stored, {window.Last.Host.Writer.WaitingCutCount} cuts wait"),
                .. ServersOwn(window, mean > running ? mean : running),
            ],
            Option = "flush.interval",
            From = Durations.Format(interval),
            To = Durations.Format(interval * 4),
        };
    }

    /// <summary>What the server's own log says, and what follows where it disagrees with the time that weir has waited.</summary>
    private static IEnumerable<string> ServersOwn(DiagnosisWindow window, TimeSpan waited)
    {
        foreach (var line in window.InsertLog?.Lines ?? [])
        {
            yield return line;
        }

        if (window.InsertLog?.Own is { InsertCount: > 0 } own && own.MaxS < waited.TotalSeconds * ServerShareMax)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"the server's slowest insert took {own.MaxS:0.000} s, weir waits {waited.TotalSeconds:0.00} s: the time goes on the way (network, proxy, connections), not in ClickHouse");
        }
    }

    private static Finding? Refused(DiagnosisWindow window)
    {
        var dropped = window.Delta(frame => frame.Host.Writer.Views.Sum(view => view.DroppedRecordCount));
        var kept = window.Delta(frame => frame.Host.Writer.Views.Sum(view => view.DeadLetterRecordCount));
        if (dropped == 0 && kept == 0)
        {
            return null;
        }

        var view = window.Last.Host.Writer.Views
            .Zip(window.First.Host.Writer.Views)
            .MaxBy(pair => pair.First.DroppedRecordCount + pair.First.DeadLetterRecordCount - pair.Second.DroppedRecordCount - pair.Second.DeadLetterRecordCount)
            .First.View;
        return new Finding(
            "blocks-refused",
            dropped > 0 ? Severity.Loss : Severity.Warning,
            "clickhouse",
            "ClickHouse refuses blocks for ever: run 'weir schema plan' and mend the table as it says.")
        {
            Party = $"view {view}",
            Evidence =
            [
                string.Create(CultureInfo.InvariantCulture, $"{dropped} records of dropped blocks, {kept} of blocks in clickhouse.refused_directory"),
                window.Last.Host.Writer.LastFailure?.Message ?? "no message",
            ],
            Option = dropped > 0 ? "clickhouse.on_refused" : null,
            From = dropped > 0 ? "drop" : null,
            To = dropped > 0 ? "dead-letter" : null,
            Rate = (dropped + kept) / window.Seconds,
        };
    }

    private static string ServerOf(WeirOptions options) => options.Writer.EmbeddedPath is { } directory
        ? $"embedded store {directory}"
        : string.Join(", ", options.Writer.AllServers.Select(url => url.GetComponents(UriComponents.SchemeAndServer, UriFormat.UriEscaped)));
}
