using System.Text.RegularExpressions;
using Weir.Core.Model;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

/// <summary>Tables of every number, with rows in them, are brought to the last one, whole or in two goes.</summary>
[Collection(RealPartsCollection.Name)]
public sealed partial class SchemaMigrationTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>
{
    private const string Embedded = "embedded";
    private const string Server = "server";

    private static readonly StreamSchema _schema = TestBlocks.Schema;

    [RealPartTheory(RealPart.ClickHouseServer)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Tables_on_18_16_of_any_number_become_those_of_the_last_one(int number)
    {
        var options = server.NewOptions();
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        await BringUpToDateAsync(sink, options, number, Server);
    }

    [RealPartTheory(RealPart.EmbeddedClickHouse)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Tables_of_the_embedded_engine_of_any_number_become_those_of_the_last_one(int number)
    {
        await using var store = new Store();
        await BringUpToDateAsync(store.Sink, store.Options, number, Embedded);
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task A_migration_on_18_16_that_ends_after_any_statement_is_taken_up_again()
    {
        var options = server.NewOptions();
        await using var sink = new ClickHouseHttpSink(options, TimeProvider.System);
        await InterruptAsync(sink, options, Server);
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task A_migration_of_the_embedded_engine_that_ends_after_any_statement_is_taken_up_again()
    {
        await using var store = new Store();
        await InterruptAsync(store.Sink, store.Options, Embedded);
    }

    [Fact]
    public void Numbers_rise_and_each_has_its_tables_kept()
    {
        Assert.Equal(Enumerable.Range(1, SchemaMigrations.Latest), SchemaMigrations.All.Select(migration => migration.Number));
        Assert.All(SchemaMigrations.All, migration => Assert.InRange(migration.OldestWriter, 1, migration.Number));
        Assert.All(SchemaMigrations.All, migration => Assert.NotEmpty(Statements(migration.Number, Server, "weir")));
        Assert.All(SchemaMigrations.All, migration => Assert.NotEmpty(Statements(migration.Number, Embedded, "weir")));
    }

    [Fact]
    public void A_replicated_table_without_the_block_column_gets_it_by_a_migration_and_is_noted()
    {
        var features = SchemaPlanTests.Old with { IsReplicated = true };
        var fresh = SchemaPlan.Make(TestBlocks.Schema, new WriterOptions(), features, existing: null, applied: []);
        Assert.Equal(SchemaMigrations.All.Count, fresh.Steps.Count(step => step.Kind == SchemaStepKind.Note));
        Assert.Equal(SchemaStepKind.Note, fresh.Steps[^1].Kind); // What is not made yet is not noted.

        var states = fresh.Tables.ToDictionary(
            table => table.View.Name,
            table => new TableState(
                table.View.Name, "ReplicatedSummingMergeTree", string.Join(", ", table.SortingKey), "toYYYYMMDD(time)", "",
                [.. table.Columns.Where(column => column.Name != TableDesign.BlockColumn)]));
        var plan = SchemaPlan.Make(TestBlocks.Schema, new WriterOptions(), features, states, [new AppliedMigration(1, 1)]);

        Assert.Empty(plan.Problems);
        Assert.True(plan.IsUsable);
        Assert.Equal(
            2, plan.Steps.Count(step => step.Statement.EndsWith("ADD COLUMN `weir_block` LowCardinality(String)", StringComparison.Ordinal)));
        Assert.All(
            plan.Steps.Where(step => step.Kind is SchemaStepKind.Tune),
            step => Assert.StartsWith("Migration 2 (", step.Reason, StringComparison.Ordinal));
        Assert.Contains("VALUES (2, 2, ", Assert.Single(plan.Steps, step => step.Kind == SchemaStepKind.Note).Statement, StringComparison.Ordinal);
    }

    [Fact]
    public void Tables_of_a_newer_weir_are_written_only_where_it_says_that_this_one_may()
    {
        AppliedMigration[] known = [.. SchemaMigrations.All.Select(migration => new AppliedMigration(migration.Number, migration.OldestWriter))];
        var next = SchemaMigrations.Latest + 1;

        var may = SchemaPlan.Make(TestBlocks.Schema, new WriterOptions(), SchemaPlanTests.Old, null, [.. known, new(next, SchemaMigrations.Latest)]);
        var mayNot = SchemaPlan.Make(TestBlocks.Schema, new WriterOptions(), SchemaPlanTests.Old, null, [.. known, new(next, next)]);

        Assert.Empty(may.Problems);
        Assert.Contains("use the newer version", Assert.Single(mayNot.Problems), StringComparison.Ordinal);
        Assert.False(mayNot.IsUsable);
    }

    private static async Task BringUpToDateAsync(IBlockSink sink, WriterOptions options, int number, string kind)
    {
        var features = await sink.ConnectAsync(default);
        var fresh = await SchemaPlan.ReadAsync(sink, _schema, options, features, default);
        await MakeAsync(sink, number, kind, options.Database);
        var first = await SchemaPlan.ReadAsync(sink, _schema, options, features, default);

        // The tables that this program makes are those that are kept under its last number: a change of them needs a migration.
        var latest = Statements(SchemaMigrations.Latest, kind, options.Database)
            .Where(statement => statement.StartsWith("CREATE TABLE", StringComparison.Ordinal));
        Assert.Equal(
            latest,
            fresh.Steps.Select(step => step.Statement).Where(statement => statement.StartsWith("CREATE TABLE", StringComparison.Ordinal)));
        Assert.Empty(first.Problems);
        Assert.Equal(number == SchemaMigrations.Latest, first.IsUpToDate);
        Assert.True(first.IsUsable);

        await first.ApplyAsync(sink, default);
        await first.ApplyAsync(sink, default); // What has run may run again.

        await AssertLatestAsync(sink, options, features);
    }

    private static async Task InterruptAsync(IBlockSink sink, WriterOptions options, string kind)
    {
        var features = await sink.ConnectAsync(default);
        for (var count = 0; ; count++)
        {
            var own = options with { Database = $"{options.Database}_{count}" };
            await MakeAsync(sink, 1, kind, own.Database);
            var plan = await SchemaPlan.ReadAsync(sink, _schema, own, features, default);
            if (count == plan.Steps.Count)
            {
                Assert.True(count >= 4, plan.ToString());
                return;
            }

            await Assert.ThrowsAsync<IOException>(() => plan.ApplyAsync(new EndingSink(sink, count), default));

            var rest = await SchemaPlan.ReadAsync(sink, _schema, own, features, default);
            Assert.False(rest.IsUpToDate);
            await rest.ApplyAsync(sink, default);

            await AssertLatestAsync(sink, own, features);
        }
    }

    private static async Task MakeAsync(IBlockSink sink, int number, string kind, string database)
    {
        await sink.ExecuteAsync($"CREATE DATABASE `{database}`", default);
        foreach (var statement in Statements(number, kind, database))
        {
            await sink.ExecuteAsync(statement, default);
        }
    }

    private static async Task AssertLatestAsync(IBlockSink sink, WriterOptions options, ServerFeatures features)
    {
        var plan = await SchemaPlan.ReadAsync(sink, _schema, options, features, default);
        Assert.True(plan.IsUpToDate, plan.ToString());
        foreach (var table in plan.Tables)
        {
            Assert.Equal(
                "12\t20\t28\n", await sink.QueryTextAsync($"SELECT sum(records), sum(packets), sum(bytes) FROM {table.QualifiedName}", "TSV", default));
        }

        Assert.Equal(
            string.Concat(SchemaMigrations.All.Select(migration => $"{migration.Number}\t{migration.OldestWriter}\n")),
            await sink.QueryTextAsync($"SELECT number, oldest_writer FROM `{options.Database}`.weir_schema FINAL ORDER BY number", "TSV", default));
    }

    /// <summary>The statements of a file: two lines of comment, the second of which may name a file to begin with.</summary>
    private static List<string> Statements(int number, string kind, string database) => Statements($"{number}-{kind}.sql", database);

    private static List<string> Statements(string file, string database)
    {
        var lines = File.ReadAllText(RepositoryPaths.Of("tests", "Writer", "Schemas", file)).Split('\n', 3);
        var first = BeginsWith().Match(lines[1]);
        return
        [
            .. first.Success ? Statements(first.Groups[1].Value, database) : [],
            .. lines[2].Split(";\n", StringSplitOptions.RemoveEmptyEntries)
                .Select(statement => statement.Replace("`weir`.", $"`{database}`.", StringComparison.Ordinal)),
        ];
    }

    [GeneratedRegex(@"^-- Begins with the statements of (\S+\.sql)\.", RegexOptions.CultureInvariant)]
    private static partial Regex BeginsWith();

    /// <summary>An embedded store in a directory of its own.</summary>
    private sealed class Store : IAsyncDisposable
    {
        private readonly string _directory = Directory.CreateTempSubdirectory("weir-migrations-").FullName;

        internal Store()
        {
            Options = new WriterOptions { Url = null, EmbeddedPath = Path.Combine(_directory, "store") };
            Sink = new EmbeddedClickHouseSink(Options);
        }

        internal WriterOptions Options { get; }

        internal EmbeddedClickHouseSink Sink { get; }

        public async ValueTask DisposeAsync()
        {
            await Sink.DisposeAsync();
            Directory.Delete(_directory, recursive: true);
        }
    }

    /// <summary>Runs so many statements and no more, as a process that is killed.</summary>
    private sealed class EndingSink(IBlockSink inner, int count) : IBlockSink
    {
        private int _left = count;

        public string Description => inner.Description;

        public Task ExecuteAsync(string statement, CancellationToken cancel) =>
            _left-- > 0 ? inner.ExecuteAsync(statement, cancel) : throw new IOException("The end.");

        public Task<ServerFeatures> ConnectAsync(CancellationToken cancel) => throw new NotSupportedException();

        public Task<InsertReply> InsertAsync(Block block, CancellationToken cancel) => throw new NotSupportedException();

        public Task<InsertReply> InsertRowsAsync(
            string table, IReadOnlyList<string> columns, string format, ReadOnlyMemory<byte> rows, CancellationToken cancel) =>
            throw new NotSupportedException();

        public Task QueryAsync(string sql, string format, Stream output, CancellationToken cancel) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
