namespace Weir.Loadgen.Replay;

/// <summary>How far a consumer has read: the next offset that it will handle in a partition.</summary>
public readonly record struct ConsumerPosition(string Topic, int Partition, long NextOffset);

/// <summary>Bytes sent into each partition that its consumer has not passed yet.</summary>
/// <remarks>Any thread: sender, delivery reports and the follower of positions meet here, under one lock, once for each message.</remarks>
internal sealed class AheadWindow
{
    private readonly Lock _lock = new();
    private readonly Partition[] _partitions;
    private long _inFlightBytes;

    public AheadWindow(int partitionCount)
    {
        _partitions = new Partition[partitionCount];
        for (int index = 0; index < partitionCount; index++)
        {
            _partitions[index] = new Partition();
        }
    }

    /// <summary>Bytes sent and not acknowledged.</summary>
    public long InFlightBytes
    {
        get
        {
            lock (_lock)
            {
                return _inFlightBytes;
            }
        }
    }

    /// <summary>Bytes of a partition that are in flight or beyond the consumer's position.</summary>
    public long AheadBytes(int partition)
    {
        lock (_lock)
        {
            return _partitions[partition].Bytes;
        }
    }

    /// <summary>A message was handed to the client.</summary>
    public void Sent(int partition, int bytes)
    {
        lock (_lock)
        {
            _inFlightBytes += bytes;
            _partitions[partition].Bytes += bytes;
        }
    }

    /// <summary>The broker has stored a message.</summary>
    public void Delivered(int partition, long offset, int bytes)
    {
        lock (_lock)
        {
            _inFlightBytes -= bytes;
            Partition state = _partitions[partition];
            if (offset < state.NextOffset)
            {
                state.Bytes -= bytes; // The consumer was faster than the report.
            }
            else
            {
                state.Unread.Enqueue((offset, bytes));
            }
        }
    }

    /// <summary>The broker has not taken a message.</summary>
    public void Failed(int partition, int bytes)
    {
        lock (_lock)
        {
            _inFlightBytes -= bytes;
            _partitions[partition].Bytes -= bytes;
        }
    }

    /// <summary>The consumer has handled everything before an offset. A position may go back, when a consumer starts again; that changes
    /// nothing.</summary>
    public void Passed(int partition, long nextOffset)
    {
        if ((uint)partition >= (uint)_partitions.Length)
        {
            return; // A topic that grew partitions after the start.
        }

        lock (_lock)
        {
            Partition state = _partitions[partition];
            state.NextOffset = Math.Max(state.NextOffset, nextOffset);
            while (state.Unread.TryPeek(out (long Offset, int Bytes) first) && first.Offset < state.NextOffset)
            {
                state.Unread.Dequeue();
                state.Bytes -= first.Bytes;
            }
        }
    }

    private sealed class Partition
    {
        public Queue<(long Offset, int Bytes)> Unread { get; } = [];

        public long Bytes { get; set; }

        public long NextOffset { get; set; }
    }
}
