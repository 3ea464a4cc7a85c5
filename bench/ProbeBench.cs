using Weir.Aggregator;
using Weir.Core.Buffers;
using Weir.Core.Hashing;
using Weir.Core.Model;
using Weir.Core.Telemetry;

namespace Weir.Bench;

/// <summary>What it costs the fold to be looked at: a sample of each chunk, always; a tap, while somebody looks.</summary>
internal static unsafe class ProbeBench
{
    private const int ChunkCount = 256;
    private const int SeriesCount = 100_000;

    /// <summary>The fold alone, with the probe, and with a tap whose filter nothing matches.</summary>
    internal static void MeasureRatios()
    {
        var schema = StreamSchema.Compile(StandardSchema.Views);
        var budget = new MemoryBudget(long.MaxValue);
        using var pool = new ChunkPool(schema, budget);
        using var rows = new RowPools(schema, budget, freeBytesMax: 1L << 30);
        using var slots = new SlotPool(budget);
        var plan = schema.Views[0];
        using var table = new FoldTable(schema, plan, rows.For(RowPools.RowBytes(schema, plan)), slots);
        table.Open(int.MaxValue);
        var strings = new StringDictionary(16);
        strings.Intern("router-7"u8);
        var chunks = Chunks(schema, pool, new Cut(new PartitionKey("flows", 0), 0, 1, schema.Views.Length, strings));
        var probe = new FlowProbe(schema);
        var tapped = new FlowProbe(schema) { Tap = new FlowTap(schema, TapStage.Decoded, FlowFilter.Parse("dst_port = 65535", schema), limit: 10) };

        ulong Fold(FlowProbe? look)
        {
            foreach (var chunk in chunks)
            {
                look?.Chunk(chunk);
                table.Fold(chunk);
            }

            return (ulong)table.RowCount;
        }

        Ratios.Measure(
            $"fold of {SeriesCount} series, looked at, a record",
            ChunkCount * RecordChunk.RecordsMax,
            new Peer("not looked at", () => Fold(null)),
            new Peer("one record of each chunk sampled", () => Fold(probe)),
            new Peer("and a tap that finds nothing", () => Fold(tapped)));
        chunks.ForEach(pool.Return);
    }

    private static List<RecordChunk> Chunks(StreamSchema schema, ChunkPool pool, Cut cut)
    {
        var random = new Random(20260101);
        var chunks = new List<RecordChunk>();
        for (var count = 0; count < ChunkCount; count++)
        {
            var chunk = pool.Rent(cut);
            chunk.RecordCount = RecordChunk.RecordsMax;
            for (var index = 0; index < chunk.RecordCount; index++)
            {
                var record = chunk.Rows + ((nint)index * schema.RecordBytes);
                new Span<byte>(record, schema.RecordBytes).Clear();
                var series = (ulong)random.Next(SeriesCount);
                *(ulong*)(record + StreamSchema.HashBytes + StreamSchema.TimeBytes) = series;
                *(ulong*)record = TagHash.OfWords(&series, 1);
                *(ulong*)(record + schema.RecordMetersOffset) = 1;
            }

            chunks.Add(chunk);
        }

        return chunks;
    }
}
