using System.Globalization;
using Weir.Core.Telemetry;
using Weir.Host.Diagnosis;

namespace Weir.Host.Telemetry;

/// <summary>The metrics of the process, its machine and its diagnosis, as of the engine's last reading.</summary>
internal sealed class EngineMetrics(DiagnosisEngine engine, SystemTables? tables) : IMetricSource
{
    private static readonly Severity[] _severities = Enum.GetValues<Severity>();

    /// <inheritdoc/>
    public void Collect(MetricReader reader)
    {
        if (engine.LastFrame is { } frame)
        {
            Collect(reader, frame.Process);
            foreach (var (tag, count) in frame.Cardinalities)
            {
                reader.Read(WeirMeter.AggregationTagValues, count, tag);
            }
        }

        var report = engine.Report;
        foreach (var severity in _severities)
        {
            reader.Read(
                WeirMeter.DiagnosisFindings,
                report.Findings.Count(finding => finding.Severity == severity),
                severity.ToString().ToLowerInvariant());
        }

        if (report.Headroom is { } headroom)
        {
            reader.Read(WeirMeter.DiagnosisHeadroom, headroom);
        }

        reader.Read(WeirMeter.SystemRowsTotal, tables?.StoredRowCount ?? 0);
        reader.Read(WeirMeter.SystemDroppedRowsTotal, tables?.DroppedRowCount ?? 0);
    }

    private static void Collect(MetricReader reader, ProcessReading process)
    {
        foreach (var (stage, time) in process.Stages)
        {
            reader.Read(WeirMeter.ProcessCpuTotal, time.Cpu.TotalSeconds, stage);
            reader.Read(WeirMeter.ProcessCpuWaitTotal, time.Wait.TotalSeconds, stage);
        }

        if (process.Cgroup is { } cgroup)
        {
            reader.Read(WeirMeter.ProcessThrottledTotal, cgroup.ThrottledTime.TotalSeconds);
            if (cgroup.CpuLimit is { } limit)
            {
                reader.Read(WeirMeter.ProcessCpuLimit, limit);
            }
        }

        if (process.GroupMemory is { } memory)
        {
            reader.Read(WeirMeter.ProcessGroupMemoryBytes, memory.UsedBytes);
            reader.Read(WeirMeter.ProcessMemoryLimitBytes, memory.LimitBytes);
        }

        reader.Read(WeirMeter.ProcessGcPauseTotal, process.GcPause.TotalSeconds);
        for (var generation = 0; generation < process.GcCounts.Count; generation++)
        {
            reader.Read(
                WeirMeter.ProcessGcCollectionsTotal, process.GcCounts[generation], generation.ToString(CultureInfo.InvariantCulture));
        }

        reader.Read(WeirMeter.ProcessHeapBytes, process.HeapBytes);
        reader.Read(WeirMeter.ProcessAllocatedBytesTotal, process.AllocatedBytes);
        reader.Read(WeirMeter.ProcessResidentBytes, process.ResidentBytes);
        reader.Read(WeirMeter.ProcessThreads, process.ThreadCount);
    }
}
