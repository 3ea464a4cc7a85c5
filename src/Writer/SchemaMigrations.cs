using System.Globalization;

namespace Weir.Writer;

/// <summary>One numbered change of Weir's tables.</summary>
/// <param name="Number">Its number; numbers are never used again.</param>
/// <param name="OldestWriter">A weir that knows migrations only below this number must not write the tables once it has run.</param>
/// <param name="Title">What it brings, in words.</param>
/// <param name="Steps">
/// The statements for the tables as they are; none that has run already, so that a migration that was interrupted may begin again.
/// </param>
public sealed record SchemaMigration(
    int Number, int OldestWriter, string Title, Func<SchemaPlan, IReadOnlyDictionary<string, TableState>, IEnumerable<SchemaStep>> Steps);

/// <summary>A migration that the database has noted.</summary>
/// <param name="Number">Its number.</param>
/// <param name="OldestWriter">See <see cref="SchemaMigration.OldestWriter"/>.</param>
public readonly record struct AppliedMigration(int Number, int OldestWriter);

/// <summary>The migrations, in order, and the table <c>weir_schema</c>, which notes those that a database has had.</summary>
/// <remarks>
/// What follows from the configuration (views, retention, settings) is compared anew at each start and has no number. A change of what a
/// release makes of the same configuration does: <c>tests/Writer/Schemas</c> holds the tables of each number, and a test that fails when this
/// program makes others. Immutable; any thread.
/// </remarks>
public static class SchemaMigrations
{
    /// <summary>Name of the table.</summary>
    public const string Table = "weir_schema";

    /// <summary>All of them, in order.</summary>
    public static IReadOnlyList<SchemaMigration> All { get; } =
    [
        new(1, 1, "sums by day, one table for each view", (_, _) => []),
        new(2, 2, "blocks that come again are known: the ledger, windows of names, the column weir_block", BlockNames),
    ];

    /// <summary>The number that this program brings tables to.</summary>
    public static int Latest => All[^1].Number;

    /// <summary>The statement that makes the table.</summary>
    internal static string CreateStatement(WriterOptions options, ServerFeatures features)
    {
        var engine = features.IsReplicated
            ? $"ReplicatedReplacingMergeTree({SqlText.Text($"/clickhouse/tables/{{shard}}/{options.Database}/{Table}")}, '{{replica}}')"
            : "ReplacingMergeTree()";
        return $"CREATE TABLE IF NOT EXISTS {QualifiedName(options)}\n(\n    `number` UInt32,\n    `oldest_writer` UInt32,\n    `title` String,\n"
            + $"    `applied_at` DateTime('UTC') DEFAULT now()\n)\nENGINE = {engine}\nORDER BY `number`";
    }

    /// <summary>The step that notes a migration; notes of one number replace one another.</summary>
    internal static SchemaStep NoteOf(SchemaMigration migration, WriterOptions options) => new(
        SchemaStepKind.Note,
        $"Migration {Text(migration.Number)} has run.",
        $"INSERT INTO {QualifiedName(options)} (`number`, `oldest_writer`, `title`) "
        + $"VALUES ({Text(migration.Number)}, {Text(migration.OldestWriter)}, {SqlText.Text(migration.Title)})");

    /// <summary>Asks which migrations a database has had.</summary>
    /// <exception cref="ClickHouseException">The server did not answer.</exception>
    internal static async Task<IReadOnlyList<AppliedMigration>> ReadAsync(IBlockSink sink, WriterOptions options, CancellationToken cancel) =>
    [
        .. (await sink.QueryRowsAsync($"SELECT DISTINCT number, oldest_writer FROM {QualifiedName(options)}", cancel).ConfigureAwait(false))
            .Select(row => new AppliedMigration(int.Parse(row[0], CultureInfo.InvariantCulture), int.Parse(row[1], CultureInfo.InvariantCulture))),
    ];

    private static IEnumerable<SchemaStep> BlockNames(SchemaPlan plan, IReadOnlyDictionary<string, TableState> existing)
    {
        if (!existing.ContainsKey(LedgerTable.Name))
        {
            yield return new SchemaStep(SchemaStepKind.Create, $"There is no table {LedgerTable.Name}.", plan.Ledger.CreateStatement());
        }

        foreach (var table in plan.Tables)
        {
            if (existing.TryGetValue(table.View.Name, out var state))
            {
                foreach (var step in table.CompareBlockNames(state))
                {
                    yield return step;
                }
            }
        }
    }

    private static string QualifiedName(WriterOptions options) => $"{SqlText.Name(options.Database)}.{SqlText.Name(Table)}";

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
