namespace Weir.Core.Model;

/// <summary>How two values of a meter become one.</summary>
public enum MeterFold
{
    /// <summary>Added, modulo 2^64 as ClickHouse adds.</summary>
    Sum,

    /// <summary>The larger one is kept.</summary>
    Max,

    /// <summary>The smaller one is kept.</summary>
    Min,
}

/// <summary>Where a tag or meter that a user defined is found in a record, beside the fields that the decoders know.</summary>
/// <param name="JsonKey">Key of the JSON object, for the JSON formats; null where there is none.</param>
/// <param name="ProtobufField">Field number of the top-level message, for the protobuf formats; 0 where there is none.</param>
public sealed record FieldSource(string? JsonKey, int ProtobufField);

/// <summary>A dimension of a record.</summary>
/// <param name="Name">Column name.</param>
/// <param name="Type">How the value is kept.</param>
/// <param name="Source">Null for a tag of the standard schema, which every decoder knows how to fill.</param>
public sealed record TagDefinition(string Name, TagType Type, FieldSource? Source = null);

/// <summary>A number of a record that folds; 64 bits, unsigned.</summary>
/// <param name="Name">Column name.</param>
/// <param name="Fold">How two values become one.</param>
/// <param name="Source">Null for a meter of the standard schema, which every decoder knows how to fill.</param>
public sealed record MeterDefinition(string Name, MeterFold Fold, FieldSource? Source = null);

/// <summary>What a user wants to see: a choice of tags and meters at one granularity; one ClickHouse table.</summary>
/// <param name="Name">Table name.</param>
/// <param name="GranularitySeconds">Width of a time window; divides a day.</param>
/// <param name="Tags">Tags in column order.</param>
/// <param name="Meters">Meters in column order; <c>records</c> is always the first.</param>
/// <param name="OrderBy">Names of all tags, in sort order; time comes last. The rows of a block and the table are sorted so.</param>
/// <param name="SeriesMax">Series for each cut above which new tag sets fold into one overflow series.</param>
public sealed record ViewDefinition(
    string Name,
    int GranularitySeconds,
    IReadOnlyList<TagDefinition> Tags,
    IReadOnlyList<MeterDefinition> Meters,
    IReadOnlyList<string> OrderBy,
    int SeriesMax = ViewDefinition.SeriesMaxDefault)
{
    /// <summary>Default of <see cref="SeriesMax"/>: at 136 bytes a series about 300 MB for one partition.</summary>
    public const int SeriesMaxDefault = 2_000_000;
}
