using System.Runtime.CompilerServices;
using Weir.Core.Hashing;

namespace Weir.Core.Model;

/// <summary>
/// The hash of a record's tag set. The ids of strings differ from cut to cut, so their texts are hashed in their place: the same
/// tag set has the same hash on every machine.
/// </summary>
/// <remarks>Immutable; any thread.</remarks>
public sealed unsafe class RecordHash
{
    private readonly int[] _stringOffsets; // From the first byte of the row.
    private readonly ulong[] _maskedWords; // Tags as words; the bits of ids are 0.
    private readonly int _wordCount;

    /// <summary>Makes the hash of the records of a schema.</summary>
    public RecordHash(StreamSchema schema)
    {
        _stringOffsets = [.. schema.StringTagOffsets.Select(offset => StreamSchema.HashBytes + offset)];
        _wordCount = (schema.KeyBytes - StreamSchema.TimeBytes) / sizeof(ulong);
        _maskedWords = new ulong[_wordCount];
        Array.Fill(_maskedWords, ulong.MaxValue);
        foreach (var offset in schema.StringTagOffsets)
        {
            // An id of 4 bytes lies at a multiple of 4.
            var at = offset - StreamSchema.TimeBytes;
            _maskedWords[at / sizeof(ulong)] &= ~((ulong)uint.MaxValue << (at % sizeof(ulong) * 8));
        }
    }

    /// <summary>Offsets of the ids of string tags from the first byte of a row.</summary>
    public ReadOnlySpan<int> StringOffsets => _stringOffsets;

    /// <summary>The hash of the tags of a row.</summary>
    /// <param name="row">Its first byte, the place of the hash.</param>
    /// <param name="strings">The dictionary that gave the ids.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Of(byte* row, StringDictionary strings) => WithTexts(OfNumbers(row), row, strings);

    /// <summary>The first half of <see cref="Of"/>: the hash of the tags of a row that are no strings. The ids of those need not be there yet.</summary>
    /// <param name="row">Its first byte.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong OfNumbers(byte* row)
    {
        var words = (ulong*)(row + StreamSchema.HashBytes + StreamSchema.TimeBytes);
        return _stringOffsets.Length == 0 ? TagHash.OfWords(words, _wordCount) : TagHash.OfWords(words, _maskedWords.AsSpan(0, _wordCount));
    }

    /// <summary>The second half: takes the texts into the hash.</summary>
    /// <param name="hash">From <see cref="OfNumbers"/>.</param>
    /// <param name="row">The row, with the ids.</param>
    /// <param name="strings">The dictionary that gave them.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong WithTexts(ulong hash, byte* row, StringDictionary strings)
    {
        foreach (var offset in _stringOffsets)
        {
            hash = TagHash.Combine(hash, strings.HashOf(*(uint*)(row + offset)));
        }

        return hash;
    }
}
