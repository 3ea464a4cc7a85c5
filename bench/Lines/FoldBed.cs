using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weir.Aggregator;
using Weir.Bench.Flows;
using Weir.Bench.Measure;
using Weir.Bench.Paths;
using Weir.Bench.Peers;
using Weir.Core.Buffers;
using Weir.Core.Hashing;
using Weir.Core.Model;

namespace Weir.Bench.Lines;

/// <summary>Records of the edge view in chunks, a fold table and a dictionary for them.</summary>
internal sealed unsafe class FoldBed : IDisposable
{
    private readonly List<RecordChunk> _chunks = [];
    private readonly StreamSchema _schema = PathViews.Compile();
    private readonly ChunkPool _pool;
    private readonly RowPools _rows;
    private readonly SlotPool _slots;
    private readonly FoldTable _table;
    private readonly FoldTable _fresh;
    private readonly Dictionary<FoldKey, FoldSums> _dictionary;
    private readonly Dictionary<FoldKey, FoldSums> _freshDictionary = [];
    private readonly Cut _cut;
    private readonly int _seriesCount;

    /// <summary>Draws the records.</summary>
    public FoldBed(int seriesCount, int recordCount, double exponent = ZipfDraw.Exponent)
        : this(seriesCount, Draw(seriesCount, recordCount, exponent))
    {
    }

    /// <summary>Makes a record of each of the series given; the last chunk may be part-filled.</summary>
    public FoldBed(IReadOnlyCollection<int> series)
        : this(series.Count, series)
    {
    }

    private FoldBed(int seriesCount, IEnumerable<int> series)
    {
        if (_schema.KeyBytes != sizeof(FoldKey) || _schema.MeterBytes != sizeof(FoldSums))
        {
            throw new InvalidOperationException("The standard schema has changed: adapt FoldKey and FoldSums.");
        }

        var budget = new MemoryBudget(long.MaxValue);
        _seriesCount = seriesCount;
        _pool = new ChunkPool(_schema, budget);
        _rows = new RowPools(_schema, budget, freeBytesMax: 1L << 30);
        _slots = new SlotPool(budget);
        _table = Table();
        _fresh = Table();
        _dictionary = new Dictionary<FoldKey, FoldSums>(seriesCount);
        _cut = new Cut(new PartitionKey("flows", 0), 0, 1, _schema.Views.Length, new StringDictionary(16));
        foreach (var one in series)
        {
            if (RecordCount++ % RecordChunk.RecordsMax == 0)
            {
                _chunks.Add(_pool.Rent(_cut));
            }

            Add(_chunks[^1], one);
        }
    }

    /// <summary>Records in the chunks.</summary>
    public long RecordCount { get; private set; }

    /// <summary>Puts every series into table and dictionary, so that none is new in the rounds.</summary>
    public void Learn()
    {
        var chunk = _pool.Rent(_cut);
        for (var series = 0; series < _seriesCount; series++)
        {
            Add(chunk, series);
            if (chunk.RecordCount == RecordChunk.RecordsMax || series == _seriesCount - 1)
            {
                _table.Fold(chunk);
                Fold(_dictionary, chunk);
                chunk.RecordCount = 0;
            }
        }

        _pool.Return(chunk);
    }

    /// <summary>Folds all records into the table that knows all series.</summary>
    public long FoldTable()
    {
        foreach (var chunk in _chunks)
        {
            _table.Fold(chunk);
        }

        return _chunks.Count;
    }

    /// <summary>Folds all records into the dictionary that knows all series.</summary>
    public long FoldDictionary()
    {
        foreach (var chunk in _chunks)
        {
            Fold(_dictionary, chunk);
        }

        return _chunks.Count;
    }

    /// <summary>A whole cut: an empty table is filled and gives everything back.</summary>
    public ulong FoldTableFresh()
    {
        _ = FoldFresh();
        var count = _fresh.RowCount;
        _fresh.Clear();
        _fresh.Open(int.MaxValue, _seriesCount); // As a worker opens it after its first cut.
        return (ulong)count;
    }

    /// <summary>Folds all records into the table that began empty.</summary>
    public long FoldFresh()
    {
        foreach (var chunk in _chunks)
        {
            _fresh.Fold(chunk);
        }

        return _fresh.RowCount;
    }

    /// <summary>Takes all rows out of that table, adds their records up, and gives them back.</summary>
    public (long RowCount, ulong RecordsSum) TakeFresh()
    {
        using var rows = _fresh.TakeRows();
        _fresh.Clear();
        _fresh.Open(int.MaxValue, _seriesCount); // As a worker opens it after its first cut.
        var sum = 0UL;
        var count = rows?.Count ?? 0;
        for (var row = 0; row < count; row++)
        {
            sum += *(ulong*)(rows![row] + sizeof(FoldKey));
        }

        return (count, sum);
    }

    /// <summary>The same with a dictionary, which keeps its capacity.</summary>
    public ulong FoldDictionaryFresh()
    {
        foreach (var chunk in _chunks)
        {
            Fold(_freshDictionary, chunk);
        }

        var count = _freshDictionary.Count;
        _freshDictionary.Clear();
        return (ulong)count;
    }

    /// <summary>Fails unless table and dictionary hold the same sums for every series, after as many rounds of both.</summary>
    public void RequireSameSums()
    {
        // Warm-up and rounds ran both equally often, so the records of both are the same.
        var rows = _table.Rows;
        for (var row = 0; row < rows.Count; row++)
        {
            var key = new FoldKey((ulong*)rows[row]);
            if (!_dictionary.TryGetValue(key, out var found)
                || !RowVectors.AreEqual((ulong*)(rows[row] + sizeof(FoldKey)), (ulong*)&found, FoldSums.Count))
            {
                throw new ChecksumException($"Row {row} of the table and the dictionary differ.");
            }
        }

        if (rows.Count != _dictionary.Count)
        {
            throw new ChecksumException($"The table has {rows.Count} rows, the dictionary {_dictionary.Count}.");
        }
    }

    public void Dispose()
    {
        _chunks.ForEach(_pool.Return);
        _table.Dispose();
        _fresh.Dispose();
        _slots.Dispose();
        _rows.Dispose();
        _pool.Dispose();
    }

    private void Fold(Dictionary<FoldKey, FoldSums> sums, RecordChunk chunk)
    {
        var row = chunk.Rows;
        for (var index = 0; index < chunk.RecordCount; index++)
        {
            var key = new FoldKey((ulong*)(row + StreamSchema.HashBytes));
            ref var found = ref CollectionsMarshal.GetValueRefOrAddDefault(sums, key, out _);
            RowVectors.Add((ulong*)Unsafe.AsPointer(ref found), (ulong*)(row + _schema.RecordMetersOffset), FoldSums.Count);
            row += _schema.RecordBytes;
        }
    }

    private static IEnumerable<int> Draw(int seriesCount, int recordCount, double exponent)
    {
        var draw = new ZipfDraw(seriesCount, FlowSet.Seed, exponent);
        return Enumerable.Range(0, recordCount).Select(_ => draw.Next());
    }

    private FoldTable Table()
    {
        var plan = _schema.Views[0];
        var table = new FoldTable(_schema, plan, _rows.For(RowPools.RowBytes(_schema, plan)), _slots);
        table.Open(int.MaxValue);
        return table;
    }

    private void Add(RecordChunk chunk, int series)
    {
        var row = (ulong*)(chunk.Rows + ((nint)chunk.RecordCount++ * _schema.RecordBytes));
        row[1] = FlowSet.TimeSeconds;
        for (var word = 2; word < 7; word++)
        {
            row[word] = TagHash.Mix((ulong)series + 1, 0x9e37_79b9_7f4a_7c15 + (ulong)word);
        }

        row[0] = TagHash.OfWords(row + 2, 5);
        for (var meter = 0; meter < FoldSums.Count; meter++)
        {
            row[7 + meter] = (ulong)meter + 1;
        }
    }
}
