using Weir.Bench.Measure;
using Weir.Codecs.ClickHouse;
using Weir.Codecs.Flow;
using Weir.Core.Buffers;
using Weir.Core.Model;
using Weir.Ingest;
using Weir.Writer;

namespace Weir.Bench.Paths;

/// <summary>What each stage of the path in memory costs.</summary>
/// <remarks>
/// Decoding is run alone, then together with the fold, whose cost is the difference; the stages of the flush run one after the other.
/// One thread.
/// </remarks>
internal sealed class PathStages : IDisposable
{
    private readonly MemoryBudget _budget = new(1L << 40);
    private readonly WeirPath _path;
    private readonly FlowDecoder _decoder;
    private readonly ChunkPool _chunks;
    private readonly ShardRouter _router;
    private readonly StringDictionary _strings = new(100_000);
    private readonly PartitionState _state;
    private readonly SortedRows _rows;
    private readonly NativeBuffer _block;
    private readonly ViewEncoder[] _encoders;
    private readonly TextRanks _texts = new();
    private readonly CompressedFrame _frame = new(FrameMethod.Lz4);
    private readonly byte[] _frameBytes;

    /// <summary>Makes the stages.</summary>
    public PathStages(string format)
    {
        _path = new WeirPath(format);
        _decoder = FlowFormats.Create(format, _path.Schema);
        _chunks = new ChunkPool(_path.Schema, _budget);
        _router = new ShardRouter(
            _path.Schema, [new NoShard(_chunks)], _chunks, new IngestOptions(), new RejectRing(), CancellationToken.None);
        _state = new PartitionState(new PartitionKey("flows", 0), 0, 0, 0, shardCount: 1);
        _rows = new SortedRows(_path.Schema, 90, serverShardCount: 1, _budget);
        _block = new NativeBuffer(_budget);
        _encoders = [.. _path.Schema.Views.Select(view => new ViewEncoder(view, _path.Schema))];
        _frameBytes = new byte[_frame.BoundBytes(CompressedFrame.RawBytesMax)];
    }

    /// <summary>Names of the stages.</summary>
    public static IReadOnlyList<string> Names { get; } = ["decode and route", "fold", "roll up", "sort", "transpose", "compress"];

    /// <summary>Runs the messages through every stage.</summary>
    /// <returns>CPU of the calling thread by stage, ns.</returns>
    public long[] Run(byte[][] messages)
    {
        var nanos = new long[Names.Count];
        var from = CpuClock.ThreadNanos();
        var cut = new Cut(_state.Key, 0, 1, _path.Schema.Views.Length, _strings);
        _state.OpenCut = cut;
        var counters = new TopicCounters();
        for (var offset = 0; offset < messages.Length; offset++)
        {
            _router.Begin(_state, counters, offset, KafkaMessage.NoTimestamp, TimeSpan.Zero);
            _decoder.Decode(messages[offset], _router);
            _router.End();
        }

        nanos[0] = Lap(ref from);
        _router.SendMarker(_state, cut);
        _strings.Clear();
        _ = Lap(ref from);

        var folded = _path.Fold(messages, () => nanos[1] = Lap(ref from) - nanos[0]);
        nanos[2] = Lap(ref from);
        _texts.Load(folded.Strings);
        foreach (var encoder in _encoders)
        {
            _rows.Load(folded, encoder.View, encoder.Keys, _texts);
            nanos[3] += Lap(ref from);
            var (rawBytes, _) = encoder.Encode(_rows, 0, _rows.Count, _texts, _block);
            nanos[4] += Lap(ref from);
            Compress(rawBytes);
            nanos[5] += Lap(ref from);
        }

        _path.Release(folded);
        return nanos;
    }

    public void Dispose()
    {
        _frame.Dispose();
        _block.Dispose();
        _rows.Dispose();
        _router.Dispose();
        _chunks.Dispose();
        _path.Dispose();
    }

    private static long Lap(ref long from)
    {
        var now = CpuClock.ThreadNanos();
        var lap = now - from;
        from = now;
        return lap;
    }

    private unsafe void Compress(long rawBytes)
    {
        for (var offset = 0L; offset < rawBytes; offset += CompressedFrame.RawBytesMax)
        {
            var length = (int)Math.Min(CompressedFrame.RawBytesMax, rawBytes - offset);
            _ = _frame.Write(new ReadOnlySpan<byte>(_block.Start + offset, length), _frameBytes);
        }
    }

    /// <summary>A shard that takes chunks and folds nothing.</summary>
    private sealed class NoShard(ChunkPool chunks) : IShard
    {
        public bool IsIdle => false;

        public bool IsInOtherThread => false;

        public bool Offer(RecordChunk chunk, CancellationToken cancel)
        {
            if (!chunk.IsMarker)
            {
                chunks.Return(chunk);
            }

            return true;
        }
    }
}
