using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;
using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>What a group has committed for one partition.</summary>
/// <param name="Partition">The partition.</param>
/// <param name="Offset">The offset; negative when there is none.</param>
/// <param name="Metadata">The text that was committed with it.</param>
internal readonly record struct CommittedOffset(PartitionKey Partition, long Offset, string Metadata);

/// <summary>Reads commits with their metadata, which Confluent.Kafka does not give.</summary>
internal static unsafe partial class CommittedMetadata
{
    private const string LibraryName = "librdkafka"; // Found by KafkaNative's resolver.

    /// <summary>Asks the broker for the commits of the consumer's group; the consumer need not have joined it.</summary>
    /// <exception cref="KafkaException">The broker did not answer, or refused.</exception>
    public static List<CommittedOffset> Read(IClient consumer, IReadOnlyCollection<TopicPartition> partitions, TimeSpan timeout)
    {
        var client = KafkaNative.HandleOf(consumer);
        var list = ListNew(partitions.Count);
        try
        {
            foreach (var partition in partitions)
            {
                ListAdd(list, partition.Topic, partition.Partition.Value);
            }

            ThrowIfError(Committed(client, list, (int)timeout.TotalMilliseconds));
            var committed = new List<CommittedOffset>(list->Count);
            foreach (ref readonly var element in new ReadOnlySpan<Element>(list->Elements, list->Count))
            {
                ThrowIfError(element.ErrorCode);
                committed.Add(new CommittedOffset(
                    new PartitionKey(Marshal.PtrToStringUTF8(element.Topic)!, element.Partition),
                    element.Offset,
                    element.Metadata == null ? "" : Encoding.UTF8.GetString(element.Metadata, (int)element.MetadataBytes)));
            }

            return committed;
        }
        finally
        {
            ListDestroy(list);
        }
    }

    private static void ThrowIfError(int code)
    {
        if (code != 0)
        {
            throw new KafkaException((ErrorCode)code);
        }
    }

    /// <summary><c>rd_kafka_topic_partition_list_t</c>, part of librdkafka's ABI.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct PartitionList
    {
        public int Count;
        public int Size;
        public Element* Elements;
    }

    /// <summary><c>rd_kafka_topic_partition_t</c>, part of librdkafka's ABI.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Element
    {
        public nint Topic;
        public int Partition;
        public long Offset;
        public byte* Metadata;
        public nuint MetadataBytes;
        public nint Opaque;
        public int ErrorCode;
        public nint Private;
    }

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_topic_partition_list_new")]
    internal static partial PartitionList* ListNew(int size);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_topic_partition_list_add", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial Element* ListAdd(PartitionList* list, string topic, int partition);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_topic_partition_list_destroy")]
    internal static partial void ListDestroy(PartitionList* list);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_committed")]
    private static partial int Committed(nint client, PartitionList* list, int timeoutMs);
}
