using Weir.Core.Model;

namespace Weir.Writer;

/// <summary>All rows of one view made from one cut, or one part of them, encoded: the unit of insert.</summary>
/// <remarks>Immutable; any thread, until the <see cref="BuiltCut"/> that it belongs to is disposed.</remarks>
public sealed class Block
{
    internal Block(
        BlockName name,
        ViewPlan view,
        IReadOnlyList<string> columns,
        int rowCount,
        BlockSums sums,
        long rawBytes,
        bool isFramed,
        int startBytes,
        BlockBytes bytes,
        int shard = 0)
    {
        Shard = shard;
        Name = name;
        View = view;
        Columns = columns;
        RowCount = rowCount;
        Sums = sums;
        RawBytes = rawBytes;
        IsFramed = isFramed;
        StartBytes = startBytes;
        Pieces = bytes.Pieces;
        EncodedBytes = bytes.Length;
    }

    /// <summary>The name: equal names mean equal bytes before compression.</summary>
    public BlockName Name { get; }

    /// <summary>The shard of servers that it goes to: a function of its rows' tags.</summary>
    public int Shard { get; }

    /// <summary>The view, whose name is the table's.</summary>
    public ViewPlan View { get; }

    /// <summary>Column names in the order of the block, for the INSERT statement.</summary>
    public IReadOnlyList<string> Columns { get; }

    /// <summary>Number of rows.</summary>
    public int RowCount { get; }

    /// <summary>What the rows add up to.</summary>
    public BlockSums Sums { get; }

    /// <summary>Sum of the meter <c>records</c> over the rows.</summary>
    public ulong RecordsSum => Sums.Records;

    /// <summary>Bytes of the Native block.</summary>
    public long RawBytes { get; }

    /// <summary>Bytes of all <see cref="Pieces"/>.</summary>
    public long EncodedBytes { get; }

    /// <summary>True when the pieces are ClickHouse frames (<c>decompress=1</c>), false when they are the bare Native block.</summary>
    public bool IsFramed { get; }

    /// <summary>
    /// Bytes at the beginning that hold the numbers of columns and rows and nothing else (a frame of their own where the block is
    /// framed), so that a sink can add a column without touching the others.
    /// </summary>
    internal int StartBytes { get; }

    /// <summary>The bytes to send, in order.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Pieces { get; }
}

/// <summary>Bytes that lie in several pieces.</summary>
/// <param name="Pieces">The pieces in order; none is empty.</param>
/// <param name="Length">Bytes of all of them.</param>
internal readonly record struct BlockBytes(IReadOnlyList<ReadOnlyMemory<byte>> Pieces, long Length);
