using System.Globalization;
using Weir.Core.Model;
using Weir.Core.Telemetry;

namespace Weir.Ingest;

/// <summary>Gives a snapshot of the ingest stage to a scrape.</summary>
internal static class IngestMetrics
{
    /// <summary>Reads all metrics of the stage.</summary>
    /// <param name="reader">Gets them.</param>
    /// <param name="snapshot">The reading.</param>
    /// <param name="now">By the process's clock.</param>
    /// <param name="memoryPauses">Time that each worker did not read because the memory budget was used up.</param>
    public static void Collect(MetricReader reader, IngestSnapshot snapshot, IReadOnlyList<TimeSpan> memoryPauses, DateTimeOffset now)
    {
        foreach (var topic in snapshot.Topics)
        {
            var lag = snapshot.Partitions.Where(partition => partition.Key.Topic == topic.Topic).Select(partition => partition.LagTime(now));
            reader.Read(WeirMeter.IngestLagSeconds, lag.DefaultIfEmpty().Max().TotalSeconds, topic.Topic);
        }

        if (snapshot.Client is { } client)
        {
            reader.Read(WeirMeter.IngestBrokersConnected, client.Brokers.Count(broker => broker.IsUp));
            reader.Read(WeirMeter.IngestBrokerRoundTrip, client.Brokers.Select(broker => broker.RoundTrip.TotalSeconds).DefaultIfEmpty().Max());
            reader.Read(WeirMeter.IngestBrokerDisconnectsTotal, client.Brokers.Sum(broker => broker.DisconnectCount));
            reader.Read(WeirMeter.IngestPrefetchedMessages, client.QueuedMessages);
        }

        foreach (var topic in snapshot.Topics)
        {
            Collect(reader, topic);
            Collect(reader, topic.Topic, snapshot.Partitions);
        }

        for (var worker = 0; worker < memoryPauses.Count; worker++)
        {
            reader.Read(
                WeirMeter.IngestMemoryPauseTotal, memoryPauses[worker].TotalSeconds, worker.ToString(CultureInfo.InvariantCulture));
        }

        reader.Read(WeirMeter.IngestAbandonedTotal, snapshot.AbandonedCount);
        reader.Read(WeirMeter.IngestCommitsTotal, snapshot.CommitCount);
        reader.Read(WeirMeter.IngestReplaysTotal, snapshot.ReplayCount);
        reader.Read(WeirMeter.IngestCommitErrorsTotal, snapshot.CommitErrorCount);
        reader.Read(WeirMeter.IngestConsumeErrorsTotal, snapshot.ConsumeErrorCount);
        reader.Read(WeirMeter.IngestRebalancesTotal, snapshot.RebalanceCount);
    }

    private static void Collect(MetricReader reader, in TopicSnapshot topic)
    {
        reader.Read(WeirMeter.IngestMessagesTotal, topic.MessageCount, topic.Topic);
        reader.Read(WeirMeter.IngestMessageBytesTotal, topic.MessageBytes, topic.Topic);
        reader.Read(WeirMeter.IngestReadTotal, topic.ReadCount, topic.Topic);
        for (var status = (int)DecodeStatus.Ok + 1; status < topic.RejectedCounts.Length; status++)
        {
            reader.Read(
                WeirMeter.IngestRejectedTotal, topic.RejectedCounts[status], topic.Topic, ((DecodeStatus)status).Label());
        }

        reader.Read(WeirMeter.IngestLateTotal, topic.LateCount, topic.Topic);
        reader.Read(WeirMeter.IngestMarkersTotal, topic.MarkerCount, topic.Topic);
        reader.Read(WeirMeter.IngestSamplingUnknownTotal, topic.SamplingUnknownCount, topic.Topic);
        reader.Read(WeirMeter.IngestGapOffsetsTotal, topic.GapOffsetCount, topic.Topic);
        reader.Read(WeirMeter.IngestRepeatedMessagesTotal, topic.RepeatedMessageCount, topic.Topic);
        reader.Read(WeirMeter.IngestLeavingMessagesTotal, topic.LeavingMessageCount, topic.Topic);
    }

    private static void Collect(MetricReader reader, string topic, IReadOnlyList<PartitionSnapshot> partitions)
    {
        var (count, lag, uncommitted) = (0, 0L, 0L);
        foreach (var partition in partitions)
        {
            if (partition.Key.Topic == topic)
            {
                count++;
                lag += partition.Lag;
                uncommitted += partition.StoredOffset >= 0 ? Math.Max(partition.NextOffset - partition.StoredOffset, 0) : 0;
            }
        }

        reader.Read(WeirMeter.IngestPartitions, count, topic);
        reader.Read(WeirMeter.IngestLagMessages, lag, topic);
        reader.Read(WeirMeter.IngestUncommittedMessages, uncommitted, topic);
    }
}
