using System.Threading.Channels;
using BenchmarkDotNet.Attributes;
using Weir.Core.Queues;

namespace Weir.Bench;

/// <summary>Hand-over of records from one thread to another: the stage queue with chunks, and a channel with one record at a time.</summary>
/// <remarks>The payload is not copied on either side: what is measured is the hand-over itself.</remarks>
[MemoryDiagnoser]
public class StageQueueBench
{
    private const int RecordCount = 1 << 19;
    private const int RecordsPerChunk = 1024;
    private const int CapacityRecords = 65_536;

    private readonly Chunk[] _chunks = [.. Enumerable.Range(0, RecordCount / RecordsPerChunk).Select(_ => new Chunk(RecordsPerChunk))];
    private readonly Chunk[] _smallChunks = [.. Enumerable.Range(0, RecordCount / 64).Select(_ => new Chunk(64))];

    [Benchmark(Baseline = true, OperationsPerInvoke = RecordCount)]
    public ulong Channel_of_single_records()
    {
        var channel = Channel.CreateBounded<Record>(
            new BoundedChannelOptions(CapacityRecords) { SingleReader = true, SingleWriter = true, FullMode = BoundedChannelFullMode.Wait });
        var sum = 0UL;
        var consumer = new Thread(() =>
        {
            while (channel.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
            {
                while (channel.Reader.TryRead(out var record))
                {
                    sum += record.Count;
                }
            }
        });
        consumer.Start();
        for (var index = 0; index < RecordCount; index++)
        {
            var record = new Record(0, 1, (ulong)index);
            if (!channel.Writer.TryWrite(record))
            {
                channel.Writer.WriteAsync(record).AsTask().GetAwaiter().GetResult();
            }
        }

        channel.Writer.Complete();
        consumer.Join();
        return sum;
    }

    [Benchmark(OperationsPerInvoke = RecordCount)]
    public ulong Stage_queue_of_1024_records() => HandOver(_chunks);

    [Benchmark(OperationsPerInvoke = RecordCount)]
    public ulong Stage_queue_of_64_records() => HandOver(_smallChunks);

    /// <summary>The short form: <c>--ratios queue</c>.</summary>
    internal static void MeasureRatios()
    {
        var bench = new StageQueueBench();
        Ratios.Measure(
            "hand-over between two threads, a record",
            RecordCount,
            new Peer("Channel of single records (24 B)", bench.Channel_of_single_records),
            new Peer("StageQueue, chunks of 64", bench.Stage_queue_of_64_records),
            new Peer("StageQueue, chunks of 1,024", bench.Stage_queue_of_1024_records));
    }

    private static ulong HandOver(Chunk[] chunks)
    {
        var queue = new StageQueue<Chunk>("bench", 0, FullPolicy.Block, CapacityRecords, RecordsPerChunk);
        var sum = 0UL;
        var consumer = new Thread(() =>
        {
            while (true)
            {
                if (queue.TryDequeue(TimeSpan.FromSeconds(1), out _, out var recordCount))
                {
                    sum += (ulong)recordCount;
                }
                else if (queue.IsDrained)
                {
                    return;
                }
            }
        });
        consumer.Start();
        foreach (var chunk in chunks)
        {
            queue.Enqueue(chunk, chunk.RecordCount);
        }

        queue.Complete();
        consumer.Join();
        return sum;
    }

    private readonly record struct Record(ulong Key, ulong Count, ulong Value);

    private sealed record Chunk(int RecordCount);
}
