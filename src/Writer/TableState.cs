namespace Weir.Writer;

/// <summary>A column of an existing table.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type as the server writes it.</param>
public readonly record struct ColumnState(string Name, string Type);

/// <summary>A table as the server has it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Engine">Its engine, without arguments.</param>
/// <param name="SortingKey">Its sort key, as the server writes it.</param>
/// <param name="PartitionKey">Its partition key, as the server writes it.</param>
/// <param name="Definition">Everything after ENGINE in its CREATE statement.</param>
/// <param name="Columns">Its columns in order.</param>
public sealed record TableState(
    string Name, string Engine, string SortingKey, string PartitionKey, string Definition, IReadOnlyList<ColumnState> Columns)
{
    /// <summary>Reads the tables of a database, by name; null when there is no such database.</summary>
    /// <exception cref="ClickHouseException">The server did not answer.</exception>
    internal static async Task<IReadOnlyDictionary<string, TableState>?> ReadAllAsync(
        IBlockSink sink, string database, CancellationToken cancel)
    {
        var name = SqlText.Text(database);
        var databases = await sink.QueryRowsAsync($"SELECT name FROM system.databases WHERE name = {name}", cancel).ConfigureAwait(false);
        if (databases.Count == 0)
        {
            return null;
        }

        // Tables first: one that another process makes between the two questions is then unknown, and not known without columns. A
        // definition may hold newlines or tabs, in a comment of the operator's: they are not ours to compare.
        var tables = await sink.QueryRowsAsync(
            "SELECT name, engine, sorting_key, partition_key, replaceRegexpAll(engine_full, '[\\t\\n]', ' ') "
            + $"FROM system.tables WHERE database = {name}",
            cancel).ConfigureAwait(false);
        var columns = (await sink.QueryRowsAsync(
                $"SELECT table, name, type FROM system.columns WHERE database = {name}", cancel).ConfigureAwait(false))
            .ToLookup(row => row[0], row => new ColumnState(row[1], row[2]));
        return tables.Where(row => columns.Contains(row[0])).ToDictionary(
            row => row[0], row => new TableState(row[0], row[1], row[2], row[3], row[4], [.. columns[row[0]]]));
    }
}
