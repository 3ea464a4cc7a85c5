using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;
using Weir.Ingest;

namespace Weir.Tests.Support;

/// <summary>Commits offsets with metadata from outside a group, by librdkafka itself.</summary>
internal static unsafe class CommitWithMetadata
{
    private const int ElementOffset = 8;

    internal static void Commit(string bootstrap, string group, string topic, params (int Partition, long Offset, string Metadata)[] commits)
    {
        using var consumer = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig { BootstrapServers = bootstrap, GroupId = group }).Build();
        var client = KafkaNative.HandleOf(consumer);
        var library = KafkaNative.LoadedLibrary();
        var add = (delegate* unmanaged<nint, byte*, int, nint>)NativeLibrary.GetExport(library, "rd_kafka_topic_partition_list_add");
        var list = ((delegate* unmanaged<int, nint>)NativeLibrary.GetExport(library, "rd_kafka_topic_partition_list_new"))(commits.Length);
        foreach (var (partition, offset, metadata) in commits)
        {
            fixed (byte* name = Encoding.UTF8.GetBytes(topic + "\0"))
            {
                var element = (byte*)add(list, name, partition);
                var text = Encoding.UTF8.GetBytes(metadata);
                var memory = (byte*)NativeMemory.Alloc((nuint)Math.Max(text.Length, 1)); // The list frees it.
                text.CopyTo(new Span<byte>(memory, text.Length));
                *(long*)(element + ElementOffset + 8) = offset;
                *(byte**)(element + ElementOffset + 16) = memory;
                *(nuint*)(element + ElementOffset + 24) = (nuint)text.Length;
            }
        }

        var error = ((delegate* unmanaged<nint, nint, int, int>)NativeLibrary.GetExport(library, "rd_kafka_commit"))(client, list, 0);
        ((delegate* unmanaged<nint, void>)NativeLibrary.GetExport(library, "rd_kafka_topic_partition_list_destroy"))(list);
        if (error != 0)
        {
            throw new KafkaException((ErrorCode)error);
        }
    }
}
