namespace Weir.Loadgen.Capture;

/// <summary>A part of a capture.</summary>
public sealed class CaptureCut
{
    private int _segmentsDone;

    /// <summary>Messages of this time and later, ms.</summary>
    public long FromMs { get; init; } = long.MinValue;

    /// <summary>Messages before this time, ms.</summary>
    public long ToMs { get; init; } = long.MaxValue;

    /// <summary>These partitions; null for all.</summary>
    public IReadOnlySet<int>? Partitions { get; init; }

    /// <summary>Messages of each partition at most.</summary>
    public long MessagesOfPartitionMax { get; init; } = long.MaxValue;

    /// <summary>Segments looked at so far; any thread may read it.</summary>
    public int SegmentsDone => Volatile.Read(ref _segmentsDone);

    /// <summary>Copies the part. A segment that lies in it whole is copied as it is, without decompressing it.</summary>
    /// <returns>False when it was cancelled: what was copied until then is in the new capture.</returns>
    public bool Copy(CaptureReader reader, CaptureWriter writer, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(writer);
        var counts = new Dictionary<(int, int), long>();
        foreach (var segment in reader.Segments)
        {
            if (cancellation.IsCancellationRequested)
            {
                return false;
            }

            Volatile.Write(ref _segmentsDone, _segmentsDone + 1);
            var key = (segment.Topic, segment.Partition);
            var count = counts.GetValueOrDefault(key);
            if (segment.MaxTimestampMs < FromMs || segment.MinTimestampMs >= ToMs || count >= MessagesOfPartitionMax
                || Partitions?.Contains(segment.Partition) == false)
            {
                continue;
            }

            if (segment.MinTimestampMs >= FromMs && segment.MaxTimestampMs < ToMs && count + segment.MessageCount <= MessagesOfPartitionMax)
            {
                try
                {
                    writer.Flush(); // What is open of this partition comes before.
                    writer.Copy(reader, segment, segment.Topic);
                    counts[key] = count + segment.MessageCount;
                }
                catch (InvalidDataException error)
                {
                    reader.Damages.Add(new CaptureDamage(segment.Position, segment, error.Message));
                }
            }
            else if (reader.TryRead(segment, out var messages))
            {
                foreach (var message in messages.Where(message => message.TimestampMs >= FromMs && message.TimestampMs < ToMs))
                {
                    if (count < MessagesOfPartitionMax)
                    {
                        writer.Add(message);
                        counts[key] = ++count;
                    }
                }
            }
        }

        return true;
    }
}
