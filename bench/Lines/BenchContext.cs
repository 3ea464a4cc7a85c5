using System.Runtime.InteropServices;
using Weir.Bench.Flows;
using Weir.Bench.Measure;

namespace Weir.Bench.Lines;

/// <summary>What all lines of a run share.</summary>
/// <param name="Plan">How long to measure.</param>
/// <param name="Log">Gets what is being done.</param>
internal sealed partial record BenchContext(RoundPlan Plan, Action<string> Log)
{
    /// <summary>
    /// Flows of a cut of 100,000 series: with zipf 1.1 they fold about 15 into each row of the two views, as in facts/PERFORMANCE.md.
    /// </summary>
    internal const int Flows100kCount = 2_500_000;

    /// <summary>The same for 1,000,000 series: about 7 into each row.</summary>
    private const int Flows1mCount = 4_000_000;

    private readonly Dictionary<int, FlowSet> _sets = [];

    /// <summary>The flows that the paths at a number of series read: one cut.</summary>
    public FlowSet PathFlows(int seriesCount)
    {
        if (!_sets.TryGetValue(seriesCount, out var set))
        {
            _sets.Clear(); // Hundreds of megabytes: one at a time.
            set = new FlowSet(seriesCount, seriesCount > 100_000 ? Flows1mCount : Flows100kCount);
            _sets.Add(seriesCount, set);
        }

        return set;
    }

    /// <summary>Lets go of what the lines before this one have needed.</summary>
    public void Forget()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true); // Gives the memory back to the system.
        _ = TrimNativeHeap(0);
    }

    /// <summary>The C library keeps freed memory; what is resident later should be what is used.</summary>
    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int TrimNativeHeap(nuint keptBytes);
}
