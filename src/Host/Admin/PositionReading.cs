using Weir.Ingest;

namespace Weir.Host.Admin;

/// <summary>A partition as <c>/positions</c> shows it. Offsets are −1 where they are not known.</summary>
/// <param name="partition">The reading.</param>
/// <param name="now">When it was read, by the process's clock.</param>
internal sealed class PositionReading(PartitionSnapshot partition, DateTimeOffset now)
{
    /// <summary>Kafka's topic.</summary>
    public string Topic => partition.Key.Topic;

    /// <summary>Kafka's partition.</summary>
    public int Partition => partition.Key.Partition;

    /// <summary>The offset after the last message read.</summary>
    public long NextOffset => partition.NextOffset;

    /// <summary>The offset after the last message that is stored.</summary>
    public long CommittedOffset => partition.CommittedOffset;

    /// <summary>The offset after the last message whose rows are in ClickHouse; the next plan commits it.</summary>
    public long StoredOffset => partition.StoredOffset;

    /// <summary>The broker's next offset.</summary>
    public long HighWatermark => partition.HighWatermark;

    /// <summary>Messages not yet read.</summary>
    public long LagMessages => partition.Lag;

    /// <summary>How long ago the broker got the message that was read last; 0 when nothing waits.</summary>
    public double LagSeconds => partition.LagTime(now).TotalSeconds;
}
