using System.Globalization;
using System.Text;
using Weir.Core.Buffers;
using Weir.Core.Model;

namespace Weir.Tests.Writer;

/// <summary>A record as a test thinks of it: values by tag name (a number, 16 bytes, or a text), meters in the schema's order.</summary>
internal sealed record TestRecord(uint Time, IReadOnlyDictionary<string, object> Tags, ulong[] Meters);

/// <summary>Makes cuts as shards hand them over, except that equal keys are left unfolded, which is harder for the builder.</summary>
internal sealed unsafe class CutFixture : IDisposable
{
    private readonly SlabPool[] _pools;

    public CutFixture(StreamSchema schema)
    {
        Schema = schema;
        _pools = [.. schema.Views.Select(view => new SlabPool(RowBytes(view) * RowStore.RowsPerSlab, 1L << 30, Budget))];
    }

    public StreamSchema Schema { get; }

    public MemoryBudget Budget { get; } = new(1L << 30);

    /// <summary>Slabs of rows that nobody gave back.</summary>
    public long SlabsRented => _pools.Sum(pool => pool.RentedCount);

    /// <summary>A cut of these records, row by row on the shard that <paramref name="shardOf"/> says.</summary>
    public Cut Make(IReadOnlyList<TestRecord> records, int shardCount = 1, Func<int, int>? shardOf = null)
    {
        var strings = new StringDictionary(1 << 20);
        var cut = new Cut(new PartitionKey("flows", 3), 1_000, shardCount, Schema.Views.Length, strings)
        {
            ToOffset = 2_000,
            ReadCount = records.Count,
        };
        cut.MarkPlanned();
        var folded = new long[shardCount];
        for (var index = 0; index < records.Count; index++)
        {
            var shard = shardOf?.Invoke(index) ?? 0;
            folded[shard]++;
            foreach (var view in Schema.Views)
            {
                if (cut.Rows(shard, view.Index) is not { } rows)
                {
                    rows = new RowStore(_pools[view.Index], RowBytes(view));
                    cut.SetRows(shard, view.Index, rows);
                }

                WriteRow(rows.Append(), view, records[index], strings);
            }
        }

        for (var shard = 0; shard < shardCount; shard++)
        {
            _ = cut.CompleteShard(shard, folded[shard]);
        }

        return cut;
    }

    /// <summary>What the blocks of a view must hold, by LINQ: grouped, folded and ordered.</summary>
    public List<string> Expected(IEnumerable<TestRecord> records, ViewPlan view)
    {
        var granularity = (uint)view.Definition.GranularitySeconds;
        return [.. records
            .Select(record => record with { Time = record.Time / granularity * granularity })
            .GroupBy(record => string.Join('\t', view.Tags.Select(slot => Show(record.Tags[slot.Tag.Name])).Prepend($"{record.Time}")))
            .Select(group => (
                Keys: view.Definition.OrderBy
                    .Select(name => Comparable(group.First().Tags[name]))
                    .Append(Comparable(group.First().Time))
                    .ToArray(),
                Line: group.Key + "\t" + string.Join('\t', view.Definition.Meters.Select(meter => Fold(meter, group)))))
            .OrderBy(row => row.Keys, Comparer<string[]>.Create(CompareKeys))
            .Select(row => row.Line)];
    }

    public void Dispose()
    {
        foreach (var pool in _pools)
        {
            pool.Dispose();
        }
    }

    private static int CompareKeys(string[] left, string[] right)
    {
        for (var index = 0; index < left.Length; index++)
        {
            var order = string.CompareOrdinal(left[index], right[index]);
            if (order != 0)
            {
                return order;
            }
        }

        return 0;
    }

    private static string Show(object value) => value switch
    {
        byte[] address => Convert.ToHexString(address),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    /// <summary>A text whose ordinal order is ClickHouse's order of the values; texts as hex of their UTF-8.</summary>
    private static string Comparable(object value) => value switch
    {
        byte[] address => Convert.ToHexString(address),
        string text => Convert.ToHexString(Encoding.UTF8.GetBytes(text)),
        _ => Convert.ToUInt64(value, CultureInfo.InvariantCulture).ToString("D20", CultureInfo.InvariantCulture),
    };

    private ulong Fold(MeterDefinition meter, IEnumerable<TestRecord> group)
    {
        var index = Schema.Meters.IndexOf(meter);
        return group.Select(record => record.Meters[index]).Aggregate((left, right) => meter.Fold switch
        {
            MeterFold.Sum => unchecked(left + right),
            MeterFold.Max => Math.Max(left, right),
            _ => Math.Min(left, right),
        });
    }

    private int RowBytes(ViewPlan view) => view.KeyBytes + Schema.MeterBytes;

    private void WriteRow(byte* row, ViewPlan view, TestRecord record, StringDictionary strings)
    {
        new Span<byte>(row, RowBytes(view)).Clear();
        var granularity = (ulong)view.Definition.GranularitySeconds;
        *(ulong*)row = record.Time / granularity * granularity;
        foreach (var slot in view.Tags)
        {
            var value = record.Tags[slot.Tag.Name];
            var cell = row + slot.OffsetBytes;
            switch (slot.Tag.Type)
            {
                case TagType.Address:
                    ((byte[])value).CopyTo(new Span<byte>(cell, 16));
                    break;
                case TagType.String:
                    *(uint*)cell = strings.Intern(Encoding.UTF8.GetBytes((string)value));
                    break;
                case TagType.U64:
                    *(ulong*)cell = (ulong)value;
                    break;
                case TagType.U32:
                    *(uint*)cell = (uint)value;
                    break;
                case TagType.U16:
                    *(ushort*)cell = (ushort)value;
                    break;
                default:
                    *cell = (byte)value;
                    break;
            }
        }

        record.Meters.CopyTo(new Span<ulong>(row + view.KeyBytes, record.Meters.Length));
    }
}
