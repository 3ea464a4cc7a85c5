using System.Runtime.InteropServices;
using System.Text;

namespace Weir.Ingest;

/// <summary>An ingest worker's own librdkafka queue, to which the queues of its partitions are forwarded.</summary>
/// <remarks>
/// <para>
/// librdkafka bounds it by <c>queued.max.messages.kbytes</c> and stops fetching when it is full, so a worker that does not
/// take holds its brokers back, and nobody else's.
/// </para>
/// <para>
/// <see cref="Take"/> and <see cref="Release"/>: the worker's thread. The rest: the source's thread, before and after it.
/// </para>
/// </remarks>
internal sealed unsafe class NativeMessageQueue : IMessageQueue, IDisposable
{
    private readonly nint _client;
    private readonly nint _queue;
    private readonly nint[] _topicHandles;
    private readonly string[] _topicNames;
    private readonly KafkaNative.Message** _taken;
    private readonly int _takenMax;
    private readonly bool[] _mayHaveOrigins; // By topic.
    private readonly byte[]?[] _origins; // By topic, the name of the topic that a rekeyer makes it from.
    private int _takenCount;
    private bool _isDisposed;

    /// <summary>Makes an empty queue.</summary>
    /// <param name="client">The consumer's <c>rd_kafka_t*</c>; must outlive this.</param>
    /// <param name="topicNames">Topics by index.</param>
    /// <param name="messagesMax">Most messages of a <see cref="Take"/>.</param>
    /// <param name="rekeying">By topic, whether a rekeyer may have written its messages, and from which topic; null for none.</param>
    public NativeMessageQueue(
        nint client, IEnumerable<string> topicNames, int messagesMax, IEnumerable<(bool MayHaveOrigins, string? From)>? rekeying = null)
    {
        _client = client;
        _queue = KafkaNative.QueueNew(client);
        _topicNames = [.. topicNames];

        // Holding the topics keeps their addresses from being used again, so that comparing addresses is safe.
        _topicHandles = [.. _topicNames.Select(name => KafkaNative.TopicNew(client, name, 0))];
        _takenMax = messagesMax;
        var rekeyed = rekeying?.ToArray() ?? new (bool MayHaveOrigins, string? From)[_topicNames.Length];
        _mayHaveOrigins = [.. rekeyed.Select(topic => topic.MayHaveOrigins)];
        _origins = [.. rekeyed.Select(topic => topic.From is null ? null : Encoding.UTF8.GetBytes(topic.From))];
        _taken = (KafkaNative.Message**)NativeMemory.Alloc((nuint)messagesMax, (nuint)sizeof(KafkaNative.Message*));
    }

    /// <summary>Sends the messages of a partition here from now on. Call before it is assigned, each time.</summary>
    public void Forward(string topic, int partition)
    {
        var source = KafkaNative.QueueGetPartition(_client, topic, partition);
        if (source == 0)
        {
            throw new InvalidOperationException($"librdkafka has no queue for {topic}/{partition}.");
        }

        KafkaNative.QueueForward(source, _queue);
        KafkaNative.QueueDestroy(source); // Our reference; the forwarding stays.
    }

    /// <inheritdoc/>
    public int Take(Span<KafkaMessage> messages, TimeSpan timeout)
    {
        var size = Math.Min(messages.Length, _takenMax);
        var count = (int)KafkaNative.ConsumeBatchQueue(_queue, (int)timeout.TotalMilliseconds, _taken, (nuint)size);
        if (count < 0)
        {
            throw new InvalidOperationException("rd_kafka_consume_batch_queue refused the call: the consumer is not in a state to consume.");
        }

        _takenCount = count;
        for (var index = 0; index < count; index++)
        {
            var message = _taken[index];
            int timestampType;
            var topicIndex = TopicIndexOf(message->Topic);
            var (originPartition, originOffset) = message->ErrorCode == 0 && topicIndex >= 0 && _mayHaveOrigins[topicIndex]
                ? OriginOf(message, _origins[topicIndex])
                : (-1, 0);
            messages[index] = new KafkaMessage(
                topicIndex,
                message->Partition,
                message->Offset,
                KafkaNative.MessageTimestamp(message, &timestampType),
                message->Payload,
                (int)message->PayloadBytes,
                message->ErrorCode)
            {
                OriginPartition = originPartition,
                OriginOffset = originOffset,
            };
        }

        return count;
    }

    /// <inheritdoc/>
    public void Release()
    {
        for (var index = 0; index < _takenCount; index++)
        {
            KafkaNative.MessageDestroy(_taken[index]);
        }

        _takenCount = 0;
    }

    /// <summary>Frees the queue. The worker's thread has ended, and the client still lives.</summary>
    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        Release();
        foreach (var topic in _topicHandles)
        {
            if (topic != 0)
            {
                KafkaNative.TopicDestroy(topic);
            }
        }

        KafkaNative.QueueDestroy(_queue);
        NativeMemory.Free(_taken);
    }

    private static (int Partition, long Offset) OriginOf(KafkaNative.Message* message, byte[]? origin)
    {
        nint headers;
        byte* value;
        nuint size;
        return MessageHeaders.Of(message, &headers) == 0
            && MessageHeaders.GetLast(headers, OriginMarks.Header, &value, &size) == 0
            && OriginMarks.TryReadHeader(new ReadOnlySpan<byte>(value, (int)size), out var topic, out var partition, out var offset)
                ? topic.SequenceEqual(origin) ? (partition, offset) : (KafkaMessage.UnheededOrigin, 0)
                : (-1, 0);
    }

    private int TopicIndexOf(nint topic)
    {
        var index = Array.IndexOf(_topicHandles, topic);
        if (index >= 0 || topic == 0)
        {
            return index;
        }

        // librdkafka may have more than one object for a topic; by its name it is found all the same.
        return Array.IndexOf(_topicNames, Marshal.PtrToStringUTF8(KafkaNative.TopicName(topic)));
    }
}
