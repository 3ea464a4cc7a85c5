using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Weir.Core.Buffers;
using Weir.Core.Model;
using Weir.Writer;

namespace Weir.Tests.Support;

/// <summary>Native blocks written by hand, apart from the block builder, so that sinks are tested without it.</summary>
internal static class TestBlocks
{
    /// <summary>2026-01-02 00:00:00 UTC.</summary>
    internal const uint BaseTime = 1_767_312_000;

    private static readonly MemoryBudget _budget = new(long.MaxValue);

    /// <summary>A schema of one view with each type of tag.</summary>
    internal static StreamSchema Schema { get; } = StreamSchema.Compile(
        [StandardSchema.Views.First(view => view.Name == "edge_1s"), StandardSchema.Views.First(view => view.Name == "service_1m")]);

    /// <summary>A block of rows that depend on their number only; each row counts one record.</summary>
    internal static Block Make(
        ViewPlan view, int rowCount, long fromOffset = 0, int pieceBytes = 128 << 10, string? columnType = null, uint time = BaseTime)
    {
        var bytes = Encode(view.Definition, rowCount, columnType, time);
        var pieces = bytes.Chunk(pieceBytes).Select(piece => (ReadOnlyMemory<byte>)piece).ToList();
        var name = new BlockName(new PartitionKey("flows", 0), fromOffset, fromOffset + rowCount, view.Definition.Name, 0);
        string[] columns = ["time", .. view.Definition.Tags.Select(tag => tag.Name), .. view.Definition.Meters.Select(meter => meter.Name)];
        var (day, sum) = ((int)(time / 86_400), (ulong)rowCount * (ulong)(rowCount - 1) / 2);
        var sums = new BlockSums((ulong)rowCount, sum, sum, [new BlockDay(day, (ulong)rowCount, sum, sum)]);
        var startBytes = 1 + (rowCount < 0x80 ? 1 : rowCount < 0x4000 ? 2 : 3); // Columns are fewer than 128.
        return new Block(
            name, view, columns, rowCount, sums, bytes.Length, isFramed: false, startBytes, new BlockBytes(pieces, bytes.Length));
    }

    /// <summary>A cut of one partition whose blocks were made by hand.</summary>
    internal static BuiltCut MakeCut(Cut cut, StreamSchema schema) => new(
        cut,
        cut.Account(),
        cut.Account().FoldedCount == 0
            ? []
            : [.. schema.Views.Select(view => Make(view, (int)(cut.ToOffset - cut.FromOffset), cut.FromOffset))],
        [],
        new PiecePool(_budget));

    /// <summary>A folded cut of <paramref name="recordCount"/> records.</summary>
    internal static Cut MakeFolded(StreamSchema schema, long fromOffset, int recordCount, bool isReplay = false)
    {
        var cut = new Cut(new PartitionKey("flows", 0), fromOffset, 1, schema.Views.Length, new StringDictionary(100))
        {
            ToOffset = fromOffset + recordCount,
            ReadCount = recordCount,
            EventTimeMin = BaseTime,
            EventTimeMax = BaseTime,
            IsReplay = isReplay,
        };
        cut.CompleteShard(0, recordCount);
        cut.MarkPlanned();
        return cut;
    }

    private static byte[] Encode(ViewDefinition view, int rowCount, string? columnType, uint time)
    {
        var output = new MemoryStream();
        Varint(output, 1 + view.Tags.Count + view.Meters.Count);
        Varint(output, rowCount);
        Text(output, "time");
        Text(output, "UInt32");
        Fixed(output, rowCount, 4, (row, value) => BinaryPrimitives.WriteUInt32LittleEndian(value, time));
        foreach (var tag in view.Tags)
        {
            Text(output, tag.Name);
            Tag(output, tag.Type, rowCount);
        }

        foreach (var meter in view.Meters)
        {
            Text(output, meter.Name);
            Text(output, columnType ?? "UInt64");
            Fixed(output, rowCount, 8, (row, value) => BinaryPrimitives.WriteUInt64LittleEndian(value, meter.Name == "records" ? 1 : (ulong)row));
        }

        return output.ToArray();
    }

    private static void Tag(MemoryStream output, TagType type, int rowCount)
    {
        switch (type)
        {
            case TagType.Address:
                Text(output, "FixedString(16)");
                Fixed(output, rowCount, 16, (row, value) =>
                {
                    value[10] = value[11] = 0xff;
                    BinaryPrimitives.WriteInt32BigEndian(value[12..], row);
                });
                break;
            case TagType.String:
                Text(output, "LowCardinality(String)");
                Number(output, 1);
                Number(output, 0x600);
                Number(output, 2);
                Text(output, "");
                Text(output, "10.0.0.1");
                Number(output, (ulong)rowCount);
                Fixed(output, rowCount, 1, (_, value) => value[0] = 1);
                break;
            default:
                Text(output, string.Create(CultureInfo.InvariantCulture, $"UInt{8 * type.WidthBytes()}"));
                Fixed(output, rowCount, type.WidthBytes(), (_, value) => value[0] = 17);
                break;
        }
    }

    private delegate void ValueWriter(int row, Span<byte> value);

    private static void Fixed(MemoryStream output, int rowCount, int width, ValueWriter write)
    {
        var column = new byte[rowCount * width];
        for (var row = 0; row < rowCount; row++)
        {
            write(row, column.AsSpan(row * width, width));
        }

        output.Write(column);
    }

    private static void Number(MemoryStream output, ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        output.Write(bytes);
    }

    private static void Text(MemoryStream output, string text)
    {
        Varint(output, Encoding.UTF8.GetByteCount(text));
        output.Write(Encoding.UTF8.GetBytes(text));
    }

    private static void Varint(MemoryStream output, int value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            output.WriteByte((byte)(value | 0x80));
        }

        output.WriteByte((byte)value);
    }
}
