using System.Globalization;

namespace Weir.Core.Model;

/// <summary>What became of the records of one cut. All counts are in records.</summary>
/// <param name="ReadCount">Records read, those that did not decode among them. A message that cannot be opened counts as one.</param>
/// <param name="FoldedCount">Records that are in the sums.</param>
/// <param name="RejectedCount">Records that did not decode.</param>
/// <param name="LateCount">Records too old, or too far in the future, to place.</param>
/// <param name="DroppedCount">Records refused on arrival at a full queue.</param>
/// <param name="OverwrittenCount">Records pushed out of a full queue by newer ones.</param>
public readonly record struct BlockAccount(
    long ReadCount, long FoldedCount, long RejectedCount, long LateCount, long DroppedCount, long OverwrittenCount)
{
    /// <summary>Read − (folded + each named loss); 0 in an account that closes.</summary>
    public long Difference => ReadCount - FoldedCount - RejectedCount - LateCount - DroppedCount - OverwrittenCount;

    /// <summary>True when every record read is folded or in a named loss.</summary>
    public bool Closes => Difference == 0;

    /// <summary>The account as a sum that a person can check.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"read {ReadCount} = folded {FoldedCount} + rejected {RejectedCount} + late {LateCount} + dropped {DroppedCount} + overwritten {OverwrittenCount}");

    /// <summary>Adds two accounts, line by line.</summary>
    public static BlockAccount operator +(BlockAccount left, BlockAccount right) => Add(left, right);

    /// <inheritdoc cref="op_Addition"/>
    public static BlockAccount Add(BlockAccount left, BlockAccount right) => new(
        left.ReadCount + right.ReadCount,
        left.FoldedCount + right.FoldedCount,
        left.RejectedCount + right.RejectedCount,
        left.LateCount + right.LateCount,
        left.DroppedCount + right.DroppedCount,
        left.OverwrittenCount + right.OverwrittenCount);

    /// <summary>Stops the program when the account does not add up: a sum that nobody can explain must not be stored.</summary>
    /// <exception cref="InvalidOperationException">The account does not close.</exception>
    public void ThrowIfOpen(PartitionKey partition, long fromOffset, long toOffset)
    {
        if (!Closes)
        {
            throw new InvalidOperationException(
                $"The account of {partition} offsets {fromOffset} to {toOffset} does not close by {Difference} records: {this}.");
        }
    }
}
