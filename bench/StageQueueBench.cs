using System.Diagnostics;
using System.Globalization;
using System.Threading.Channels;
using BenchmarkDotNet.Attributes;
using Weir.Core.Queues;

namespace Weir.Bench;

/// <summary>Hand-over of records from one thread to another: the stage queue with chunks, and a channel with one record at a time.</summary>
/// <remarks>The payload is not copied on either side: what is measured is the hand-over itself, with all counters exact.</remarks>
[MemoryDiagnoser]
public class StageQueueBench
{
    private const int RoundCount = 9;
    private const int WarmUpRounds = 3;
    private const int RecordCount = 1 << 20;
    private const int ChunkCount = 1 << 16; // Starting the consumer's thread must not show in a chunk's time.
    private const int CapacityRecords = 262_144;

    private readonly object _chunk = new();

    [Benchmark(Baseline = true, OperationsPerInvoke = RecordCount)]
    public long Channel_of_single_records()
    {
        var channel = Channel.CreateBounded<Record>(
            new BoundedChannelOptions(CapacityRecords) { SingleReader = true, SingleWriter = true, FullMode = BoundedChannelFullMode.Wait });
        var sum = 0L;
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

    [Benchmark(OperationsPerInvoke = ChunkCount * 1024)]
    public long Stage_queue_of_1024_records() => HandOver(1024);

    [Benchmark(OperationsPerInvoke = ChunkCount * 64)]
    public long Stage_queue_of_64_records() => HandOver(64);

    /// <summary>The short form: <c>--ratios queue</c>.</summary>
    internal static void MeasureRatios()
    {
        var bench = new StageQueueBench();
        (string Name, long RecordCount, Func<long> Run)[] peers =
        [
            ("Channel of single records (24 B)", RecordCount, bench.Channel_of_single_records),
            ("StageQueue, chunks of 64", ChunkCount * 64L, bench.Stage_queue_of_64_records),
            ("StageQueue, chunks of 1,024", ChunkCount * 1024L, bench.Stage_queue_of_1024_records),
        ];
        var times = peers.Select(_ => new double[RoundCount]).ToArray();
        for (var round = -WarmUpRounds; round < RoundCount; round++)
        {
            for (var index = 0; index < peers.Length; index++)
            {
                var from = Stopwatch.GetTimestamp();
                var count = peers[index].Run();
                times[index][Math.Max(round, 0)] = Stopwatch.GetElapsedTime(from).TotalNanoseconds / count;
                if (count != peers[index].RecordCount)
                {
                    throw new InvalidOperationException($"{peers[index].Name} handed {count} of {peers[index].RecordCount} records over.");
                }
            }
        }

        Console.WriteLine("hand-over between two threads, a record");
        var medians = times.Select(rounds => rounds.Order().ElementAt(RoundCount / 2)).ToArray();
        for (var index = 0; index < peers.Length; index++)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"  {peers[index].Name,-44} {medians[index],8:F3} ns  {medians[0] / medians[index],6:F0} times as fast"));
        }
    }

    private long HandOver(int recordsPerChunk)
    {
        var queue = new StageQueue<object>("bench", 0, FullPolicy.Block, CapacityRecords, recordsPerChunk);
        var sum = 0L;
        var consumer = new Thread(() =>
        {
            while (true)
            {
                if (queue.TryDequeue(TimeSpan.FromSeconds(1), out _, out var recordCount))
                {
                    sum += recordCount;
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
            queue.Enqueue(_chunk, recordsPerChunk);
        }

        queue.Complete();
        consumer.Join();
        return sum;
    }

    private readonly record struct Record(ulong Key, long Count, ulong Value);
}
