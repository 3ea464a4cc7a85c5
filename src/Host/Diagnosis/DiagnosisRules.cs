using Weir.Host.Options;

namespace Weir.Host.Diagnosis;

/// <summary>All causes that are known, from a window to findings. Pure.</summary>
internal static class DiagnosisRules
{
    /// <summary>Looks for every cause.</summary>
    public static DiagnosisReport Evaluate(DiagnosisWindow window)
    {
        var loads = StageLoad.Of(window);
        var causes = new List<Finding>();
        causes.AddRange(ProcessRules.Find(window));
        causes.AddRange(BrokerRules.Find(window));
        causes.AddRange(WriterRules.Find(window));
        causes.AddRange(RecordRules.Find(window));
        causes.AddRange(FlowRules.Find(window, loads, causes));
        causes.AddRange(MemoryRules.Find(window));
        List<Finding> findings = [.. causes.OrderByDescending(finding => finding.Severity)];
        var worst = findings.FirstOrDefault(finding => finding.Severity != Severity.Info && finding.Id != MemoryRules.Id);
        var limit = worst is not null && worst.Severity == Severity.Warning
            ? new FlowLimit(worst.Stage, worst.Evidence.Count > 0 ? worst.Evidence[0] : worst.Title)
            : StageLoad.LimitOf(window, loads);
        return new DiagnosisReport(
            DiagnosisReport.VerdictOf(findings),
            limit,
            Math.Round(Math.Max(1 - loads.Max(load => load.Busy), 0), 2),
            Math.Round(window.Seconds, 1),
            findings);
    }

    /// <summary>The present value of an option as the configuration writes it.</summary>
    internal static string ValueOf(WeirOptions options, string path) =>
        OptionSpecs.Find(path)?.Print(options) is { Count: > 0 } lines ? lines[0].Trim() : "not set";
}
