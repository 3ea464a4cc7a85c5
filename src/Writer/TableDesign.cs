using System.Globalization;
using Weir.Core.Model;

namespace Weir.Writer;

/// <summary>The table that a view should have on a server.</summary>
/// <remarks>
/// All columns that are not in the sort key are numbers, so SummingMergeTree adds them up without a list; meters that keep a
/// maximum or minimum bring their own function. Immutable.
/// </remarks>
public sealed class TableDesign
{
    /// <summary>Name of the column that says which block a row came from, on servers that know blocks by their content.</summary>
    public const string BlockColumn = "weir_block";

    private readonly string _database;
    private readonly WriterOptions _options;
    private readonly ServerFeatures _features;

    internal TableDesign(ViewDefinition view, WriterOptions options, ServerFeatures features)
    {
        View = view;
        _database = options.Database;
        _options = options;
        _features = features;
        Retention = options.Retention.TryGetValue(view.GranularitySeconds, out var retention) ? retention : null;
        Columns =
        [
            new ColumnState("time", "DateTime('UTC')"),
            .. view.Tags.Select(tag => new ColumnState(tag.Name, TypeOf(tag.Type))),
            .. view.Meters.Select(meter => new ColumnState(meter.Name, TypeOf(meter.Fold))),
            .. features.NeedsBlockColumn ? [new ColumnState(BlockColumn, "LowCardinality(String)")] : Array.Empty<ColumnState>(),
        ];
        SortingKey = [.. view.OrderBy, "time"];
    }

    /// <summary>The view.</summary>
    public ViewDefinition View { get; }

    /// <summary>How long rows are kept; null for ever.</summary>
    public TimeSpan? Retention { get; }

    /// <summary>The columns in order: time, tags, meters.</summary>
    public IReadOnlyList<ColumnState> Columns { get; }

    /// <summary>Names of the sort key's columns.</summary>
    public IReadOnlyList<string> SortingKey { get; }

    /// <summary>The table with its database, quoted.</summary>
    public string QualifiedName => $"{SqlText.Name(_database)}.{SqlText.Name(View.Name)}";

    /// <summary>When rows end, as the server writes it; null when they do not, or when the server cannot end them.</summary>
    public string? Ttl => _features.HasTtl && Retention is { } retention
        ? string.Create(CultureInfo.InvariantCulture, $"time + toIntervalSecond({(long)retention.TotalSeconds})")
        : null;

    /// <summary>The meters that this server cannot store.</summary>
    public IEnumerable<MeterDefinition> UnsupportedMeters =>
        _features.HasSimpleAggregates ? [] : View.Meters.Where(meter => meter.Fold != MeterFold.Sum);

    /// <summary>The statement that makes the table.</summary>
    public string CreateStatement()
    {
        var columns = string.Join(",\n", Columns.Select(column => $"    {SqlText.Name(column.Name)} {column.Type}"));
        var engine = _features.IsReplicated
            ? $"ReplicatedSummingMergeTree({SqlText.Text($"/clickhouse/tables/{{shard}}/{_database}/{View.Name}")}, '{{replica}}')"
            : "SummingMergeTree()";
        var settings = Settings().Select(setting => $"{setting.Name} = {setting.Value}").ToList();
        return $"CREATE TABLE IF NOT EXISTS {QualifiedName}\n(\n{columns}\n)\nENGINE = {engine}\nPARTITION BY toYYYYMMDD(time)\n"
            + $"ORDER BY ({string.Join(", ", SortingKey.Select(SqlText.Name))})"
            + (Ttl is { } ttl ? $"\nTTL {ttl}" : "")
            + (settings.Count > 0 ? $"\nSETTINGS {string.Join(", ", settings)}" : "");
    }

    /// <summary>The table's own settings on this server.</summary>
    public IEnumerable<(string Name, string Value)> Settings()
    {
        if (Ttl is not null)
        {
            yield return ("ttl_only_drop_parts", "1"); // Whole days are dropped; no part is written again to lose some rows.
        }

        foreach (var setting in TableOptions.Wanted(_options, _features, _features.IsReplicated))
        {
            yield return setting;
        }
    }

    /// <summary>The statements by which the table knows blocks that come again: the column of their names, and its settings.</summary>
    internal IEnumerable<SchemaStep> CompareBlockNames(TableState state)
    {
        if (_features.NeedsBlockColumn && !state.Columns.Any(column => column.Name == BlockColumn))
        {
            yield return new SchemaStep(
                SchemaStepKind.Tune,
                $"{View.Name} cannot tell two blocks of equal rows apart without the column {BlockColumn}.",
                $"ALTER TABLE {QualifiedName} ADD COLUMN {SqlText.Name(BlockColumn)} {Columns[^1].Type}");
        }

        foreach (var step in TableOptions.Compare(View.Name, QualifiedName, state, _options, _features))
        {
            yield return step;
        }
    }

    private static string TypeOf(MeterFold fold) => fold switch
    {
        MeterFold.Sum => "UInt64",
        MeterFold.Max => "SimpleAggregateFunction(max, UInt64)",
        MeterFold.Min => "SimpleAggregateFunction(min, UInt64)",
        _ => throw new ArgumentOutOfRangeException(nameof(fold), fold, "Not a fold."),
    };

    private string TypeOf(TagType type) => type switch
    {
        TagType.U8 => "UInt8",
        TagType.U16 => "UInt16",
        TagType.U32 => "UInt32",
        TagType.U64 => "UInt64",
        TagType.Address => _features.HasIpv6 ? "IPv6" : "FixedString(16)",
        TagType.String => "LowCardinality(String)",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a tag type."),
    };
}
