using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Weir.Writer;

namespace Weir.Bench;

/// <summary>Sorting the composed keys of a cut: radix sort on prefixes against the framework's sort on the same keys.</summary>
[MemoryDiagnoser]
public unsafe class SortBench
{
    private readonly BenchCuts _cuts = new();
    private readonly KeySort _sort = new();
    private SortKeyPlan _plan = null!;
    private ulong* _keys;
    private SortEntry* _entries;
    private int[] _indexes = [];
    private KeyComparer _comparer = null!;

    [Params(10_000, 100_000, 1_000_000)]
    public int RowCount { get; set; }

    /// <summary>Changes with the order of the keys: both sides must agree.</summary>
    public ulong Checksum { get; private set; }

    [GlobalSetup]
    public void Setup()
    {
        var view = _cuts.Schema.Views[0];
        _plan = new SortKeyPlan(view);
        var cut = _cuts.Make(RowCount);
        var ranks = new TextRanks();
        ranks.Load(cut.Strings);
        var rows = cut.Rows(0, 0)!;
        _keys = (ulong*)NativeMemory.AlignedAlloc((nuint)RowCount * (nuint)_plan.Stride * sizeof(ulong), 64);
        _entries = (SortEntry*)NativeMemory.AlignedAlloc(2 * (nuint)RowCount * (nuint)sizeof(SortEntry), 64);
        for (var from = 0; from < RowCount; from += Core.Buffers.RowStore.RowsPerSlab)
        {
            var count = Math.Min(Core.Buffers.RowStore.RowsPerSlab, RowCount - from);
            _plan.Compose(rows[from], rows.RowBytes, count, _keys + ((nint)from * _plan.Stride), ranks.RanksById);
        }

        _indexes = new int[RowCount];
        _comparer = new KeyComparer(_keys, _plan.Stride, _plan.Words);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        NativeMemory.AlignedFree(_keys);
        NativeMemory.AlignedFree(_entries);
        _cuts.Dispose();
    }

    [Benchmark(Baseline = true)]
    public ulong Array_Sort()
    {
        for (var index = 0; index < RowCount; index++)
        {
            _indexes[index] = index;
        }

        Array.Sort(_indexes, _comparer);
        Checksum = 0;
        for (var place = 0; place < RowCount; place++)
        {
            Checksum = (Checksum * 31) + LastWord(_indexes[place]);
        }

        return Checksum;
    }

    [Benchmark]
    public ulong Radix_on_prefixes()
    {
        for (var index = 0; index < RowCount; index++)
        {
            _entries[index] = new SortEntry(0, (uint)index);
        }

        _sort.Sort(_keys, _plan.Words, _plan.Stride, _entries, _entries + RowCount, RowCount);
        Checksum = 0;
        for (var place = 0; place < RowCount; place++)
        {
            Checksum = (Checksum * 31) + LastWord((int)_entries[place].Index);
        }

        return Checksum;
    }

    /// <summary>Both sorts in turns; each returns a checksum of the order.</summary>
    internal static void MeasureRatios()
    {
        foreach (var rowCount in (int[])[10_000, 100_000, 1_000_000])
        {
            var bench = new SortBench { RowCount = rowCount };
            bench.Setup();
            Ratios.Measure(
                FormattableString.Invariant($"sort of {rowCount:N0} rows, a row"),
                rowCount,
                new Peer("Array.Sort with a full comparison", bench.Array_Sort),
                new Peer("radix on prefixes", bench.Radix_on_prefixes));
            bench.Cleanup();
        }
    }

    private ulong LastWord(int index) => _keys[((nint)index * _plan.Stride) + _plan.Words - 1];

    private sealed class KeyComparer(ulong* keys, int stride, int words) : IComparer<int>
    {
        public int Compare(int left, int right)
        {
            var a = new ReadOnlySpan<ulong>(keys + ((nint)left * stride), words);
            return a.SequenceCompareTo(new ReadOnlySpan<ulong>(keys + ((nint)right * stride), words));
        }
    }
}
