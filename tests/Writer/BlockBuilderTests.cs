using Weir.Core.Buffers;
using Weir.Core.Model;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

public sealed class BlockBuilderTests
{
    private static readonly WriterOptions _bare = new() { EmbeddedPath = "unused" };

    [Fact]
    public void Blocks_hold_the_folded_rows_of_every_view_in_table_order()
    {
        for (var seed = 1; seed <= 30; seed++)
        {
            var random = new Random(seed);
            using var fixture = new CutFixture(seed % 2 == 0 ? TestRecords.Standard : TestRecords.AllTypes);
            using var builder = new BlockBuilder(fixture.Schema, _bare, fixture.Budget);
            var records = TestRecords.Random(fixture.Schema, random, random.Next(1, 3_000), spread: random.Next(2, 400));
            var shards = random.Next(1, 5);

            using var built = builder.Build(fixture.Make(records, shards, _ => random.Next(shards)));

            Assert.Equal(fixture.Schema.Views, built.Blocks.Select(block => block.View));
            foreach (var block in built.Blocks)
            {
                var read = NativeBlockReader.Read(NativeBlockReader.Join(block.Pieces));
                Assert.True(fixture.Expected(records, block.View).SequenceEqual(read.Rows), $"seed {seed}, view {block.Name.View}");
                Assert.Equal(read.Rows.Count, block.RowCount);
                Assert.Equal((ulong)records.Count, block.RecordsSum);
                Assert.Equal(block.Columns, read.Columns.Select(column => column.Split(' ')[0]));
            }
        }
    }

    [Fact]
    public void The_same_rows_give_the_same_bytes_in_any_order_and_from_any_shards()
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            var random = new Random(seed);
            using var fixture = new CutFixture(TestRecords.AllTypes);
            var options = _bare with { BlockRowsMax = random.Next(1, 2_000), BlockDaysMax = random.Next(1, 6) };
            using var builder = new BlockBuilder(fixture.Schema, options, fixture.Budget);
            var records = TestRecords.Random(fixture.Schema, random, random.Next(1, 2_000), days: 9, spread: random.Next(2, 100));
            using var first = builder.Build(fixture.Make(records));
            var expected = first.Blocks.Select(block => (block.Name, Bytes: Hex(block))).ToList();

            var shuffled = records.ToArray();
            random.Shuffle(shuffled);
            var shards = random.Next(1, 7);
            using var second = builder.Build(fixture.Make(shuffled, shards, _ => random.Next(shards)));

            var actual = second.Blocks.Select(block => (block.Name, Bytes: Hex(block))).ToList();
            Assert.True(expected.SequenceEqual(actual), $"seed {seed}");
        }
    }

    [Fact]
    public void A_builder_makes_of_a_cut_what_a_new_one_makes_whatever_cuts_it_has_had()
    {
        // It remembers which bits of the keys differed: each cut here has other ones, more of them or fewer.
        using var fixture = new CutFixture(TestRecords.AllTypes);
        using var builder = new BlockBuilder(fixture.Schema, _bare, fixture.Budget);
        for (var seed = 1; seed <= 40; seed++)
        {
            var random = new Random(seed);
            var days = random.Next(3) switch { 0 => 1, 1 => 2, _ => 200 };
            var spread = random.Next(4) switch { 0 => 1, 1 => 3, 2 => 255, _ => 20 };
            var records = TestRecords.Random(fixture.Schema, random, random.Next(1, 1_500), days, spread);
            using var built = builder.Build(fixture.Make(records));
            using var newBuilder = new BlockBuilder(fixture.Schema, _bare, fixture.Budget);
            using var expected = newBuilder.Build(fixture.Make(records));

            Assert.True(expected.Blocks.Select(Hex).SequenceEqual(built.Blocks.Select(Hex)), $"seed {seed}");
        }
    }

    [Fact]
    public void A_block_is_split_by_days_first_and_then_into_equal_parts_in_sort_order()
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            var random = new Random(seed);
            using var fixture = new CutFixture(TestRecords.AllTypes);
            var options = _bare with { BlockRowsMax = random.Next(1, 200), BlockDaysMax = random.Next(1, 5) };
            using var builder = new BlockBuilder(fixture.Schema, options, fixture.Budget);
            var records = TestRecords.Random(fixture.Schema, random, 500, days: 12, spread: 20);
            using var built = builder.Build(fixture.Make(records));
            foreach (var view in fixture.Schema.Views)
            {
                var parts = built.Blocks.Where(block => block.View == view).ToList();
                Assert.Equal(Enumerable.Range(0, parts.Count), parts.Select(block => block.Name.Part));
                var expected = fixture.Expected(records, view);
                var groups = expected.Select(Day).Distinct().Order().Chunk(options.BlockDaysMax);
                var expectedParts = groups
                    .SelectMany(days => EqualParts([.. expected.Where(row => days.Contains(Day(row)))], options.BlockRowsMax))
                    .Select(rows => string.Join('\n', rows));
                var actualParts = parts
                    .Select(block => NativeBlockReader.Read(NativeBlockReader.Join(block.Pieces)).Rows)
                    .Select(rows => string.Join('\n', rows));
                Assert.True(expectedParts.SequenceEqual(actualParts), $"seed {seed}, view {view.Definition.Name}");
            }
        }
    }

    [Fact]
    public void A_series_is_on_one_shard_of_servers_whatever_the_cut_and_the_blocks_of_all_shards_are_all_rows()
    {
        var shardsBySeries = new Dictionary<string, int>();
        for (var seed = 1; seed <= 10; seed++)
        {
            var random = new Random(seed);
            using var fixture = new CutFixture(TestRecords.AllTypes);
            var options = _bare with { BlockRowsMax = random.Next(50, 1_000), BlockDaysMax = random.Next(1, 4), MoreShards = [[], []] };
            using var builder = new BlockBuilder(fixture.Schema, options, fixture.Budget);
            var records = TestRecords.Random(fixture.Schema, random, 1_000, days: 5, spread: 3);
            using var built = builder.Build(fixture.Make(records, 3, _ => random.Next(3)));
            using var again = builder.Build(fixture.Make([.. Enumerable.Reverse(records)]));

            Assert.Equal(
                built.Blocks.Select(block => (block.Name, block.Shard, Hex(block))),
                again.Blocks.Select(block => (block.Name, block.Shard, Hex(block))));
            Assert.All(built.Blocks, block => Assert.Equal(BlockName.LayoutVersion + 2_000, block.Name.Layout));
            foreach (var view in fixture.Schema.Views)
            {
                var parts = built.Blocks.Where(block => block.View == view).ToList();
                Assert.Equal(Enumerable.Range(0, parts.Count), parts.Select(block => block.Name.Part));
                Assert.Equal([0, 1, 2], parts.Select(block => block.Shard).Distinct()); // In order.
                var rows = parts
                    .SelectMany(block => NativeBlockReader.Read(NativeBlockReader.Join(block.Pieces)).Rows.Select(row => (block.Shard, Row: row)))
                    .ToList();
                Assert.Equal(
                    fixture.Expected(records, view).Order(StringComparer.Ordinal), rows.Select(row => row.Row).Order(StringComparer.Ordinal));
                foreach (var (shard, row) in rows)
                {
                    var series = $"{view.Definition.Name} {string.Join('\t', row.Split('\t')[1..(1 + view.Tags.Length)])}";
                    Assert.True(shardsBySeries.TryAdd(series, shard) || shardsBySeries[series] == shard, $"seed {seed}, {series}");
                }
            }
        }

        // Never to change: rows that are stored would be sought on another shard.
        Assert.Equal(
            "1 1 2 0", string.Join(' ', new[] { "0\ta", "1\té", "2\tberlin-1", "2\t" }.Select(tags => shardsBySeries[$"site_1m {Tags(tags)}"])));

        static string Tags(string text) => string.Join('\t', text.Split('\t').Reverse());
    }

    [Fact]
    public void The_keys_of_a_part_are_its_own_texts_in_ordinal_order()
    {
        using var fixture = new CutFixture(TestRecords.AllTypes);
        using var builder = new BlockBuilder(fixture.Schema, _bare with { BlockRowsMax = 40 }, fixture.Budget);
        var records = TestRecords.Random(fixture.Schema, new Random(5), 400, spread: 300);
        using var built = builder.Build(fixture.Make(records));
        foreach (var block in built.Blocks)
        {
            var read = NativeBlockReader.Read(NativeBlockReader.Join(block.Pieces));
            var site = read.Columns.IndexOf("site LowCardinality(String)");
            var texts = read.Rows.Select(row => row.Split('\t')[site]).Append("").ToHashSet();
            var keys = read.Keys[0];
            Assert.Equal(texts, keys.ToHashSet());
            Assert.Equal(keys.OrderBy(key => Convert.ToHexString(System.Text.Encoding.UTF8.GetBytes(key)), StringComparer.Ordinal), keys);
        }
    }

    [Theory]
    [InlineData(BlockCompression.None)]
    [InlineData(BlockCompression.Lz4)]
    [InlineData(BlockCompression.Zstd)]
    public void Frames_hold_the_bare_block(BlockCompression compression)
    {
        using var fixture = new CutFixture(TestRecords.Standard);
        using var bareBuilder = new BlockBuilder(fixture.Schema, _bare, fixture.Budget);
        using var builder = new BlockBuilder(fixture.Schema, new WriterOptions { Compression = compression }, fixture.Budget);
        var records = TestRecords.Random(fixture.Schema, new Random(6), 20_000, spread: 60_000); // More than one frame.
        using var bare = bareBuilder.Build(fixture.Make(records));
        using var framed = builder.Build(fixture.Make(records));
        for (var index = 0; index < bare.Blocks.Count; index++)
        {
            Assert.True(framed.Blocks[index].IsFramed);
            Assert.False(bare.Blocks[index].IsFramed);
            var raw = NativeBlockReader.Join(bare.Blocks[index].Pieces);
            Assert.Equal(raw.Length, framed.Blocks[index].RawBytes);
            Assert.Equal(bare.Blocks[index].EncodedBytes, raw.Length);
            Assert.Equal(framed.Blocks[index].EncodedBytes, framed.Blocks[index].Pieces.Sum(piece => (long)piece.Length));
            Assert.True(raw.AsSpan().SequenceEqual(NativeBlockReader.Unframe(framed.Blocks[index].Pieces)));
        }

        Assert.True(bare.Blocks[0].RawBytes > 1 << 20);
        var snapshot = builder.Snapshot();
        Assert.Equal((1, 4), (snapshot.CutCount, snapshot.BlockCount));
        Assert.Equal(framed.Blocks.Sum(block => (long)block.RowCount), snapshot.RowCount);
        Assert.Equal(framed.Blocks.Sum(block => block.RawBytes), snapshot.RawBytes);
        Assert.Equal(framed.Blocks.Sum(block => block.EncodedBytes), snapshot.EncodedBytes);
    }

    [Fact]
    public void A_cut_without_folded_records_has_no_blocks_and_holds_nothing()
    {
        using var fixture = new CutFixture(TestRecords.Standard);
        using var builder = new BlockBuilder(fixture.Schema, _bare, fixture.Budget);
        var cut = fixture.Make([], shardCount: 2);
        cut.ReadCount = 3;
        cut.RejectedCount(DecodeStatus.Truncated) = 3;
        using var built = builder.Build(cut);
        Assert.Empty(built.Blocks);
        Assert.Equal(0, built.BytesHeld);
        Assert.Equal(3, built.Account.RejectedCount);
    }

    [Fact]
    public void Sums_that_are_not_what_was_folded_stop_the_program_before_anything_is_stored()
    {
        using var fixture = new CutFixture(TestRecords.Standard);
        using var builder = new BlockBuilder(fixture.Schema, new WriterOptions(), fixture.Budget);
        var records = TestRecords.Random(fixture.Schema, new Random(7), 100);
        records[50] = records[50] with { Meters = [2, .. records[50].Meters[1..]] };
        var error = Assert.Throws<InvalidOperationException>(() => builder.Build(fixture.Make(records)));
        Assert.Contains("101 records", error.Message, StringComparison.Ordinal);
        Assert.Contains("100 were folded", error.Message, StringComparison.Ordinal);

        var open = fixture.Make(TestRecords.Random(fixture.Schema, new Random(8), 10));
        open.ReadCount++;
        Assert.Throws<InvalidOperationException>(() => builder.Build(open));
    }

    [Fact]
    public void A_time_that_no_DateTime_can_hold_stops_the_program()
    {
        using var fixture = new CutFixture(TestRecords.Standard);
        using var builder = new BlockBuilder(fixture.Schema, _bare, fixture.Budget);
        var cut = fixture.Make(TestRecords.Random(fixture.Schema, new Random(9), 10));
        unsafe
        {
            *(ulong*)cut.Rows(0, 0)![4] = 1UL << 32;
        }

        Assert.Throws<InvalidOperationException>(() => builder.Build(cut));
    }

    [Fact]
    public void Rows_go_back_at_once_and_bytes_when_the_built_cut_is_disposed()
    {
        using var fixture = new CutFixture(TestRecords.Standard);
        var builder = new BlockBuilder(fixture.Schema, new WriterOptions(), fixture.Budget);
        var working = 0L;
        for (var round = 0; round < 3; round++)
        {
            var built = builder.Build(fixture.Make(TestRecords.Random(fixture.Schema, new Random(10), 5_000, spread: 3_000)));
            Assert.Equal(0, fixture.SlabsRented);
            Assert.True(built.BytesHeld >= built.Blocks.Sum(block => block.EncodedBytes));
            var held = fixture.Budget.UsedBytes;
            built.Dispose();
            built.Dispose();
            Assert.Equal(held - built.BytesHeld, fixture.Budget.UsedBytes);
            Assert.True(round == 0 || working == fixture.Budget.UsedBytes, "Working memory stays as it is.");
            working = fixture.Budget.UsedBytes;
        }

        builder.Dispose();
        Assert.Equal(0, fixture.Budget.UsedBytes);
    }

    [Fact]
    public void Working_memory_above_an_eighth_of_the_budget_goes_back_after_the_cut()
    {
        using var fixture = new CutFixture(TestRecords.Standard);
        var budget = new MemoryBudget(4 << 20);
        using var builder = new BlockBuilder(fixture.Schema, _bare, budget);
        for (var round = 0; round < 2; round++)
        {
            builder.Build(fixture.Make(TestRecords.Random(fixture.Schema, new Random(11), 20_000, spread: 3_000))).Dispose();
            Assert.Equal(0, budget.UsedBytes);
            Assert.False(budget.IsExhausted);
        }

        builder.Build(fixture.Make(TestRecords.Random(fixture.Schema, new Random(11), 20))).Dispose();
        Assert.InRange(budget.UsedBytes, 1, budget.LimitBytes / 8);
    }

    [Fact]
    public void A_small_block_is_the_golden_one()
    {
        using var fixture = new CutFixture(TestRecords.AllTypes);
        using var builder = new BlockBuilder(fixture.Schema, _bare, fixture.Budget);
        using var built = builder.Build(fixture.Make(TestRecords.Random(fixture.Schema, new Random(20260103), 12)));
        var bytes = NativeBlockReader.Join(built.Blocks.SelectMany(block => block.Pieces));
        var file = RepositoryPaths.Of("tests", "Golden", "native-blocks.bin");
        if (Environment.GetEnvironmentVariable("WEIR_WRITE_GOLDEN") == "1")
        {
            File.WriteAllBytes(file, bytes);
        }

        // A difference means new bytes under old names: BlockName.LayoutVersion has to change with it.
        Assert.Equal(Convert.ToHexString(File.ReadAllBytes(file)), Convert.ToHexString(bytes));
        Assert.Equal("weir1:flows:3:1000-2000:all_1s:0", built.Blocks[0].Name.ToString());
    }

    private static string Hex(Block block) => Convert.ToHexString(NativeBlockReader.Join(block.Pieces));

    private static uint Day(string row) => uint.Parse(row.Split('\t')[0], System.Globalization.CultureInfo.InvariantCulture) / 86_400;

    private static IEnumerable<List<string>> EqualParts(List<string> rows, int rowsMax)
    {
        var partCount = (rows.Count + rowsMax - 1) / rowsMax;
        for (var part = 0; part < partCount; part++)
        {
            var from = rows.Count * part / partCount;
            yield return rows[from..(rows.Count * (part + 1) / partCount)];
        }
    }
}
