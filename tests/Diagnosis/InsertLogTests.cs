using System.Text;
using Weir.Host.Diagnosis;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Diagnosis;

/// <summary>What the server's own log says of the inserts, on the real server and in the dialect of the modern engine.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class InsertLogTests
{
    /// <summary>However slow the machine is, what a test has done is not too long ago.</summary>
    private static readonly TimeSpan _day = TimeSpan.FromDays(1);

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task The_log_of_the_server_tells_times_rows_and_failures_of_each_writer()
    {
        await using var server = new ClickHouseServer { HasQueryLog = true };
        await server.StartAsync();
        var options = server.NewOptions();
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        await sink.ConnectAsync(default);
        foreach (var table in (string[])[$"{options.Database}.rows", $"{options.Database}_other.rows"])
        {
            await server.RunAsync($"CREATE DATABASE {table.Split('.')[0]}");
            await server.RunAsync($"CREATE TABLE {table} (x UInt32) ENGINE = MergeTree ORDER BY x");
            for (var count = 0; count < 3; count++)
            {
                Assert.Equal(InsertOutcome.Stored, (await InsertAsync(sink, table, "1\n2\n")).Outcome);
            }

            Assert.NotEqual(InsertOutcome.Stored, (await InsertAsync(sink, table, "no number\n")).Outcome);
        }

        var time = new ManualTimeProvider();
        await using var log = new InsertLog([new ClickHouseHttpSink(options, TimeProvider.System)], () => 0, options.Database, time, _day);
        InsertLogReading? reading = null;
        await Eventually.TrueAsync(
            async () =>
            {
                time.Advance(TimeSpan.FromSeconds(6)); // An answer is kept for five.
                reading = await log.AskAsync();
                return reading.Own is { InsertCount: 3, FailedCount: 1 };
            },
            () => $"the log tells of three inserts and a failed one; it says\n{string.Join('\n', reading!.Lines)}");

        var own = Assert.Single(reading!.Writers);
        Assert.Equal(WriterNames.Own, own.Writer);
        Assert.Equal(6, own.RowCount);
        Assert.True(own.MaxS >= own.MeanS);
        Assert.Contains("(this process): 3 inserts", Assert.Single(reading.Lines), StringComparison.Ordinal);
        Assert.Same(reading, log.Last);
        Assert.Same(reading, await log.AskAsync());
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task A_server_without_the_log_says_how_to_get_it()
    {
        await using var server = new ClickHouseServer();
        await server.StartAsync();
        var options = server.NewOptions();
        await using var log = InsertLog.Create(options, BlockSinks.Create(options, TimeProvider.System), TimeProvider.System);

        var reading = await log.AskAsync();

        Assert.Contains("configure <query_log>", reading.WhyNot, StringComparison.Ordinal);
        Assert.StartsWith("system.query_log is not available: the server keeps none", Assert.Single(reading.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_a_reason_and_no_error()
    {
        var options = new WriterOptions { Url = new Uri($"http://127.0.0.1:{ClickHouseServer.FreePort()}/") };
        await using var log = InsertLog.Create(options, BlockSinks.Create(options, TimeProvider.System), TimeProvider.System);

        var reading = await log.AskAsync();

        Assert.NotNull(reading.WhyNot);
        Assert.Empty(reading.Writers);
        await log.DisposeAsync();
        Assert.NotNull((await log.AskAsync()).WhyNot);
    }

    [Fact]
    public async Task The_embedded_engine_is_not_asked()
    {
        var options = new WriterOptions { Url = null, EmbeddedPath = "store" };
        await using var log = InsertLog.Create(options, BlockSinks.Create(options, TimeProvider.System), TimeProvider.System);

        Assert.Equal("the embedded engine keeps none", (await log.AskAsync()).WhyNot);
        Assert.NotNull(log.Last);
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task The_modern_engine_understands_the_question_too()
    {
        var directory = Directory.CreateTempSubdirectory("weir-insert-log-");
        try
        {
            await using var sink = new EmbeddedClickHouseSink(new WriterOptions { Url = null, EmbeddedPath = directory.FullName });
            await sink.ConnectAsync(default);
            await sink.ExecuteAsync("CREATE DATABASE logs", default);
            Assert.Equal(
                "0\n", await sink.QueryTextAsync("SELECT count() FROM system.tables WHERE database = 'system' AND name = 'query_log'", "TSV", default));

            // The columns as a modern server has them.
            await sink.ExecuteAsync(
                """
                CREATE TABLE logs.query_log (
                    type Enum8('QueryStart' = 1, 'QueryFinish' = 2, 'ExceptionBeforeStart' = 3, 'ExceptionWhileProcessing' = 4), event_date Date,
                    event_time DateTime, query_duration_ms UInt64, written_rows UInt64, query String, http_user_agent LowCardinality(String))
                ENGINE = MergeTree ORDER BY (event_date, event_time)
                """,
                default);
            const string Mine = "(toDate(now()), now(), 500, 4000, 'INSERT INTO `weir`.`edge_1s` (x) FORMAT Native', 'weir (other:7)')";
            await sink.ExecuteAsync(
                "INSERT INTO logs.query_log (event_date, event_time, query_duration_ms, written_rows, query, http_user_agent, type) "
                + $"SELECT *, 'QueryFinish' FROM values('a Date, b DateTime, c UInt64, d UInt64, e String, f String', {Mine}, {Mine})",
                default);

            var text = await sink.QueryTextAsync(InsertLog.Statement("logs.query_log", "weir", _day), "TabSeparatedRaw", default);
            var reading = InsertLog.Reading([.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t'))], _day);

            Assert.Equal(new WriterInserts("other:7", IsThis: false, 2, 0, 0.5, 0.5, 8_000), Assert.Single(reading.Writers));
            Assert.Null(reading.Own);
            Assert.Equal(8_000, reading.Writers[0].RowsPerS);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static Task<InsertReply> InsertAsync(ClickHouseHttpSink sink, string table, string rows) =>
        sink.InsertRowsAsync(table, ["x"], "TSV", Encoding.UTF8.GetBytes(rows), default);
}
