using Weir.Core.Telemetry;

namespace Weir.Host.Diagnosis;

/// <summary>Knows since when each finding stands, and logs a line when one begins or ends.</summary>
/// <remarks>The engine's thread. One that comes and goes is logged once a minute, with the number of times that were not.</remarks>
internal sealed class FindingLog(ILogger logger)
{
    private static readonly TimeSpan _logInterval = TimeSpan.FromMinutes(1);

    private readonly Dictionary<(string Id, string? Queue), Known> _known = [];

    /// <summary>Sets <see cref="Finding.Since"/> and <see cref="Finding.Last"/>.</summary>
    public IReadOnlyList<Finding> Date(IReadOnlyList<Finding> findings, DateTimeOffset now)
    {
        var dated = new List<Finding>(findings.Count);
        foreach (var finding in findings)
        {
            if (!_known.TryGetValue(finding.Key, out var known))
            {
                _known.Add(finding.Key, known = new Known());
            }

            if (!known.IsPresent)
            {
                known.IsPresent = true;
                known.Since = now;
                Begin(finding, known, now);
            }

            known.Last = now;
            dated.Add(finding with { Since = known.Since, Last = now });
        }

        foreach (var (key, known) in _known.Where(known => known.Value.IsPresent && known.Value.Last != now).ToList())
        {
            known.IsPresent = false;
            if (known.IsLogged)
            {
                WeirLog.CauseGone(logger, key.Id, (now - known.Since).TotalSeconds);
            }
        }

        return dated;
    }

    private void Begin(Finding finding, Known known, DateTimeOffset now)
    {
        known.IsLogged = finding.Severity != Severity.Info && now - known.LoggedAt >= _logInterval;
        if (!known.IsLogged)
        {
            known.HeldBackCount += finding.Severity != Severity.Info ? 1 : 0;
            return;
        }

        known.LoggedAt = now;
        var change = finding.Option is null ? "no option helps" : $"{finding.Option}: {finding.From} -> {finding.To}";
        WeirLog.CauseFound(
            logger,
            finding.Id,
            finding.Queue ?? finding.Stage,
            finding.Party ?? "nobody",
            finding.Title,
            finding.Evidence.Count > 0 ? finding.Evidence[0] : "",
            change,
            known.HeldBackCount);
        known.HeldBackCount = 0;
    }

    private sealed class Known
    {
        internal bool IsPresent { get; set; }

        internal bool IsLogged { get; set; }

        internal DateTimeOffset Since { get; set; }

        internal DateTimeOffset Last { get; set; }

        internal DateTimeOffset LoggedAt { get; set; } = DateTimeOffset.MinValue;

        internal long HeldBackCount { get; set; }
    }
}
