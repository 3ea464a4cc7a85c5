using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Weir.Writer;

namespace Weir.Bench;

/// <summary>Sorted rows to columns: in tiles into all columns, against one column after another.</summary>
public unsafe class TransposeBench
{
    private readonly BenchCuts _cuts = new();
    private ViewEncoder _encoder = null!;
    private SortedRows _rows = null!;
    private TextRanks _texts = null!;
    private NativeBuffer _block = null!;
    private byte* _columns;

    [Params(10_000, 100_000, 1_000_000)]
    public int RowCount { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var cut = _cuts.Make(RowCount);
        _encoder = new ViewEncoder(_cuts.Schema.Views[0], _cuts.Schema);
        _rows = new SortedRows(_cuts.Schema, 90, 1, _cuts.Budget);
        _texts = new TextRanks();
        _texts.Load(cut.Strings);
        _rows.Load(cut, _cuts.Schema.Views[0], _encoder.Keys, _texts);
        _block = new NativeBuffer(_cuts.Budget);
        _ = _encoder.Encode(_rows, 0, _rows.Count, _texts, _block);
        _columns = (byte*)NativeMemory.AlignedAlloc((nuint)RowCount * (nuint)_cuts.RowBytes, 64);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        NativeMemory.AlignedFree(_columns);
        _block.Dispose();
        _rows.Dispose();
        _cuts.Dispose();
    }

    [Benchmark(Baseline = true)]
    public ulong Column_at_a_time()
    {
        // Every 8 bytes of a row as a column of its own: as many columns, as many bytes.
        var records = 0UL;
        for (var offset = 0; offset < _cuts.RowBytes; offset += sizeof(ulong))
        {
            var column = (ulong*)(_columns + ((nint)offset * RowCount));
            for (var row = 0; row < _rows.Count; row++)
            {
                column[row] = *(ulong*)(_rows.Rows[row] + offset);
            }

            records += offset == _cuts.Schema.Views[0].KeyBytes ? Sum(column, _rows.Count) : 0;
        }

        return records;
    }

    [Benchmark]
    public ulong In_tiles() => _encoder.Transpose(_rows.Rows, _rows.Count, _block.Start);

    /// <summary>Both ways in turns; each returns the sum of the first meter.</summary>
    internal static void MeasureRatios()
    {
        foreach (var rowCount in (int[])[10_000, 100_000, 1_000_000])
        {
            var bench = new TransposeBench { RowCount = rowCount };
            bench.Setup();
            Ratios.Measure(
                FormattableString.Invariant($"{rowCount:N0} sorted rows to columns, a row"),
                rowCount,
                new Peer("a column at a time", bench.Column_at_a_time),
                new Peer("in tiles", bench.In_tiles));
            bench.Cleanup();
        }
    }

    private static ulong Sum(ulong* column, int count)
    {
        var sum = 0UL;
        for (var row = 0; row < count; row++)
        {
            sum += column[row];
        }

        return sum;
    }
}
