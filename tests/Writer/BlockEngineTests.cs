using System.Globalization;
using Weir.Core.Model;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

/// <summary>Both real engines take the bytes and give back the sums that LINQ made of the records, in the order that blocks have.</summary>
[Collection("real parts")]
public sealed class BlockEngineTests
{
    private const int RecordCount = 4_000;

    [RealPartFact(RealPart.ClickHouseServer)]
    public void Server_18_16_stores_frames_of_every_method_and_its_order_is_ours()
    {
        using var server = new BlockServer();
        foreach (var schema in new[] { TestRecords.AllTypes, TestRecords.Standard })
        {
            foreach (var compression in Enum.GetValues<BlockCompression>())
            {
                using var fixture = new CutFixture(schema);
                using var builder = new BlockBuilder(schema, new WriterOptions { Compression = compression }, fixture.Budget);
                var records = TestRecords.Random(schema, new Random(20260104), RecordCount, spread: 300);
                using var built = builder.Build(fixture.Make(records, 3, index => index % 3));
                foreach (var block in built.Blocks)
                {
                    var table = $"{block.Name.View}_{compression}";
                    server.Query(CreateTable(table, block.View, addressType: "FixedString(16)"));
                    server.Insert(InsertInto(table, block) + " FORMAT Native", "&decompress=1", block.Pieces);
                    var expected = fixture.Expected(records, block.View);
                    AssertStored(expected, server.Query(Select(table, block.View, "hex({0})", isOrdered: true)));

                    // One part in a table of this order: reading it in its own order shows that the block was sorted as the engine sorts.
                    AssertStored(expected, server.Query(Select(table, block.View, "hex({0})", isOrdered: false)));
                }
            }
        }
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public void The_embedded_engine_stores_bare_blocks_with_addresses_as_IPv6()
    {
        using var engine = new BlockEngine();
        foreach (var schema in new[] { TestRecords.AllTypes, TestRecords.Standard })
        {
            using var fixture = new CutFixture(schema);
            using var builder = new BlockBuilder(schema, new WriterOptions { EmbeddedPath = "here" }, fixture.Budget);
            var records = TestRecords.Random(schema, new Random(20260105), RecordCount, spread: 300);
            using var built = builder.Build(fixture.Make(records, 2, index => index % 2));
            foreach (var block in built.Blocks)
            {
                engine.Query(CreateTable(block.Name.View, block.View, addressType: "IPv6"));
                engine.Insert(InsertInto(block.Name.View, block), block.Pieces);
                var stored = engine.Query(Select(block.Name.View, block.View, "hex(IPv6StringToNum(toString({0})))", isOrdered: true));
                AssertStored(fixture.Expected(records, block.View), stored);
            }
        }
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public void Server_18_16_refuses_a_frame_with_one_changed_byte()
    {
        using var server = new BlockServer();
        using var fixture = new CutFixture(TestRecords.Standard);
        using var builder = new BlockBuilder(fixture.Schema, new WriterOptions(), fixture.Budget);
        using var built = builder.Build(fixture.Make(TestRecords.Random(fixture.Schema, new Random(1), 100)));
        var block = built.Blocks[0];
        server.Query(CreateTable("damaged", block.View, addressType: "FixedString(16)"));
        var damaged = NativeBlockReader.Join(block.Pieces);
        damaged[^1] ^= 1;
        var error = Assert.ThrowsAny<Exception>(
            () => server.Insert(InsertInto("damaged", block) + " FORMAT Native", "&decompress=1", [damaged]));
        Assert.Contains("Checksum doesn't match", error.Message, StringComparison.Ordinal);
        Assert.Equal("0\n", server.Query("SELECT count() FROM damaged"));
    }

    [RealPartTheory(RealPart.ClickHouseServer, RealPart.EmbeddedClickHouse)]
    [InlineData(300)]
    [InlineData(66_000)]
    public void Both_engines_read_wider_indexes(int textCount)
    {
        var schema = TestRecords.AllTypes;
        var bytes = schema.Meters.IndexOf(StandardSchema.Bytes);
        var records = TestRecords.Random(schema, new Random(2), textCount);
        for (var index = 0; index < textCount; index++)
        {
            records[index].Meters[bytes] = (ulong)index;
            records[index] = records[index] with
            {
                Tags = new Dictionary<string, object>(records[index].Tags) { ["site"] = $"site-{index}" },
            };
        }

        using var fixture = new CutFixture(schema);
        using var framedBuilder = new BlockBuilder(schema, new WriterOptions(), fixture.Budget);
        using var bareBuilder = new BlockBuilder(schema, new WriterOptions { EmbeddedPath = "here" }, fixture.Budget);
        using var framed = framedBuilder.Build(fixture.Make(records));
        using var bare = bareBuilder.Build(fixture.Make(records));
        var (block, bareBlock) = (framed.Blocks[0], bare.Blocks[0]);
        const string Right = "SELECT count(), uniqExact(site) FROM wide WHERE site = concat('site-', toString(bytes))";

        using var server = new BlockServer();
        server.Query(CreateTable("wide", block.View, addressType: "FixedString(16)"));
        server.Insert(InsertInto("wide", block) + " FORMAT Native", "&decompress=1", block.Pieces);
        Assert.Equal($"{textCount}\t{textCount}\n", server.Query(Right));

        using var engine = new BlockEngine();
        engine.Query(CreateTable("wide", block.View, addressType: "IPv6"));
        engine.Insert(InsertInto("wide", bareBlock), bareBlock.Pieces);
        Assert.Equal($"{textCount}\t{textCount}\n", engine.Query(Right));
    }

    private static void AssertStored(List<string> expected, string stored)
    {
        var rows = stored.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(expected.Count, rows.Length);
        for (var row = 0; row < rows.Length; row++)
        {
            Assert.Equal(expected[row], rows[row]);
        }
    }

    private static string CreateTable(string table, ViewPlan view, string addressType)
    {
        var columns = view.Tags.Select(slot => $"{slot.Tag.Name} {ColumnType(slot.Tag.Type, addressType)}")
            .Prepend("time DateTime")
            .Concat(view.Definition.Meters.Select(meter => $"{meter.Name} UInt64"));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"CREATE TABLE {table} ({string.Join(", ", columns)}) ENGINE = MergeTree PARTITION BY tuple() ORDER BY ({Order(view)})");
    }

    private static string InsertInto(string table, Block block) => $"INSERT INTO {table} ({string.Join(", ", block.Columns)})";

    private static string Select(string table, ViewPlan view, string addressAsHex, bool isOrdered)
    {
        var columns = view.Tags
            .Select(slot => slot.Tag.Type == TagType.Address ? addressAsHex.Replace("{0}", slot.Tag.Name) : slot.Tag.Name)
            .Prepend("toUInt32(time)")
            .Concat(view.Definition.Meters.Select(meter => meter.Name));
        var order = isOrdered ? $" ORDER BY {Order(view)}" : "";
        return $"SELECT {string.Join(", ", columns)} FROM {table}{order}";
    }

    private static string Order(ViewPlan view) => string.Join(", ", view.Definition.OrderBy.Append("time"));

    private static string ColumnType(TagType type, string addressType) => type switch
    {
        TagType.Address => addressType,
        TagType.String => "LowCardinality(String)",
        TagType.U8 => "UInt8",
        TagType.U16 => "UInt16",
        TagType.U32 => "UInt32",
        _ => "UInt64",
    };
}
