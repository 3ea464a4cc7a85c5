using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Weir.Core.Hashing;
using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>Takes records from a decoder, drops what is late into the account, and puts the rest into the chunk of its tag set's shard.</summary>
/// <remarks>
/// One thread, that of its ingest worker. With one shard the decoder writes straight into the chunk; with several it writes into
/// a scratch row, since the shard is known only when the tags are.
/// </remarks>
internal sealed unsafe class ShardRouter : RecordSink, IDisposable
{
    /// <summary>Most string tags of a schema.</summary>
    internal const int StringTagsMax = 64;

    private const int TimeOffset = StreamSchema.HashBytes;
    private const int TagsOffset = StreamSchema.HashBytes + StreamSchema.TimeBytes;

    private readonly IShard[] _shards;
    private readonly ChunkPool _chunkPool;
    private readonly RejectRing _rejects;
    private readonly CancellationToken _stopping;
    private readonly int[] _stringOffsets;
    private readonly int _recordBytes;
    private readonly int _recordsMeterOffset;
    private readonly int _tagWordCount;
    private readonly long _pastMaxMs;
    private readonly long _futureMaxMs;
    private readonly byte* _scratchRow; // Null with one shard.

    // The message in progress.
    private PartitionState _state = null!;
    private Cut _cut = null!;
    private TopicCounters _counters = null!;
    private RecordChunk? _chunk; // The chunk that Row lies in; null with several shards.
    private long _offset;
    private long _timeMsMin;
    private long _timeMsMax;
    private long _readCount;
    private ulong _eventTimeMin;
    private ulong _eventTimeMax;
    private TimeSpan _now;

    /// <summary>Makes a router.</summary>
    /// <param name="schema">Layout of the records.</param>
    /// <param name="shards">Where the records go.</param>
    /// <param name="chunkPool">Where the chunks come from.</param>
    /// <param name="options">What is late.</param>
    /// <param name="rejects">Gets the rejected records.</param>
    /// <param name="stopping">Ends the waiting for full shards.</param>
    public ShardRouter(
        StreamSchema schema,
        IReadOnlyList<IShard> shards,
        ChunkPool chunkPool,
        IngestOptions options,
        RejectRing rejects,
        CancellationToken stopping)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(schema.StringTagOffsets.Length, StringTagsMax);
        _shards = [.. shards];
        _chunkPool = chunkPool;
        _rejects = rejects;
        _stopping = stopping;
        _stringOffsets = [.. schema.StringTagOffsets.Select(offset => StreamSchema.HashBytes + offset)];
        _recordBytes = schema.RecordBytes;
        _recordsMeterOffset = schema.RecordMetersOffset;
        _tagWordCount = (schema.KeyBytes - StreamSchema.TimeBytes) / sizeof(ulong);
        _pastMaxMs = (long)options.PastMax.TotalMilliseconds;
        _futureMaxMs = (long)options.FutureMax.TotalMilliseconds;
        if (_shards.Length > 1)
        {
            _scratchRow = (byte*)NativeMemory.AlignedAlloc((nuint)_recordBytes, 64);
            NativeMemory.Clear(_scratchRow, (nuint)_recordBytes);
        }
    }

    /// <summary>Gets the rejected records; null when they go nowhere.</summary>
    public DeadLetterTap? DeadLetters { get; init; }

    /// <summary>Records of the message that ended last.</summary>
    public long MessageReadCount => _readCount;

    /// <summary>Late ones of them.</summary>
    public long MessageLateCount { get; private set; }

    /// <summary>Number of shards.</summary>
    public int ShardCount => _shards.Length;

    /// <summary>Begins a message of <paramref name="state"/>, whose open cut takes its records.</summary>
    /// <param name="state">The partition.</param>
    /// <param name="counters">Where its topic is counted.</param>
    /// <param name="offset">Offset of the message.</param>
    /// <param name="timestampMs">The broker's time of the message; <see cref="KafkaMessage.NoTimestamp"/> when it has none: then nothing is late.</param>
    /// <param name="now">Time since the start.</param>
    public void Begin(PartitionState state, TopicCounters counters, long offset, long timestampMs, TimeSpan now)
    {
        Debug.Assert(state.OpenCut is not null, "A message belongs to a cut.");
        _state = state;
        _cut = state.OpenCut;
        _counters = counters;
        _offset = offset;
        _now = now;
        _readCount = 0;
        MessageLateCount = 0;
        _eventTimeMin = ulong.MaxValue;
        _eventTimeMax = 0;
        var hasTimestamp = timestampMs >= 0;
        _timeMsMin = hasTimestamp ? timestampMs - _pastMaxMs : long.MinValue;
        _timeMsMax = hasTimestamp ? timestampMs + _futureMaxMs : long.MaxValue;
        Strings = _cut.Strings;
        NextRow();
    }

    /// <summary>Ends the message: its counts go into the cut.</summary>
    public void End()
    {
        _cut.ReadCount += _readCount;
        _counters.ReadCount += _readCount;
        if (_eventTimeMin <= _eventTimeMax)
        {
            // Decoders let only times of 32 bits pass.
            var isFirst = _cut.EventTimeMax == 0;
            _cut.EventTimeMin = isFirst ? (uint)_eventTimeMin : Math.Min(_cut.EventTimeMin, (uint)_eventTimeMin);
            _cut.EventTimeMax = Math.Max(_cut.EventTimeMax, (uint)_eventTimeMax);
        }

        _counters.MarkerCount += MarkerCount;
        _counters.SamplingUnknownCount += SamplingUnknownCount;
        MarkerCount = 0;
        SamplingUnknownCount = 0;
    }

    /// <inheritdoc/>
    public override void Accept()
    {
        _readCount++;
        var row = Row;
        var time = *(ulong*)(row + TimeOffset);
        var timeMs = (long)(time * 1000);
        if (timeMs < _timeMsMin || timeMs > _timeMsMax)
        {
            _cut.LateCount++;
            _counters.LateCount++;
            MessageLateCount++;
            NativeMemory.Clear(row, (nuint)_recordBytes);
            return;
        }

        _eventTimeMin = Math.Min(_eventTimeMin, time);
        _eventTimeMax = Math.Max(_eventTimeMax, time);
        *(ulong*)(row + _recordsMeterOffset) = 1;
        var hash = HashOf(row);
        *(ulong*)row = hash;

        var chunk = _chunk;
        var shard = 0;
        if (chunk is null)
        {
            shard = _cut.Spread!.ShardOf(hash);
            chunk = _state.OpenChunks[shard] ?? OpenChunk(shard);
            Unsafe.CopyBlockUnaligned(chunk.Rows + ((nint)chunk.RecordCount * _recordBytes), row, (uint)_recordBytes);
        }

        if (++chunk.RecordCount == RecordChunk.RecordsMax)
        {
            Send(_state, shard);
        }

        NextRow();
    }

    /// <inheritdoc/>
    public override void Reject(DecodeStatus status, ReadOnlySpan<byte> evidence)
    {
        Debug.Assert(status != DecodeStatus.Ok, "A good record is accepted.");
        _readCount++;
        _cut.RejectedCount(status)++;
        _counters.RejectedCounts[(int)status]++;
        _rejects.Add(_state.Key, _offset, status, evidence);
        DeadLetters?.Reject(status, evidence, _readCount - 1);
        NativeMemory.Clear(Row, (nuint)_recordBytes); // The decoder may have begun to fill it.
    }

    /// <summary>Sends a partition's part-filled chunks of idle shards, and those opened at or before <paramref name="openedBefore"/>.</summary>
    /// <returns>True when no chunk is open any more.</returns>
    public bool SendPartFilled(PartitionState state, TimeSpan openedBefore)
    {
        var isEmpty = true;
        for (var shard = 0; shard < _shards.Length; shard++)
        {
            if (state.OpenChunks[shard] is { } chunk)
            {
                if (!_shards[shard].IsIdle && state.ChunkOpenedAt[shard] > openedBefore)
                {
                    isEmpty = false;
                }
                else
                {
                    SendOrReturn(state, shard, chunk);
                }
            }
        }

        return isEmpty;
    }

    /// <summary>Sends all open chunks of a partition, then the marker that ends <paramref name="cut"/>, to every shard.</summary>
    public void SendMarker(PartitionState state, Cut cut)
    {
        SendAll(state);
        for (var shard = 0; shard < _shards.Length; shard++)
        {
            // False means that the process stops the hard way: nobody will store the cut, and its range is read again.
            _ = _shards[shard].Offer(RecordChunk.Marker(cut), _stopping);
        }
    }

    /// <summary>Gives the open chunks of a partition back unsent; for a process that ends.</summary>
    public void ReturnChunks(PartitionState state)
    {
        for (var shard = 0; shard < _shards.Length; shard++)
        {
            if (state.OpenChunks[shard] is { } chunk)
            {
                state.OpenChunks[shard] = null;
                _chunkPool.Return(chunk);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_scratchRow);

    /// <summary>The shard that owns the range of <paramref name="hash"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int ShardOf(ulong hash, int shardCount) => (int)Math.BigMul(hash, (ulong)shardCount, out _);

    /// <summary>
    /// The hash of a record's tag set. The ids of strings differ from cut to cut, so their texts are hashed in their place: the
    /// same tag set has the same hash on every machine.
    /// </summary>
    private ulong HashOf(byte* row)
    {
        var offsets = _stringOffsets;
        if (offsets.Length == 0)
        {
            return TagHash.OfWords((ulong*)(row + TagsOffset), _tagWordCount);
        }

        var ids = stackalloc uint[StringTagsMax];
        for (var index = 0; index < offsets.Length; index++)
        {
            ids[index] = *(uint*)(row + offsets[index]);
            *(uint*)(row + offsets[index]) = 0;
        }

        var hash = TagHash.OfWords((ulong*)(row + TagsOffset), _tagWordCount);
        for (var index = 0; index < offsets.Length; index++)
        {
            *(uint*)(row + offsets[index]) = ids[index];
            hash = TagHash.Combine(hash, Strings.HashOf(ids[index]));
        }

        return hash;
    }

    private void NextRow()
    {
        if (_scratchRow != null)
        {
            _chunk = null;
            Row = _scratchRow;
        }
        else
        {
            _chunk = _state.OpenChunks[0] ?? OpenChunk(0);
            Row = _chunk.Rows + ((nint)_chunk.RecordCount * _recordBytes);
        }

        NativeMemory.Clear(Row, (nuint)_recordBytes);
    }

    private RecordChunk OpenChunk(int shard)
    {
        var chunk = _chunkPool.Rent(_cut);
        _state.OpenChunks[shard] = chunk;
        _state.ChunkOpenedAt[shard] = _now;
        return chunk;
    }

    private void SendAll(PartitionState state)
    {
        for (var shard = 0; shard < _shards.Length; shard++)
        {
            if (state.OpenChunks[shard] is { } chunk)
            {
                SendOrReturn(state, shard, chunk);
            }
        }
    }

    private void SendOrReturn(PartitionState state, int shard, RecordChunk chunk)
    {
        if (chunk.RecordCount > 0)
        {
            Send(state, shard);
        }
        else
        {
            state.OpenChunks[shard] = null;
            _chunkPool.Return(chunk);
        }
    }

    private void Send(PartitionState state, int shard)
    {
        var chunk = state.OpenChunks[shard]!;
        state.OpenChunks[shard] = null;
        if (!_shards[shard].Offer(chunk, _stopping))
        {
            _chunkPool.Return(chunk);
        }
    }
}
