using Weir.Writer;

namespace Weir.Host.Options;

/// <summary><c>clickhouse.retention</c>: how long rows are kept, by the granularity of their view.</summary>
internal sealed class RetentionSpec() : OptionSpec(
    "clickhouse.retention",
    "How long rows are kept, by the granularity of their view. Granularities that are not named keep their default; "
    + "one that has no default is kept for ever.")
{
    private static readonly OptionType<TimeSpan> _age = OptionTypes.Duration("1h", "36500d");

    /// <inheritdoc/>
    public override string TypeName => "map";

    /// <inheritdoc/>
    public override string Allowed => $"granularity: duration, {_age.Allowed}, or off = keep for ever";

    /// <inheritdoc/>
    public override string DefaultText => Print(new WeirOptions())![0];

    /// <inheritdoc/>
    public override bool IsScalar => false;

    /// <inheritdoc/>
    public override WeirOptions Read(WeirOptions options, ConfigNode node, OptionIssues issues)
    {
        if (node is not ConfigMap map)
        {
            issues.WrongShape(Path, node, Allowed);
            return options;
        }

        var retention = new SortedDictionary<int, TimeSpan>(options.Writer.Retention.ToDictionary());
        var seen = new HashSet<int>();
        foreach (var entry in map.Entries)
        {
            var path = $"{Path}.{entry.Key}";
            if (Granularities.TryParse(entry.Key) is not { } seconds)
            {
                issues.Error(path, entry.KeyOrigin, $"is not a granularity; allowed: {Granularities.Allowed}");
            }
            else if (!seen.Add(seconds))
            {
                issues.Error(path, entry.KeyOrigin, "names a granularity a second time; allowed: each once");
            }
            else if (entry.Value is ConfigScalar { Text: "off" })
            {
                retention.Remove(seconds);
            }
            else if (entry.Value is ConfigScalar scalar && ReadAge(scalar.Text) is { } age)
            {
                retention[seconds] = age;
            }
            else if (entry.Value is ConfigScalar given)
            {
                issues.NotAllowed(path, given.Origin, given.Text, $"{_age.Allowed}, or off");
            }
            else if (entry.Value is not ConfigNull)
            {
                issues.WrongShape(path, entry.Value, $"{_age.Allowed}, or off");
            }
        }

        return options with { Writer = options.Writer with { Retention = retention } };
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string>? Print(WeirOptions options)
    {
        var kept = options.Writer.Retention.Select(pair => (Seconds: pair.Key, Age: Durations.Format(pair.Value)));
        var forEver = new WriterOptions().Retention.Keys
            .Where(seconds => !options.Writer.Retention.ContainsKey(seconds))
            .Select(seconds => (Seconds: seconds, Age: "off"));
        var all = kept.Concat(forEver).OrderBy(pair => pair.Seconds).Select(pair => $"{Granularities.Format(pair.Seconds)}: {pair.Age}");
        return [$"{{ {string.Join(", ", all)} }}"];
    }

    /// <summary>Whole seconds: a TTL has no finer unit.</summary>
    private static TimeSpan? ReadAge(string text) =>
        _age.Read(text) is { } age && age.Value.Ticks % TimeSpan.TicksPerSecond == 0 ? age.Value : null;
}
