namespace Weir.Writer;

/// <summary>The table of the ledger: one row for each block, and for a cut without rows one with an empty view.</summary>
/// <remarks>
/// <para>
/// Rows of one name replace one another, the one with the larger <c>version</c> stays: a ledger row may be sent any number of
/// times. It has no retention: an audit reads from the first offset on.
/// </para>
/// <para>Immutable.</para>
/// </remarks>
public sealed class LedgerTable
{
    /// <summary>Its name.</summary>
    public const string Name = "weir_ledger";

    private static readonly string[] _sortingKey = ["topic", "partition", "from_offset", "to_offset", "view", "part"];

    private readonly WriterOptions _options;
    private readonly ServerFeatures _features;

    internal LedgerTable(WriterOptions options, ServerFeatures features)
    {
        _options = options;
        _features = features;
    }

    /// <summary>The columns in order. What is said of the whole cut stands in each of its rows.</summary>
    public static IReadOnlyList<ColumnState> Columns { get; } =
    [
        new("topic", "LowCardinality(String)"),
        new("partition", "Int32"),
        new("from_offset", "Int64"),
        new("to_offset", "Int64"),
        new("view", "LowCardinality(String)"),
        new("part", "UInt32"),
        new("layout", "UInt16"),
        new("rows", "UInt64"),
        new("records", "UInt64"),
        new("packets", "UInt64"),
        new("bytes", "UInt64"),
        new("days", "Array(Date)"),
        new("day_records", "Array(UInt64)"),
        new("day_packets", "Array(UInt64)"),
        new("day_bytes", "Array(UInt64)"),

        // Empty for a block that is in its table; otherwise what became of a refused one: "dropped" or "dead_letter".
        new("refused", "LowCardinality(String)"),
        new("read", "UInt64"),
        new("folded", "UInt64"),
        new("rejected", "UInt64"),
        new("rejected_reasons", "Array(String)"),
        new("rejected_counts", "Array(UInt64)"),
        new("late", "UInt64"),
        new("dropped", "UInt64"),
        new("overwritten", "UInt64"),
        new("gap_offsets", "UInt64"),
        new("first_event", "DateTime('UTC')"),
        new("last_event", "DateTime('UTC')"),
        new("process", "LowCardinality(String)"),
        new("version", "UInt64"),
        new("stored_at", "DateTime('UTC')"),
    ];

    /// <summary>The table with its database, quoted.</summary>
    public string QualifiedName => $"{SqlText.Name(_options.Database)}.{SqlText.Name(Name)}";

    /// <summary>The statement that makes the table.</summary>
    public string CreateStatement()
    {
        var columns = string.Join(",\n", Columns.Select(column => $"    {SqlText.Name(column.Name)} {column.Type}"));
        var engine = _features.IsReplicated
            ? $"ReplicatedReplacingMergeTree({SqlText.Text($"/clickhouse/tables/{{shard}}/{_options.Database}/{Name}")}, '{{replica}}', version)"
            : "ReplacingMergeTree(version)";
        var settings = TableOptions.Wanted(_options, _features, _features.IsReplicated).ToList();
        return $"CREATE TABLE IF NOT EXISTS {QualifiedName}\n(\n{columns}\n)\nENGINE = {engine}\n"
            + $"ORDER BY ({string.Join(", ", _sortingKey.Select(SqlText.Name))})"
            + (settings.Count > 0 ? $"\nSETTINGS {string.Join(", ", settings.Select(setting => $"{setting.Name} = {setting.Value}"))}" : "");
    }

    /// <summary>Compares the table that is there with the one that should be.</summary>
    /// <param name="state">The table.</param>
    /// <param name="steps">Gets the statements between.</param>
    /// <param name="problems">Gets what no statement mends.</param>
    internal void Compare(TableState state, List<SchemaStep> steps, List<string> problems)
    {
        var remedy = $"rename it (RENAME TABLE {QualifiedName} TO …) and let Weir make a new one; an audit then begins anew.";
        if (!state.Engine.EndsWith("ReplacingMergeTree", StringComparison.Ordinal))
        {
            problems.Add($"{Name} is a {state.Engine} and must be a ReplacingMergeTree: {remedy}");
            return;
        }

        var sortingKey = string.Join(", ", _sortingKey);
        if (state.SortingKey.Replace("`", "", StringComparison.Ordinal) != sortingKey)
        {
            problems.Add($"{Name} is sorted by ({state.SortingKey}) and must be by ({sortingKey}): {remedy}");
        }

        foreach (var column in Columns)
        {
            var found = state.Columns.Where(other => other.Name == column.Name).ToList();
            if (found.Count == 0)
            {
                steps.Add(new SchemaStep(
                    SchemaStepKind.Tune,
                    $"{Name} has no column {column.Name}.",
                    $"ALTER TABLE {QualifiedName} ADD COLUMN {SqlText.Name(column.Name)} {column.Type}"));
            }
            else if (found[0].Type != column.Type)
            {
                problems.Add($"{Name}.{column.Name} is {found[0].Type} and must be {column.Type}: {remedy}");
            }
        }

        steps.AddRange(TableOptions.Compare(Name, QualifiedName, state, _options, _features));
    }
}
