using System.Runtime.CompilerServices;
using Weir.Core.Hashing;
using Weir.Core.Model;

namespace Weir.Bench;

/// <summary>A long series of drawn records that is written into one chunk after another, as a decoder writes them.</summary>
/// <remarks>
/// Only the draws are kept, 4 bytes each: what the fold reads lies in the second-level cache, where a decoder leaves it, and the
/// reading of a stored stream is not measured with it (at 144 B a record it costs more than folding 10 k series does).
/// </remarks>
internal sealed unsafe class FoldRecords
{
    private const int Seed = 20_260_101;
    private const ulong Time = 1_760_000_000;
    private readonly StreamSchema _schema;
    private readonly int[] _draws;
    private int _next;

    /// <param name="schema">Layout of a record.</param>
    /// <param name="seriesCount">Series to draw from.</param>
    /// <param name="drawCount">Draws before they begin again; much more than a round, or the round's few series stay in the cache.</param>
    /// <param name="zipf">Exponent of the law; 0 for uniform draws.</param>
    internal FoldRecords(StreamSchema schema, int seriesCount, int drawCount, double zipf)
    {
        _schema = schema;
        _draws = zipf > 0 ? Zipf(seriesCount, drawCount, zipf) : Uniform(seriesCount, drawCount);
    }

    /// <summary>Goes on from a draw; the draws come round again.</summary>
    internal void Rewind(long draw) => _next = (int)(draw % _draws.Length);

    /// <summary>Fills a chunk with the next draws.</summary>
    internal void Fill(RecordChunk chunk)
    {
        chunk.RecordCount = 0;
        while (chunk.RecordCount < RecordChunk.RecordsMax)
        {
            Add(chunk, _draws[_next++]);
            _next = _next == _draws.Length ? 0 : _next;
        }
    }

    /// <summary>Adds a record of one series.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Add(RecordChunk chunk, int series)
    {
        var row = (ulong*)(chunk.Rows + ((nint)chunk.RecordCount++ * _schema.RecordBytes));
        var keyWords = _schema.KeyBytes / sizeof(ulong);
        row[1] = Time;
        for (var word = 2; word <= keyWords; word++)
        {
            row[word] = TagHash.Mix((ulong)series + 1, 0x9e3779b97f4a7c15 + (ulong)word);
        }

        row[0] = TagHash.OfWords(row + 2, keyWords - 1);
        for (var meter = 0; meter < _schema.Meters.Length; meter++)
        {
            row[keyWords + 1 + meter] = (ulong)meter + 1;
        }
    }

    private static int[] Uniform(int seriesCount, int drawCount)
    {
        var random = new Random(Seed);
        var draws = new int[drawCount];
        for (var index = 0; index < drawCount; index++)
        {
            draws[index] = random.Next(seriesCount);
        }

        return draws;
    }

    private static int[] Zipf(int seriesCount, int drawCount, double exponent)
    {
        var random = new Random(Seed);
        var cumulative = new double[seriesCount];
        var sum = 0.0;
        for (var rank = 0; rank < seriesCount; rank++)
        {
            cumulative[rank] = sum += Math.Pow(rank + 1, -exponent);
        }

        var seriesOfRank = Enumerable.Range(0, seriesCount).ToArray();
        random.Shuffle(seriesOfRank); // Frequent series must not lie side by side.
        var draws = new int[drawCount];
        for (var index = 0; index < drawCount; index++)
        {
            var rank = Array.BinarySearch(cumulative, random.NextDouble() * sum);
            draws[index] = seriesOfRank[Math.Min(rank < 0 ? ~rank : rank, seriesCount - 1)];
        }

        return draws;
    }
}
