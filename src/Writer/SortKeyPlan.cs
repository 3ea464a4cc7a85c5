using System.Buffers.Binary;
using Weir.Core.Hashing;
using Weir.Core.Model;

namespace Weir.Writer;

/// <summary>How the sort key of a view's rows is composed of 64-bit words that compare as ClickHouse compares its columns.</summary>
/// <remarks>
/// Word 0 is left to the builder (the group of days that a row belongs to). Then come the tags of <c>OrderBy</c>, each in its
/// turn: an address is two words, big endian; smaller numbers share a word as long as they fit; texts stand as their rank.
/// Time is last. After the words stands the address of the row. Immutable; any thread.
/// </remarks>
internal sealed unsafe class SortKeyPlan
{
    /// <summary>Rows whose parts are composed one part after another: 128 rows of 136 B stay in the first-level cache.</summary>
    private const int TileRows = 128;

    private const int WordBits = 64;
    private const int TimeBits = 32;
    private readonly SortKeyPart[] _textParts;
    private readonly ulong[] _seriesMasks; // Of the words from 1 on: the bits that are neither time nor ranks.

    internal SortKeyPlan(ViewPlan view)
    {
        var parts = new List<SortKeyPart>();
        var texts = new List<int>();
        var word = 0; // The builder's; full, so the first tag begins the next one.
        var bitsLeft = 0;
        foreach (var name in view.Definition.OrderBy)
        {
            var slot = view.Tags.First(tag => tag.Tag.Name == name);
            if (slot.Tag.Type == TagType.Address)
            {
                parts.Add(new SortKeyPart(slot.Tag.Type, slot.OffsetBytes, word + 1, 0, -1));
                word += 2;
                bitsLeft = 0;
                continue;
            }

            Place(8 * slot.Tag.Type.WidthBytes(), ref word, ref bitsLeft);
            var isText = slot.Tag.Type == TagType.String;
            parts.Add(new SortKeyPart(slot.Tag.Type, slot.OffsetBytes, word, bitsLeft, isText ? texts.Count : -1));
            if (isText)
            {
                texts.Add(view.Tags.IndexOf(slot));
            }
        }

        Place(TimeBits, ref word, ref bitsLeft);
        parts.Add(new SortKeyPart(TagType.U32, 0, word, bitsLeft, -1)); // The low half of the time, which is all of it.
        Parts = [.. parts];
        Texts = [.. texts];
        Words = word + 1;
        _seriesMasks = new ulong[word];
        Array.Fill(_seriesMasks, ulong.MaxValue);
        _textParts = [.. parts.Where(part => part.Text >= 0)];
        foreach (var part in _textParts.Append(parts[^1]))
        {
            _seriesMasks[part.Word - 1] &= ~((ulong)uint.MaxValue << part.Shift); // A rank and the time have 32 bits.
        }
    }

    /// <summary>Words of a key, the builder's among them.</summary>
    internal int Words { get; }

    /// <summary>Words from one key to the next: the address of the row is the last.</summary>
    internal int Stride => Words + 1;

    /// <summary>The values of a row in the order in which they compare; the time is the last.</summary>
    internal SortKeyPart[] Parts { get; }

    /// <summary>The string tags among them, as indexes in the view's column order.</summary>
    internal int[] Texts { get; }

    /// <summary>Composes the keys of rows that lie one after another, with word 0 left at 0.</summary>
    /// <returns>Earliest and latest time among them; above 32 bits when a row's time does not fit.</returns>
    internal (ulong TimeMin, ulong TimeMax) Compose(byte* rows, int rowBytes, int rowCount, ulong* keys, ReadOnlySpan<uint> ranks)
    {
        var (timeMin, timeMax) = (ulong.MaxValue, 0UL);
        for (var from = 0; from < rowCount; from += TileRows)
        {
            var count = Math.Min(TileRows, rowCount - from);
            var tile = rows + ((nint)from * rowBytes);
            var tileKeys = keys + ((nint)from * Stride);
            new Span<ulong>(tileKeys, count * Stride).Clear();
            for (var index = 0; index < count; index++)
            {
                var row = tile + ((nint)index * rowBytes);
                var time = *(ulong*)row;
                timeMin = Math.Min(timeMin, time);
                timeMax = Math.Max(timeMax, time);
                tileKeys[((nint)index * Stride) + Words] = (ulong)row;
            }

            foreach (var part in Parts)
            {
                ComposePart(part, tile + part.OffsetBytes, rowBytes, count, tileKeys + part.Word, ranks);
            }
        }

        return (timeMin, timeMax);
    }

    /// <summary>The hash of the tags of a composed key, the same for every cut and machine: ranks are those of one cut, so texts count.</summary>
    internal ulong SeriesHash(ulong* key, TextRanks texts)
    {
        var hash = TagHash.OfWords(key + 1, _seriesMasks);
        foreach (var text in _textParts)
        {
            hash = TagHash.Combine(hash, texts.HashOf((uint)(key[text.Word] >> text.Shift)));
        }

        return hash;
    }

    private void ComposePart(SortKeyPart part, byte* value, int rowBytes, int count, ulong* key, ReadOnlySpan<uint> ranks)
    {
        var stride = Stride;
        var shift = part.Shift;
        switch (part.Type)
        {
            case TagType.Address:
                for (; count > 0; count--, value += rowBytes, key += stride)
                {
                    key[0] = BinaryPrimitives.ReverseEndianness(*(ulong*)value);
                    key[1] = BinaryPrimitives.ReverseEndianness(*(ulong*)(value + 8));
                }

                break;
            case TagType.String:
                for (; count > 0; count--, value += rowBytes, key += stride)
                {
                    *key |= (ulong)ranks[(int)*(uint*)value] << shift;
                }

                break;
            case TagType.U64:
                for (; count > 0; count--, value += rowBytes, key += stride)
                {
                    *key = *(ulong*)value;
                }

                break;
            case TagType.U32:
                for (; count > 0; count--, value += rowBytes, key += stride)
                {
                    *key |= (ulong)*(uint*)value << shift;
                }

                break;
            case TagType.U16:
                for (; count > 0; count--, value += rowBytes, key += stride)
                {
                    *key |= (ulong)*(ushort*)value << shift;
                }

                break;
            default:
                for (; count > 0; count--, value += rowBytes, key += stride)
                {
                    *key |= (ulong)*value << shift;
                }

                break;
        }
    }

    /// <summary>Takes <paramref name="bits"/> of the present word, or of a new one when they don't fit.</summary>
    private static void Place(int bits, ref int word, ref int bitsLeft)
    {
        if (bits > bitsLeft)
        {
            word++;
            bitsLeft = WordBits;
        }

        bitsLeft -= bits;
    }
}

/// <summary>One value of a row on its way into a key.</summary>
/// <param name="Type">What it is.</param>
/// <param name="OffsetBytes">Where it lies in the row.</param>
/// <param name="Word">Word of the key; of an address the first of two.</param>
/// <param name="Shift">Bits below it in that word.</param>
/// <param name="Text">Index in <see cref="SortKeyPlan.Texts"/>; −1 for a number or an address.</param>
internal readonly record struct SortKeyPart(TagType Type, int OffsetBytes, int Word, int Shift, int Text);
