using Weir.Codecs.ClickHouse;
using Weir.Core.Model;

namespace Weir.Writer;

/// <summary>Turns sorted rows of one view into a Native block: columns <c>time</c>, the tags, the meters.</summary>
/// <remarks>
/// Rows are transposed in tiles: while one tile goes into all columns from the first-level cache, the next one is fetched.
/// Column by column costs nearly five times as much (facts/PERFORMANCE.md, 'Flush'). One thread.
/// </remarks>
internal sealed unsafe class ViewEncoder
{
    /// <summary>Rows of a tile: 64 of 136 B are 9 KB, and two tiles fit the cache beside the columns' lines.</summary>
    private const int TileRows = 64;

    private readonly NativeBlockWriter _writer;
    private readonly CellSource[] _sources;
    private readonly int _rowBytes;
    private readonly BlockSummer _sums;
    private readonly uint[][] _indexesByRank; // For each text column; 0 for texts that the block does not have.

    internal ViewEncoder(ViewPlan view, StreamSchema schema)
    {
        View = view;
        Keys = new SortKeyPlan(view);
        _rowBytes = view.KeyBytes + schema.MeterBytes;
        var columns = new List<NativeColumn> { new("time", NativeColumnType.DateTime) };
        var sources = new List<CellSource> { new(0, -1) };
        for (var tag = 0; tag < view.Tags.Length; tag++)
        {
            var slot = view.Tags[tag];
            var text = Array.FindIndex(Keys.Texts, field => field.Tag == tag);
            columns.Add(new NativeColumn(slot.Tag.Name, ColumnType(slot.Tag.Type)));
            sources.Add(new CellSource(slot.OffsetBytes, text));
        }

        foreach (var meter in view.Definition.Meters)
        {
            columns.Add(new NativeColumn(meter.Name, NativeColumnType.UInt64));
            sources.Add(new CellSource(view.KeyBytes + (sizeof(ulong) * schema.Meters.IndexOf(meter)), -1));
        }

        _sums = new BlockSummer(view, schema);
        _sources = [.. sources];
        _indexesByRank = [.. Keys.Texts.Select(_ => Array.Empty<uint>())];
        _writer = new NativeBlockWriter(columns);
        ColumnNames = [.. columns.Select(column => column.Name)];
    }

    /// <summary>The view.</summary>
    internal ViewPlan View { get; }

    /// <summary>How its rows are ordered.</summary>
    internal SortKeyPlan Keys { get; }

    /// <summary>Columns of the block.</summary>
    internal string[] ColumnNames { get; }

    /// <summary>Bytes of the last block before its first column.</summary>
    internal int StartBytes => _writer.StartBytes;

    /// <summary>Encodes the rows from <paramref name="from"/> on.</summary>
    /// <param name="rows">Rows of this view.</param>
    /// <param name="from">The first row of the block.</param>
    /// <param name="count">Rows of the block.</param>
    /// <param name="texts">The texts of the cut.</param>
    /// <param name="destination">Gets the block from its start on.</param>
    /// <returns>Bytes of the block, and what its rows add up to.</returns>
    internal (long RawBytes, BlockSums Sums) Encode(SortedRows rows, int from, int count, TextRanks texts, NativeBuffer destination)
    {
        // The keys of all string columns come first: only then the size of the block is known.
        for (var column = 0; column < _sources.Length; column++)
        {
            if (_sources[column].Text is >= 0 and var text)
            {
                CollectKeys(rows.Ranks(text) + from, count, texts, _writer.Keys(column), ref _indexesByRank[text]);
            }
        }

        var rawBytes = _writer.Measure(count);
        var block = destination.Reserve(rawBytes);
        _writer.WriteHeaders(block);
        for (var column = 0; column < _sources.Length; column++)
        {
            if (_sources[column].Text is >= 0 and var text)
            {
                WriteIndexes(
                    rows.Ranks(text) + from, count, _indexesByRank[text], _writer.Cells(block, column), _writer.CellBytes(column));
            }
        }

        Transpose(rows.Rows + from, count, block);
        return (rawBytes, _sums.Take());
    }

    /// <summary>Writes all columns but those of texts, and adds the rows up.</summary>
    /// <returns>The sum of <c>records</c>.</returns>
    internal ulong Transpose(byte** rows, int count, byte* block)
    {
        _sums.Clear();
        FetchTile(rows, Math.Min(TileRows, count));
        for (var from = 0; from < count; from += TileRows)
        {
            var tileRows = Math.Min(TileRows, count - from);
            FetchTile(rows + from + tileRows, Math.Min(TileRows, count - from - tileRows));
            for (var column = 0; column < _sources.Length; column++)
            {
                var source = _sources[column];
                if (source.Text < 0)
                {
                    var width = _writer.CellBytes(column);
                    CopyCells(rows + from, source.OffsetBytes, tileRows, _writer.Cells(block, column) + ((nint)from * width), width);
                }
            }

            _sums.Add(rows + from, tileRows);
        }

        return _sums.RecordsSum;
    }

    private static NativeColumnType ColumnType(TagType type) => type switch
    {
        TagType.U8 => NativeColumnType.UInt8,
        TagType.U16 => NativeColumnType.UInt16,
        TagType.U32 => NativeColumnType.UInt32,
        TagType.U64 => NativeColumnType.UInt64,
        TagType.Address => NativeColumnType.FixedString16,
        TagType.String => NativeColumnType.LowCardinalityString,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a tag type."),
    };

    private void FetchTile(byte** rows, int count)
    {
        for (var row = 0; row < count; row++)
        {
            Prefetch.Bytes(rows[row], _rowBytes);
        }
    }

    private static void CopyCells(byte** rows, int offset, int count, byte* cells, int width)
    {
        switch (width)
        {
            case 1:
                for (var row = 0; row < count; row++)
                {
                    cells[row] = rows[row][offset];
                }

                break;
            case 2:
                for (var row = 0; row < count; row++)
                {
                    ((ushort*)cells)[row] = *(ushort*)(rows[row] + offset);
                }

                break;
            case 4:
                for (var row = 0; row < count; row++)
                {
                    ((uint*)cells)[row] = *(uint*)(rows[row] + offset);
                }

                break;
            case 8:
                for (var row = 0; row < count; row++)
                {
                    ((ulong*)cells)[row] = *(ulong*)(rows[row] + offset);
                }

                break;
            default:
                for (var row = 0; row < count; row++)
                {
                    ((UInt128*)cells)[row] = *(UInt128*)(rows[row] + offset);
                }

                break;
        }
    }

    /// <summary>Makes the block's own dictionary: the texts of its rows, in ordinal order, so that equal rows make equal bytes.</summary>
    private static void CollectKeys(uint* ranks, int count, TextRanks texts, NativeKeys keys, ref uint[] indexByRank)
    {
        if (indexByRank.Length < texts.Count)
        {
            indexByRank = new uint[Math.Max(texts.Count, indexByRank.Length * 2)];
        }

        Array.Clear(indexByRank, 0, texts.Count);
        for (var row = 0; row < count; row++)
        {
            indexByRank[ranks[row]] = 1;
        }

        keys.Clear();
        indexByRank[0] = 0; // Rank 0 is the empty text, and so is key 0, whether a row has it or not.
        for (var rank = 1u; rank < texts.Count; rank++)
        {
            if (indexByRank[rank] != 0)
            {
                indexByRank[rank] = (uint)keys.Count;
                keys.Add(texts.Utf8(rank));
            }
        }
    }

    private static void WriteIndexes(uint* ranks, int count, uint[] indexByRank, byte* cells, int width)
    {
        fixed (uint* indexes = indexByRank)
        {
            for (var row = 0; row < count; row++)
            {
                var index = indexes[ranks[row]];
                switch (width)
                {
                    case 1:
                        cells[row] = (byte)index;
                        break;
                    case 2:
                        ((ushort*)cells)[row] = (ushort)index;
                        break;
                    default:
                        ((uint*)cells)[row] = index;
                        break;
                }
            }
        }
    }

    /// <summary>Where the cells of a column come from.</summary>
    /// <param name="OffsetBytes">Offset in a row.</param>
    /// <param name="Text">Index in <see cref="SortKeyPlan.Texts"/>, or −1 for a value that is copied as it is.</param>
    private readonly record struct CellSource(int OffsetBytes, int Text);
}
