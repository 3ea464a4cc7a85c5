using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Weir.Aggregator;
using Weir.Core.Buffers;
using Weir.Core.Hashing;
using Weir.Core.Model;

namespace Weir.Bench;

/// <summary>The fold table and the best that the library offers: a dictionary of struct keys whose values are folded by reference.</summary>
/// <remarks>Key 48 B, 11 sums, tag sets drawn from a zipf law of 1.1, all of them known before the measurement.</remarks>
[MemoryDiagnoser]
public unsafe class FoldTableBench
{
    private const int RecordCount = 1 << 19;

    private readonly List<RecordChunk> _chunks = [];
    private StreamSchema _schema = null!;
    private ChunkPool _pool = null!;
    private RowPools _rows = null!;
    private SlotPool _slots = null!;
    private FoldTable _table = null!;
    private FoldTable _freshTable = null!;
    private FoldTable _minuteTable = null!;
    private Dictionary<Key, Sums> _dictionary = null!;

    [Params(10_000, 100_000, 1_000_000)]
    public int SeriesCount { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _schema = StreamSchema.Compile([.. StandardSchema.Views.Where(view => view.Name.StartsWith("edge", StringComparison.Ordinal))]);
        if (_schema.KeyBytes != sizeof(Key) || _schema.MeterBytes != sizeof(Sums))
        {
            throw new InvalidOperationException("The standard schema has changed: adapt Key and Sums.");
        }

        var budget = new MemoryBudget(long.MaxValue);
        _pool = new ChunkPool(_schema, budget);
        _rows = new RowPools(_schema, budget, freeBytesMax: 1L << 30);
        _slots = new SlotPool(budget);
        _table = Table(0);
        _freshTable = Table(0);
        _minuteTable = Table(1);
        _dictionary = new Dictionary<Key, Sums>(SeriesCount);
        var cut = new Cut(new PartitionKey("flows", 0), 0, 1, _schema.Views.Length, new StringDictionary(16));
        AddKnownSeries(cut);
        Draw(cut);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _chunks.ForEach(_pool.Return);
        _chunks.Clear();
        _table.Dispose();
        _freshTable.Dispose();
        _minuteTable.Dispose();
        _slots.Dispose();
        _rows.Dispose();
        _pool.Dispose();
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = RecordCount)]
    public ulong Dictionary_of_structs_by_reference()
    {
        foreach (var chunk in _chunks)
        {
            var row = chunk.Rows;
            for (var index = 0; index < chunk.RecordCount; index++)
            {
                ref var sums = ref CollectionsMarshal.GetValueRefOrAddDefault(
                    _dictionary, new Key((ulong*)(row + StreamSchema.HashBytes)), out _);
                RowVectors.Add((ulong*)Unsafe.AsPointer(ref sums), (ulong*)(row + _schema.RecordMetersOffset), Sums.Count);
                row += _schema.RecordBytes;
            }
        }

        return (ulong)_dictionary.Count;
    }

    [Benchmark(OperationsPerInvoke = RecordCount)]
    public ulong Fold_table()
    {
        foreach (var chunk in _chunks)
        {
            _table.Fold(chunk);
        }

        return (ulong)_table.RowCount;
    }

    /// <summary>A whole cut: an empty table that grows, is filled and gives everything back.</summary>
    [Benchmark(OperationsPerInvoke = RecordCount)]
    public ulong Fold_table_from_empty()
    {
        foreach (var chunk in _chunks)
        {
            _freshTable.Fold(chunk);
        }

        _freshTable.Clear();
        _freshTable.Open(int.MaxValue);
        return (ulong)_table.RowCount;
    }

    /// <summary>1 s rows to 1 min: ns a row of the finer view.</summary>
    public ulong Roll_up()
    {
        _minuteTable.FoldRows(_table.Rows);
        return (ulong)_table.RowCount;
    }

    /// <summary>The short form: <c>--ratios fold</c>.</summary>
    internal static void MeasureRatios()
    {
        foreach (var seriesCount in (int[])[10_000, 100_000, 1_000_000])
        {
            var bench = new FoldTableBench { SeriesCount = seriesCount };
            bench.Setup();
            Ratios.Measure(
                $"fold, {seriesCount} series, zipf 1.1, key 48 B, 11 meters, a record",
                RecordCount,
                new Peer("Dictionary of structs, by reference", bench.Dictionary_of_structs_by_reference),
                new Peer("FoldTable", bench.Fold_table),
                new Peer("FoldTable, a whole cut from empty", bench.Fold_table_from_empty));
            Ratios.Measure("roll-up 1 s to 1 min, a row", seriesCount, new Peer("FoldTable.FoldRows", bench.Roll_up));
            bench.Cleanup();
        }
    }

    private FoldTable Table(int view)
    {
        var plan = _schema.Views[view];
        var table = new FoldTable(_schema, plan, _rows.For(RowPools.RowBytes(_schema, plan)), _slots);
        table.Open(int.MaxValue);
        return table;
    }

    private void AddKnownSeries(Cut cut)
    {
        var chunk = _pool.Rent(cut);
        for (var series = 0; series < SeriesCount; series++)
        {
            chunk.RecordCount = 0;
            Add(chunk, series);
            _table.Fold(chunk);
            _dictionary[new Key((ulong*)(chunk.Rows + StreamSchema.HashBytes))] = default;
        }

        _pool.Return(chunk);
    }

    private void Draw(Cut cut)
    {
        var random = new Random(20_260_101);
        var cumulative = new double[SeriesCount];
        var sum = 0.0;
        for (var rank = 0; rank < SeriesCount; rank++)
        {
            cumulative[rank] = sum += Math.Pow(rank + 1, -1.1);
        }

        var seriesOfRank = Enumerable.Range(0, SeriesCount).ToArray();
        random.Shuffle(seriesOfRank); // Frequent series must not lie side by side.
        while (_chunks.Count * RecordChunk.RecordsMax < RecordCount)
        {
            var chunk = _pool.Rent(cut);
            while (chunk.RecordCount < RecordChunk.RecordsMax)
            {
                var rank = Array.BinarySearch(cumulative, random.NextDouble() * sum);
                Add(chunk, seriesOfRank[Math.Min(rank < 0 ? ~rank : rank, SeriesCount - 1)]);
            }

            _chunks.Add(chunk);
        }
    }

    private void Add(RecordChunk chunk, int series)
    {
        var row = (ulong*)(chunk.Rows + ((nint)chunk.RecordCount++ * _schema.RecordBytes));
        row[1] = 1_760_000_000;
        for (var word = 2; word < 7; word++)
        {
            row[word] = TagHash.Mix((ulong)series + 1, 0x9e3779b97f4a7c15 + (ulong)word);
        }

        row[0] = TagHash.OfWords(row + 2, 5);
        for (var meter = 0; meter < Sums.Count; meter++)
        {
            row[7 + meter] = (ulong)meter + 1;
        }
    }

    // The pointers are safe without a pin: keys lie on the stack, or in the dictionary's array on the large object heap.
    private readonly struct Key : IEquatable<Key>
    {
        private readonly Words _words;

        internal Key(ulong* words) => _words = *(Words*)words;

        public bool Equals(Key other) => RowVectors.AreEqual(
            (ulong*)Unsafe.AsPointer(ref Unsafe.AsRef(in _words)), (ulong*)Unsafe.AsPointer(ref other), Words.Count);

        public override bool Equals(object? obj) => obj is Key other && Equals(other);

        public override int GetHashCode() => (int)TagHash.OfWords((ulong*)Unsafe.AsPointer(ref Unsafe.AsRef(in _words)), Words.Count);
    }

    [InlineArray(Count)]
    private struct Words
    {
        internal const int Count = 6;
        private ulong _first;
    }

    [InlineArray(Count)]
    private struct Sums
    {
        internal const int Count = 11;
        private ulong _first;
    }
}
