namespace Weir.Host.Telemetry;

/// <summary>What the process has used of the machine, at one moment.</summary>
/// <param name="Stages">Processor time by worker or stage since the start.</param>
/// <param name="Cgroup">Its control group; null where there is none.</param>
/// <param name="GcPause">Time that the collector has stopped all managed threads since the start.</param>
/// <param name="GcCounts">Collections since the start, by generation.</param>
/// <param name="HeapBytes">Bytes of the managed heap.</param>
/// <param name="AllocatedBytes">Managed bytes allocated since the start.</param>
/// <param name="ResidentBytes">Bytes resident in memory.</param>
/// <param name="ThreadCount">Threads of the operating system.</param>
/// <param name="MemoryUsedBytes">Bytes of rows, chunks and blocks.</param>
/// <param name="MemoryLimitBytes">Their limit.</param>
internal sealed record ProcessReading(
    IReadOnlyDictionary<string, StageTime> Stages,
    CgroupReading? Cgroup,
    TimeSpan GcPause,
    IReadOnlyList<int> GcCounts,
    long HeapBytes,
    long AllocatedBytes,
    long ResidentBytes,
    int ThreadCount,
    long MemoryUsedBytes,
    long MemoryLimitBytes)
{
    /// <summary>Memory of its control group; null where there is none, or without a limit.</summary>
    public CgroupMemory? GroupMemory { get; init; }

    /// <summary>Reads the runtime and the kernel.</summary>
    /// <param name="threads">Keeps what ended threads had used.</param>
    /// <param name="budget">The memory of the stages.</param>
    public static ProcessReading Read(ThreadTimes threads, Core.Buffers.MemoryBudget budget)
    {
        return new ProcessReading(
            threads.Read(),
            CgroupReading.Read(),
            GC.GetTotalPauseDuration(),
            [.. Enumerable.Range(0, GC.MaxGeneration + 1).Select(GC.CollectionCount)],
            GC.GetTotalMemory(forceFullCollection: false),
            GC.GetTotalAllocatedBytes(),
            Environment.WorkingSet,
            threads.Count,
            budget.UsedBytes,
            budget.LimitBytes)
        {
            GroupMemory = CgroupMemory.Read(),
        };
    }
}
