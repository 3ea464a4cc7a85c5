using Microsoft.Extensions.Logging.Abstractions;
using Weir.Aggregator;
using Weir.Bench.Measure;
using Weir.Codecs.Flow;
using Weir.Core.Buffers;
using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Ingest;
using Weir.Writer;

namespace Weir.Bench.Paths;

/// <summary>How the work of two partitions is laid over two cores.</summary>
internal enum TwoCoreLayout
{
    /// <summary>Both in one thread, one after the other: what two cores are compared with.</summary>
    OneCore,

    /// <summary>A thread decodes and routes, the other folds and builds.</summary>
    Pipeline,

    /// <summary>
    /// Two threads decode, each its partition, and send each record to the one of two folding threads that owns its
    /// hash.
    /// </summary>
    Exchange,

    /// <summary>Two threads, each with a partition of its own from decode to blocks; nothing is exchanged.</summary>
    Split,
}

/// <summary>Weir's path in memory over two partitions, in one of the layouts that its options allow.</summary>
/// <remarks>Threads are started for each run and are pinned, two to a core where there are four.</remarks>
internal sealed class TwoCorePath : IDisposable
{
    private const int PartitionCount = 2;
    private const int StringsMax = 100_000;
    private const long QueueRecords = 262_144;

    private readonly MemoryBudget _budget = new(1L << 40);
    private readonly StreamSchema _schema = PathViews.Compile();
    private readonly TwoCoreLayout _layout;
    private readonly ChunkPool _chunks;
    private readonly RowPools _rows;
    private readonly BlockBuilder[] _builders;
    private readonly StringDictionary[] _strings;
    private readonly string _format;
    private readonly Lock _lock = new();
    private PathResult _result;

    /// <summary>Prepares.</summary>
    public TwoCorePath(string format, TwoCoreLayout layout)
    {
        _format = format;
        _layout = layout;
        _chunks = new ChunkPool(_schema, _budget);
        _rows = new RowPools(_schema, _budget, freeBytesMax: 1L << 32);
        _builders = [.. Enumerable.Range(0, PartitionCount).Select(
            _ => new BlockBuilder(_schema, new WriterOptions { Compression = BlockCompression.Lz4 }, _budget))];
        _strings = [.. Enumerable.Range(0, PartitionCount).Select(_ => new StringDictionary(StringsMax))];
    }

    /// <summary>Runs the messages of two partitions through, one cut each.</summary>
    public PathResult Run(byte[][][] partitions)
    {
        _result = default;
        switch (_layout)
        {
            case TwoCoreLayout.Pipeline:
                RunQueued(partitions, ingestCount: 1, shardCount: 1);
                break;
            case TwoCoreLayout.Exchange:
                RunQueued(partitions, ingestCount: PartitionCount, shardCount: PartitionCount);
                break;
            case TwoCoreLayout.Split:
                Join([.. partitions.Select((messages, partition) => Thread(partition, () => RunAlone(messages, partition)))]);
                break;
            default:
                Join([Thread(1, () =>
                {
                    for (var partition = 0; partition < PartitionCount; partition++)
                    {
                        RunAlone(partitions[partition], partition);
                    }
                })]);
                break;
        }

        foreach (var strings in _strings)
        {
            strings.Clear();
        }

        return _result;
    }

    public void Dispose()
    {
        foreach (var builder in _builders)
        {
            builder.Dispose();
        }

        _rows.Dispose();
        _chunks.Dispose();
    }

    private static Thread Thread(int core, Action work) => new(() =>
    {
        using var pin = ThreadPin.To(core);
        work();
    });

    private static void Join(IReadOnlyList<Thread> threads)
    {
        foreach (var thread in threads)
        {
            thread.Start();
        }

        foreach (var thread in threads)
        {
            thread.Join();
        }
    }

    private void RunAlone(byte[][] messages, int partition)
    {
        Cut? folded = null;
        using var worker = Worker(0, null, cut => folded = cut);
        Ingest(messages, partition, [worker], shardCount: 1);
        Build(folded!, partition);
    }

    private void RunQueued(byte[][][] partitions, int ingestCount, int shardCount)
    {
        var shards = Enumerable.Range(0, shardCount)
            .Select(index => new QueuedShard(index, FullPolicy.Block, QueueRecords, _chunks))
            .ToArray();
        var workers = shards.Select((shard, index) => Worker(index, shard.Queue, cut => Build(cut, cut.Partition.Partition))).ToArray();
        var folding = workers.Select((worker, index) => Thread(PartitionCount - 1 - index, () =>
        {
            while (worker.TryProcessNext(TimeSpan.FromSeconds(1)) || !shards[index].Queue.IsDrained)
            {
            }
        })).ToArray();
        var reading = Enumerable.Range(0, ingestCount).Select(index => Thread(index, () =>
        {
            for (var partition = index; partition < PartitionCount; partition += ingestCount)
            {
                Ingest(partitions[partition], partition, shards, shardCount);
            }
        })).ToArray();
        foreach (var thread in folding)
        {
            thread.Start();
        }

        Join(reading);
        foreach (var shard in shards)
        {
            shard.Queue.Complete();
        }

        foreach (var thread in folding)
        {
            thread.Join();
        }

        foreach (var worker in workers)
        {
            worker.Dispose();
        }
    }

    private AggregationWorker Worker(int index, StageQueue<RecordChunk>? queue, Action<Cut> folded) => new(
        index, _schema, _rows, _chunks, queue, folded, _ => { }, TimeProvider.System, NullLogger.Instance);

    private void Ingest(byte[][] messages, int partition, IReadOnlyList<IShard> shards, int shardCount)
    {
        var key = new PartitionKey("flows", partition);
        var state = new PartitionState(key, 0, 0, 0, shardCount);
        var cut = new Cut(key, 0, shardCount, _schema.Views.Length, _strings[partition]) { ToOffset = messages.Length };
        state.OpenCut = cut;
        var decoder = FlowFormats.Create(_format, _schema);
        using var router = new ShardRouter(_schema, shards, _chunks, new IngestOptions(), new RejectRing(), CancellationToken.None);
        var counters = new TopicCounters();
        for (var offset = 0; offset < messages.Length; offset++)
        {
            router.Begin(state, counters, offset, KafkaMessage.NoTimestamp, TimeSpan.Zero);
            decoder.Decode(messages[offset], router);
            router.End();
        }

        router.SendMarker(state, cut);
    }

    private void Build(Cut cut, int partition)
    {
        using var built = _builders[partition].Build(cut);
        lock (_lock)
        {
            _result = _result.Plus(PathResult.Of(built));
        }
    }
}
