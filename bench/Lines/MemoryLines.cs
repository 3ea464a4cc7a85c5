using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Aggregator;
using Weir.Bench.Flows;
using Weir.Bench.Measure;
using Weir.Bench.Paths;
using Weir.Bench.Report;
using Weir.Core.Buffers;
using Weir.Core.Hashing;
using Weir.Core.Model;
using Weir.Writer;

namespace Weir.Bench.Lines;

/// <summary>Memory a series, and whether it stays flat while series come and go.</summary>
internal static class MemoryLines
{
    private const int SeriesCount = 2_000_000;
    private const long AllowedBytes = 64L << 20;

    /// <summary>The group.</summary>
    public static LineGroup Group { get; } = new(
        ["memory.series", "memory.churn", "gc.gen2"],
        "resident bytes a series / (key + meters); resident memory while 50 M distinct series pass; gen-2 collections meanwhile",
        Run);

    private static IEnumerable<LineResult> Run(BenchContext context)
    {
        context.Log("memory.series");
        yield return Series(context);
        context.Forget();
        context.Log("memory.churn, gc.gen2");
        foreach (var line in Churn(context, ProcessMemory.ResidentBytes()))
        {
            yield return line;
        }

        context.Forget();
    }

    private static LineResult Series(BenchContext context)
    {
        var seriesCount = context.Plan.IsQuick ? SeriesCount / 2 : SeriesCount;
        var messages = new FlowSet(Enumerable.Range(0, seriesCount)).Messages("weir");
        context.Forget();
        var before = ProcessMemory.ResidentBytes();
        using var path = new WeirPath("weir");
        var cut = path.Fold(messages);
        var resident = ProcessMemory.ResidentBytes() - before;
        var rowBytes = path.Schema.Views.Sum(view => view.KeyBytes + path.Schema.MeterBytes);
        var rowCount = Enumerable.Range(0, path.Schema.Views.Length).Sum(view => (long)cut.Rows(0, view)!.Count);
        var used = path.UsedBytes;
        path.Release(cut);
        if (rowCount != (long)seriesCount * path.Schema.Views.Length)
        {
            throw new ChecksumException($"{rowCount} rows came from {seriesCount} series.");
        }

        var bytesPerSeries = (double)Math.Max(0, Math.Max(resident, used) - AllowedBytes) / seriesCount;
        return new LineResult("memory.series", "bytes a series beyond 64 MB / (key + meters), both views, at the end of a cut", "B/series")
        {
            Ours = bytesPerSeries,
            Peer = rowBytes,
            Ratio = bytesPerSeries / rowBytes,
            Target = LineTarget.AtMost(1.25, 1.25),
            Note = $"{seriesCount:N0} series; resident {resident >> 20} MiB more than before, {used >> 20} MiB charged to the "
                + "budget; the larger counts.",
        };
    }

    private static IEnumerable<LineResult> Churn(BenchContext context, long before)
    {
        var cutCount = context.Plan.IsQuick ? 20 : 200;
        const int WarmCuts = 10;
        using var bed = new ChurnBed();
        var gen2Before = 0;
        long warm = 0;
        long highest = 0;
        for (var cut = 0; cut < cutCount; cut++)
        {
            bed.RunCut(cut);
            if (cut == WarmCuts - 1)
            {
                gen2Before = GC.CollectionCount(2);
                warm = ProcessMemory.ResidentBytes() - before;
            }

            highest = cut >= WarmCuts ? Math.Max(highest, ProcessMemory.ResidentBytes() - before) : 0;
        }

        var gen2 = GC.CollectionCount(2) - gen2Before;
        yield return new LineResult(
            "memory.churn", "highest resident memory after the first 10 cuts / after the 10th, all series and texts new in each cut", "MiB")
        {
            Ours = highest >> 20,
            Peer = warm >> 20,
            Ratio = (double)highest / warm,
            Target = LineTarget.AtMost(1.10, 1.02),
            Note = $"{(long)cutCount * ChurnBed.SeriesPerCut:N0} distinct series and "
                + $"{(long)cutCount * ChurnBed.TextsPerCut:N0} distinct texts in {cutCount} cuts, "
                + "folded, rolled up and built; what the process held before is taken off.",
        };
        yield return new LineResult("gc.gen2", "gen-2 collections in the same cuts after the 10th", "count")
        {
            Ours = gen2,
            Ratio = gen2,
            Target = LineTarget.AtMost(0, 0),
            Note = "The whole process has a line of its own: process.gen2.",
        };
    }

    /// <summary>Cuts of rows that were never seen before, through fold, roll-up and builder. One thread.</summary>
    private sealed unsafe class ChurnBed : IDisposable
    {
        internal const int SeriesPerCut = 250_000;
        internal const int TextsPerCut = 1_000;

        private readonly MemoryBudget _budget = new(1L << 40);
        private readonly StreamSchema _schema = PathViews.Compile();
        private readonly ChunkPool _chunks;
        private readonly RowPools _rows;
        private readonly AggregationWorker _worker;
        private readonly BlockBuilder _builder;
        private readonly StringDictionary _strings = new(TextsPerCut + 16);
        private readonly int _exporterOffset;
        private Cut? _folded;

        internal ChurnBed()
        {
            _chunks = new ChunkPool(_schema, _budget);
            _rows = new RowPools(_schema, _budget, freeBytesMax: 1L << 30);
            _worker = new AggregationWorker(
                0, _schema, _rows, _chunks, queue: null, cut => _folded = cut, _ => { }, TimeProvider.System, NullLogger.Instance);
            _builder = new BlockBuilder(_schema, new WriterOptions { Compression = BlockCompression.Lz4 }, _budget);
            _exporterOffset = StreamSchema.HashBytes + _schema.Tags.Single(slot => slot.Tag == StandardSchema.Exporter).OffsetBytes;
        }

        internal void RunCut(int number)
        {
            var cut = new Cut(new PartitionKey("flows", 0), number, 1, _schema.Views.Length, _strings) { ToOffset = number + 1 };
            Span<byte> text = stackalloc byte[32];
            var ids = new uint[TextsPerCut];
            for (var index = 0; index < TextsPerCut; index++)
            {
                _ = ((long)number * TextsPerCut + index).TryFormat(text, out var length, provider: CultureInfo.InvariantCulture);
                ids[index] = _strings.Intern(text[..length]);
            }

            var chunk = _chunks.Rent(cut);
            for (var series = 0; series < SeriesPerCut; series++)
            {
                Add(chunk, (ulong)((long)number * SeriesPerCut + series), ids[series % TextsPerCut]);
                if (chunk.RecordCount == RecordChunk.RecordsMax || series == SeriesPerCut - 1)
                {
                    _ = _worker.Offer(chunk, CancellationToken.None); // It gives the chunk back to the pool.
                    chunk = _chunks.Rent(cut);
                }
            }

            _chunks.Return(chunk);
            cut.ReadCount = SeriesPerCut;
            _ = _worker.Offer(RecordChunk.Marker(cut), CancellationToken.None);
            using (var built = _builder.Build(_folded!))
            {
                if (PathResult.Of(built).RowCount != SeriesPerCut * 2)
                {
                    throw new ChecksumException("A cut of distinct series has not as many rows.");
                }
            }

            _strings.Clear();
        }

        public void Dispose()
        {
            _builder.Dispose();
            _worker.Dispose();
            _rows.Dispose();
            _chunks.Dispose();
        }

        private void Add(RecordChunk chunk, ulong series, uint exporter)
        {
            var bytes = chunk.Rows + ((nint)chunk.RecordCount++ * _schema.RecordBytes);
            var row = (ulong*)bytes;
            new Span<byte>(bytes, _schema.RecordBytes).Clear();
            row[1] = FlowSet.TimeSeconds;
            row[2] = TagHash.Mix(series + 1, 0x9e37_79b9_7f4a_7c15);
            row[3] = series;
            *(uint*)(bytes + _exporterOffset) = exporter;
            row[0] = TagHash.OfWords(row + 2, (_schema.KeyBytes / sizeof(ulong)) - 1);
            *(ulong*)(bytes + _schema.RecordMetersOffset) = 1;
        }
    }
}
