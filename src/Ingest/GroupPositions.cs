using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Confluent.Kafka;
using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>Where a consumer group is in one partition, as the broker knows it.</summary>
/// <param name="Partition">The partition.</param>
/// <param name="CommittedOffset">The committed offset; null when there is none.</param>
/// <param name="PlannedTo">The end of the cut that was planned from there; null without a plan.</param>
/// <param name="LogStart">The first offset that the broker still has; null when the group did not have to begin there.</param>
public readonly record struct CommittedPosition(PartitionKey Partition, long? CommittedOffset, long? PlannedTo, long? LogStart);

/// <summary>
/// Asks a broker where a group is, without joining it. The metadata <c>weir-plan layout=L to=T</c> of a commit says that the cut
/// <c>[offset, T)</c> is planned.
/// </summary>
public static partial class GroupPositions
{
    /// <summary>Reads the position of each partition of the configured topics.</summary>
    /// <param name="options">Brokers, group and topics.</param>
    /// <param name="timeout">For all questions together: there is one for each partition, and a broker may answer none.</param>
    /// <exception cref="KafkaException">The broker did not answer, or a topic is not there.</exception>
    /// <exception cref="InvalidOperationException">librdkafka refuses a property.</exception>
    /// <exception cref="ArgumentException">librdkafka does not know a property.</exception>
    public static IReadOnlyList<CommittedPosition> Read(IngestOptions options, TimeSpan timeout)
    {
        var begun = Stopwatch.GetTimestamp();
        TimeSpan Left() => TimeSpan.FromMilliseconds(Math.Max(1, (timeout - Stopwatch.GetElapsedTime(begun)).TotalMilliseconds));
        var settings = ConsumerSettings.Build(options);
        using var consumer = new ConsumerBuilder<Ignore, Ignore>(settings)
            .SetLogHandler((_, _) => { })
            .SetErrorHandler((_, _) => { })
            .Build();
        var partitions = ReadPartitions(consumer, options, Left());

        // With another auto.offset.reset the group did not have to begin where the log does.
        var isFromStart = settings.AutoOffsetReset == AutoOffsetReset.Earliest;
        var positions = new List<CommittedPosition>(partitions.Count);
        foreach (var committed in CommittedMetadata.Read(consumer, partitions, Left()))
        {
            var partition = new TopicPartition(committed.Partition.Topic, committed.Partition.Partition);
            positions.Add(new CommittedPosition(
                committed.Partition,
                committed.Offset >= 0 ? committed.Offset : null,
                PlannedTo(committed.Metadata),
                isFromStart ? consumer.QueryWatermarkOffsets(partition, Left()).Low.Value : null));
        }

        return positions;
    }

    /// <summary>The end of the cut that a commit's metadata plans; null when it plans none.</summary>
    internal static long? PlannedTo(string metadata) =>
        Plan().Match(metadata) is { Success: true } match
        && long.TryParse(match.Groups["to"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var to)
            ? to
            : null;

    private static List<TopicPartition> ReadPartitions(IConsumer<Ignore, Ignore> consumer, IngestOptions options, TimeSpan timeout)
    {
        using var admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        var known = admin.GetMetadata(timeout).Topics; // All: asking for one by name may create it.
        var partitions = new List<TopicPartition>();
        foreach (var topic in options.Topics)
        {
            var metadata = known.Find(other => other.Topic == topic.Name)
                ?? throw new KafkaException(new Error(ErrorCode.UnknownTopicOrPart, $"it has no topic {topic.Name}"));
            if (metadata.Error.IsError)
            {
                throw new KafkaException(metadata.Error);
            }

            partitions.AddRange(metadata.Partitions.Select(partition => new TopicPartition(topic.Name, partition.PartitionId)));
        }

        return partitions;
    }

    [GeneratedRegex(@"^weir-plan layout=\d+ to=(?<to>\d+)( origins=[\d:,]+)?$", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex Plan();
}
