using System.Runtime.CompilerServices;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>Flow records as JSON objects, one on each line. The keys and what the times mean are the subclasses' own.</summary>
/// <remarks>
/// Thread of the ingest worker. A line feed always ends a record, so a line that was cut off cannot take the next one with it. Of a
/// key that comes twice the last value counts; <c>null</c> and the empty text mean absent; unknown keys may hold anything.
/// </remarks>
internal abstract unsafe class JsonFlowDecoder : FlowDecoder
{
    private const int PatternCount = 64; // Fields of a record that are found by their place; those behind are looked up.

    private readonly JsonKeyPattern[] _patterns = new JsonKeyPattern[PatternCount];
    private readonly JsonKeyTable _keys = new();
    private readonly JsonQuick _quick = new();
    private readonly RowFinisher _finisher;
    private readonly int _rowBytes;
    private readonly ulong _samplingRateDefault;

    // Texts with escapes are written out here; pinned, because tokens point into it.
    private readonly byte[] _scratch = GC.AllocateArray<byte>(StringDictionary.TextBytesMax, pinned: true);

    /// <summary>Makes a decoder for a schema.</summary>
    /// <param name="targets">Where tags and meters lie.</param>
    /// <param name="keys">The keys of the format.</param>
    /// <param name="isSamplingUnknownWhenAbsent">True where the format means the same by no sampling rate and by one of 0.</param>
    private protected JsonFlowDecoder(
        FieldTargets targets, IEnumerable<(string Key, FieldAction Action)> keys, bool isSamplingUnknownWhenAbsent = false)
    {
        _samplingRateDefault = isSamplingUnknownWhenAbsent ? 0 : FlowState.SamplingAbsent;
        _rowBytes = targets.Schema.RecordBytes;
        _finisher = new RowFinisher(targets);
        foreach (var (key, action) in keys)
        {
            _keys.Add(key, action);
        }

        foreach (var (source, _, action) in targets.UserDefined())
        {
            if (source.JsonKey is { } key)
            {
                _keys.Add(key, action);
            }
        }
    }

    /// <inheritdoc/>
    public sealed override void Decode(ReadOnlySpan<byte> payload, RecordSink sink)
    {
        var recordCount = 0;
        var rows = new RowBlock(sink, _rowBytes);
        fixed (byte* start = payload)
        {
            var end = start + payload.Length;
            for (var position = start; position < end;)
            {
                var left = new ReadOnlySpan<byte>(position, (int)(end - position));
                var lineLength = left.IndexOf((byte)'\n');
                var line = position;
                lineLength = lineLength < 0 ? left.Length : lineLength;
                position += lineLength + 1;
                var cursor = new JsonCursor(line, line + lineLength, end);
                if (cursor.IsAtEnd)
                {
                    continue; // A blank line.
                }

                if (++recordCount > RecordsPerMessageMax)
                {
                    rows.Reject(DecodeStatus.LengthOverLimit, left);
                    break;
                }

                DecodeLine(ref cursor, left[..lineLength], sink, ref rows);
            }
        }

        if (recordCount == 0)
        {
            rows.Reject(DecodeStatus.Empty, payload);
        }

        rows.End();
    }

    /// <summary>End − start of a record, ms; 0 when not known.</summary>
    private protected abstract ulong DurationOf(in FlowState state);

    private void DecodeLine(ref JsonCursor cursor, ReadOnlySpan<byte> line, RecordSink sink, ref RowBlock rows)
    {
        var row = rows.Row;
        rows.Clear();
        Unsafe.SkipInit(out FlowState state);
        state.Reset();
        state.SamplingRate = _samplingRateDefault;
        var status = ReadRecord(ref cursor, ref state, row, sink.Strings);
        if (status == DecodeStatus.Ok && (state.IsMarker || (state.IsUnknownEvent && !state.HasFlowField)))
        {
            sink.MarkerCount++;
            return;
        }

        var isSamplingUnknown = false;
        if (status == DecodeStatus.Ok)
        {
            status = _finisher.Finish(state, row, DurationOf(state), out isSamplingUnknown);
        }

        if (status != DecodeStatus.Ok)
        {
            rows.Reject(status, line);
            return;
        }

        sink.SamplingUnknownCount += isSamplingUnknown ? 1 : 0;
        rows.Accept();
    }

    private DecodeStatus ReadRecord(ref JsonCursor cursor, ref FlowState state, byte* row, StringDictionary strings)
    {
        if (!cursor.TryTake((byte)'{'))
        {
            return cursor.Missing;
        }

        for (var ordinal = 0; ; ordinal++)
        {
            // Agents write the same keys in the same order: the place of a field tells its key, if the bytes agree.
            ref var pattern = ref _patterns[ordinal & (PatternCount - 1)];
            int index;
            if (ordinal < PatternCount && cursor.TryTake(pattern))
            {
                index = pattern.Action;
            }
            else
            {
                var from = cursor.Position;
                if (cursor.TryTake((byte)'}'))
                {
                    break;
                }

                if (ordinal > 0 && !cursor.TryTake((byte)','))
                {
                    return cursor.Missing;
                }

                var keyStatus = ReadKey(ref cursor, out index);
                if (keyStatus != DecodeStatus.Ok)
                {
                    return keyStatus;
                }

                if (ordinal < PatternCount)
                {
                    pattern = JsonKeyPattern.Of(from, cursor.Position, index);
                }
            }

            var status = ReadField(ref cursor, index, ref state, row, strings);
            if (status != DecodeStatus.Ok)
            {
                return status;
            }
        }

        return cursor.IsAtEnd ? DecodeStatus.Ok : DecodeStatus.Malformed;
    }

    /// <summary>Reads a key, its colon, and the blanks before the value.</summary>
    private DecodeStatus ReadKey(ref JsonCursor cursor, out int index)
    {
        index = -1;
        var status = cursor.ReadText(out var key);
        if (status != DecodeStatus.Ok)
        {
            return status;
        }

        index = FindKey(ref cursor, key);
        if (!cursor.TryTake((byte)':'))
        {
            return cursor.Missing;
        }

        cursor.SkipBlanks();
        return DecodeStatus.Ok;
    }

    private DecodeStatus ReadField(ref JsonCursor cursor, int index, ref FlowState state, byte* row, StringDictionary strings)
    {
        if (index >= 0 && _quick.TryTake(ref cursor, _keys.Action(index), ref state, row, strings))
        {
            return DecodeStatus.Ok;
        }

        var status = cursor.ReadValue(out var value);
        if (index < 0 || status != DecodeStatus.Ok)
        {
            return status;
        }

        if (value.IsEscaped)
        {
            status = Unescape(ref value);
            if (status != DecodeStatus.Ok)
            {
                return status;
            }
        }

        do
        {
            ref readonly var action = ref _keys.Action(index);
            status = JsonFieldReader.Apply(action, value, ref state, row, strings);
            index = action.Next;
        }
        while (index >= 0 && status == DecodeStatus.Ok);

        return status;
    }

    private int FindKey(ref JsonCursor cursor, JsonToken key)
    {
        // A key that needs more room than the scratch has, or is no text at all, is none of ours.
        if (key.IsEscaped)
        {
            return Unescape(ref key) == DecodeStatus.Ok ? _keys.Find(key.Start, key.Length, key.Start + key.Length) : -1;
        }

        return _keys.Find(key.Start, key.Length, cursor.ReadableEnd);
    }

    /// <summary>Replaces the token's bytes by the text that they stand for.</summary>
    private DecodeStatus Unescape(ref JsonToken token)
    {
        var from = token.Span;
        var to = _scratch.AsSpan();
        var length = 0;
        for (var position = 0; position < from.Length;)
        {
            if (length + 4 > to.Length)
            {
                return DecodeStatus.LengthOverLimit; // Room for one more letter is kept, so the limit is 4 bytes lower here.
            }

            var letter = from[position++];
            if (letter != '\\')
            {
                to[length++] = letter;
                continue;
            }

            letter = from[position++]; // The cursor has seen that something follows.
            if (letter != 'u')
            {
                to[length++] = letter switch
                {
                    (byte)'b' => (byte)'\b',
                    (byte)'f' => (byte)'\f',
                    (byte)'n' => (byte)'\n',
                    (byte)'r' => (byte)'\r',
                    (byte)'t' => (byte)'\t',
                    _ => letter,
                };
                continue;
            }

            var status = ReadRune(from, ref position, out var rune);
            if (status != DecodeStatus.Ok)
            {
                return status;
            }

            length += rune.EncodeToUtf8(to[length..]);
        }

        token.Start = (byte*)Unsafe.AsPointer(ref _scratch[0]);
        token.Length = length;
        token.IsEscaped = false;
        return DecodeStatus.Ok;
    }

    private static DecodeStatus ReadRune(ReadOnlySpan<byte> from, ref int position, out System.Text.Rune rune)
    {
        rune = default;
        if (!TryReadUnit(from, ref position, out var unit))
        {
            return DecodeStatus.Malformed;
        }

        if (!char.IsSurrogate(unit))
        {
            rune = new System.Text.Rune(unit);
            return DecodeStatus.Ok;
        }

        if (position + 1 >= from.Length || from[position] != '\\' || from[position + 1] != 'u')
        {
            return DecodeStatus.InvalidUtf8;
        }

        position += 2;
        if (!TryReadUnit(from, ref position, out var low))
        {
            return DecodeStatus.Malformed;
        }

        return System.Text.Rune.TryCreate(unit, low, out rune) ? DecodeStatus.Ok : DecodeStatus.InvalidUtf8;
    }

    private static bool TryReadUnit(ReadOnlySpan<byte> from, ref int position, out char unit)
    {
        var value = 0;
        for (var index = 0; index < 4; index++)
        {
            var digit = position < from.Length ? AddressText.HexDigit(from[position++]) : -1;
            if (digit < 0)
            {
                unit = default;
                return false;
            }

            value = (value << 4) | digit;
        }

        unit = (char)value;
        return true;
    }
}
