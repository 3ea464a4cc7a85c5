using System.Threading.Channels;
using Weir.Bench.Measure;
using Weir.Bench.Report;
using Weir.Core.Queues;

namespace Weir.Bench.Lines;

/// <summary>Hand-over of records between two threads: a Channel of single records beside the stage queue in chunks.</summary>
/// <remarks>The payload is not copied on either side. The queue's counters are on, and their equations are the checksum.</remarks>
internal static class HandoffLine
{
    private const int RecordsPerChunk = 1024;
    private const int CapacityRecords = 262_144;
    private const long ChannelRecordCount = 1 << 20;
    private const long ChunkCount = 200_000;

    /// <summary>The group.</summary>
    public static LineGroup Group { get; } = new(
        ["handoff"], "Channel a record / stage queue at 1,024 records a chunk, two threads; a record", Run);

    private static IEnumerable<LineResult> Run(BenchContext context)
    {
        context.Log("handoff");
        var rounds = Rounds.Measure(
            context.Plan,
            RoundClock.Wall,
            ChannelRecordCount,
            new Contender("Channel of single records", HandOverRecords),
            new Contender("Weir, 1,024 records a chunk", HandOverChunks, ChunkCount * RecordsPerChunk));
        yield return new LineResult(
            "handoff", "bounded Channel of single records (24 B) / stage queue of 1,024 records, all counters exact", "ns/record")
        {
            Ours = rounds.Nanos(1),
            Peer = rounds.Nanos(0),
            Ratio = rounds.Ratio(0, 1),
            Target = LineTarget.AtLeast(300, 900),
            Note = "Time on the wall; both threads are free to move. Thread start is in it: some 50 µs over "
                + $"{ChunkCount:N0} chunks, or {ChannelRecordCount:N0} records.",
        };
    }

    private static ulong HandOverRecords()
    {
        var channel = Channel.CreateBounded<Record>(
            new BoundedChannelOptions(CapacityRecords)
            {
                SingleReader = true,
                SingleWriter = true,
                FullMode = BoundedChannelFullMode.Wait,
            });
        var count = 0L;
        var consumer = new Thread(() =>
        {
            while (channel.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
            {
                while (channel.Reader.TryRead(out var record))
                {
                    count += record.Count;
                }
            }
        });
        consumer.Start();
        for (var index = 0; index < ChannelRecordCount; index++)
        {
            var record = new Record((ulong)index, 1, 0);
            if (!channel.Writer.TryWrite(record))
            {
                channel.Writer.WriteAsync(record).AsTask().GetAwaiter().GetResult();
            }
        }

        channel.Writer.Complete();
        consumer.Join();
        return count == ChannelRecordCount ? 1UL : 0;
    }

    private static ulong HandOverChunks()
    {
        var queue = new StageQueue<object>("bench", 0, FullPolicy.Block, CapacityRecords, RecordsPerChunk);
        var chunk = new object();
        var count = 0L;
        var consumer = new Thread(() =>
        {
            while (true)
            {
                if (queue.TryDequeue(TimeSpan.FromSeconds(1), out _, out var recordCount))
                {
                    count += recordCount;
                }
                else if (queue.IsDrained)
                {
                    return;
                }
            }
        });
        consumer.Start();
        for (var index = 0; index < ChunkCount; index++)
        {
            queue.Enqueue(chunk, RecordsPerChunk);
        }

        queue.Complete();
        consumer.Join();
        var snapshot = queue.Snapshot();
        var isExact = count == ChunkCount * RecordsPerChunk && snapshot.OfferedCount == count && snapshot.DequeuedCount == count
            && snapshot.DroppedCount == 0;
        return isExact ? 1UL : 0;
    }

    private readonly record struct Record(ulong Key, long Count, ulong Value);
}
