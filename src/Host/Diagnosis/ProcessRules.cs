using System.Globalization;
using Weir.Host.Telemetry;

namespace Weir.Host.Diagnosis;

/// <summary>Causes in the process and its machine: processors that it does not get, and the collector.</summary>
internal static class ProcessRules
{
    private const double ThrottledShareMin = 0.1;
    private const double StarvedShareMin = 0.7;
    private const double GcShareMin = 0.2;

    /// <summary>Looks for them.</summary>
    public static IEnumerable<Finding> Find(DiagnosisWindow window)
    {
        if (window.Last.Process.Cgroup is { } cgroup && window.First.Process.Cgroup is { } before)
        {
            var throttled = (cgroup.ThrottledTime - before.ThrottledTime).TotalSeconds / window.Seconds;
            if (throttled >= ThrottledShareMin)
            {
                yield return Throttled(throttled, cgroup);
                yield break; // A group that is held back looks starved everywhere else.
            }
        }

        if (window.IsBehind && Starved(window) is { } starved)
        {
            yield return starved;
        }

        var pause = window.Share(frame => frame.Process.GcPause);
        if (pause >= GcShareMin)
        {
            yield return new Finding(
                "gc-pressure", Severity.Warning, "process", "The collector stops all threads too long: give the process more memory, or leave the heap more of what it has.")
            {
                Party = "runtime",
                Evidence =
                [
                    Text($"collections stopped the process {pause:P0} of the time"),
                    Text($"{window.Rate(frame => frame.Process.AllocatedBytes) / 1e6:N1} MB allocated a second, heap {window.Last.Process.HeapBytes / 1e6:N0} MB"),
                ],
                Option = "memory.limit",
                From = DiagnosisRules.ValueOf(window.Options, "memory.limit"),
                To = Options.Sizes.Format(window.Options.MemoryLimitBytes / 2),
            };
        }
    }

    private static Finding Throttled(double share, CgroupReading cgroup) => new(
        "cpu-throttled",
        Severity.Warning,
        "process",
        "The control group keeps the process from running: raise its processor limit, or run fewer workers.")
    {
        Party = "cgroup",
        Evidence =
        [
            Text($"held back {share:P0} of the time"),
            cgroup.CpuLimit is { } limit ? Text($"the quota is {limit:0.##} processors") : "no quota of its own: that of a group above",
        ],
        Option = "resources.limits.cpu", // Kubernetes' name; the file is the deployment's, not weir's.
        From = cgroup.CpuLimit?.ToString("0.##", CultureInfo.InvariantCulture),
        To = Math.Ceiling((cgroup.CpuLimit ?? 1) * 2).ToString(CultureInfo.InvariantCulture),
    };

    private static Finding? Starved(DiagnosisWindow window)
    {
        var threads = window.Last.Process.Stages.Keys.Where(name =>
            name.StartsWith("ingest", StringComparison.Ordinal) || name.StartsWith("fold", StringComparison.Ordinal) || name == "builder").ToList();
        var cpu = threads.Sum(window.Cpu);
        var wait = threads.Sum(window.Starved);
        return cpu + wait < StageLoad.BusyMin || wait / (cpu + wait) < StarvedShareMin ? null : new Finding(
            "cpu-starved", Severity.Warning, "process", "Other processes have the processors: give this one more of them.")
        {
            Party = "machine",
            Evidence =
            [
                Text($"weir's threads ran {cpu:0.00} and waited {wait:0.00} seconds a second for a processor"),
                Text($"{DiagnosisWindow.LagOf(window.Last):N0} messages wait"),
            ],
            Option = "resources.requests.cpu",
            From = Text($"{cpu:0.0}"),
            To = Text($"{Math.Ceiling(cpu + wait)}"),
        };
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
