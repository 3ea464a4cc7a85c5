using Weir.Core.Model;

namespace Weir.Host.Options;

/// <summary><c>views</c>: what the user wants to see instead of the standard views.</summary>
internal sealed class ViewsSpec() : OptionSpec(
    "views",
    "Views to make instead of the standard ones; each is one table. Tags and meters of the standard schema are named only; "
    + "others say where they are found in a message. An empty list makes the standard views.")
{
    /// <summary>Views of one process.</summary>
    private const int ViewsMax = 64;

    /// <summary>Tags of one view.</summary>
    private const int TagsMax = 32;

    /// <summary>Meters of one view.</summary>
    private const int MetersMax = 64;

    private static readonly string[] _keys = ["name", "granularity", "tags", "meters", "order_by", "series_max"];

    private static readonly OptionType<int> _granularity = new(
        "duration",
        Granularities.Allowed,
        text => Granularities.TryParse(text) is { } seconds ? new OptionValue<int>(seconds) : null,
        Granularities.Format);

    private static readonly OptionType<long> _seriesMax = OptionTypes.Number(1, 50_000_000);

    /// <inheritdoc/>
    public override string TypeName => "list";

    /// <inheritdoc/>
    public override string Allowed => "at most 64 views: { name, granularity, tags, meters, order_by, series_max }";

    /// <inheritdoc/>
    public override string DefaultText => "[]";

    /// <inheritdoc/>
    public override bool IsScalar => false;

    /// <inheritdoc/>
    public override IReadOnlyList<OptionField> Fields =>
    [
        new("views[].name", "name", "required", $"{SqlNames.Allowed}; not beginning with weir_", "Name of the table."),
        new("views[].granularity", "duration", "required", Granularities.Allowed, "Width of a time window."),
        new("views[].tags", "list", "required", "1 to 32 tags, by name or as below", "Tags in column order."),
        .. ViewFields.TagFields,
        new("views[].meters", "list", "all of the standard schema", "at most 64 meters, by name or as below",
            "Meters in column order; `records` is always there and the first."),
        .. ViewFields.MeterFields,
        new("views[].order_by", "list", "the tags in their order", "names of tags of the view",
            "Sort order of the table; tags that it does not name follow in their order, time comes last."),
        new("views[].series_max", "number", _seriesMax.Format(ViewDefinition.SeriesMaxDefault)!, _seriesMax.Allowed,
            "Series for each cut above which new tag sets fold into one overflow series."),
    ];

    /// <inheritdoc/>
    public override WeirOptions Read(WeirOptions options, ConfigNode node, OptionIssues issues)
    {
        if (ConfigReading.Items(node, Path, ViewsMax, issues) is not { } items)
        {
            return options;
        }

        var views = new List<ViewDefinition>();
        var fields = new ViewFields(issues);
        for (var index = 0; index < items.Count; index++)
        {
            var path = $"{Path}[{index}]";
            if (ConfigReading.Map(items[index], path, _keys, issues) is { } map && ReadView(map, path, fields, issues) is { } view)
            {
                // Two tables whose names differ in case only would be one directory on some file systems.
                if (views.Exists(other => string.Equals(other.Name, view.Name, StringComparison.OrdinalIgnoreCase)))
                {
                    issues.Error($"{path}.name", map.Origin, $"is {view.Name}, which another view has; allowed: each name once");
                }

                views.Add(view);
            }
        }

        return options with { Views = views };
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string>? Print(WeirOptions options) =>
        options.Views.Count == 0 ? ["[]"] : ["", .. options.Views.SelectMany(PrintView)];

    private static ViewDefinition? ReadView(ConfigMap map, string path, ViewFields fields, OptionIssues issues)
    {
        var isOk = true;
        var name = ConfigReading.Required(map, "name", path, OptionTypes.Identifier(), issues, ref isOk);
        if (name is not null && name.StartsWith("weir_", StringComparison.OrdinalIgnoreCase))
        {
            issues.Error($"{path}.name", map.Find("name")!.Origin, $"is {name}; names that begin with weir_ are for Weir's own tables");
        }

        var seconds = ConfigReading.Required(map, "granularity", path, _granularity, issues, ref isOk);
        var seriesMax = ConfigReading.Optional(
            map, "series_max", path, _seriesMax, ViewDefinition.SeriesMaxDefault, issues, ref isOk);
        var tags = ReadTags(map, path, fields, issues);
        var meters = ReadMeters(map, path, fields, issues);
        if (tags is null || meters is null)
        {
            return null;
        }

        CheckColumns(tags, meters, path, map.Origin, issues);
        var order = ReadOrder(map, path, tags, issues);
        return isOk && order is not null ? new ViewDefinition(name!, seconds, tags, meters, order, (int)seriesMax) : null;
    }

    private static List<TagDefinition>? ReadTags(ConfigMap map, string path, ViewFields fields, OptionIssues issues)
    {
        if (map.Find("tags") is not { } node)
        {
            issues.Error($"{path}.tags", map.Origin, "is missing; allowed: 1 to 32 tags");
            return null;
        }

        if (ConfigReading.Items(node, $"{path}.tags", TagsMax, issues) is not { } items)
        {
            return null;
        }

        if (items.Count == 0)
        {
            issues.Error($"{path}.tags", node.Origin, "is empty; allowed: 1 to 32 tags");
            return null;
        }

        var tags = items.Select((item, index) => fields.ReadTag(item, $"{path}.tags[{index}]")).ToList();
        return tags.Contains(null) ? null : [.. tags.OfType<TagDefinition>()];
    }

    private static List<MeterDefinition>? ReadMeters(ConfigMap map, string path, ViewFields fields, OptionIssues issues)
    {
        if (map.Find("meters") is not { } node)
        {
            return [.. StandardSchema.Meters];
        }

        if (ConfigReading.Items(node, $"{path}.meters", MetersMax, issues) is not { } items)
        {
            return null;
        }

        var meters = items.Select((item, index) => fields.ReadMeter(item, $"{path}.meters[{index}]")).ToList();
        if (meters.Contains(null))
        {
            return null;
        }

        return [StandardSchema.Records, .. meters.OfType<MeterDefinition>().Where(meter => meter != StandardSchema.Records)];
    }

    private static void CheckColumns(
        List<TagDefinition> tags, List<MeterDefinition> meters, string path, ConfigOrigin origin, OptionIssues issues)
    {
        var columns = tags.Select(tag => tag.Name).Concat(meters.Select(meter => meter.Name));
        foreach (var twice in columns.GroupBy(name => name, StringComparer.OrdinalIgnoreCase).Where(group => group.Count() > 1))
        {
            issues.Error(path, origin, $"has the column {twice.Key} twice; allowed: each name once");
        }
    }

    private static List<string>? ReadOrder(ConfigMap map, string path, List<TagDefinition> tags, OptionIssues issues)
    {
        var order = new List<string>();
        if (map.Find("order_by") is { } node)
        {
            path += ".order_by";
            if (ConfigReading.Items(node, path, TagsMax, issues) is not { } items)
            {
                return null;
            }

            foreach (var item in items)
            {
                if (item is not ConfigScalar { Text: var name } || !tags.Exists(tag => tag.Name == name) || order.Contains(name))
                {
                    var given = item is ConfigScalar scalar ? scalar.Text : item.KindName;
                    issues.NotAllowed(path, item.Origin, given, $"each of {string.Join(", ", tags.Select(tag => tag.Name))} once");
                    return null;
                }

                order.Add(name);
            }
        }

        return [.. order, .. tags.Select(tag => tag.Name).Where(name => !order.Contains(name))];
    }

    private static IEnumerable<string> PrintView(ViewDefinition view)
    {
        yield return $"- name: {view.Name}";
        yield return $"  granularity: {Granularities.Format(view.GranularitySeconds)}";
        yield return $"  tags: [{string.Join(", ", view.Tags.Select(ViewFields.Print))}]";
        yield return $"  meters: [{string.Join(", ", view.Meters.Select(ViewFields.Print))}]";
        yield return $"  order_by: [{string.Join(", ", view.OrderBy)}]";
        yield return $"  series_max: {_seriesMax.Format(view.SeriesMax)}";
    }
}
