namespace Weir.Host.Options;

/// <summary><c>kafka.options</c>: librdkafka's own properties.</summary>
internal sealed class KafkaPropertiesSpec() : OptionSpec(
    "kafka.options",
    "Properties of librdkafka, passed through: SASL, TLS, fetch sizes, static membership (group.instance.id). "
    + "In a variable's name, underscores stand for dots: WEIR__KAFKA__OPTIONS__FETCH_WAIT_MAX_MS=10.")
{
    /// <summary>Properties of one configuration.</summary>
    private const int PropertiesMax = 200;

    /// <summary>Properties that Weir sets itself, and what to do instead.</summary>
    private static readonly Dictionary<string, string> _owned = new(StringComparer.Ordinal)
    {
        ["bootstrap.servers"] = "use kafka.bootstrap",
        ["metadata.broker.list"] = "use kafka.bootstrap",
        ["group.id"] = "use kafka.group",
        ["enable.auto.commit"] = "Weir commits itself, after the rows are stored",
        ["enable.auto.offset.store"] = "Weir commits itself, after the rows are stored",
        ["auto.commit.enable"] = "Weir commits itself, after the rows are stored",
        ["enable.partition.eof"] = "Weir does not use it",
        ["consume.callback.max.messages"] = "Weir does not use it",
    };

    /// <inheritdoc/>
    public override string TypeName => "map";

    /// <inheritdoc/>
    public override string Allowed => "property: value, as in librdkafka's CONFIGURATION.md";

    /// <inheritdoc/>
    public override string DefaultText => "{}";

    /// <inheritdoc/>
    public override bool IsScalar => false;

    /// <summary>True for a property whose value is never printed.</summary>
    public static bool IsSecretProperty(string name) =>
        name.Contains("password", StringComparison.OrdinalIgnoreCase)
        || name.Contains("secret", StringComparison.OrdinalIgnoreCase)
        || name.Contains("key.pem", StringComparison.OrdinalIgnoreCase)
        || name.Contains("token", StringComparison.OrdinalIgnoreCase)
        || name.Contains("jaas", StringComparison.OrdinalIgnoreCase)
        || name is "sasl.oauthbearer.config";

    /// <inheritdoc/>
    public override WeirOptions Read(WeirOptions options, ConfigNode node, OptionIssues issues)
    {
        if (node is not ConfigMap map)
        {
            issues.WrongShape(Path, node, Allowed);
            return options;
        }

        if (map.Entries.Count > PropertiesMax)
        {
            issues.Error(Path, map.Origin, $"has {map.Entries.Count} properties; allowed: at most {PropertiesMax}");
            return options;
        }

        var properties = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in map.Entries)
        {
            var path = $"{Path}.{entry.Key}";
            if (_owned.TryGetValue(entry.Key, out var instead))
            {
                issues.Error(path, entry.KeyOrigin, $"is set by Weir: {instead}");
            }
            else if (entry.Value is not ConfigScalar scalar)
            {
                issues.WrongShape(path, entry.Value, "a single value");
            }
            else if (IsSecretProperty(entry.Key) && scalar.Text == Mask)
            {
                issues.Warn(path, scalar.Origin, "is the mask that 'weir check' prints for a secret; it counts as not given");
            }
            else
            {
                properties[entry.Key] = scalar.Text;
            }
        }

        return options with { Ingest = options.Ingest with { KafkaProperties = properties } };
    }

    /// <inheritdoc/>
    public override bool Differs(WeirOptions options, WeirOptions other) =>
        !options.Ingest.KafkaProperties.OrderBy(property => property.Key, StringComparer.Ordinal)
            .SequenceEqual(other.Ingest.KafkaProperties.OrderBy(property => property.Key, StringComparer.Ordinal));

    /// <inheritdoc/>
    public override IReadOnlyList<string>? Print(WeirOptions options)
    {
        var properties = options.Ingest.KafkaProperties;
        return properties.Count == 0
            ? ["{}"]
            : ["", .. properties.OrderBy(property => property.Key, StringComparer.Ordinal).Select(PrintProperty)];
    }

    private static string PrintProperty(KeyValuePair<string, string> property) =>
        $"{YamlText.Scalar(property.Key)}: {(IsSecretProperty(property.Key) ? $"\"{Mask}\"" : YamlText.Scalar(property.Value))}";
}
