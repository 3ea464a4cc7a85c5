using System.Collections.Frozen;
using Weir.Core.Model;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

public sealed class SchemaPlanTests
{
    internal static readonly FrozenDictionary<string, string> NoSettings = FrozenDictionary<string, string>.Empty;

    private static readonly WriterOptions _options = new();

    private static readonly ServerFeatures _modern = new()
    {
        Version = "26.7.1",
        HasIpv6 = true,
        HasSimpleAggregates = true,
        HasTtl = true,
        HasDeduplicationWindow = true,
        IsReplicated = false,
        IsReadOnlyUser = false,
        Settings = new[] { "insert_deduplication_token" }.ToFrozenSet(),
    };

    internal static ServerFeatures Old { get; } = _modern with
    {
        Version = "18.16.1",
        HasIpv6 = false,
        HasSimpleAggregates = false,
        HasTtl = false,
        HasDeduplicationWindow = false,
        Settings = FrozenSet<string>.Empty,
    };

    [Fact]
    public void An_empty_server_gets_a_database_and_one_table_for_each_view()
    {
        var plan = SchemaPlan.Make(TestBlocks.Schema, _options, _modern, existing: null);

        Assert.Equal(4, plan.Steps.Count);
        Assert.Contains("ENGINE = ReplacingMergeTree(version)\nORDER BY (`topic`, `partition`", plan.Steps[3].Statement, StringComparison.Ordinal);
        Assert.True(plan.IsUsable);
        Assert.False(plan.IsUpToDate);
        Assert.Equal("CREATE DATABASE IF NOT EXISTS `weir`", plan.Steps[0].Statement);
        Assert.Contains("TTL time + toIntervalSecond(259200)", plan.Steps[1].Statement, StringComparison.Ordinal);
        Assert.Contains("`dst_addr` IPv6", plan.Steps[1].Statement, StringComparison.Ordinal);
        Assert.Contains("ORDER BY (`dst_addr`, `dst_port`, `proto`, `src_addr`, `exporter`, `time`)", plan.Steps[1].Statement, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_table_that_another_process_makes_meanwhile_is_not_one_without_columns()
    {
        await using var sink = new MakingSink();

        var plan = await SchemaPlan.ReadAsync(sink, TestBlocks.Schema, _options, _modern, default);

        Assert.True(sink.IsMade);
        Assert.Empty(plan.Problems);
        Assert.All(plan.Steps, step => Assert.True(step.Kind is SchemaStepKind.Create or SchemaStepKind.Note, step.Statement));
    }

    [Fact]
    public void AnOld_server_gets_no_ttl_no_window_and_addresses_as_fixed_strings()
    {
        var statement = SchemaPlan.Make(TestBlocks.Schema, _options, Old, existing: null).Steps[1].Statement;

        Assert.DoesNotContain("TTL", statement, StringComparison.Ordinal);
        Assert.DoesNotContain("SETTINGS", statement, StringComparison.Ordinal);
        Assert.Contains("`dst_addr` FixedString(16)", statement, StringComparison.Ordinal);
    }

    [Fact]
    public void A_replicated_server_gets_replicated_tables_without_a_window_of_their_own()
    {
        var statement = SchemaPlan.Make(TestBlocks.Schema, _options, _modern with { IsReplicated = true }, existing: null).Steps[1].Statement;

        Assert.Contains("ReplicatedSummingMergeTree('/clickhouse/tables/{shard}/weir/edge_1s', '{replica}')", statement, StringComparison.Ordinal);
        Assert.DoesNotContain("non_replicated_deduplication_window", statement, StringComparison.Ordinal);
    }

    [Fact]
    public void A_maximum_on_a_server_without_the_type_is_a_problem_in_words()
    {
        var view = new ViewDefinition(
            "peaks", 1, [StandardSchema.Proto], [StandardSchema.Records, new MeterDefinition("rtt_max", MeterFold.Max)], ["proto"]);
        var schema = StreamSchema.Compile([view]);

        var old = SchemaPlan.Make(schema, _options, Old, existing: null);
        var modern = SchemaPlan.Make(schema, _options, _modern, existing: null);

        Assert.Contains("peaks.rtt_max", Assert.Single(old.Problems), StringComparison.Ordinal);
        Assert.False(old.IsUsable);
        Assert.Contains("`rtt_max` SimpleAggregateFunction(max, UInt64)", modern.Steps[1].Statement, StringComparison.Ordinal);
    }

    [Fact]
    public void Tables_as_they_should_be_need_no_statement()
    {
        Assert.True(Compare(Good()).IsUpToDate);
        Assert.Equal("-- All tables are as they should be.\n", Compare(Good()).ToString());
    }

    [Fact]
    public void A_missing_meter_is_a_statement_that_only_a_person_runs()
    {
        var plan = Compare(Good() with { Columns = [.. Good().Columns.Where(column => column.Name != "packets")] });

        var step = Assert.Single(plan.Steps);
        Assert.Equal(SchemaStepKind.Change, step.Kind);
        Assert.Equal("ALTER TABLE `weir`.`peaks` ADD COLUMN `packets` UInt64 AFTER `records`", step.Statement);
        Assert.False(plan.IsUsable);
    }

    [Fact]
    public void Another_engine_key_partition_or_type_is_a_problem_that_names_what_to_do()
    {
        Assert.Contains("MergeTree and must be", Assert.Single(Compare(Good() with { Engine = "MergeTree" }).Problems), StringComparison.Ordinal);
        Assert.Contains("sorted by (time)", Assert.Single(Compare(Good() with { SortingKey = "time" }).Problems), StringComparison.Ordinal);
        Assert.Contains("by day", Assert.Single(Compare(Good() with { PartitionKey = "" }).Problems), StringComparison.Ordinal);
        var columns = Good().Columns.Select(column => column.Name == "packets" ? column with { Type = "UInt32" } : column).ToList();
        Assert.Contains("is UInt32 and must be UInt64", Assert.Single(Compare(Good() with { Columns = columns }).Problems), StringComparison.Ordinal);
        var tagless = Good().Columns.Where(column => column.Name != "proto").ToList();
        Assert.Contains("which is a tag", Assert.Single(Compare(Good() with { Columns = tagless }).Problems), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_retention_is_mended_at_the_start()
    {
        var definition = Good().Definition.Replace("259200", "60", StringComparison.Ordinal);

        var step = Assert.Single(Compare(Good() with { Definition = definition }).Steps);

        Assert.Equal((SchemaStepKind.Tune, "ALTER TABLE `weir`.`peaks` MODIFY TTL time + toIntervalSecond(259200)"), (step.Kind, step.Statement));
    }

    [Fact]
    public void The_promise_is_that_of_the_tables_as_they_are()
    {
        Assert.Equal("exactly once, by the names of the last 10000 blocks of each table", Compare(Good()).Promise.ToString());
        var off = Good() with { Definition = Good().Definition.Replace("window = 10000", "window = 0", StringComparison.Ordinal) };
        Assert.Equal(
            "at least once, because its table peaks remembers no blocks (non_replicated_deduplication_window is 0)",
            Compare(off).Promise.ToString());
        Assert.True(Compare(off).IsUpToDate); // The operator's choice; it is said, not changed.
        var absent = Good() with { Definition = "SummingMergeTree ORDER BY time TTL time + toIntervalSecond(259200) SETTINGS index_granularity = 8192" };
        Assert.True(Compare(absent).Promise.IsExactlyOnce); // The start sets it.
        Assert.Contains("MODIFY SETTING non_replicated_deduplication_window = 10000", Assert.Single(Compare(absent).Steps).Statement, StringComparison.Ordinal);
    }

    [Fact]
    public void Replicated_tables_of_a_new_server_remember_for_longer_than_its_hour()
    {
        var features = _modern with
        {
            IsReplicated = true,
            TableSettings = new Dictionary<string, string>
            {
                ["replicated_deduplication_window"] = "10000",
                ["replicated_deduplication_window_seconds"] = "3600",
            }.ToFrozenDictionary(),
        };
        var made = SchemaPlan.Make(TestBlocks.Schema, _options, features, existing: null);
        var found = new TableState(
            "edge_1s", "ReplicatedSummingMergeTree", "dst_addr, dst_port, proto, src_addr, exporter, time", "toYYYYMMDD(time)",
            "ReplicatedSummingMergeTree('x', 'y') ORDER BY time SETTINGS replicated_deduplication_window_seconds = 600, index_granularity = 8192",
            made.Tables[0].Columns);
        var own = SchemaPlan.Make(TestBlocks.Schema, _options, features, new Dictionary<string, TableState> { ["edge_1s"] = found });

        Assert.Equal("exactly once, by the names of the last 10000 blocks of each table within 7 days", made.Promise.ToString());
        Assert.Equal(TimeSpan.FromDays(7), made.Promise.Window);
        Assert.Equal(TimeSpan.FromMinutes(10), own.Promise.Window);
    }

    [Fact]
    public void Several_servers_of_plain_tables_are_a_problem_in_words()
    {
        var options = _options with { Url = null, Urls = [new Uri("http://a:8123"), new Uri("http://b:8123")] };

        var plain = SchemaPlan.Make(TestBlocks.Schema, options, _modern, existing: null);
        var replicated = SchemaPlan.Make(TestBlocks.Schema, options, _modern with { IsReplicated = true }, existing: null);

        Assert.Contains("clickhouse.urls names 2 servers, but edge_1s is not replicated", Assert.Single(plain.Problems), StringComparison.Ordinal);
        Assert.Empty(replicated.Problems);
    }

    [Fact]
    public void A_ledger_of_another_kind_is_a_problem_and_a_missing_column_is_added()
    {
        var kind = Compare(Good(), GoodLedger() with { Engine = "MergeTree" });
        var column = Compare(Good(), GoodLedger() with { Columns = [.. LedgerTable.Columns.Where(column => column.Name != "refused")] });

        Assert.Contains("weir_ledger is a MergeTree", Assert.Single(kind.Problems), StringComparison.Ordinal);
        Assert.Contains("ADD COLUMN `refused` LowCardinality(String)", Assert.Single(column.Steps).Statement, StringComparison.Ordinal);
        Assert.True(column.IsUsable);
    }

    [Fact]
    public void Names_with_quotes_stay_names()
    {
        Assert.Equal(@"`a\`b\\c`", SqlText.Name(@"a`b\c"));
        Assert.Equal(@"'a\'b\\c'", SqlText.Text(@"a'b\c"));
    }

    private static TableState Good() => new(
        "peaks",
        "SummingMergeTree",
        "proto, time",
        "toYYYYMMDD(time)",
        "SummingMergeTree PARTITION BY toYYYYMMDD(time) ORDER BY (proto, time) TTL time + toIntervalSecond(259200) "
        + "SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, index_granularity = 8192",
        [new("time", "DateTime('UTC')"), new("proto", "UInt8"), new("records", "UInt64"), new("packets", "UInt64")]);

    private static TableState GoodLedger() => new(
        LedgerTable.Name,
        "ReplacingMergeTree",
        "topic, partition, from_offset, to_offset, view, part",
        "",
        "ReplacingMergeTree(version) ORDER BY (topic) SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192",
        LedgerTable.Columns);

    private static SchemaPlan Compare(TableState state, TableState? ledger = null)
    {
        var view = new ViewDefinition("peaks", 1, [StandardSchema.Proto], [StandardSchema.Records, StandardSchema.Packets], ["proto"]);
        return SchemaPlan.Make(StreamSchema.Compile([view]), _options, _modern, new Dictionary<string, TableState>
        {
            ["peaks"] = state,
            [LedgerTable.Name] = ledger ?? GoodLedger(),
        });
    }

    /// <summary>A server with a database and no table, until the first question about tables or columns is answered.</summary>
    private sealed class MakingSink : IBlockSink
    {
        internal bool IsMade { get; private set; }

        public string Description => "making";

        public Task<ServerFeatures> ConnectAsync(CancellationToken cancel) => Task.FromResult(_modern);

        public Task<InsertReply> InsertAsync(Block block, CancellationToken cancel) => throw new NotSupportedException();

        public Task<InsertReply> InsertRowsAsync(
            string table, IReadOnlyList<string> columns, string format, ReadOnlyMemory<byte> rows, CancellationToken cancel) =>
            throw new NotSupportedException();

        public async Task QueryAsync(string sql, string format, Stream output, CancellationToken cancel)
        {
            var (answer, isOfTables) = sql switch
            {
                _ when sql.Contains("system.databases", StringComparison.Ordinal) => ("weir\n", false),
                _ when !IsMade => ("", true),
                _ when sql.Contains("system.columns", StringComparison.Ordinal) => ("weir_ledger\ttopic\tString\n", true),
                _ => ("weir_ledger\tReplacingMergeTree\ttopic\t\tReplacingMergeTree(version)\n", true),
            };
            IsMade |= isOfTables;
            await output.WriteAsync(System.Text.Encoding.UTF8.GetBytes(answer), cancel);
        }

        public Task ExecuteAsync(string statement, CancellationToken cancel) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
