using System.Globalization;
using Weir.Core.Model;

namespace Weir.Host.Options;

/// <summary>Reads the tags and meters of views: names of the standard schema, or definitions of the user's own.</summary>
/// <remarks>One object for all views of a configuration: a name must mean the same in each of them.</remarks>
internal sealed class ViewFields(OptionIssues issues)
{
    /// <summary>Largest field number that protobuf has.</summary>
    private const int ProtobufFieldMax = 536_870_911;

    private static readonly string[] _tagKeys = ["name", "type", "from", "field"];
    private static readonly string[] _meterKeys = ["name", "fold", "from", "field"];

    private static readonly OptionType<TagType> _tagType = OptionTypes.Choice(
        ("u8", TagType.U8), ("u16", TagType.U16), ("u32", TagType.U32), ("u64", TagType.U64),
        ("address", TagType.Address), ("string", TagType.String));

    private static readonly OptionType<MeterFold> _fold = OptionTypes.Choice(
        ("sum", MeterFold.Sum), ("max", MeterFold.Max), ("min", MeterFold.Min));

    private static readonly OptionType<string> _jsonKey = OptionTypes.Text("a key of the JSON object, 1 to 200 characters", 200);
    private static readonly OptionType<long> _protobufField = OptionTypes.Number(1, ProtobufFieldMax);

    private readonly Dictionary<string, object> _definitionByName = new(StringComparer.Ordinal);

    /// <summary>The keys of a tag, for the reference.</summary>
    public static IReadOnlyList<OptionField> TagFields { get; } =
    [
        new("views[].tags[].name", "name", "required", SqlNames.Allowed, "Column name; not time, and not one of the standard tags."),
        new("views[].tags[].type", "choice", "required", _tagType.Allowed, "How the value is kept."),
        new("views[].tags[].from", "text", "not set", _jsonKey.Allowed, "Where it is found in the JSON formats."),
        new("views[].tags[].field", "number", "not set", _protobufField.Allowed, "Where it is found in the protobuf formats."),
    ];

    /// <summary>The keys of a meter, for the reference.</summary>
    public static IReadOnlyList<OptionField> MeterFields { get; } =
    [
        new("views[].meters[].name", "name", "required", SqlNames.Allowed, "Column name; not time, and not one of the standard meters."),
        new("views[].meters[].fold", "choice", "sum", _fold.Allowed, "How two values become one."),
        new("views[].meters[].from", "text", "not set", _jsonKey.Allowed, "Where it is found in the JSON formats."),
        new("views[].meters[].field", "number", "not set", _protobufField.Allowed, "Where it is found in the protobuf formats."),
    ];

    /// <summary>A tag as the file writes it.</summary>
    public static string Print(TagDefinition tag) => tag.Source is null
        ? tag.Name
        : $"{{ name: {tag.Name}, type: {_tagType.Format(tag.Type)}{PrintSource(tag.Source)} }}";

    /// <summary>A meter as the file writes it.</summary>
    public static string Print(MeterDefinition meter) => meter.Source is null
        ? meter.Name
        : $"{{ name: {meter.Name}, fold: {_fold.Format(meter.Fold)}{PrintSource(meter.Source)} }}";

    /// <summary>Reads a tag; null when it was reported.</summary>
    public TagDefinition? ReadTag(ConfigNode node, string path)
    {
        if (node is ConfigScalar scalar)
        {
            return ByName(StandardSchema.Tags.ToDictionary(tag => tag.Name), scalar, path, "type");
        }

        if (ConfigReading.Map(node, path, _tagKeys, issues) is not { } map)
        {
            return null;
        }

        var isOk = true;
        var name = ReadName(map, path, ref isOk);
        if (isOk && map.Entries.Count == 1)
        {
            return ByName(StandardSchema.Tags.ToDictionary(tag => tag.Name), (ConfigScalar)map.Find("name")!, path, "type");
        }

        var type = ConfigReading.Required(map, "type", path, _tagType, issues, ref isOk);
        var source = ReadSource(map, path, ref isOk);
        return isOk ? Own(new TagDefinition(name!, type, source), name!, path, map.Origin) : null;
    }

    /// <summary>Reads a meter; null when it was reported.</summary>
    public MeterDefinition? ReadMeter(ConfigNode node, string path)
    {
        if (node is ConfigScalar scalar)
        {
            return ByName(StandardSchema.Meters.ToDictionary(meter => meter.Name), scalar, path, "fold");
        }

        if (ConfigReading.Map(node, path, _meterKeys, issues) is not { } map)
        {
            return null;
        }

        var isOk = true;
        var name = ReadName(map, path, ref isOk);
        if (isOk && map.Entries.Count == 1)
        {
            return ByName(StandardSchema.Meters.ToDictionary(meter => meter.Name), (ConfigScalar)map.Find("name")!, path, "fold");
        }

        var fold = ConfigReading.Optional(map, "fold", path, _fold, MeterFold.Sum, issues, ref isOk);
        var source = ReadSource(map, path, ref isOk);
        return isOk ? Own(new MeterDefinition(name!, fold, source), name!, path, map.Origin) : null;
    }

    private static string PrintSource(FieldSource source) =>
        (source.JsonKey is null ? "" : $", from: {YamlText.Scalar(source.JsonKey)}")
        + (source.ProtobufField == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", field: {source.ProtobufField}"));

    private T? ByName<T>(Dictionary<string, T> standard, ConfigScalar name, string path, string typeKey)
        where T : class
    {
        if (standard.TryGetValue(name.Text, out var definition))
        {
            return definition;
        }

        var nearest = Spelling.Nearest(name.Text, standard.Keys);
        issues.Error(
            path,
            name.Origin,
            $"is {OptionIssues.Quote(name.Text)}, which the standard schema has not{(nearest is null ? "" : $"; did you mean {nearest}?")}; "
            + $"allowed: {string.Join(", ", standard.Keys)}, or {{ name, {typeKey}, from, field }}");
        return null;
    }

    private string? ReadName(ConfigMap map, string path, ref bool isOk)
    {
        var name = ConfigReading.Required(map, "name", path, OptionTypes.Identifier(), issues, ref isOk);
        if (string.Equals(name, "time", StringComparison.OrdinalIgnoreCase))
        {
            issues.Error($"{path}.name", map.Origin, "is time, which each view has as its time window; allowed: another name");
            isOk = false;
        }

        return name;
    }

    private FieldSource? ReadSource(ConfigMap map, string path, ref bool isOk)
    {
        var jsonKey = ConfigReading.Optional(map, "from", path, _jsonKey, null, issues, ref isOk);
        var field = ConfigReading.Optional(map, "field", path, _protobufField, 0L, issues, ref isOk);
        if (isOk && jsonKey is null && field == 0)
        {
            issues.Error(path, map.Origin, "says neither from nor field; allowed: the JSON key, the protobuf field number, or both");
            isOk = false;
        }

        return isOk ? new FieldSource(jsonKey, (int)field) : null;
    }

    private T? Own<T>(T definition, string name, string path, ConfigOrigin origin)
        where T : class
    {
        if (StandardSchema.Tags.Any(tag => tag.Name == name) || StandardSchema.Meters.Any(meter => meter.Name == name))
        {
            issues.Error(path, origin, $"defines {name}, which the standard schema has; allowed: the name alone, or another name");
            return null;
        }

        if (_definitionByName.TryGetValue(name, out var other) && !other.Equals(definition))
        {
            issues.Error(path, origin, $"defines {name} in another way than an earlier view; allowed: one meaning for each name");
            return null;
        }

        _definitionByName[name] = definition;
        return definition;
    }
}
