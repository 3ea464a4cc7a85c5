using System.Globalization;

namespace Weir.Writer;

/// <summary>Retention on servers without TTL: days that have ended longer ago than their view keeps them are dropped.</summary>
public static class ExpiredPartitions
{
    /// <summary>Finds the days to drop.</summary>
    /// <param name="sink">A connected sink.</param>
    /// <param name="plan">The tables; those that the server empties itself are left alone.</param>
    /// <param name="database">Their database.</param>
    /// <param name="now">The time that retention is counted from.</param>
    /// <param name="cancel">Ends the question.</param>
    /// <returns>One statement for each table and day.</returns>
    /// <exception cref="ClickHouseException">The server did not answer.</exception>
    public static async Task<IReadOnlyList<string>> PlanAsync(
        IBlockSink sink, SchemaPlan plan, string database, DateTimeOffset now, CancellationToken cancel)
    {
        var tables = plan.Tables.Where(table => table is { Retention: not null, Ttl: null }).ToDictionary(table => table.View.Name);
        if (tables.Count == 0)
        {
            return [];
        }

        var rows = await sink.QueryRowsAsync(
            "SELECT DISTINCT table, partition FROM system.parts "
            + $"WHERE active AND database = {SqlText.Text(database)} ORDER BY table, partition",
            cancel).ConfigureAwait(false);
        var statements = new List<string>();
        foreach (var row in rows)
        {
            if (tables.TryGetValue(row[0], out var table)
                && DateTime.TryParseExact(row[1], "yyyyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var day)
                && new DateTimeOffset(day, TimeSpan.Zero).AddDays(1) + table.Retention!.Value <= now)
            {
                statements.Add($"ALTER TABLE {table.QualifiedName} DROP PARTITION {row[1]}");
            }
        }

        return statements;
    }

    /// <summary>Drops the days that <see cref="PlanAsync"/> finds.</summary>
    /// <inheritdoc cref="PlanAsync"/>
    /// <returns>The statements that were run.</returns>
    public static async Task<IReadOnlyList<string>> DropAsync(
        IBlockSink sink, SchemaPlan plan, string database, DateTimeOffset now, CancellationToken cancel)
    {
        var statements = await PlanAsync(sink, plan, database, now, cancel).ConfigureAwait(false);
        foreach (var statement in statements)
        {
            await sink.ExecuteAsync(statement, cancel).ConfigureAwait(false);
        }

        return statements;
    }
}
