using System.Collections.Concurrent;
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
    /// hash; each core builds the blocks of one partition.
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

    /// <summary>Cuts of each partition in a run: the last one is built when nothing is left to read, which a program that goes on does not meet.</summary>
    internal const int CutCount = 3;

    private const int StringsMax = 100_000;
    private const long QueueRecords = 262_144;

    private readonly MemoryBudget _budget = new(1L << 40);
    private readonly StreamSchema _schema = PathViews.Compile();
    private readonly TwoCoreLayout _layout;
    private readonly ChunkPool _chunks;
    private readonly RowPools _rows;
    private readonly BlockBuilder[] _builders;
    private readonly StringDictionary[] _strings; // Of each cut.
    private readonly FlowDecoder[] _decoders; // Of each partition; they know its tag sets from run to run, as in a process that goes on.
    private readonly QueuedShard[] _shards = [];
    private readonly AggregationWorker[] _workers;
    private readonly BlockingCollection<Cut>[] _folded = [.. Enumerable.Range(0, PartitionCount).Select(_ => new BlockingCollection<Cut>())];
    private readonly Lock _lock = new();
    private readonly long[] _coreNanos = new long[PartitionCount];
    private PathResult _result;

    /// <summary>Prepares.</summary>
    public TwoCorePath(string format, TwoCoreLayout layout)
    {
        _layout = layout;
        _chunks = new ChunkPool(_schema, _budget);
        _rows = new RowPools(_schema, _budget, freeBytesMax: 1L << 32);
        _builders = [.. Enumerable.Range(0, PartitionCount).Select(
            _ => new BlockBuilder(_schema, new WriterOptions { Compression = BlockCompression.Lz4 }, _budget))];
        _strings = [.. Enumerable.Range(0, PartitionCount * CutCount).Select(_ => new StringDictionary(StringsMax))];
        _decoders = [.. Enumerable.Range(0, PartitionCount).Select(_ => FlowFormats.Create(format, _schema))];
        if (layout is TwoCoreLayout.Pipeline or TwoCoreLayout.Exchange)
        {
            _shards = [.. Enumerable.Range(0, layout == TwoCoreLayout.Pipeline ? 1 : PartitionCount).Select(
                index => new QueuedShard(index, FullPolicy.Block, QueueRecords, _chunks))];
        }

        _workers = _shards.Length > 0
            ? [.. _shards.Select((shard, index) => Worker(index, shard.Queue, HandOver))]
            : [.. Enumerable.Range(0, PartitionCount).Select(index => Worker(index, null, HandOver))];
    }

    /// <summary>
    /// CPU that the threads of the busier core have used in the last run, ns: the time that the run takes at least where nothing else
    /// runs on the machine.
    /// </summary>
    public long BusierCoreNanos => _coreNanos.Max();

    /// <summary>CPU of all threads in the last run, ns.</summary>
    public long CpuNanos => _coreNanos.Sum();

    /// <summary>Runs the messages of two partitions through, a cut of each in turns, all of them <see cref="CutCount"/> times.</summary>
    public PathResult Run(byte[][][] partitions)
    {
        _result = default;
        Array.Clear(_coreNanos);
        switch (_layout)
        {
            case TwoCoreLayout.Pipeline:
                RunQueued(partitions, ingestCount: 1);
                break;
            case TwoCoreLayout.Exchange:
                RunQueued(partitions, ingestCount: PartitionCount);
                break;
            case TwoCoreLayout.Split:
                Join([.. partitions.Select((messages, partition) => Thread(partition, () =>
                {
                    for (var cut = 0; cut < CutCount; cut++)
                    {
                        RunAlone(messages, partition, cut);
                    }
                }))]);
                break;
            default:
                Join([Thread(1, () =>
                {
                    for (var turn = 0; turn < PartitionCount * CutCount; turn++)
                    {
                        RunAlone(partitions[turn % PartitionCount], turn % PartitionCount, turn / PartitionCount);
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

        foreach (var worker in _workers)
        {
            worker.Dispose();
        }

        foreach (var cuts in _folded)
        {
            cuts.Dispose();
        }

        _rows.Dispose();
        _chunks.Dispose();
    }

    private Thread Thread(int core, Action work) => new(() =>
    {
        using var pin = ThreadPin.To(core);
        work();
        Interlocked.Add(ref _coreNanos[core], CpuClock.ThreadNanos());
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

    private void RunAlone(byte[][] messages, int partition, int cut)
    {
        Ingest(messages, partition, cut, [_workers[partition]]);
        BuildNext(partition);
    }

    private void RunQueued(byte[][][] partitions, int ingestCount)
    {
        var folding = _workers.Select((worker, index) => Thread(PartitionCount - 1 - index, () =>
        {
            var cutCount = worker.Snapshot().CutCount + (PartitionCount * CutCount);
            while (worker.Snapshot().CutCount < cutCount)
            {
                _ = worker.TryProcessNext(TimeSpan.FromSeconds(1));
            }
        })).ToArray();
        var reading = Enumerable.Range(0, ingestCount).Select(index => Thread(index, () =>
        {
            for (var cut = 0; cut < CutCount; cut++)
            {
                for (var partition = index; partition < PartitionCount; partition += ingestCount)
                {
                    Ingest(partitions[partition], partition, cut, _shards);
                }
            }
        })).ToArray();

        // As in the program, what folds does not build: a cut is built beside the reading of the next ones.
        var building = Enumerable.Range(0, PartitionCount).Select(partition => Thread(
            ingestCount == 1 ? PartitionCount - 1 : partition,
            () =>
            {
                for (var cut = 0; cut < CutCount; cut++)
                {
                    BuildNext(partition);
                }
            })).ToArray();
        Join([.. folding, .. reading, .. building]);
    }

    /// <summary>Gives a cut to the thread that builds its partition's blocks. The thread of its last shard.</summary>
    private void HandOver(Cut cut) => _folded[cut.Partition.Partition].Add(cut);

    private AggregationWorker Worker(int index, StageQueue<RecordChunk>? queue, Action<Cut> folded) => new(
        index, _schema, _rows, _chunks, queue, folded, _ => { }, TimeProvider.System, NullLogger.Instance);

    private void Ingest(byte[][] messages, int partition, int number, IShard[] shards)
    {
        var key = new PartitionKey("flows", partition);
        var state = new PartitionState(key, 0, 0, 0, shards.Length);
        var cut = new Cut(key, 0, shards.Length, _schema.Views.Length, _strings[(number * PartitionCount) + partition]) { ToOffset = messages.Length };
        state.OpenCut = cut;
        var decoder = _decoders[partition];
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

    private void BuildNext(int partition)
    {
        using var built = _builders[partition].Build(_folded[partition].Take());
        lock (_lock)
        {
            _result = _result.Plus(PathResult.Of(built));
        }
    }
}
