using System.Runtime.InteropServices;
using System.Text;
using Confluent.Kafka;
using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>Kafka's answer for one partition of a commit.</summary>
/// <param name="Partition">The partition.</param>
/// <param name="Error">
/// <see cref="ErrorCode.NoError"/> when it is committed. librdkafka gives the error of one partition to all that have none of
/// their own, so an error may also mean that another partition of the commit failed.
/// </param>
internal readonly record struct CommitAnswer(PartitionKey Partition, ErrorCode Error);

/// <summary>Commits offsets with metadata: what the group's thread sends, and reads the answers of when they have come.</summary>
internal interface ICommitChannel
{
    /// <summary>Sends one commit of all <paramref name="commits"/>; never waits. The answer of the one before has been taken.</summary>
    /// <returns><see cref="ErrorCode.NoError"/>, or why it was not sent; then no answer comes.</returns>
    ErrorCode Send(IReadOnlyList<CommittedOffset> commits);

    /// <summary>Takes the answer to the commit that was sent, waiting at most <paramref name="timeout"/>; null when it has not come.</summary>
    IReadOnlyList<CommitAnswer>? TakeAnswer(TimeSpan timeout);
}

/// <summary>Commits with metadata through librdkafka, which Confluent.Kafka does not offer.</summary>
/// <remarks>
/// librdkafka copies the list that it is given, so each is freed here. It answers every commit in the end: one that its
/// coordinator cannot be found for, after <c>session.timeout.ms</c>. The source's thread.
/// </remarks>
/// <param name="client">The member of the group.</param>
/// <param name="isClassic">False where <c>group.protocol</c> is <c>consumer</c>.</param>
internal sealed unsafe partial class CommitNative(nint client, bool isClassic = true) : ICommitChannel, IDisposable
{
    private const string LibraryName = "librdkafka"; // Found by KafkaNative's resolver.
    private const int OffsetCommitEvent = 0x20; // RD_KAFKA_EVENT_OFFSET_COMMIT

    private readonly nint _answers = KafkaNative.QueueNew(client);
    private GroupMembership? _known;

    /// <summary>The group has spoken: partitions are held as the present member from now on.</summary>
    /// <returns>
    /// False when the group has gone on without this process since the last time: what it held then may have had another owner.
    /// </returns>
    public bool Renew()
    {
        var (earlier, current) = (_known, Membership());
        _known = current;
        return earlier is not { } known || current.Continues(known);
    }

    /// <summary>Takes note of generations between two words of the group, in which this process had its part.</summary>
    public void Follow()
    {
        if (_known is { } known && Membership() is var current && current.Continues(known))
        {
            _known = current;
        }
    }

    /// <inheritdoc/>
    public ErrorCode Send(IReadOnlyList<CommittedOffset> commits)
    {
        var current = Membership();
        if (!current.IsMember || (_known is { } known && !current.Continues(known)))
        {
            // Kafka takes a commit of nobody once the group is empty, and one of a member that was put out and has joined again,
            // whichever partition it is about: either would turn the commits of those who took the partitions over back.
            return ErrorCode.UnknownMemberId;
        }

        var list = CommittedMetadata.ListNew(commits.Count);
        try
        {
            foreach (var commit in commits)
            {
                var element = CommittedMetadata.ListAdd(list, commit.Partition.Topic, commit.Partition.Partition);
                element->Offset = commit.Offset;
                SetMetadata(element, commit.Metadata);
            }

            return (ErrorCode)CommitQueue(client, list, _answers, 0, 0);
        }
        finally
        {
            CommittedMetadata.ListDestroy(list);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<CommitAnswer>? TakeAnswer(TimeSpan timeout)
    {
        var answer = QueuePoll(_answers, (int)timeout.TotalMilliseconds);
        if (answer == 0)
        {
            return null;
        }

        try
        {
            if (EventType(answer) != OffsetCommitEvent)
            {
                return null;
            }

            var list = EventPartitions(answer);
            var answers = new List<CommitAnswer>(list == null ? 0 : list->Count);
            for (var index = 0; list != null && index < list->Count; index++)
            {
                ref readonly var element = ref list->Elements[index];
                answers.Add(new CommitAnswer(
                    new PartitionKey(Marshal.PtrToStringUTF8(element.Topic)!, element.Partition), (ErrorCode)element.ErrorCode));
            }

            return answers;
        }
        finally
        {
            EventDestroy(answer);
        }
    }

    /// <summary>Frees the queue of answers, before the client.</summary>
    public void Dispose() => KafkaNative.QueueDestroy(_answers);

    private GroupMembership Membership()
    {
        var metadata = GroupMetadata(client);
        if (metadata == 0)
        {
            return new GroupMembership("", GroupMembership.NoGeneration, isClassic);
        }

        try
        {
            return new GroupMembership(Marshal.PtrToStringUTF8(MemberId(metadata)) ?? "", GenerationId(metadata), isClassic);
        }
        finally
        {
            GroupMetadataDestroy(metadata);
        }
    }

    /// <summary>librdkafka frees the metadata together with the list, so it comes from librdkafka's own allocator.</summary>
    private void SetMetadata(CommittedMetadata.Element* element, string metadata)
    {
        var byteCount = Encoding.UTF8.GetByteCount(metadata);
        if (byteCount > 0)
        {
            element->Metadata = (byte*)MemoryAlloc(client, (nuint)byteCount);
            element->MetadataBytes = (nuint)Encoding.UTF8.GetBytes(metadata, new Span<byte>(element->Metadata, byteCount));
        }
    }

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_consumer_group_metadata")]
    private static partial nint GroupMetadata(nint client);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_consumer_group_metadata_generation_id")]
    private static partial int GenerationId(nint metadata);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_consumer_group_metadata_member_id")]
    private static partial nint MemberId(nint metadata);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_consumer_group_metadata_destroy")]
    private static partial void GroupMetadataDestroy(nint metadata);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_mem_malloc")]
    private static partial nint MemoryAlloc(nint client, nuint byteCount);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_commit_queue")]
    private static partial int CommitQueue(nint client, CommittedMetadata.PartitionList* offsets, nint queue, nint callback, nint opaque);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_queue_poll")]
    private static partial nint QueuePoll(nint queue, int timeoutMs);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_event_type")]
    private static partial int EventType(nint answer);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_event_topic_partition_list")]
    private static partial CommittedMetadata.PartitionList* EventPartitions(nint answer);

    [LibraryImport(LibraryName, EntryPoint = "rd_kafka_event_destroy")]
    private static partial void EventDestroy(nint answer);
}
