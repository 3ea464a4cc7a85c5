using System.Runtime.CompilerServices;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <content>A group of records, step by step.</content>
/// <remarks>
/// Each step goes over all records of the group before the next one begins: so the processor works on several records at a time where a
/// step waits for memory or for a long chain of instructions. Rows are written ahead for all of the group, and are complete but for the
/// ids of texts, which are given in the order of the records at the end. A record that is not as usual is decoded whole when its turn comes there.
/// </remarks>
internal sealed unsafe partial class WeirProtoDecoder
{
    private void DecodeGroup(Frame* frames, int count, byte* readableEnd, StringDictionary strings, ref RowBlock rows)
    {
        if (_texts.Count > TextsMax - TextsReserve || _texts.TextBytes > TextBytesMax)
        {
            Forget();
        }

        for (var index = 0; index < count && _gate.IsOpen; index++)
        {
            ref var frame = ref frames[index];
            frame.Entry = frame.TagsLength > 0 ? _cache.Find(frame.Hash) : null;
        }

        var clearCount = _cache.ClearCount;
        for (int from = 0, part; from < count; from += part)
        {
            part = Math.Min(count - from, rows.Left);
            ReadTagsAhead(frames + from, part, clearCount, readableEnd, rows.Row);
            ReadMetersAhead(frames + from, part, readableEnd, rows.Row);
            Finish(frames + from, part, readableEnd, strings, ref rows);
        }

        _gate.Pass(count);
    }

    /// <summary>The tags and their hash, of all records whose tags are known or as usual.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReadTagsAhead(Frame* frames, int count, int clearCount, byte* readableEnd, byte* row)
    {
        for (var index = 0; index < count; index++, row += _rowBytes)
        {
            ref var frame = ref frames[index];
            frame.IsDecoded = false;
            if (frame.TagsLength == 0)
            {
                continue;
            }

            var entry = _cache.ClearCount == clearCount ? frame.Entry : null; // Else forgotten since it was found.
            if (entry != null && _cache.IsOf(entry, frame.Record + 2, frame.TagsLength, readableEnd))
            {
                CopyTags(entry, row);
                frame.TagHash = TagCache.TagHashOf(entry);
                frame.IsDecoded = true;
            }
            else if (_shapedTags is not null)
            {
                frame.IsDecoded = TryTakeShaped(_shapedTags, ref frame, readableEnd, row);
            }
        }
    }

    private bool TryTakeShaped(ShapedTags shapedTags, ref Frame frame, byte* readableEnd, byte* row)
    {
        var tags = frame.Record + 2;
        if (!shapedTags.TryTake(tags, tags + frame.TagsLength, readableEnd, row, _texts, out frame.TagHash))
        {
            return false;
        }

        if (_gate.IsOpen)
        {
            // Perhaps the record before had the same tags, which are kept since.
            var entry = _cache.Find(frame.Hash);
            if (entry == null || !_cache.IsOf(entry, tags, frame.TagsLength, readableEnd))
            {
                _gate.Miss();
                _cache.Add(frame.Hash, tags, frame.TagsLength, row + TagsOffset, frame.TagHash);
            }
        }

        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReadMetersAhead(Frame* frames, int count, byte* readableEnd, byte* row)
    {
        for (var index = 0; index < count; index++, row += _rowBytes)
        {
            ref var frame = ref frames[index];
            frame.IsDecoded = frame.IsDecoded && TryReadMeters(frame.Record + 2 + frame.TagsLength, frame.End, readableEnd, row);
        }
    }

    /// <summary>Hands the rows over, in order. After a reject, or when texts have been forgotten, what is ahead is worth nothing.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Finish(Frame* frames, int count, byte* readableEnd, StringDictionary strings, ref RowBlock rows)
    {
        var row = rows.Row;
        var done = 0;
        for (; done < count && frames[done].IsDecoded; done++, row += _rowBytes)
        {
            *(ulong*)row = frames[done].TagHash; // Not before: values that go nowhere go there.
            Translate(row, strings);
        }

        if (done > 0)
        {
            rows.Accept(done);
        }

        var isAhead = true;
        for (; done < count; done++)
        {
            if (isAhead && frames[done].IsDecoded)
            {
                *(ulong*)rows.Row = frames[done].TagHash;
                Translate(rows.Row, strings);
                rows.Accept();
                continue;
            }

            var forgetCount = _forgetCount;
            isAhead &= DecodeRecord(ref frames[done], readableEnd, strings, ref rows) && _forgetCount == forgetCount;
        }
    }

    /// <summary>Puts the ids that texts have in the cut in the place of the decoder's own.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Translate(byte* row, StringDictionary strings)
    {
        var hasOverflow = false;
        foreach (var offset in _stringOffsets)
        {
            var text = *(uint*)(row + offset);
            var id = strings.Translate(_texts, text);
            *(uint*)(row + offset) = id;
            hasOverflow |= id == StringDictionary.OverflowId && text != id;
        }

        if (hasOverflow)
        {
            *(ulong*)row = _hash.Of(row, strings); // Another tag set than the bytes say: too many texts in this cut.
        }
    }
}
