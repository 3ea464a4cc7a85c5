namespace Weir.Ingest;

/// <summary>Where records come from and how they are read.</summary>
public sealed record IngestOptions
{
    /// <summary>Most threads that decode.</summary>
    public const int WorkersMax = 256;

    private static readonly TimeSpan _placeMax = TimeSpan.FromDays(36_500);

    /// <summary>Brokers, <c>host:port</c> separated by commas.</summary>
    public string Bootstrap { get; init; } = "127.0.0.1:9092";

    /// <summary>Consumer group.</summary>
    public string Group { get; init; } = "weir";

    /// <summary>Topics and their formats; at least one.</summary>
    public IReadOnlyList<TopicOptions> Topics { get; init; } = [new TopicOptions("flows", "pmacct-json")];

    /// <summary>librdkafka properties, passed through after Weir's own, which they override where that is safe.</summary>
    public IReadOnlyDictionary<string, string> KafkaProperties { get; init; } = new Dictionary<string, string>();

    /// <summary>Threads that decode; each owns some of the partitions.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>Distinct texts of string tags for each cut; more become <c>__overflow__</c>.</summary>
    public int StringsMax { get; init; } = 100_000;

    /// <summary>How often each partition is cut and stored.</summary>
    public TimeSpan FlushInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How far before the broker's time of its message a record may lie.</summary>
    public TimeSpan PastMax { get; init; } = TimeSpan.FromDays(7);

    /// <summary>How far after the broker's time of its message a record may lie.</summary>
    public TimeSpan FutureMax { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a revoked partition may take to be stored; after it, the next owner reads the rest again.</summary>
    public TimeSpan RevokeTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// Joining the group, and leaving it for good, wait for a multiple of this time of day, so that those of one deployment cost one
    /// rebalance; zero for at once.
    /// </summary>
    public TimeSpan JoinInterval { get; init; }

    /// <summary>How the writer makes blocks of a cut, for the plans; not an option of the user's.</summary>
    public int Layout { get; init; } = Core.Model.BlockName.LayoutVersion;

    /// <summary>Where rejected and late records go.</summary>
    public DeadLetterOptions DeadLetters { get; init; } = new();

    /// <summary>Adds an error for each value that is not allowed. Formats are checked by whoever makes the decoders.</summary>
    /// <param name="errors">Gets <c>path is value; allowed …</c>, with the paths of the configuration file.</param>
    public void Validate(ICollection<string> errors)
    {
        Check(!string.IsNullOrWhiteSpace(Bootstrap), "kafka.bootstrap is empty; allowed host:port, several separated by commas.");
        Check(!string.IsNullOrWhiteSpace(Group), "kafka.group is empty; allowed any name.");
        Check(Topics.Count > 0, "kafka.topics is empty; allowed one topic or more.");
        foreach (var topic in Topics)
        {
            // A leading ^ would make librdkafka read the name as a pattern.
            Check(
                topic.Name.Length is > 0 and <= 249 && topic.Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'),
                $"kafka.topics: name is \"{topic.Name}\"; allowed 1 to 249 letters, digits, '.', '_' and '-'.");
        }

        foreach (var name in Topics.GroupBy(topic => topic.Name).Where(group => group.Count() > 1).Select(group => group.Key))
        {
            errors.Add($"kafka.topics: name \"{name}\" is given more than once; allowed once.");
        }

        foreach (var name in KafkaProperties.Keys.Where(ConsumerSettings.Reserved.ContainsKey))
        {
            errors.Add($"kafka.options.{name} is {KafkaProperties[name]}; not allowed here: {ConsumerSettings.Reserved[name]}.");
        }

        Check(Workers is >= 1 and <= WorkersMax, $"ingest.workers is {Workers}; allowed 1 to {WorkersMax}.");
        Check(StringsMax is >= 16 and <= 100_000_000, $"ingest.strings_max is {StringsMax}; allowed 16 to 100,000,000.");
        Check(
            FlushInterval >= TimeSpan.FromMilliseconds(100) && FlushInterval <= TimeSpan.FromHours(1),
            $"flush.interval is {FlushInterval}; allowed 100 ms to 1 h.");
        Check(PastMax >= TimeSpan.Zero && PastMax <= _placeMax, $"time.past_max is {PastMax}; allowed 0 s to {_placeMax.Days} d.");
        Check(FutureMax >= TimeSpan.Zero && FutureMax <= _placeMax, $"time.future_max is {FutureMax}; allowed 0 s to {_placeMax.Days} d.");
        Check(
            RevokeTimeout >= TimeSpan.Zero && RevokeTimeout <= TimeSpan.FromMinutes(4),
            $"kafka.revoke_timeout is {RevokeTimeout}; allowed 0 s to 4 m (max.poll.interval.ms is 5 m).");
        Check(
            JoinInterval >= TimeSpan.Zero && JoinInterval <= TimeSpan.FromMinutes(10),
            $"kafka.join_interval is {JoinInterval}; allowed 0 s to 10 m.");

        void Check(bool isAllowed, string error)
        {
            if (!isAllowed)
            {
                errors.Add(error);
            }
        }
    }
}

/// <summary>A topic to read.</summary>
/// <param name="Name">Kafka's name.</param>
/// <param name="Format">One of <c>pmacct-json</c>, <c>goflow2</c>, <c>goflow2-json</c>, <c>weir-proto</c>, <c>weir</c>.</param>
/// <param name="RekeyedFrom">
/// The topic that <c>weir rekey</c> makes it from: only messages that name it as their origin are passed over when they come twice. Null for
/// none: whoever may write the topic could otherwise have its messages passed over.
/// </param>
public sealed record TopicOptions(string Name, string Format, string? RekeyedFrom = null);
