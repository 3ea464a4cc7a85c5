using Confluent.Kafka;
using Weir.Host.Commands;
using Weir.Ingest;

namespace Weir.Host;

/// <summary>Asks a broker for the topics of the configuration.</summary>
internal static class KafkaProbe
{
    /// <summary>Reads the metadata of all topics: asking for one by name may create it.</summary>
    public static ProbeReport Probe(IngestOptions options, TimeSpan timeout)
    {
        // Properties of a consumer that an admin client does not know make a warning, not an error.
        var properties = new Dictionary<string, string>(options.KafkaProperties) { ["bootstrap.servers"] = options.Bootstrap };
        var lastError = "";
        try
        {
            using var admin = new AdminClientBuilder(properties)
                .SetLogHandler((_, _) => { })
                .SetErrorHandler((_, error) =>
                {
                    // That all are down says less than why the first one was.
                    lastError = error.Code == ErrorCode.Local_AllBrokersDown && lastError.Length > 0 ? lastError : error.Reason;
                })
                .Build();
            return Compare(options, admin.GetMetadata(timeout).Topics);
        }
        catch (KafkaException error)
        {
            var reason = lastError.Length > 0 ? lastError : error.Error.Reason;
            return new ProbeReport(
                [],
                [$"kafka: no broker answers at {options.Bootstrap} within {timeout.TotalSeconds:0} s ({reason}); start it, or mend "
                    + "kafka.bootstrap or kafka.options"]);
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException)
        {
            return new ProbeReport([], [$"kafka: librdkafka refuses kafka.options ({error.Message}); see its CONFIGURATION.md"]);
        }
    }

    private static ProbeReport Compare(IngestOptions options, List<TopicMetadata> known)
    {
        var findings = new List<string>();
        var problems = new List<string>();
        foreach (var topic in options.Topics)
        {
            var metadata = known.Find(other => other.Topic == topic.Name);
            if (metadata is null)
            {
                problems.Add($"kafka: {options.Bootstrap} has no topic {topic.Name}; create it, or mend kafka.topics");
            }
            else if (metadata.Error.IsError)
            {
                problems.Add($"kafka: topic {topic.Name} cannot be read ({metadata.Error.Reason}); see the broker's log");
            }
            else
            {
                findings.Add($"kafka: {options.Bootstrap} has topic {topic.Name} with {metadata.Partitions.Count} partition(s)");
            }
        }

        return new ProbeReport(findings, problems);
    }
}
