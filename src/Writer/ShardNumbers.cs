using System.Numerics;
using Weir.Core.Hashing;

namespace Weir.Writer;

/// <summary>Which shard of servers the series of each row lives on.</summary>
/// <remarks>One thread, one object for each view.</remarks>
internal sealed unsafe class ShardNumbers(SortKeyPlan plan, int shardCount)
{
    private readonly ulong[] _keys = GC.AllocateUninitializedArray<ulong>(RowPrefixes.TileRows * plan.Stride, pinned: true);

    /// <summary>Bits of the highest number.</summary>
    internal int Bits { get; } = BitOperations.Log2((uint)shardCount - 1) + 1;

    /// <summary>Writes the numbers of at most <see cref="RowPrefixes.TileRows"/> rows that lie one after another.</summary>
    internal void Write(byte* rows, int rowBytes, int rowCount, ulong* numbers, TextRanks texts)
    {
        fixed (ulong* keys = _keys)
        {
            _ = plan.Compose(rows, rowBytes, rowCount, keys, texts.RanksById);
            for (var row = 0; row < rowCount; row++)
            {
                numbers[row] = (ulong)JumpHash.BucketOf(plan.SeriesHash(keys + ((nint)row * plan.Stride), texts), shardCount);
            }
        }
    }
}
