using Confluent.Kafka;
using Weir.Core.Model;
using Weir.Host.Commands;
using Weir.Ingest;

namespace Weir.Host.Audit;

/// <summary>Asks a broker where the consumer group is, and says in the user's words why it cannot be known.</summary>
internal static class KafkaPositions
{
    /// <summary>Reads the position of each partition of the configured topics.</summary>
    /// <exception cref="CommandException">No broker answers, or it refuses.</exception>
    public static IReadOnlyDictionary<PartitionKey, GroupPosition> Read(IngestOptions options, TimeSpan timeout)
    {
        try
        {
            return GroupPositions.Read(options, timeout).ToDictionary(
                position => position.Partition,
                position => new GroupPosition(position.CommittedOffset, position.PlannedTo, position.LogStart));
        }
        catch (KafkaException error)
        {
            throw new CommandException(
                $"the broker at {options.Bootstrap} does not tell the positions of group {options.Group} ({error.Error.Reason}); start it, "
                + "mend kafka.bootstrap, kafka.topics or kafka.options, or audit with --no-kafka",
                error);
        }
        catch (Exception error) when (error is InvalidOperationException or ArgumentException)
        {
            throw new CommandException($"librdkafka refuses kafka.options ({error.Message}); see its CONFIGURATION.md", error);
        }
    }
}
