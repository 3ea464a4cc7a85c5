using Weir.Ingest;

namespace Weir.Host.Options;

/// <summary><c>kafka.topics</c>: the topics and the format of their messages.</summary>
internal sealed class TopicsSpec() : OptionSpec("kafka.topics", "Topics to read, each with the format of its messages.")
{
    /// <summary>Topics of one process.</summary>
    private const int TopicsMax = 64;

    /// <summary>Kafka's own bound on the length of a topic's name.</summary>
    private const int NameCharsMax = 249;

    private static readonly string[] _keys = ["name", "format", "rekeyed_from"];

    private static readonly OptionType<string> _name = new(
        "name",
        "a topic name: letters, digits, '.', '_' and '-', at most 249",
        text => IsTopicName(text) ? new OptionValue<string>(text) : null,
        value => value);

    private static readonly OptionType<string> _format = OptionTypes.Choice(
        [.. new[] { "pmacct-json", "goflow2", "goflow2-json", "weir-proto", "weir" }.Select(name => (name, name))]);

    /// <inheritdoc/>
    public override string TypeName => "list";

    /// <inheritdoc/>
    public override string Allowed => "1 to 64 topics, each named once: { name, format, rekeyed_from }";

    /// <inheritdoc/>
    public override string DefaultText => string.Join(", ", new IngestOptions().Topics.Select(Inline));

    /// <inheritdoc/>
    public override bool IsScalar => false;

    /// <inheritdoc/>
    public override IReadOnlyList<OptionField> Fields =>
    [
        new("kafka.topics[].name", "name", "required", _name.Allowed, "Kafka's name of the topic."),
        new("kafka.topics[].format", "choice", "required", _format.Allowed, "How its messages are read."),
        new(
            "kafka.topics[].rekeyed_from", "name", "", _name.Allowed,
            "The topic that 'weir rekey' makes it from: what a rekeyer wrote twice is passed over. Let nobody but rekeyers write such a topic."),
    ];

    /// <summary>True for a name that Kafka takes.</summary>
    public static bool IsTopicName(string text) =>
        text.Length is >= 1 and <= NameCharsMax
        && text is not ("." or "..")
        && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '_' or '-');

    /// <inheritdoc/>
    public override WeirOptions Read(WeirOptions options, ConfigNode node, OptionIssues issues)
    {
        if (ConfigReading.Items(node, Path, TopicsMax, issues) is not { } items)
        {
            return options;
        }

        if (items.Count == 0)
        {
            issues.Error(Path, node.Origin, $"is empty; allowed: {Allowed}");
        }

        var topics = new List<TopicOptions>();
        for (var index = 0; index < items.Count; index++)
        {
            var path = $"{Path}[{index}]";
            if (ConfigReading.Map(items[index], path, _keys, issues) is not { } map)
            {
                continue;
            }

            var isOk = true;
            var name = ConfigReading.Required(map, "name", path, _name, issues, ref isOk);
            var format = ConfigReading.Required(map, "format", path, _format, issues, ref isOk);
            var from = ConfigReading.Optional(map, "rekeyed_from", path, _name!, null, issues, ref isOk);
            if (isOk && from is not null && format != Rekeyer.Format)
            {
                issues.Error(
                    $"{path}.rekeyed_from", map.Origin, $"is given with the format {format}; a rekeyed topic has the format {Rekeyer.Format}");
            }
            else if (isOk && topics.Exists(topic => topic.Name == name))
            {
                issues.Error($"{path}.name", map.Origin, $"is {name}, which another topic of the list has; allowed: each topic once");
            }
            else if (isOk)
            {
                topics.Add(new TopicOptions(name!, format!, from));
            }
        }

        return options with { Ingest = options.Ingest with { Topics = topics } };
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string>? Print(WeirOptions options) =>
        ["", .. options.Ingest.Topics.Select(topic => $"- {Inline(topic)}")];

    private static string Inline(TopicOptions topic) =>
        $"{{ name: {YamlText.Scalar(topic.Name)}, format: {YamlText.Scalar(topic.Format)}"
        + $"{(topic.RekeyedFrom is { } from ? $", rekeyed_from: {YamlText.Scalar(from)}" : "")} }}";
}
