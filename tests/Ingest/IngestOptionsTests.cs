using Weir.Ingest;
using Xunit;

namespace Weir.Tests.Ingest;

public sealed class IngestOptionsTests
{
    [Fact]
    public void The_defaults_are_allowed() => Assert.Empty(ErrorsOf(new IngestOptions()));

    [Fact]
    public void Each_value_that_is_not_allowed_is_named_with_its_path_and_range()
    {
        var errors = ErrorsOf(new IngestOptions
        {
            Bootstrap = " ",
            Group = "",
            Topics = [new TopicOptions("^flows", "weir"), new TopicOptions("a", "weir"), new TopicOptions("a", "weir")],
            Workers = 0,
            StringsMax = 1,
            FlushInterval = TimeSpan.FromMilliseconds(1),
            PastMax = TimeSpan.FromSeconds(-1),
            FutureMax = TimeSpan.MaxValue,
            RevokeTimeout = TimeSpan.FromHours(1),
            JoinInterval = TimeSpan.FromHours(1),
            KafkaProperties = new Dictionary<string, string> { ["enable.auto.commit"] = "true", ["fetch.min.bytes"] = "1" },
        });

        string[] paths =
        [
            "kafka.bootstrap is", "kafka.group is", "kafka.topics: name is \"^flows\"", "kafka.topics: name \"a\" is given more than once",
            "kafka.options.enable.auto.commit is true", "ingest.workers is 0", "ingest.strings_max is 1", "flush.interval is",
            "time.past_max is", "time.future_max is", "kafka.revoke_timeout is",
            "kafka.join_interval is",
        ];
        Assert.Equal(paths.Length, errors.Count);
        Assert.All(paths, path => Assert.Contains(errors, error => error.StartsWith(path, StringComparison.Ordinal)));
        Assert.All(errors, error => Assert.Contains("allowed", error, StringComparison.Ordinal));
    }

    [Fact]
    public void Properties_pass_through_but_those_that_the_account_depends_on_stay()
    {
        var config = ConsumerSettings.Build(new IngestOptions
        {
            Bootstrap = "here:1",
            KafkaProperties = new Dictionary<string, string>
            {
                ["fetch.wait.max.ms"] = "7",
                ["enable.auto.commit"] = "true",
                ["bootstrap.servers"] = "elsewhere:2",
            },
        });

        Assert.Equal("7", config.Get("fetch.wait.max.ms"));
        Assert.Equal("false", config.Get("enable.auto.commit"));
        Assert.Equal("here:1", config.Get("bootstrap.servers"));
        Assert.Equal("cooperative-sticky", config.Get("partition.assignment.strategy"));
    }

    [Fact]
    public void With_the_new_group_protocol_the_broker_decides_the_assignment()
    {
        var config = ConsumerSettings.Build(new IngestOptions
        {
            KafkaProperties = new Dictionary<string, string> { ["group.protocol"] = "consumer" },
        });

        Assert.DoesNotContain(config, property => property.Key == "partition.assignment.strategy");
    }

    private static List<string> ErrorsOf(IngestOptions options)
    {
        var errors = new List<string>();
        options.Validate(errors);
        return errors;
    }
}
