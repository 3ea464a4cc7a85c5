using Weir.Core.Model;

namespace Weir.Writer;

/// <summary>The texts of one cut in ordinal order of their bytes: an order that does not depend on which was seen first.</summary>
/// <remarks>One thread.</remarks>
internal sealed class TextRanks : IComparer<int>
{
    private int[] _idsByRank = new int[64];
    private uint[] _ranksById = new uint[64];
    private StringDictionary _strings = null!;

    /// <summary>Number of texts.</summary>
    internal int Count { get; private set; }

    /// <summary>The rank of each id; the empty text has rank 0.</summary>
    internal ReadOnlySpan<uint> RanksById => _ranksById.AsSpan(0, Count);

    /// <summary>Orders the texts of <paramref name="strings"/>.</summary>
    internal void Load(StringDictionary strings)
    {
        _strings = strings;
        Count = strings.Count;
        if (Count > _idsByRank.Length)
        {
            _idsByRank = new int[Math.Max(Count, _idsByRank.Length * 2)];
            _ranksById = new uint[_idsByRank.Length];
        }

        for (var id = 0; id < Count; id++)
        {
            _idsByRank[id] = id;
        }

        Array.Sort(_idsByRank, 0, Count, this);
        for (var rank = 0; rank < Count; rank++)
        {
            _ranksById[_idsByRank[rank]] = (uint)rank;
        }
    }

    /// <summary>The id of a rank.</summary>
    internal int IdOf(int rank) => _idsByRank[rank];

    /// <summary>The text of a rank.</summary>
    internal ReadOnlySpan<byte> Utf8(int rank) => _strings.Utf8(_idsByRank[rank]);

    /// <summary>The hash of the text of a rank.</summary>
    internal ulong HashOf(uint rank) => _strings.HashOf((uint)_idsByRank[rank]);

    /// <summary>Compares the texts of two ids byte by byte, as ClickHouse does.</summary>
    public int Compare(int left, int right) => _strings.Utf8(left).SequenceCompareTo(_strings.Utf8(right));
}
