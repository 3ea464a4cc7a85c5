using System.Globalization;
using Weir.Aggregator;
using Weir.Core.Buffers;
using Weir.Core.Hashing;
using Weir.Core.Model;
using Xunit;

namespace Weir.Tests.Aggregator;

/// <summary>A record of the tests: its tag hash, its key as 8-byte words (time first) and its meters.</summary>
internal sealed record TestRecord(ulong TagHash, ulong[] Key, ulong[] Meters);

/// <summary>Pools, a schema, random records, and an oracle that folds them with none of the product's layout code.</summary>
internal sealed unsafe class FoldBed : IDisposable
{
    private static readonly TagDefinition _mac = StandardSchema.SrcMac;

    internal FoldBed(StreamSchema schema)
    {
        Schema = schema;
        Rows = new RowPools(schema, Budget, freeBytesMax: 64 << 20);
        Chunks = new ChunkPool(schema, Budget);
    }

    internal StreamSchema Schema { get; }

    internal MemoryBudget Budget { get; } = new(1L << 40);

    internal RowPools Rows { get; }

    internal ChunkPool Chunks { get; }

    /// <summary>Views over overlapping tag sets: records folded with and without a copy of the key, children, grandchildren.</summary>
    internal static StreamSchema MixedSchema(int seriesMax = ViewDefinition.SeriesMaxDefault)
    {
        MeterDefinition[] meters =
        [
            StandardSchema.Records, StandardSchema.Bytes, StandardSchema.Packets, StandardSchema.Flows, StandardSchema.RttUs,
            new("rtt_max", MeterFold.Max), new("size_max", MeterFold.Max), new("rtt_min", MeterFold.Min),
        ];
        var (address, port, proto, exporter) =
            (StandardSchema.DstAddr, StandardSchema.DstPort, StandardSchema.Proto, StandardSchema.Exporter);
        ViewDefinition View(string name, int granularity, params TagDefinition[] tags) =>
            new(name, granularity, tags, meters, [.. tags.Select(tag => tag.Name)], seriesMax);
        return StreamSchema.Compile(
        [
            View("all_1s", 1, exporter, address, port, proto, _mac),
            View("all_1m", 60, exporter, address, port, proto, _mac),
            View("service_1s", 1, address, port, proto),
            View("service_1h", 3600, port, proto),
            View("exporter_1d", 86_400, exporter),
            View("as_10s", 10, StandardSchema.SrcAs, _mac),
        ]);
    }

    /// <summary>One view at 1 min that has all tags: the time is cut short, the tags are the record's own.</summary>
    internal static StreamSchema MinuteSchema() => StreamSchema.Compile(
    [
        new("minute", 60, [StandardSchema.DstPort, _mac], [StandardSchema.Records, StandardSchema.Bytes], ["dst_port", "src_mac"]),
    ]);

    internal Cut OpenCut(int shardCount = 1, int partition = 0) =>
        new(new PartitionKey("flows", partition), 0, shardCount, Schema.Views.Length, new StringDictionary(100));

    /// <summary>Random records of about <paramref name="tagSetCount"/> tag sets over <paramref name="secondCount"/> seconds.</summary>
    /// <param name="random">Seeded by the test.</param>
    /// <param name="count">Number of records.</param>
    /// <param name="tagSetCount">Distinct values of the numbers that the tags are made from.</param>
    /// <param name="secondCount">Distinct times.</param>
    /// <param name="hashesCollide">True to give all tag sets one of two hashes.</param>
    internal List<TestRecord> MakeRecords(Random random, int count, int tagSetCount, int secondCount, bool hashesCollide = false)
    {
        var records = new List<TestRecord>(count);
        for (var index = 0; index < count; index++)
        {
            var key = new ulong[Schema.KeyBytes / 8];
            key[0] = 1_760_000_000 + (ulong)random.Next(secondCount);
            var tagSet = (ulong)random.Next(tagSetCount);
            fixed (ulong* words = key)
            {
                foreach (var slot in Schema.Tags)
                {
                    // A value of its own for each type, all of them made from the tag set.
                    Write((byte*)words + slot.OffsetBytes, slot.Tag.Type, TagHash.Mix(tagSet + 1, (ulong)slot.Tag.Type + 77) >> 3);
                }

                var hash = hashesCollide ? tagSet & 1 : TagHash.OfWords(words + 1, key.Length - 1);
                var meters = new ulong[Schema.Meters.Length];
                for (var meter = 1; meter < meters.Length; meter++)
                {
                    meters[meter] = random.Next(4) == 0 ? ulong.MaxValue - (ulong)random.Next(9) : (ulong)random.NextInt64();
                }

                meters[0] = 1;
                records.Add(new TestRecord(hash, key, meters));
            }
        }

        return records;
    }

    internal RecordChunk MakeChunk(Cut cut, IEnumerable<TestRecord> records)
    {
        var chunk = Chunks.Rent(cut);
        foreach (var record in records)
        {
            var row = (ulong*)(chunk.Rows + ((nint)chunk.RecordCount++ * Schema.RecordBytes));
            *row = record.TagHash;
            record.Key.CopyTo(new Span<ulong>(row + 1, record.Key.Length));
            record.Meters.CopyTo(new Span<ulong>(row + 1 + record.Key.Length, record.Meters.Length));
        }

        return chunk;
    }

    /// <summary>Splits records into chunks of uneven sizes.</summary>
    internal IEnumerable<RecordChunk> MakeChunks(Cut cut, IEnumerable<TestRecord> records, int recordsPerChunk = 333) =>
        records.Chunk(recordsPerChunk).Select(part => MakeChunk(cut, part));

    /// <summary>What the rows of a view must be: sums by text of time and tags.</summary>
    internal Dictionary<string, ulong[]> Oracle(ViewPlan plan, IEnumerable<TestRecord> records)
    {
        var sums = new Dictionary<string, ulong[]>();
        foreach (var record in records)
        {
            fixed (ulong* key = record.Key)
            {
                var granularity = (ulong)plan.Definition.GranularitySeconds;
                var slots = plan.Definition.Tags.Select(tag => Schema.Tags.First(slot => slot.Tag == tag));
                Fold(sums, KeyText(record.Key[0] / granularity * granularity, (byte*)key, slots), record.Meters);
            }
        }

        return sums;
    }

    /// <summary>The rows of a store in the form of <see cref="Oracle"/>; a key that comes twice is an error unless allowed.</summary>
    internal Dictionary<string, ulong[]> Read(ViewPlan plan, IEnumerable<RowStore?> stores, bool mayRepeat = false)
    {
        var sums = new Dictionary<string, ulong[]>();
        foreach (var rows in stores.OfType<RowStore>())
        {
            for (var index = 0; index < rows.Count; index++)
            {
                var row = rows[index];
                var meters = new Span<ulong>(row + plan.KeyBytes, Schema.Meters.Length).ToArray();
                var key = KeyText(*(ulong*)row, row, plan.Tags);
                Assert.True(mayRepeat || !sums.ContainsKey(key), $"Two rows of {plan.Definition.Name} have the key {key}.");
                Fold(sums, key, meters);
            }
        }

        return sums;
    }

    internal FoldTable MakeTable(ViewPlan plan, SlotPool slots, int rowsMax = int.MaxValue)
    {
        var table = new FoldTable(Schema, plan, Rows.For(RowPools.RowBytes(Schema, plan)), slots);
        table.Open(rowsMax);
        return table;
    }

    internal static void AssertSame(Dictionary<string, ulong[]> expected, Dictionary<string, ulong[]> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        foreach (var (key, meters) in expected)
        {
            Assert.True(actual.TryGetValue(key, out var found), $"No row has the key {key}.");
            Assert.Equal(meters, found);
        }
    }

    public void Dispose()
    {
        Chunks.Dispose();
        Rows.Dispose();
    }

    private static void Write(byte* at, TagType type, ulong value)
    {
        switch (type)
        {
            case TagType.U8:
                *at = (byte)value;
                break;
            case TagType.U16:
                *(ushort*)at = (ushort)value;
                break;
            case TagType.U32:
                *(uint*)at = (uint)value;
                break;
            case TagType.String:
                *(uint*)at = 2 + (uint)(value % 50);
                break;
            case TagType.U64:
                *(ulong*)at = value;
                break;
            default:
                *(UInt128*)at = new UInt128(value, ~value);
                break;
        }
    }

    private static string KeyText(ulong time, byte* key, IEnumerable<TagSlot> slots)
    {
        var text = time.ToString(CultureInfo.InvariantCulture);
        foreach (var slot in slots)
        {
            text += ":" + Convert.ToHexString(new Span<byte>(key + slot.OffsetBytes, slot.Tag.Type.WidthBytes()));
        }

        return text;
    }

    private void Fold(Dictionary<string, ulong[]> sums, string key, ulong[] meters)
    {
        if (!sums.TryGetValue(key, out var known))
        {
            sums.Add(key, [.. meters]);
            return;
        }

        for (var index = 0; index < meters.Length; index++)
        {
            known[index] = Schema.Meters[index].Fold switch
            {
                MeterFold.Sum => unchecked(known[index] + meters[index]),
                MeterFold.Max => Math.Max(known[index], meters[index]),
                _ => Math.Min(known[index], meters[index]),
            };
        }
    }
}
