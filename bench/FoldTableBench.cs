using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Weir.Aggregator;
using Weir.Bench.Measure;
using Weir.Bench.Peers;
using Weir.Core.Buffers;
using Weir.Core.Model;

namespace Weir.Bench;

/// <summary>The fold table and the best that the library offers: a dictionary of struct keys whose values are folded by reference.</summary>
/// <remarks>
/// FoldKey 48 B, 11 sums. The records of a chunk are written before each fold, as a decoder does, and only the fold is timed, in
/// processor time of the thread. Both sides fold the same draws in the same turn; the sums of meter 0 are compared at the end.
/// </remarks>
[MemoryDiagnoser]
public unsafe class FoldTableBench
{
    private const int RoundCount = 9;
    private const int WarmUpRounds = 4;
    private const int RecordCount = 1 << 19;
    private const int DrawCount = 1 << 22;

    private StreamSchema _schema = null!;
    private MemoryBudget _budget = null!;
    private ChunkPool _pool = null!;
    private RowPools _rows = null!;
    private SlotPool _slots = null!;
    private FoldTable _table = null!;
    private FoldTable _minuteTable = null!;
    private FoldRecords _records = null!;
    private RecordChunk _chunk = null!;
    private Dictionary<FoldKey, FoldSums> _dictionary = null!;

    [Params(10_000, 100_000, 1_000_000)]
    public int SeriesCount { get; set; }

    /// <summary>Exponent of the zipf law; 0 for uniform draws.</summary>
    [Params(1.1, 0.0)]
    public double Zipf { get; set; } = 1.1;

    [GlobalSetup]
    public void Setup()
    {
        _schema = StreamSchema.Compile([.. StandardSchema.Views.Where(view => view.Name.StartsWith("edge", StringComparison.Ordinal))]);
        if (_schema.KeyBytes != sizeof(FoldKey) || _schema.MeterBytes != sizeof(FoldSums))
        {
            throw new InvalidOperationException("The standard schema has changed: adapt FoldKey and FoldSums.");
        }

        _budget = new MemoryBudget(long.MaxValue);
        _pool = new ChunkPool(_schema, _budget);
        _rows = new RowPools(_schema, _budget, freeBytesMax: 1L << 30);
        _slots = new SlotPool(_budget);
        _table = Table(0);
        _minuteTable = Table(1);
        _dictionary = new Dictionary<FoldKey, FoldSums>(SeriesCount);
        _records = new FoldRecords(_schema, SeriesCount, DrawCount, Zipf);
        _chunk = _pool.Rent(new Cut(new PartitionKey("flows", 0), 0, 1, _schema.Views.Length, new StringDictionary(16)));
        AddKnownSeries();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _pool.Return(_chunk);
        _table.Dispose();
        _minuteTable.Dispose();
        _slots.Dispose();
        _rows.Dispose();
        _pool.Dispose();
    }

    /// <summary>With the writing of the records; the ratio suite leaves it out.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = RecordCount)]
    public double Dictionary_of_structs_by_reference() => Round(FoldDictionary);

    /// <inheritdoc cref="Dictionary_of_structs_by_reference"/>
    [Benchmark(OperationsPerInvoke = RecordCount)]
    public double Fold_table() => Round(FoldTable);

    /// <summary>The short form: <c>--ratios fold</c>.</summary>
    internal static void MeasureRatios()
    {
        var table = new Dictionary<(int, double), double>();
        foreach (var (seriesCount, zipf) in (ReadOnlySpan<(int, double)>)[(10_000, 1.1), (100_000, 1.1), (1_000_000, 1.1), (10_000, 0), (1_000_000, 0)])
        {
            var bench = new FoldTableBench { SeriesCount = seriesCount, Zipf = zipf };
            bench.Setup();
            var law = zipf > 0 ? string.Create(CultureInfo.InvariantCulture, $"zipf {zipf}") : "uniform";
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"fold, {seriesCount} series known, {law}, key 48 B, 11 sums, a record"));
            table[(seriesCount, zipf)] = bench.MeasureKnown();
            if (seriesCount == 1_000_000)
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"fold, a whole cut from empty, {seriesCount} series, {law}, a record"));
                bench.MeasureFresh();
            }

            bench.Cleanup();
        }

        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"growth, 1 M series / 10 k: zipf {table[(1_000_000, 1.1)] / table[(10_000, 1.1)]:F2}, uniform {table[(1_000_000, 0)] / table[(10_000, 0)]:F2}"));
    }

    /// <returns>ns a record of the fold table.</returns>
    private double MeasureKnown()
    {
        var times = Measure(
            ("Dictionary of structs, by reference", () => Round(FoldDictionary)),
            ("FoldTable", () => Round(FoldTable)));
        Verify();
        Measure(("FoldTable.FoldRows, 1 s to 1 min, a row", RollUp));
        return times[1];
    }

    /// <summary>Both sides empty, but with the memory of the cut before.</summary>
    private void MeasureFresh()
    {
        Measure(
            ("Dictionary of structs, cleared", () =>
            {
                var from = CpuClock.ThreadNanos();
                _dictionary.Clear();
                return ((CpuClock.ThreadNanos() - from) / (double)DrawCount) + Round(FoldDictionary, DrawCount);
            }),
            ("FoldTable, opened again", () =>
            {
                var from = CpuClock.ThreadNanos();
                _table.Clear();
                _table.Open(int.MaxValue, SeriesCount); // As the worker does, which knows the cut before.
                return ((CpuClock.ThreadNanos() - from) / (double)DrawCount) + Round(FoldTable, DrawCount);
            }));
        Verify();
    }

    private void FoldDictionary()
    {
        var row = _chunk.Rows;
        for (var index = 0; index < _chunk.RecordCount; index++)
        {
            ref var sums = ref CollectionsMarshal.GetValueRefOrAddDefault(
                _dictionary, new FoldKey((ulong*)(row + StreamSchema.HashBytes)), out _);
            RowVectors.Add((ulong*)Unsafe.AsPointer(ref sums), (ulong*)(row + _schema.RecordMetersOffset), FoldSums.Count);
            row += _schema.RecordBytes;
        }
    }

    private void FoldTable() => _table.Fold(_chunk);

    private double RollUp()
    {
        _minuteTable.Clear();
        _minuteTable.Open(int.MaxValue, _table.RowCount);
        var from = CpuClock.ThreadNanos();
        _minuteTable.FoldRows(_table.Rows);
        return (CpuClock.ThreadNanos() - from) / (double)_table.RowCount;
    }

    /// <returns>ns a record of <paramref name="fold"/> alone.</returns>
    private double Round(Action fold, int recordCount = RecordCount)
    {
        var elapsed = 0L;
        for (var done = 0; done < recordCount; done += RecordChunk.RecordsMax)
        {
            _records.Fill(_chunk);
            var from = CpuClock.ThreadNanos();
            fold();
            elapsed += CpuClock.ThreadNanos() - from;
        }

        return (double)elapsed / recordCount;
    }

    private double[] Measure(params (string Name, Func<double> Run)[] peers)
    {
        var times = peers.Select(_ => new double[RoundCount]).ToArray();
        for (var round = -WarmUpRounds; round < RoundCount; round++)
        {
            for (var index = 0; index < peers.Length; index++)
            {
                // All fold the same draws in a turn, and other ones in the next.
                _records.Rewind((long)(round + WarmUpRounds) * RecordCount);
                var time = peers[index].Run();
                times[index][Math.Max(round, 0)] = time;
            }
        }

        var medians = times.Select(rounds => rounds.Order().ElementAt(RoundCount / 2)).ToArray();
        for (var index = 0; index < peers.Length; index++)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"  {peers[index].Name,-44} {medians[index],8:F1} ns  {medians[0] / medians[index],6:F2} times as fast"));
        }

        return medians;
    }

    /// <summary>The sums of meter 0 must be the same on both sides.</summary>
    private void Verify()
    {
        var expected = 0UL;
        foreach (var sums in _dictionary.Values)
        {
            expected += sums[0];
        }

        var actual = 0UL;
        for (var row = 0; row < _table.RowCount; row++)
        {
            actual += *(ulong*)(_table.Rows[row] + _schema.KeyBytes);
        }

        if (expected != actual || _table.RowCount != _dictionary.Count)
        {
            throw new InvalidOperationException($"{actual} records in {_table.RowCount} rows, but {expected} in {_dictionary.Count} entries.");
        }
    }

    private FoldTable Table(int view)
    {
        var plan = _schema.Views[view];
        var table = new FoldTable(_schema, plan, _rows.For(RowPools.RowBytes(_schema, plan)), _slots);
        table.Open(int.MaxValue);
        return table;
    }

    private void AddKnownSeries()
    {
        for (var series = 0; series < SeriesCount;)
        {
            _chunk.RecordCount = 0;
            for (; _chunk.RecordCount < RecordChunk.RecordsMax && series < SeriesCount; series++)
            {
                _records.Add(_chunk, series);
            }

            _table.Fold(_chunk);
            FoldDictionary();
        }
    }
}
