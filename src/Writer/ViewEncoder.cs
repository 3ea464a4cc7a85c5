using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
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

    /// <summary>Columns of 64 bits that are copied together: a vector of 256 bits.</summary>
    private const int StripColumns = 4;

    private readonly NativeBlockWriter _writer;
    private readonly CellSource[] _sources;
    private readonly int _rowBytes;
    private readonly BlockSummer _sums;
    private readonly Strip[] _strips;
    private readonly TextMarks _partMarks = new();
    private readonly uint[][] _indexesById; // For each text column; undefined for texts that the block does not have.

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
            var text = Array.IndexOf(Keys.Texts, tag);
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
        _indexesById = [.. Keys.Texts.Select(_ => Array.Empty<uint>())];
        _strips = [.. Strips(columns, _sources)];
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
                var isWhole = count == rows.Count;
                var marks = isWhole ? rows.Texts[text] : MarkTexts(rows.Rows + from, count, _sources[column].OffsetBytes, texts.Count);
                CollectKeys(marks, texts, _writer.Keys(column), ref _indexesById[text]);
            }
        }

        var rawBytes = _writer.Measure(count);
        var block = destination.Reserve(rawBytes);
        _writer.WriteHeaders(block);
        Transpose(rows.Rows + from, count, block);
        return (rawBytes, _sums.Take());
    }

    /// <summary>Writes the cells of all columns, and adds the rows up.</summary>
    /// <returns>The sum of <c>records</c>.</returns>
    internal ulong Transpose(byte** rows, int count, byte* block)
    {
        _sums.Clear();
        Fetch(rows, 0, Math.Min(TileRows, count));
        for (var from = 0; from < count; from += TileRows)
        {
            var tileRows = Math.Min(TileRows, count - from);
            var nextRows = Math.Min(TileRows, count - from - tileRows);
            var next = rows + from + tileRows;
            for (var index = 0; index < _strips.Length; index++)
            {
                // A part of the next tile with each strip: asked for at once, its lines would wait for each other.
                Fetch(next, nextRows * index / _strips.Length, nextRows * (index + 1) / _strips.Length);
                CopyStrip(_strips[index], rows + from, from, tileRows, block);
            }

            _sums.Add(rows + from, tileRows);
        }

        return _sums.RecordsSum;
    }

    /// <summary>Finds columns that lie side by side in a row, to be copied four at a time; the others stand alone.</summary>
    private static IEnumerable<Strip> Strips(List<NativeColumn> columns, CellSource[] sources)
    {
        for (var column = 0; column < columns.Count; column++)
        {
            if (columns[column].Type != NativeColumnType.UInt64)
            {
                yield return new Strip(column, false);
                continue;
            }

            var end = column + 1;
            while (end < columns.Count
                && columns[end].Type == NativeColumnType.UInt64
                && sources[end].OffsetBytes == sources[end - 1].OffsetBytes + sizeof(ulong))
            {
                end++;
            }

            if (end - column < StripColumns || !Avx.IsSupported)
            {
                yield return new Strip(column, false);
                continue;
            }

            for (; column + StripColumns < end; column += StripColumns)
            {
                yield return new Strip(column, true);
            }

            yield return new Strip(end - StripColumns, true); // May overlap the one before, with the same cells.
            column = end - 1;
        }
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

    private void Fetch(byte** rows, int from, int to)
    {
        for (var row = from; row < to; row++)
        {
            Prefetch.Bytes(rows[row], _rowBytes);
        }
    }

    private void CopyStrip(Strip strip, byte** rows, int from, int count, byte* block)
    {
        var source = _sources[strip.Column];
        var width = _writer.CellBytes(strip.Column);
        var cells = _writer.Cells(block, strip.Column) + ((nint)from * width);
        if (strip.IsWide)
        {
            CopyWide(rows, source.OffsetBytes, count, cells, strip.Column, from, block);
        }
        else if (source.Text >= 0)
        {
            WriteIndexes(rows, source.OffsetBytes, count, _indexesById[source.Text], cells, width);
        }
        else
        {
            CopyCells(rows, source.OffsetBytes, count, cells, width);
        }
    }

    /// <summary>Four columns of 64 bits: squares of four rows are turned in registers.</summary>
    private void CopyWide(byte** rows, int offset, int count, byte* cells, int column, int from, byte* block)
    {
        var first = (ulong*)cells;
        var second = (ulong*)_writer.Cells(block, column + 1) + from;
        var third = (ulong*)_writer.Cells(block, column + 2) + from;
        var fourth = (ulong*)_writer.Cells(block, column + 3) + from;
        var row = 0;
        for (; row + StripColumns <= count; row += StripColumns)
        {
            var a = Vector256.Load((double*)(rows[row] + offset));
            var b = Vector256.Load((double*)(rows[row + 1] + offset));
            var c = Vector256.Load((double*)(rows[row + 2] + offset));
            var d = Vector256.Load((double*)(rows[row + 3] + offset));
            var abLow = Avx.UnpackLow(a, b);
            var abHigh = Avx.UnpackHigh(a, b);
            var cdLow = Avx.UnpackLow(c, d);
            var cdHigh = Avx.UnpackHigh(c, d);
            Avx.Permute2x128(abLow, cdLow, 0x20).Store((double*)(first + row)); // The lower halves of both.
            Avx.Permute2x128(abHigh, cdHigh, 0x20).Store((double*)(second + row));
            Avx.Permute2x128(abLow, cdLow, 0x31).Store((double*)(third + row)); // The upper ones.
            Avx.Permute2x128(abHigh, cdHigh, 0x31).Store((double*)(fourth + row));
        }

        for (; row < count; row++)
        {
            var values = (ulong*)(rows[row] + offset);
            (first[row], second[row], third[row], fourth[row]) = (values[0], values[1], values[2], values[3]);
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
                    Vector128.Load(rows[row] + offset).Store(cells + ((nint)row * width));
                }

                break;
        }
    }

    /// <summary>The texts of some of the rows, where a cut has more of them than a block may.</summary>
    private TextMarks MarkTexts(byte** rows, int count, int offset, int textCount)
    {
        _partMarks.Clear(textCount);
        var marks = _partMarks.ById;
        for (var row = 0; row < count; row++)
        {
            marks[(int)*(uint*)(rows[row] + offset)] = true;
        }

        return _partMarks;
    }

    /// <summary>Makes the block's own dictionary: the texts of its rows, in ordinal order, so that equal rows make equal bytes.</summary>
    private static void CollectKeys(TextMarks marks, TextRanks texts, NativeKeys keys, ref uint[] indexById)
    {
        if (indexById.Length < texts.Count)
        {
            indexById = new uint[Math.Max(texts.Count, indexById.Length * 2)];
        }

        keys.Clear();
        indexById[texts.IdOf(0)] = 0; // Rank 0 is the empty text, and so is key 0, whether a row has it or not.
        for (var rank = 1; rank < texts.Count; rank++)
        {
            var id = texts.IdOf(rank);
            if (marks.ById[id])
            {
                indexById[id] = (uint)keys.Count;
                keys.Add(texts.Utf8(rank));
            }
        }
    }

    private static void WriteIndexes(byte** rows, int offset, int count, uint[] indexById, byte* cells, int width)
    {
        fixed (uint* indexes = indexById)
        {
            switch (width)
            {
                case 1:
                    for (var row = 0; row < count; row++)
                    {
                        cells[row] = (byte)indexes[*(uint*)(rows[row] + offset)];
                    }

                    break;
                case 2:
                    for (var row = 0; row < count; row++)
                    {
                        ((ushort*)cells)[row] = (ushort)indexes[*(uint*)(rows[row] + offset)];
                    }

                    break;
                default:
                    for (var row = 0; row < count; row++)
                    {
                        ((uint*)cells)[row] = indexes[*(uint*)(rows[row] + offset)];
                    }

                    break;
            }
        }
    }

    /// <summary>Columns that are copied together.</summary>
    /// <param name="Column">The first one.</param>
    /// <param name="IsWide">True for <see cref="StripColumns"/> of 64 bits that lie side by side in a row, false for one alone.</param>
    private readonly record struct Strip(int Column, bool IsWide);

    /// <summary>Where the cells of a column come from.</summary>
    /// <param name="OffsetBytes">Offset in a row.</param>
    /// <param name="Text">Index in <see cref="SortKeyPlan.Texts"/>, or −1 for a value that is copied as it is.</param>
    private readonly record struct CellSource(int OffsetBytes, int Text);
}
