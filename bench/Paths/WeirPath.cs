using Microsoft.Extensions.Logging.Abstractions;
using Weir.Aggregator;
using Weir.Codecs.Flow;
using Weir.Core.Buffers;
using Weir.Core.Model;
using Weir.Ingest;
using Weir.Writer;

namespace Weir.Bench.Paths;

/// <summary>
/// Weir's own path in memory on one core: decode, route, fold, roll up, sort, transpose, compress, in the thread that
/// calls.
/// </summary>
/// <remarks>The same objects as <c>weir run</c> with <c>aggregation.workers: 0</c>, without Kafka and ClickHouse. One thread.</remarks>
internal sealed class WeirPath : IDisposable
{
    private const int StringsMax = 100_000;

    private readonly MemoryBudget _budget = new(1L << 40);
    private readonly FlowDecoder _decoder;
    private readonly ChunkPool _chunks;
    private readonly RowPools _rows;
    private readonly AggregationWorker _worker;
    private readonly ShardRouter _router;
    private readonly BlockBuilder _builder;
    private readonly StringDictionary _strings = new(StringsMax);
    private readonly PartitionState _state;
    private readonly TopicCounters _counters = new();
    private long _offset;
    private Cut? _folded;

    /// <summary>Makes the stages.</summary>
    /// <param name="format">Format of the messages.</param>
    /// <param name="options">Form of the blocks; null for LZ4 frames.</param>
    public WeirPath(string format, WriterOptions? options = null)
    {
        Schema = PathViews.Compile();
        _decoder = FlowFormats.Create(format, Schema);
        _chunks = new ChunkPool(Schema, _budget);
        _rows = new RowPools(Schema, _budget, freeBytesMax: 1L << 32);
        _worker = new AggregationWorker(
            0, Schema, _rows, _chunks, queue: null, cut => _folded = cut, _ => { }, TimeProvider.System, NullLogger.Instance);
        _router = new ShardRouter(Schema, [_worker], _chunks, new IngestOptions(), new RejectRing(), CancellationToken.None);
        _builder = new BlockBuilder(Schema, options ?? new WriterOptions { Compression = BlockCompression.Lz4 }, _budget);
        _state = new PartitionState(new PartitionKey("flows", 0), 0, 0, 0, shardCount: 1);
    }

    /// <summary>The views.</summary>
    public StreamSchema Schema { get; }

    /// <summary>Bytes of native memory in use.</summary>
    public long UsedBytes => _budget.UsedBytes;

    /// <summary>False to leave out what diagnosis and taps look at.</summary>
    public bool IsProbed
    {
        get => _worker.Probe.IsOn;
        set => _worker.Probe.IsOn = value;
    }

    /// <summary>Reads messages up to and with the fold of the cut that they are.</summary>
    /// <param name="messages">The messages.</param>
    /// <param name="routed">Called when all records are routed, before the marker that ends the cut.</param>
    /// <returns>The cut, with its rows.</returns>
    public Cut Fold(byte[][] messages, Action? routed = null)
    {
        var cut = new Cut(_state.Key, _offset, 1, Schema.Views.Length, _strings);
        _state.OpenCut = cut;
        foreach (var message in messages)
        {
            _router.Begin(_state, _counters, _offset++, KafkaMessage.NoTimestamp, TimeSpan.Zero);
            _decoder.Decode(message, _router);
            _router.End();
        }

        cut.ToOffset = _offset;
        routed?.Invoke();
        _router.SendMarker(_state, cut);
        return _folded ?? throw new InvalidOperationException("The worker did not hand the cut over.");
    }

    /// <summary>Reads messages and makes the blocks of their cut. The caller disposes the result before the next cut.</summary>
    public BuiltCut Build(byte[][] messages)
    {
        var built = _builder.Build(Fold(messages));
        _strings.Clear();
        return built;
    }

    /// <summary>The whole path, with the blocks thrown away.</summary>
    public PathResult Run(byte[][] messages)
    {
        using var built = Build(messages);
        return PathResult.Of(built);
    }

    /// <summary>Ends a cut that was folded and not built.</summary>
    public void Release(Cut cut)
    {
        cut.ReleaseRows();
        _strings.Clear();
    }

    public void Dispose()
    {
        _builder.Dispose();
        _router.Dispose();
        _worker.Dispose();
        _rows.Dispose();
        _chunks.Dispose();
    }
}
