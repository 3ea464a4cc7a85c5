using Weir.Core.Model;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

[Collection(RealPartsCollection.Name)]
public sealed class ClickHouseHttpSinkTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>
{
    private static readonly StreamSchema _schema = TestBlocks.Schema;

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task The_schema_is_made_and_making_it_again_changes_nothing()
    {
        var options = server.NewOptions();
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        var features = await sink.ConnectAsync(default);
        Assert.Equal("18.16.1", features.Version);
        Assert.False(features.HasTokens || features.HasTtl || features.HasIpv6 || features.IsReplicated);

        await (await SchemaPlan.ReadAsync(sink, _schema, options, features, default)).EnsureAsync(sink, default);

        Assert.True((await SchemaPlan.ReadAsync(sink, _schema, options, features, default)).IsUpToDate);
        Assert.Equal("4", await server.RunAsync($"SELECT count() FROM system.tables WHERE database = '{options.Database}'"));
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task A_block_is_stored_and_its_sums_are_read_back()
    {
        var options = server.NewOptions();
        await using var sink = await OpenAsync(options);

        var replies = new List<InsertReply>();
        foreach (var view in _schema.Views)
        {
            replies.Add(await sink.InsertAsync(TestBlocks.Make(view, 100_000), default));
        }

        Assert.All(replies, reply => Assert.Equal(InsertReply.Stored, reply));
        Assert.Equal("100000\t4999950000\n", await sink.QueryTextAsync("SELECT sum(records), sum(bytes) FROM edge_1s", "TSV", default));
        Assert.Equal("10.0.0.1\n", await sink.QueryTextAsync("SELECT DISTINCT exporter FROM edge_1s", "TSV", default));
        Assert.Equal(
            "2026-01-02 00:00:00\n", await sink.QueryTextAsync("SELECT DISTINCT toString(time) FROM service_1m", "TSV", default));
        Assert.Equal(
            "x\n1\n", await sink.QueryTextAsync("SELECT 1 AS x", "TSVWithNames", default));
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task A_missing_meter_is_reported_and_mended_by_apply_only()
    {
        var options = server.NewOptions();
        await using var sink = await OpenAsync(options);
        await server.RunAsync($"ALTER TABLE {options.Database}.edge_1s DROP COLUMN tcp_fin");
        var features = await sink.ConnectAsync(default);

        var plan = await SchemaPlan.ReadAsync(sink, _schema, options, features, default);
        var error = await Assert.ThrowsAsync<SinkUnusableException>(() => plan.EnsureAsync(sink, default));
        await plan.ApplyAsync(sink, default);

        Assert.Contains("ADD COLUMN `tcp_fin` UInt64 AFTER `tcp_syn`", error.Message, StringComparison.Ordinal);
        Assert.True((await SchemaPlan.ReadAsync(sink, _schema, options, features, default)).IsUpToDate);
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task Old_days_are_dropped_on_a_server_without_ttl()
    {
        var options = server.NewOptions() with { Retention = new Dictionary<int, TimeSpan> { [1] = TimeSpan.FromDays(3) } };
        await using var sink = await OpenAsync(options);
        foreach (var view in _schema.Views)
        {
            await sink.InsertAsync(TestBlocks.Make(view, 10), default);
            await sink.InsertAsync(TestBlocks.Make(view, 10, 10, time: TestBlocks.BaseTime + 86400), default);
        }

        var plan = await SchemaPlan.ReadAsync(sink, _schema, options, await sink.ConnectAsync(default), default);
        var dayEnd = DateTimeOffset.FromUnixTimeSeconds(TestBlocks.BaseTime + 86400);
        var early = await ExpiredPartitions.DropAsync(sink, plan, options.Database, dayEnd.AddDays(3).AddSeconds(-1), default);
        var dropped = await ExpiredPartitions.DropAsync(sink, plan, options.Database, dayEnd.AddDays(3), default);

        Assert.Empty(early);
        Assert.Equal($"ALTER TABLE `{options.Database}`.`edge_1s` DROP PARTITION 20260102", Assert.Single(dropped));
        Assert.Equal("10\n", await sink.QueryTextAsync("SELECT sum(records) FROM edge_1s", "TSV", default));
        Assert.Equal("20\n", await sink.QueryTextAsync("SELECT sum(records) FROM service_1m", "TSV", default));
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task A_block_for_a_table_that_is_gone_is_refused_even_when_the_answer_comes_before_its_end()
    {
        var options = server.NewOptions();
        await using var sink = await OpenAsync(options);
        await server.RunAsync($"DROP TABLE {options.Database}.edge_1s");

        var reply = await sink.InsertAsync(TestBlocks.Make(_schema.Views[0], 500_000), default);

        Assert.Equal((InsertOutcome.Refused, ReplyCause.Schema, 60), (reply.Outcome, reply.Cause, reply.Code));
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task A_block_of_a_wrong_type_or_with_an_unknown_column_is_refused()
    {
        var options = server.NewOptions();
        await using var sink = await OpenAsync(options);

        var type = await sink.InsertAsync(TestBlocks.Make(_schema.Views[0], 100, columnType: "Array(UInt8)"), default);
        await server.RunAsync($"ALTER TABLE {options.Database}.edge_1s DROP COLUMN bytes");
        var column = await sink.InsertAsync(TestBlocks.Make(_schema.Views[0], 100), default);

        Assert.Equal(InsertOutcome.Refused, column.Outcome);
        Assert.Equal(16, column.Code);
        Assert.NotEqual(InsertOutcome.Stored, type.Outcome);
        Assert.Equal("0", await server.RunAsync($"SELECT count() FROM {options.Database}.edge_1s"));
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task Wrong_rights_and_wrong_passwords_wait_and_no_message_holds_a_secret()
    {
        var options = server.NewOptions();
        await using var good = await OpenAsync(options);
        await using var reader = new ClickHouseHttpSink(options with { User = "reader" }, TimeProvider.System);
        await using var wrong = new ClickHouseHttpSink(options with { Password = "wrong-secret" }, TimeProvider.System);

        var features = await reader.ConnectAsync(default);
        var readerReply = await reader.InsertAsync(TestBlocks.Make(_schema.Views[0], 100), default);
        var error = await Assert.ThrowsAsync<ClickHouseException>(() => wrong.ConnectAsync(default));

        Assert.True(features.IsReadOnlyUser);
        Assert.Equal((InsertOutcome.NotNow, ReplyCause.Access, 164), (readerReply.Outcome, readerReply.Cause, readerReply.Code));
        Assert.Equal("1\n", await reader.QueryTextAsync("SELECT 1", "TSV", default));
        Assert.Equal((InsertOutcome.NotNow, ReplyCause.Access, 193), (error.Reply.Outcome, error.Reply.Cause, error.Reply.Code));
        foreach (var text in new[] { readerReply.Message, error.ToString(), good.Description, wrong.Description })
        {
            Assert.DoesNotContain("secret", text, StringComparison.Ordinal);
            Assert.DoesNotContain(ClickHouseServer.Password, text, StringComparison.Ordinal);
        }
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task A_query_cannot_change_anything_and_its_errors_are_exceptions()
    {
        var options = server.NewOptions();
        await using var sink = await OpenAsync(options);

        var drop = await Assert.ThrowsAsync<ClickHouseException>(() => sink.QueryTextAsync("DROP TABLE edge_1s", "TSV", default));
        var late = await Assert.ThrowsAsync<ClickHouseException>(
            () => sink.QueryTextAsync("SELECT number, throwIf(number = 3000000) FROM system.numbers LIMIT 4000000", "TSV", default));

        Assert.Equal(164, drop.Reply.Code);
        Assert.Equal(395, late.Reply.Code);
    }

    [Theory]
    [InlineData(500, "Code: 241, e.displayText() = DB::Exception: Memory limit (total) exceeded", ReplyCause.Overloaded, 241)]
    [InlineData(500, "Code: 252, e.displayText() = DB::Exception: Too many parts (300)", ReplyCause.Overloaded, 252)]
    [InlineData(500, "Code: 242, e.displayText() = DB::Exception: Table is in readonly mode", ReplyCause.ReadOnly, 242)]
    [InlineData(503, "Service Unavailable", ReplyCause.Overloaded, 0)]
    [InlineData(504, "Gateway Time-out", ReplyCause.TimedOut, 0)]
    [InlineData(404, "Not Found", ReplyCause.Unknown, 0)]
    [InlineData(302, "", ReplyCause.Unknown, 0)]
    public async Task A_reply_that_may_pass_is_not_now(int status, string body, ReplyCause cause, int code)
    {
        await using var fake = new FakeHttpServer(request => request.Contains("INSERT", StringComparison.Ordinal) ? (status, body) : Ready(request));
        await using var sink = await ConnectAsync(new WriterOptions { Url = fake.Url });

        var reply = await sink.InsertAsync(TestBlocks.Make(_schema.Views[0], 100), default);

        Assert.Equal((InsertOutcome.NotNow, cause, code), (reply.Outcome, reply.Cause, reply.Code));
    }

    [Fact]
    public async Task A_lost_answer_and_an_absent_server_are_told_apart()
    {
        WriterOptions options;
        InsertReply lost;
        var inserts = new List<string>();
        await using (var fake = new FakeHttpServer(request =>
        {
            if (!request.Contains("INSERT", StringComparison.Ordinal))
            {
                return Ready(request, "insert_deduplication_token\t\nreadonly\t0\n");
            }

            inserts.Add(request);
            return null;
        }))
        {
            options = new WriterOptions { Url = fake.Url };
            await using var sink = await ConnectAsync(options);
            lost = await sink.InsertAsync(TestBlocks.Make(_schema.Views[0], 100), default);
        }

        await using var absent = new ClickHouseHttpSink(options, TimeProvider.System);
        var error = await Assert.ThrowsAsync<ClickHouseException>(() => absent.ConnectAsync(default));

        Assert.Equal((InsertOutcome.NotNow, ReplyCause.AnswerLost), (lost.Outcome, lost.Cause));
        Assert.Contains("insert_deduplication_token=", inserts[0], StringComparison.Ordinal);
        Assert.DoesNotContain("insert_deduplication_token=", inserts[^1], StringComparison.Ordinal); // The question why.
        Assert.Equal((InsertOutcome.NotNow, ReplyCause.Unreachable), (error.Reply.Outcome, error.Reply.Cause));
    }

    [Fact]
    public async Task A_server_that_does_not_answer_in_time_is_not_now_by_the_clock_that_was_given()
    {
        var time = new ManualTimeProvider();
        using var release = new ManualResetEventSlim();
        await using var fake = new FakeHttpServer(request =>
        {
            release.Wait();
            return (200, "");
        });
        await using var sink = new ClickHouseHttpSink(new WriterOptions { Url = fake.Url }, time);

        var connect = sink.ConnectAsync(default);
        time.Advance(TimeSpan.FromSeconds(61));
        var error = await Assert.ThrowsAsync<ClickHouseException>(() => connect);
        release.Set();

        Assert.Equal(ReplyCause.TimedOut, error.Reply.Cause);
    }

    [Fact]
    public async Task Settings_and_the_token_are_sent_to_servers_that_have_them_only()
    {
        var requests = new List<string>();
        await using var fake = new FakeHttpServer(request =>
        {
            requests.Add(Uri.UnescapeDataString(request));
            return Ready(request, "insert_deduplication_token\t\nasync_insert\t1\nreadonly\t0\n");
        });
        await using var sink = await ConnectAsync(new WriterOptions { Url = fake.Url, User = "weir", Password = "geheim" });

        await sink.InsertAsync(TestBlocks.Make(_schema.Views[0], 100), default);

        Assert.Contains("insert_deduplication_token=weir1:flows:0:0-100:edge_1s:0", requests[^1], StringComparison.Ordinal);
        Assert.Contains("async_insert=0", requests[^1], StringComparison.Ordinal);
        Assert.DoesNotContain("insert_deduplicate=", requests[^1], StringComparison.Ordinal);
        Assert.All(requests, request => Assert.DoesNotContain("geheim", request, StringComparison.Ordinal));
    }

    // The questions of a connect come with SQL in the body, which the fake does not keep: the order is that of ServerFeatures.
    private static (int Status, string Body) Ready(string request, string everything = "readonly\t0\n") =>
        (200, request.Contains("INSERT", StringComparison.Ordinal) ? "" : everything);

    private static async Task<ClickHouseHttpSink> ConnectAsync(WriterOptions options)
    {
        var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        await sink.ConnectAsync(default);
        return sink;
    }

    private static async Task<ClickHouseHttpSink> OpenAsync(WriterOptions options)
    {
        var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        var features = await sink.ConnectAsync(default);
        await (await SchemaPlan.ReadAsync(sink, _schema, options, features, default)).EnsureAsync(sink, default);
        return sink;
    }
}
