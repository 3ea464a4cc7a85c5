using System.Diagnostics;
using System.Globalization;
using Weir.Core.Model;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

[Collection(RealPartsCollection.Name)]
public sealed class EmbeddedClickHouseSinkTests : IDisposable
{
    private static readonly StreamSchema _schema = TestBlocks.Schema;
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-embedded-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task A_store_is_made_filled_read_closed_and_found_again()
    {
        var options = NewOptions();
        await using (var sink = await OpenAsync(options))
        {
            foreach (var view in _schema.Views)
            {
                Assert.Equal(InsertReply.Stored, await sink.InsertAsync(TestBlocks.Make(view, 100_000), default));
            }

            Assert.Equal("::ffff:0.1.134.159\n", await sink.QueryTextAsync("SELECT max(dst_addr) FROM edge_1s", "TSV", default));
        }

        await using var again = await OpenAsync(options);
        Assert.Equal("100000\t4999950000\n", await again.QueryTextAsync("SELECT sum(records), sum(bytes) FROM edge_1s", "TSV", default));
        Assert.Equal("100000\n", await again.QueryTextAsync("SELECT sum(records) FROM service_1m", "TSV", default));
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task The_same_block_sent_again_is_stored_once_also_after_opening_again()
    {
        var options = NewOptions();
        var block = TestBlocks.Make(_schema.Views[0], 1000);
        await using (var sink = await OpenAsync(options))
        {
            var plan = await SchemaPlan.ReadAsync(sink, _schema, options, await sink.ConnectAsync(default), default);
            Assert.Equal("exactly once, by the names of the last 10000 blocks of each table", plan.Promise.ToString());
            await sink.InsertAsync(block, default);
            await sink.InsertAsync(block, default);
        }

        await using var again = await OpenAsync(options);
        await again.InsertAsync(block, default);
        await again.InsertAsync(TestBlocks.Make(_schema.Views[0], 1000, fromOffset: 1000), default);

        Assert.Equal("2000\n", await again.QueryTextAsync("SELECT sum(records) FROM edge_1s", "TSV", default));
    }

    /// <summary>What a kill leaves where the disk is full: the engine alone does not start with it.</summary>
    [RealPartTheory(RealPart.EmbeddedClickHouse)]
    [InlineData("metadata", "weir.sql", 4012, "2000\n")]
    [InlineData("store", "service_1m.sql", 4011, "1000\n")]
    public async Task An_empty_definition_is_mended_and_told(string under, string name, int message, string sumOfService)
    {
        var options = NewOptions();
        await using (var sink = await OpenAsync(options))
        {
            await InsertAsync(sink, 0);
        }

        var file = Directory.EnumerateFiles(Path.Combine(options.EmbeddedPath!, under), name, SearchOption.AllDirectories).First();
        await File.WriteAllTextAsync(file, "");
        var log = new RecordingLogger();
        await using (var sink = new EmbeddedClickHouseSink(options, log))
        {
            await (await SchemaPlan.ReadAsync(sink, _schema, options, await sink.ConnectAsync(default), default)).EnsureAsync(sink, default);
            await InsertAsync(sink, 5000);
            Assert.Equal("2000\n", await sink.QueryTextAsync("SELECT sum(records) FROM edge_1s", "TSV", default)); // The others stay.
            Assert.Equal(sumOfService, await sink.QueryTextAsync("SELECT sum(records) FROM service_1m", "TSV", default));
        }

        Assert.Contains(file, Assert.Single(log.Messages, line => line.Id == message).Text, StringComparison.Ordinal);
        await using var again = await OpenAsync(options);

        static async Task InsertAsync(EmbeddedClickHouseSink sink, long fromOffset)
        {
            foreach (var view in _schema.Views)
            {
                Assert.Equal(InsertReply.Stored, await sink.InsertAsync(TestBlocks.Make(view, 1000, fromOffset: fromOffset), default));
            }
        }
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task The_schema_is_idempotent_and_follows_the_retention()
    {
        var options = NewOptions();
        await using var sink = await OpenAsync(options);
        var features = await sink.ConnectAsync(default);
        Assert.True((await SchemaPlan.ReadAsync(sink, _schema, options, features, default)).IsUpToDate);

        var shorter = options with { Retention = new Dictionary<int, TimeSpan> { [1] = TimeSpan.FromDays(1) } };
        var plan = await SchemaPlan.ReadAsync(sink, _schema, shorter, features, default);
        await plan.EnsureAsync(sink, default);
        var isFollowed = (await SchemaPlan.ReadAsync(sink, _schema, shorter, features, default)).IsUpToDate;
        var back = await SchemaPlan.ReadAsync(sink, _schema, options, features, default);
        await back.EnsureAsync(sink, default);

        Assert.True(isFollowed);
        Assert.Contains("MODIFY TTL", Assert.Single(plan.Steps).Statement, StringComparison.Ordinal);
        Assert.Contains("REMOVE TTL", Assert.Single(back.Steps).Statement, StringComparison.Ordinal);
        Assert.True((await SchemaPlan.ReadAsync(sink, _schema, options, features, default)).IsUpToDate);
        Assert.Empty(await ExpiredPartitions.PlanAsync(sink, plan, options.Database, DateTimeOffset.MaxValue, default));
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task Maxima_and_minima_fold_in_the_store()
    {
        var view = new ViewDefinition(
            "peaks",
            1,
            [StandardSchema.Proto],
            [StandardSchema.Records, new MeterDefinition("most", MeterFold.Max), new MeterDefinition("least", MeterFold.Min)],
            ["proto"]);
        var schema = StreamSchema.Compile([view]);
        var options = NewOptions();
        await using var sink = new EmbeddedClickHouseSink(options);
        await (await SchemaPlan.ReadAsync(sink, schema, options, await sink.ConnectAsync(default), default)).EnsureAsync(sink, default);

        await sink.InsertAsync(TestBlocks.Make(schema.Views[0], 100), default);
        await sink.InsertAsync(TestBlocks.Make(schema.Views[0], 200, fromOffset: 100), default);
        await sink.ExecuteAsync("OPTIMIZE TABLE weir.peaks FINAL", default);

        Assert.Equal("300\t199\t0\n", await sink.QueryTextAsync("SELECT records, most, least FROM peaks", "TSV", default));
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task Refusals_are_classified_as_those_of_a_server()
    {
        await using var sink = await OpenAsync(NewOptions());
        var type = await sink.InsertAsync(TestBlocks.Make(_schema.Views[0], 100, columnType: "Array(UInt8)"), default);
        await sink.ExecuteAsync("ALTER TABLE weir.edge_1s DROP COLUMN bytes", default);
        var column = await sink.InsertAsync(TestBlocks.Make(_schema.Views[0], 100), default);
        await sink.ExecuteAsync("DROP TABLE weir.edge_1s", default);
        var table = await sink.InsertAsync(TestBlocks.Make(_schema.Views[0], 100), default);
        var other = await sink.InsertAsync(TestBlocks.Make(_schema.Views[1], 100), default);

        Assert.NotEqual(InsertOutcome.Stored, type.Outcome);
        Assert.Equal((InsertOutcome.Refused, 16), (column.Outcome, column.Code));
        Assert.Equal((InsertOutcome.Refused, 60), (table.Outcome, table.Code));
        Assert.Equal(InsertReply.Stored, other);
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task Queries_stream_in_every_format_and_cannot_change_anything()
    {
        await using var sink = await OpenAsync(NewOptions());

        var names = await sink.QueryTextAsync("SELECT number FROM numbers(200000)", "TSVWithNames", default);
        var lines = await sink.QueryTextAsync("SELECT number FROM numbers(200000)", "TSV", default);
        var show = await sink.QueryTextAsync("SHOW TABLES", "TSV", default);
        var insert = await Assert.ThrowsAsync<ClickHouseException>(
            () => sink.QueryTextAsync("INSERT INTO edge_1s (records) VALUES (1)", "TSVWithNames", default));
        var drop = await Assert.ThrowsAsync<ClickHouseException>(() => sink.QueryTextAsync("DROP TABLE edge_1s", "TSV", default));
        var late = await Assert.ThrowsAsync<ClickHouseException>(
            () => sink.QueryTextAsync("SELECT throwIf(number = 300000) FROM numbers(1000000)", "TSV", default));

        Assert.Equal("number\n" + lines, names);
        Assert.Equal(200_000, lines.Count(character => character == '\n'));
        Assert.Equal("edge_1s\nservice_1m\nweir_ledger\nweir_schema\n", show);
        Assert.Equal(164, insert.Reply.Code);
        Assert.Equal(164, drop.Reply.Code);
        Assert.Equal(395, late.Reply.Code);
        Assert.Equal("1\n", await sink.QueryTextAsync("SELECT 1", "TSV", default));
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task Reads_go_on_while_blocks_are_inserted()
    {
        await using var sink = await OpenAsync(NewOptions());
        var writing = Task.Run(async () =>
        {
            for (var offset = 0; offset < 20; offset++)
            {
                await sink.InsertAsync(TestBlocks.Make(_schema.Views[0], 10_000, offset * 10_000L), default);
            }
        });

        var last = 0L;
        while (!writing.IsCompleted)
        {
            var text = await sink.QueryTextAsync("SELECT sum(records) FROM edge_1s", "TSV", default);
            var now = long.Parse(text, CultureInfo.InvariantCulture);
            Assert.True(now >= last && now % 10_000 == 0, "Whole blocks only, and never fewer.");
            last = now;
        }

        await writing;
        Assert.Equal("200000\n", await sink.QueryTextAsync("SELECT sum(records) FROM edge_1s", "TSV", default));
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task A_store_that_another_process_holds_is_named_with_that_process()
    {
        // The engine locks the file status of its directory; here another process holds that lock.
        var status = Path.Combine(_directory, "status");
        await File.WriteAllTextAsync(status, "");
        var start = new ProcessStartInfo("flock") { RedirectStandardOutput = true };
        foreach (var argument in new[] { "-x", status, "sh", "-c", "echo held; exec sleep 60" })
        {
            start.ArgumentList.Add(argument);
        }

        using var holder = Process.Start(start)!;
        Assert.Equal("held", await holder.StandardOutput.ReadLineAsync());
        await using var sink = new EmbeddedClickHouseSink(NewOptions());

        var error = await Assert.ThrowsAsync<SinkUnusableException>(() => sink.ConnectAsync(default));
        holder.Kill(entireProcessTree: true);
        await holder.WaitForExitAsync();

        Assert.Contains("is open in process ", error.Message, StringComparison.Ordinal);
        Assert.Contains("weir query", error.Message, StringComparison.Ordinal);
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task The_names_of_known_errors_are_the_engines_own()
    {
        await using var sink = await OpenAsync(NewOptions());

        foreach (var (code, name, _) in ServerErrors.Known)
        {
            Assert.Equal($"{name}\n", await sink.QueryTextAsync($"SELECT errorCodeToName(toUInt32({code}))", "TSV", default));
        }
    }

    // Kept for ever: the rows of these tests are older than any retention, and the engine would delete them at once.
    private WriterOptions NewOptions() => new()
    {
        Url = null,
        EmbeddedPath = _directory,
        Retention = new Dictionary<int, TimeSpan>(),
    };

    private static async Task<EmbeddedClickHouseSink> OpenAsync(WriterOptions options)
    {
        var sink = new EmbeddedClickHouseSink(options);
        var features = await sink.ConnectAsync(default);
        await (await SchemaPlan.ReadAsync(sink, _schema, options, features, default)).EnsureAsync(sink, default);
        return sink;
    }
}
