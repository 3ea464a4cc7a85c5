using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Weir.Core.Buffers;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary><c>weir-proto</c>: a <c>weir.v1.FlowBatch</c> of <c>weir_flow.proto</c>, many records in a message.</summary>
/// <remarks>
/// <para>
/// A bad record is one reject and the others go on; broken framing of the batch rejects what is left once. Tags that users define
/// are looked for in <c>Tags</c> and in <c>FlowRecord</c>, meters in <c>FlowRecord</c>, under their field number.
/// </para>
/// <para>
/// Tags that come first in their record are decoded once: after that their bytes are hashed and compared as they are
/// (<see cref="TagCache"/>). Records go through in groups, so that the memory of all tags of a group is asked for before that of the
/// first is needed. Texts have ids of this decoder first, and get those of the cut at the end of the record, in the order of the
/// schema: which ids a cut has never depends on what the cache holds.
/// </para>
/// </remarks>
internal sealed unsafe partial class WeirProtoDecoder : FlowDecoder
{
    /// <summary>Field of a batch: a record.</summary>
    internal const uint RecordsField = 1;

    /// <summary>Memory for decoded tags, by default: some 130,000 tag sets of IPv4 flows.</summary>
    internal const int CacheBytesDefault = 16 << 20;

    /// <summary>Share of the memory budget, as a divisor, that the decoded tags of one decoder may take: 16 MB of the default 1 GB.</summary>
    private const int BudgetShare = 64;

    /// <summary>Room for some tag sets, however small the budget is.</summary>
    private const int CacheBytesMin = 4_096;

    /// <summary>Texts that the decoder keeps at most.</summary>
    internal const int TextsMax = 1 << 16;

    private const int TextsReserve = 1 << 12; // What a group of sane records may add.
    private const int TextBytesMax = 4 << 20;
    private const int GroupSize = 32;
    private const int PrefetchBytes = 1024; // Twelve records ahead: the processor's own prefetch stops at the end of each page.
    private const byte RecordTag = (byte)((RecordsField << 3) | (uint)WireType.Bytes);
    private const byte TagsTag = (1 << 3) | (byte)WireType.Bytes;
    private const int TimeField = 2;
    private const int FlowsField = 3;
    private const int PacketsField = 4;
    private const int BytesField = 5;
    private const int SamplingField = 13;
    private const int TagsOffset = StreamSchema.HashBytes + StreamSchema.TimeBytes;

    private readonly ProtoFieldTable _tagFields = new();
    private readonly ProtoFieldTable _recordFields = new();
    private readonly RowFinisher _finisher;
    private readonly RecordHash _hash;
    private readonly TagCache _cache;
    private readonly CacheGate _gate = new();
    private readonly VarintRun _run = new();
    private readonly StringDictionary _texts = new(TextsMax);
    private readonly int[] _stringOffsets;
    private readonly int _rowBytes;
    private readonly int _tagWordCount;
    private readonly int _meterCount;
    private readonly int _flowsOffset;
    private readonly int _packetsOffset;
    private readonly int _bytesOffset;
    private readonly UsualCopy _copy = new();
    private readonly ShapedTags? _shapedTags; // As _usualTags, or where the processor has not what it takes.
    private readonly ShapedMeters? _shapedMeters; // Null where _isRunUsable is false, too.
    private readonly UsualTags? _usualTags; // Null where a user's field has the number of one of ours.
    private readonly bool _isRunUsable;
    private readonly bool _isImageOneVector;
    private int _forgetCount;

    /// <summary>Makes a decoder for a schema.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="cacheBytes">Memory for decoded tags; less where the budget is small.</param>
    /// <param name="budget">Charged with the decoded tags; null for none.</param>
    public WeirProtoDecoder(StreamSchema schema, int cacheBytes = CacheBytesDefault, MemoryBudget? budget = null)
    {
        var targets = new FieldTargets(schema);
        _finisher = new RowFinisher(targets);
        _hash = new RecordHash(schema);
        _stringOffsets = _hash.StringOffsets.ToArray();
        _rowBytes = schema.RecordBytes;
        _tagWordCount = (schema.KeyBytes - StreamSchema.TimeBytes) / sizeof(ulong);
        var share = Math.Max((budget?.LimitBytes ?? long.MaxValue) / BudgetShare, CacheBytesMin);
        _cache = new TagCache(_tagWordCount * sizeof(ulong), (int)Math.Min(cacheBytes, share), budget);
        _meterCount = schema.Meters.Length;
        _flowsOffset = targets.Meter(StandardSchema.Flows);
        _packetsOffset = targets.Meter(StandardSchema.Packets);
        _bytesOffset = targets.Meter(StandardSchema.Bytes);
        _isRunUsable = VarintRun.IsSupported;
        _usualTags = UsualFields.IsSupported ? new UsualTags(targets) : null;
        _shapedTags = ShapedTags.IsSupported(schema) ? new ShapedTags(targets, _hash) : null;
        _shapedMeters = ShapedMeters.IsSupported(schema)
            ? new ShapedMeters(schema, TimeField, SamplingField, FlowsField, _flowsOffset)
            : null;
        AddTagFields(targets);
        AddRecordFields(targets);
        _isImageOneVector = _tagWordCount <= Vector512<ulong>.Count && _rowBytes - TagsOffset >= Vector512<byte>.Count;
        foreach (var (source, isTag, action) in targets.UserDefined())
        {
            if (source.ProtobufField != 0)
            {
                _isRunUsable &= source.ProtobufField >= VarintRun.FieldCount;
                _shapedMeters = _isRunUsable ? _shapedMeters : null;
                _recordFields.Add((uint)source.ProtobufField, action);
                if (isTag)
                {
                    _usualTags = source.ProtobufField > UsualTags.FieldMax ? _usualTags : null;
                    _shapedTags = source.ProtobufField > UsualTags.FieldMax ? _shapedTags : null;
                    _tagFields.Add((uint)source.ProtobufField, action);
                }
            }
        }
    }

    /// <summary>Times that what the decoder keeps was forgotten for want of room.</summary>
    internal int CacheClearCount => _cache.ClearCount;

    /// <inheritdoc/>
    public override void Decode(ReadOnlySpan<byte> payload, RecordSink sink)
    {
        if (payload.IsEmpty)
        {
            sink.Reject(DecodeStatus.Empty, payload);
            return;
        }

        fixed (byte* start = payload)
        {
            var rows = new RowBlock(sink, _rowBytes, isHashed: true);
            var recordCount = DecodeBatch(start, start + payload.Length, sink.Strings, ref rows);
            rows.End();
            if (recordCount == 0)
            {
                sink.Reject(DecodeStatus.Malformed, payload); // Something, but no record: not a batch of ours.
            }
        }

        GC.KeepAlive(_cache); // Its memory is used by address.
    }

    /// <summary>Decodes all records, in groups.</summary>
    /// <returns>How many records and rejects there were.</returns>
    [SkipLocalsInit]
    private int DecodeBatch(byte* start, byte* end, StringDictionary strings, ref RowBlock rows)
    {
        var frames = stackalloc Frame[GroupSize];
        var recordCount = 0;
        var frameCount = 0;
        for (var position = start; position < end;)
        {
            var from = position;
            var record = position + 2;
            if (end - position > 2 && *position == RecordTag && position[1] < 0x80 && position[1] <= end - record)
            {
                position = record + position[1];
            }
            else if (NextField(ref position, end, out record) is { } status)
            {
                if (status == DecodeStatus.Ok)
                {
                    continue; // A field of a later release.
                }

                DecodeGroup(frames, frameCount, end, strings, ref rows);
                rows.Reject(status, new ReadOnlySpan<byte>(from, (int)(end - from)));
                return recordCount + 1;
            }

            if (++recordCount > RecordsPerMessageMax)
            {
                DecodeGroup(frames, frameCount, end, strings, ref rows);
                rows.Reject(DecodeStatus.LengthOverLimit, new ReadOnlySpan<byte>(from, (int)(end - from)));
                return recordCount;
            }

            Look(ref frames[frameCount], record, position);
            if (++frameCount == GroupSize)
            {
                DecodeGroup(frames, frameCount, end, strings, ref rows);
                frameCount = 0;
            }
        }

        DecodeGroup(frames, frameCount, end, strings, ref rows);
        return recordCount;
    }

    /// <summary>Reads a field of the batch that is not a record of up to 127 bytes.</summary>
    /// <returns>Null for a record; Ok for another field, passed; else why it cannot be read.</returns>
    private static DecodeStatus? NextField(ref byte* position, byte* end, out byte* record)
    {
        record = position;
        var cursor = new ProtoCursor(position, end);
        var status = cursor.ReadTag(out var field, out var wireType);
        if (status == DecodeStatus.Ok && field == RecordsField && wireType == WireType.Bytes)
        {
            status = cursor.ReadBytes(out var bytes);
            record = cursor.Position - bytes.Length;
            position = cursor.Position;
            return status == DecodeStatus.Ok ? null : status;
        }

        status = status == DecodeStatus.Ok ? cursor.Skip(field, wireType) : status;
        position = cursor.Position;
        return status;
    }

    /// <summary>Finds the tags of a record, and asks for what is known of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Look(ref Frame frame, byte* record, byte* end)
    {
        frame.Record = record;
        frame.End = end;
        frame.TagsLength = 0;
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(record + PrefetchBytes);
        }

        frame.Entry = null;
        if (end - record > 2 && *record == TagsTag && record[1] is > 0 and <= TagCache.TagBytesMax && record[1] <= end - record - 2)
        {
            frame.TagsLength = record[1];
            if (_gate.IsOpen)
            {
                frame.Hash = TagCache.HashOf(record + 2, frame.TagsLength);
                _cache.Prefetch(frame.Hash);
            }
        }
    }

    /// <summary>Decodes one record, whatever it is.</summary>
    /// <returns>False when it was rejected: then the rows that were written ahead are gone.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool DecodeRecord(ref Frame frame, byte* readableEnd, StringDictionary strings, ref RowBlock rows)
    {
        var row = rows.Row;
        var tagHash = 0UL;
        var status = DecodeStatus.Ok;
        var hasTags = frame.TagsLength > 0;
        if (!hasTags)
        {
            ClearTags(row);
        }
        else
        {
            status = TakeTags(ref frame, readableEnd, row, out tagHash);
        }

        var rest = frame.Rest;
        if (status == DecodeStatus.Ok && !(hasTags && TryReadMeters(rest, frame.End, readableEnd, row)))
        {
            status = ReadFields(rest, ref frame, row);
            tagHash = _hash.Of(row, _texts); // There may have been tags among the fields.
        }

        if (status != DecodeStatus.Ok)
        {
            rows.Reject(status, new ReadOnlySpan<byte>(frame.Record, (int)(frame.End - frame.Record)));
            return false;
        }

        *(ulong*)row = tagHash;
        Translate(row, strings);
        rows.Accept();
        return true;
    }

    private void ClearTags(byte* row) => new Span<ulong>(row + TagsOffset, _tagWordCount).Clear();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CopyTags(byte* entry, byte* row)
    {
        var image = TagCache.ImageOf(entry);
        var to = (ulong*)(row + TagsOffset);
        if (_isImageOneVector)
        {
            Vector512.Load(image).Store(to); // What is behind the tags comes into the meters, which are written after them.
            return;
        }

        for (var word = 0; word < _tagWordCount; word++)
        {
            to[word] = image[word];
        }
    }

    private DecodeStatus TakeTags(ref Frame frame, byte* readableEnd, byte* row, out ulong tagHash)
    {
        var tags = frame.Record + 2;
        var entry = _gate.IsOpen ? _cache.Find(frame.Hash) : null;
        if (entry != null && _cache.IsOf(entry, tags, frame.TagsLength, readableEnd))
        {
            CopyTags(entry, row);
            tagHash = TagCache.TagHashOf(entry);
            return DecodeStatus.Ok;
        }

        _gate.Miss();
        tagHash = 0;
        var status = ReadTags(tags, tags + frame.TagsLength, readableEnd, row);
        if (_texts.OverflowCount > 0)
        {
            Forget();
            status = ReadTags(tags, tags + frame.TagsLength, readableEnd, row);
        }

        if (status == DecodeStatus.Ok)
        {
            tagHash = _hash.Of(row, _texts);
            if (_gate.IsOpen)
            {
                _cache.Add(frame.Hash, tags, frame.TagsLength, row + TagsOffset, tagHash);
            }
        }

        return status;
    }

    /// <summary>Reads a message of tags: in the usual order as far as that goes, then in any.</summary>
    private DecodeStatus ReadTags(byte* start, byte* end, byte* readableEnd, byte* row)
    {
        ClearTags(row);
        if (_usualTags is not null && _copy.TryPlace(ref start, ref end, readableEnd))
        {
            var position = _usualTags.Take(start, end, row, _texts);
            if (position == end)
            {
                return DecodeStatus.Ok;
            }

            if (position == null)
            {
                ClearTags(row);
            }
            else
            {
                start = position;
            }
        }

        return Read(_tagFields, null, start, end, row, out _);
    }

    /// <summary>Reads the time and the meters where they are the usual run of varints.</summary>
    /// <returns>False where <see cref="ReadFields"/> has to judge.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryReadMeters(byte* start, byte* end, byte* readableEnd, byte* row) =>
        (_shapedMeters is not null && _shapedMeters.TryRead(start, end, readableEnd, row))
            || (_isRunUsable && TryReadRun(start, end, readableEnd, row));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryReadRun(byte* start, byte* end, byte* readableEnd, byte* row)
    {
        ClearMeters(row);
        if (_flowsOffset >= 0)
        {
            *(ulong*)(row + _flowsOffset) = 1;
        }

        if (!_run.TryRead(start, end, readableEnd, row) || _run.Value(TimeField) - 1 >= uint.MaxValue)
        {
            return false;
        }

        return _run.Value(SamplingField) <= 1 || TryScale(row);
    }

    private bool TryScale(byte* row)
    {
        var rate = _run.Value(SamplingField);
        if (rate == FlowState.SamplingAbsent
            || (Math.BigMul(_run.Value(PacketsField), rate, out var packets) | Math.BigMul(_run.Value(BytesField), rate, out var bytes)) != 0)
        {
            return false;
        }

        if (_packetsOffset >= 0)
        {
            *(ulong*)(row + _packetsOffset) = packets;
        }

        if (_bytesOffset >= 0)
        {
            *(ulong*)(row + _bytesOffset) = bytes;
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ClearMeters(byte* row)
    {
        var meters = (ulong*)(row + TagsOffset) + _tagWordCount;
        var left = _meterCount;
        for (; left >= Vector512<ulong>.Count; left -= Vector512<ulong>.Count)
        {
            Vector512<ulong>.Zero.Store(meters);
            meters += Vector512<ulong>.Count;
        }

        for (; left > 0; left--)
        {
            *meters++ = 0;
        }
    }

    /// <summary>Reads what is not the usual run, in any order. Where no tags were taken before, tags too.</summary>
    private DecodeStatus ReadFields(byte* from, ref Frame frame, byte* row)
    {
        var status = Read(_recordFields, _tagFields, from, frame.End, row, out var state);
        if (_texts.OverflowCount > 0)
        {
            Forget();
            ClearTags(row);
            status = Read(_recordFields, _tagFields, frame.Record, frame.End, row, out state);
        }

        if (status == DecodeStatus.Ok)
        {
            if (state.SamplingRate == 0)
            {
                state.SamplingRate = 1; // Of our own format 0 says the same as nothing: not sampled.
            }

            status = _finisher.Finish(state, row, state.DurationMs, out _);
        }

        return status;
    }

    /// <summary>Reads fields over tags that are in the row already, and meters that are not.</summary>
    private DecodeStatus Read(ProtoFieldTable fields, ProtoFieldTable? nested, byte* from, byte* end, byte* row, out FlowState state)
    {
        Unsafe.SkipInit(out state);
        state.Reset();
        ClearMeters(row);
        var cursor = new ProtoCursor(from, end);
        return fields.Read(ref cursor, nested, ref state, row, _texts);
    }

    /// <summary>Begins anew with texts and tags: there may not be room for those of another record.</summary>
    private void Forget()
    {
        _forgetCount++;
        _texts.Clear();
        _cache.Clear();
        _shapedTags?.Forget();
    }
}
