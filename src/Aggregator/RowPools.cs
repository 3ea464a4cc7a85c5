using Weir.Core.Buffers;
using Weir.Core.Model;

namespace Weir.Aggregator;

/// <summary>The slabs of folded rows: one pool for each row size, so that views of one size share.</summary>
/// <remarks>Any thread: workers rent, and whoever ends the life of a cut gives back.</remarks>
public sealed class RowPools : IDisposable
{
    private readonly Dictionary<int, SlabPool> _poolByRowBytes = [];

    /// <summary>Makes empty pools for the views of <paramref name="schema"/>.</summary>
    /// <param name="schema">The views.</param>
    /// <param name="budget">Charged for the slabs in use.</param>
    /// <param name="freeBytesMax">Free bytes, over all sizes, above which slabs go back to the system.</param>
    public RowPools(StreamSchema schema, MemoryBudget budget, long freeBytesMax)
    {
        Budget = budget;
        var sizes = schema.Views.Select(plan => RowBytes(schema, plan)).Distinct().ToList();
        foreach (var rowBytes in sizes)
        {
            var slabBytes = rowBytes * RowStore.RowsPerSlab;
            _poolByRowBytes.Add(rowBytes, new SlabPool(slabBytes, freeBytesMax / sizes.Count, budget));
        }
    }

    /// <summary>The budget that the slabs, and the workers' slots, are charged to.</summary>
    public MemoryBudget Budget { get; }

    /// <summary>Slabs in use; 0 when all rows have been released.</summary>
    public long RentedCount => _poolByRowBytes.Values.Sum(pool => pool.RentedCount);

    /// <summary>Bytes taken from the system, those of free slabs too.</summary>
    public long HeldBytes => _poolByRowBytes.Values.Sum(pool => pool.HeldBytes);

    /// <summary>Bytes of a folded row of <paramref name="plan"/>: its key, then all meters.</summary>
    public static int RowBytes(StreamSchema schema, ViewPlan plan) => plan.KeyBytes + schema.MeterBytes;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var pool in _poolByRowBytes.Values)
        {
            pool.Dispose();
        }
    }

    /// <summary>The pool for rows of <paramref name="rowBytes"/>.</summary>
    internal SlabPool For(int rowBytes) => _poolByRowBytes[rowBytes];
}
