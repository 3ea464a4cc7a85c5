using Weir.Loadgen.Capture;
using Weir.Loadgen.Kafka;

namespace Weir.Loadgen.Replay;

/// <summary>The messages of all partitions in the order of their times, those of one partition in the order of their offsets.</summary>
internal static class CaptureMerge
{
    private const int LiveWindowMessages = 20_000;
    private const long LiveWindowBytes = 64 * 1024 * 1024;
    private static readonly TimeSpan _liveTimeout = TimeSpan.FromMilliseconds(50);

    /// <summary>Messages of a capture: holds one segment of each partition in memory. Damaged ones are passed over and are in the reader's
    /// list.</summary>
    public static IEnumerable<CapturedMessage> Of(CaptureReader reader)
    {
        var queue = new PriorityQueue<Cursor, (long TimeMs, int Order)>();
        var order = 0;
        foreach (var partition in reader.Segments.GroupBy(segment => (segment.Topic, segment.Partition)).OrderBy(group => group.Key))
        {
            var cursor = new Cursor(reader, new Queue<CaptureSegment>(partition.OrderBy(segment => segment.FirstOffset)), order++);
            if (cursor.MoveNext())
            {
                queue.Enqueue(cursor, (cursor.TimeMs, cursor.Order));
            }
        }

        while (queue.TryDequeue(out var cursor, out _))
        {
            yield return cursor.Current;
            if (cursor.MoveNext())
            {
                queue.Enqueue(cursor, (cursor.TimeMs, cursor.Order));
            }
        }
    }

    /// <summary>
    /// Messages straight from a topic. A broker hands a backlog out partition by partition, so that a window of messages is held and
    /// sorted.
    /// </summary>
    /// <param name="consumer">Reads.</param>
    /// <param name="topics">Names of the topics, by index.</param>
    /// <param name="stopsAtEnd">Ends when all that was there at the start is read; else only when cancelled.</param>
    /// <param name="cancellation">Ends it.</param>
    public static IEnumerable<CapturedMessage> Of(
        TopicConsumer consumer, IReadOnlyList<string> topics, bool stopsAtEnd, CancellationToken cancellation)
    {
        var queue = new PriorityQueue<CapturedMessage, (long TimeMs, long Order)>();
        var times = new Dictionary<(int, int), long>();
        var next = new Dictionary<(string, int), long>();
        long order = 0;
        long bytes = 0;
        while (!cancellation.IsCancellationRequested)
        {
            var isDone = stopsAtEnd && consumer.HasReachedEnds(next);
            var message = isDone ? null : consumer.Read(_liveTimeout);
            if (message is not null)
            {
                var key = (message.Topic, message.Partition);
                times[key] = Math.Max(times.GetValueOrDefault(key), message.TimestampMs);
                next[(topics[message.Topic], message.Partition)] = message.Offset + 1;
                queue.Enqueue(message, (times[key], order++));
                bytes += message.Bytes;
                if (queue.Count < LiveWindowMessages && bytes < LiveWindowBytes)
                {
                    continue;
                }
            }

            // The window is full, or the topic has nothing more at the moment.
            do
            {
                if (!queue.TryDequeue(out var first, out _))
                {
                    break;
                }

                bytes -= first.Bytes;
                yield return first;
            }
            while (message is null && !cancellation.IsCancellationRequested);
            if (isDone)
            {
                yield break;
            }
        }
    }

    private sealed class Cursor(CaptureReader reader, Queue<CaptureSegment> segments, int order)
    {
        private List<CapturedMessage> _messages = [];
        private int _index = -1;

        public int Order { get; } = order;

        public CapturedMessage Current => _messages[_index];

        /// <summary>The latest time so far: a clock that goes back does not bring messages out of their order.</summary>
        public long TimeMs { get; private set; }

        public bool MoveNext()
        {
            while (++_index >= _messages.Count)
            {
                if (!segments.TryDequeue(out var segment))
                {
                    return false;
                }

                _index = -1;
                _messages = reader.TryRead(segment, out var messages) ? messages : [];
            }

            TimeMs = Math.Max(TimeMs, Current.TimestampMs);
            return true;
        }
    }
}
