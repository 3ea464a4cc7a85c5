using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>Takes records from a decoder, drops what is late into the account, and puts the rest into the chunk of its tag set's shard.</summary>
/// <remarks>
/// One thread, that of its ingest worker. With one shard that folds in the same thread, the decoder writes straight into the chunk. Else it
/// writes into scratch rows, which are copied at once: with several shards since the shard is known only when the tags are, with one since
/// the chunk's memory comes from another core, and a decoder, which fills a row a field at a time, would wait for it at each of them
/// (<c>path.2core</c> in bench/README.md: half of the decoder's time).
/// </remarks>
internal sealed unsafe class ShardRouter : RecordSink, IDisposable
{
    /// <summary>Most string tags of a schema.</summary>
    internal const int StringTagsMax = 64;

    /// <summary>Most rows of a block: they stay in the first-level cache between the decoder and <see cref="AcceptRows"/>.</summary>
    internal const int BlockRowsMax = 64;

    private const int TimeOffset = StreamSchema.HashBytes;

    private readonly IShard[] _shards;
    private readonly ChunkPool _chunkPool;
    private readonly RejectRing _rejects;
    private readonly LossRing? _losses;
    private readonly int _agentOffset; // Of the tag that names the agent, in a record; -1 for none.
    private readonly CancellationToken _stopping;
    private readonly RecordHash _hash;
    private readonly int _recordBytes;
    private readonly int _recordsMeterOffset;
    private readonly long _pastMaxMs;
    private readonly long _futureMaxMs;
    private readonly byte* _scratchRows; // Null where the decoder writes into the chunk.

    // The message in progress.
    private PartitionState _state = null!;
    private Cut _cut = null!;
    private TopicCounters _counters = null!;
    private RecordChunk? _chunk; // The chunk that Row lies in; null with scratch rows.
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
    /// <param name="losses">Gets who sent what is rejected or late.</param>
    public ShardRouter(
        StreamSchema schema,
        IReadOnlyList<IShard> shards,
        ChunkPool chunkPool,
        IngestOptions options,
        RejectRing rejects,
        CancellationToken stopping,
        LossRing? losses = null)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(schema.StringTagOffsets.Length, StringTagsMax);
        _shards = [.. shards];
        _chunkPool = chunkPool;
        _rejects = rejects;
        _stopping = stopping;
        _hash = new RecordHash(schema);
        _losses = losses;
        _agentOffset = schema.Tags.FirstOrDefault(slot => slot.Tag == StandardSchema.Exporter).OffsetBytes is > 0 and var offset
            ? StreamSchema.HashBytes + offset
            : -1;
        _recordBytes = schema.RecordBytes;
        _recordsMeterOffset = schema.RecordMetersOffset;
        _pastMaxMs = (long)options.PastMax.TotalMilliseconds;
        _futureMaxMs = (long)options.FutureMax.TotalMilliseconds;
        if (_shards.Length > 1 || _shards[0].IsInOtherThread)
        {
            _scratchRows = (byte*)NativeMemory.AlignedAlloc((nuint)(_recordBytes * BlockRowsMax), 64);
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
    public override void Accept() => AcceptRows(1, isHashed: false);

    /// <inheritdoc/>
    public override void AcceptRows(int count, bool isHashed)
    {
        Debug.Assert(count > 0 && count <= RowCapacity, "The decoder keeps within the block.");
        _readCount += count;
        var goodCount = DropLate(count);
        var row = Row;
        var strings = Strings;
        for (var index = 0; index < goodCount; index++, row += _recordBytes)
        {
            *(ulong*)(row + _recordsMeterOffset) = 1;
            if (!isHashed)
            {
                *(ulong*)row = _hash.Of(row, strings);
            }
        }

        if (_chunk is { } chunk)
        {
            chunk.RecordCount += goodCount;
            if (chunk.RecordCount == RecordChunk.RecordsMax)
            {
                Send(_state, shard: 0);
            }
        }
        else if (_shards.Length == 1)
        {
            Append(goodCount);
        }
        else
        {
            Spread(goodCount);
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
        _losses?.Add(_state.Key, status, AgentOf(Row), aheadSeconds: 0);
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
    public void Dispose() => NativeMemory.AlignedFree(_scratchRows);

    /// <summary>The shard that owns the range of <paramref name="hash"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int ShardOf(ulong hash, int shardCount) => (int)Math.BigMul(hash, (ulong)shardCount, out _);

    /// <summary>Takes late records out of the block at <see cref="RecordSink.Row"/>; the others close up and keep their order.</summary>
    /// <returns>How many are left.</returns>
    private int DropLate(int count)
    {
        var row = Row;
        var min = ulong.MaxValue;
        var max = 0UL;
        for (var index = 0; index < count; index++, row += _recordBytes)
        {
            var time = *(ulong*)(row + TimeOffset);
            min = Math.Min(min, time);
            max = Math.Max(max, time);
        }

        if (IsLate(min) || IsLate(max))
        {
            count = DropLateOneByOne(count, ref min, ref max);
        }

        _eventTimeMin = Math.Min(_eventTimeMin, min);
        _eventTimeMax = Math.Max(_eventTimeMax, max);
        return count;
    }

    private int DropLateOneByOne(int count, ref ulong min, ref ulong max)
    {
        min = ulong.MaxValue;
        max = 0;
        var to = Row;
        var goodCount = 0;
        for (var from = Row; count > 0; count--, from += _recordBytes)
        {
            var time = *(ulong*)(from + TimeOffset);
            if (IsLate(time))
            {
                _cut.LateCount++;
                _counters.LateCount++;
                MessageLateCount++;
                _losses?.Add(_state.Key, DecodeStatus.Ok, AgentOf(from), (((long)(time * 1000) - _timeMsMax) + _futureMaxMs) / 1000.0);
                continue;
            }

            min = Math.Min(min, time);
            max = Math.Max(max, time);
            if (to != from)
            {
                Unsafe.CopyBlockUnaligned(to, from, (uint)_recordBytes);
            }

            to += _recordBytes;
            goodCount++;
        }

        return goodCount;
    }

    /// <summary>Decoders let only times of 32 bits pass.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsLate(ulong time) => (long)(time * 1000) < _timeMsMin || (long)(time * 1000) > _timeMsMax;

    /// <summary>Copies the rows of the scratch block into the chunk of the only shard.</summary>
    private void Append(int count)
    {
        var row = Row;
        while (count > 0)
        {
            var chunk = _state.OpenChunks[0] ?? OpenChunk(0);
            var fitting = Math.Min(count, RecordChunk.RecordsMax - chunk.RecordCount);
            var bytes = (nint)fitting * _recordBytes;
            Unsafe.CopyBlockUnaligned(chunk.Rows + ((nint)chunk.RecordCount * _recordBytes), row, (uint)bytes);
            row += bytes;
            count -= fitting;
            chunk.RecordCount += fitting;
            if (chunk.RecordCount == RecordChunk.RecordsMax)
            {
                Send(_state, shard: 0);
            }
        }
    }

    /// <summary>Copies the rows of the scratch block into the chunks of their shards.</summary>
    private void Spread(int count)
    {
        var row = Row;
        var spread = _cut.Spread!;
        var openChunks = _state.OpenChunks;
        for (var index = 0; index < count; index++, row += _recordBytes)
        {
            var shard = spread.ShardOf(*(ulong*)row);
            var chunk = openChunks[shard] ?? OpenChunk(shard);
            CopyRecord(row, chunk.Rows + ((nint)chunk.RecordCount * _recordBytes));
            if (++chunk.RecordCount == RecordChunk.RecordsMax)
            {
                Send(_state, shard);
            }
        }
    }

    /// <summary>Copies a record, whose length is a multiple of 8, in line: a block copy is a call and as many tests.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CopyRecord(byte* from, byte* to)
    {
        var offset = 0;
        for (; offset + Vector256<byte>.Count <= _recordBytes; offset += Vector256<byte>.Count)
        {
            Vector256.Load(from + offset).Store(to + offset);
        }

        for (; offset < _recordBytes; offset += sizeof(ulong))
        {
            *(ulong*)(to + offset) = *(ulong*)(from + offset);
        }
    }

    /// <summary>The agent that a row names, as far as the decoder has filled it.</summary>
    private ReadOnlySpan<byte> AgentOf(byte* row) => _agentOffset < 0 ? default : Strings.Utf8((int)*(uint*)(row + _agentOffset));

    private void NextRow()
    {
        if (_scratchRows != null)
        {
            _chunk = null;
            Row = _scratchRows;
            RowCapacity = BlockRowsMax;
        }
        else
        {
            _chunk = _state.OpenChunks[0] ?? OpenChunk(0);
            Row = _chunk.Rows + ((nint)_chunk.RecordCount * _recordBytes);
            RowCapacity = Math.Min(BlockRowsMax, RecordChunk.RecordsMax - _chunk.RecordCount);
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
