using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>Takes the rejected and late records of one ingest worker's messages and makes letters of them.</summary>
/// <remarks>
/// <para>The worker's thread. It never waits; without room or rate the records are only counted.</para>
/// <para>
/// A rejected record is kept by the bytes that the decoder gives. Of late ones only the row is left when they are known to be
/// late, so the whole message is kept, once, with the number of its late records.
/// </para>
/// </remarks>
internal sealed class DeadLetterTap(DeadLetterQueue queue)
{
    private readonly List<DeadLetter> _letters = []; // Of the message in progress: their last field is known at its end.
    private PartitionKey _source;
    private long _offset;
    private long _timestampMs;
    private int _messageBytes;

    /// <summary>Begins a message.</summary>
    public void Begin(PartitionKey source, in KafkaMessage message)
    {
        _source = source;
        _offset = message.Offset;
        _timestampMs = message.TimestampMs;
        _messageBytes = message.LengthBytes;
    }

    /// <summary>Takes a rejected record.</summary>
    /// <param name="status">Why.</param>
    /// <param name="evidence">Its bytes, or those of its message.</param>
    /// <param name="record">Its number in the message, from 0.</param>
    public void Reject(DecodeStatus status, ReadOnlySpan<byte> evidence, long record)
    {
        var kept = evidence[..Math.Min(evidence.Length, DeadLetter.ValueBytesMax)];
        if (!queue.TryReserve(kept.Length))
        {
            queue.CountUnwritten((int)status, 1);
            return;
        }

        _letters.Add(new DeadLetter(
            _source,
            _offset,
            _timestampMs,
            status.Label(),
            (int)record,
            RecordCount: 1,
            MessageRecordCount: 0,
            evidence.Length == _messageBytes,
            evidence.Length,
            kept.ToArray()));
    }

    /// <summary>Ends the message.</summary>
    /// <param name="message">The message, for its bytes.</param>
    /// <param name="readCount">Its records.</param>
    /// <param name="lateCount">Those of them that were late.</param>
    public void End(in KafkaMessage message, long readCount, long lateCount)
    {
        if (lateCount > 0)
        {
            AddLate(message.Value, readCount, lateCount);
        }

        if (_letters.Count > 0)
        {
            foreach (var letter in _letters)
            {
                queue.Add(letter with { MessageRecordCount = readCount });
            }

            _letters.Clear();
        }
    }

    private void AddLate(ReadOnlySpan<byte> value, long readCount, long lateCount)
    {
        var kept = value[..Math.Min(value.Length, DeadLetter.ValueBytesMax)];
        if (!queue.TryReserve(kept.Length))
        {
            queue.CountUnwritten(DeadLetterQueue.LateIndex, lateCount);
            return;
        }

        _letters.Add(new DeadLetter(
            _source, _offset, _timestampMs, DeadLetter.LateReason, -1, lateCount, readCount, true, value.Length, kept.ToArray()));
    }
}
