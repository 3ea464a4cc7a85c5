using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;

namespace Weir.Codecs.ClickHouse;

/// <summary>Lays out one Native block (revision 0) over memory that the caller gives, so that cells can be filled in any order.</summary>
/// <remarks>
/// <para>
/// The size of every column is known before the first cell is written, so a caller can transpose rows tile by tile into all
/// columns at once: <see cref="Measure"/>, then <see cref="WriteHeaders"/>, then <see cref="Cells"/> of each column.
/// </para>
/// <para>One thread; used again from block to block without allocating.</para>
/// </remarks>
public sealed unsafe class NativeBlockWriter
{
    /// <summary>Version of the LowCardinality serialization: one dictionary for each block.</summary>
    private const ulong KeysVersion = 1;

    /// <summary>The keys are in the column itself, and replace what came before; the low byte is the index width.</summary>
    private const ulong KeysInBlock = 0x600;

    /// <summary>Version, flags, number of keys; and, after the keys, number of rows.</summary>
    private const int KeysHeadBytes = 3 * sizeof(ulong);

    private readonly byte[][] _heads; // Name and type of each column.
    private readonly int[] _cellBytes;
    private readonly NativeKeys?[] _keys;
    private readonly long[] _cellOffsets;
    private readonly byte[] _start = new byte[2 * NativeVarint.BytesMax]; // Number of columns, number of rows.
    private int _startBytes;
    private int _rowCount;

    /// <summary>Makes a writer for blocks of these columns.</summary>
    public NativeBlockWriter(IReadOnlyList<NativeColumn> columns)
    {
        ArgumentOutOfRangeException.ThrowIfZero(columns.Count);
        Columns = columns;
        _heads = [.. columns.Select(Head)];
        _cellBytes = [.. columns.Select(column => column.CellBytes)];
        _keys = [.. columns.Select(column => column.Type == NativeColumnType.LowCardinalityString ? new NativeKeys() : null)];
        _cellOffsets = new long[columns.Count];
    }

    /// <summary>The columns in their order.</summary>
    public IReadOnlyList<NativeColumn> Columns { get; }

    /// <summary>Bytes before the first column: the numbers of columns and rows. Known after <see cref="Measure"/>.</summary>
    public int StartBytes => _startBytes;

    /// <summary>The texts of a LowCardinality column, to be filled before <see cref="Measure"/>.</summary>
    public NativeKeys Keys(int column) =>
        _keys[column] ?? throw new ArgumentException($"Column {Columns[column].Name} has no keys.", nameof(column));

    /// <summary>Bytes of a cell of <paramref name="column"/>; of a LowCardinality column, those of an index, by its keys so far.</summary>
    public int CellBytes(int column) => _keys[column]?.IndexBytes ?? _cellBytes[column];

    /// <summary>Fixes where everything lies in a block of <paramref name="rowCount"/> rows and the present keys.</summary>
    /// <param name="rowCount">At least 1.</param>
    /// <returns>Bytes of the block.</returns>
    public long Measure(int rowCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rowCount, 1);
        _rowCount = rowCount;
        _startBytes = NativeVarint.Write(_start, (ulong)Columns.Count);
        _startBytes += NativeVarint.Write(_start.AsSpan(_startBytes), (ulong)rowCount);
        long offset = _startBytes;
        for (var column = 0; column < _heads.Length; column++)
        {
            offset += _heads[column].Length;
            if (_keys[column] is { } keys)
            {
                offset += KeysHeadBytes + keys.Bytes.Length + sizeof(ulong);
            }

            _cellOffsets[column] = offset;
            offset += (long)rowCount * CellBytes(column);
        }

        return offset;
    }

    /// <summary>Writes all but the cells. <paramref name="block"/> has the bytes that <see cref="Measure"/> said.</summary>
    public void WriteHeaders(byte* block)
    {
        _start.AsSpan(0, _startBytes).CopyTo(new Span<byte>(block, _startBytes));
        for (var column = 0; column < _heads.Length; column++)
        {
            var keys = _keys[column];
            var keysBytes = keys is null ? 0 : KeysHeadBytes + keys.Bytes.Length + sizeof(ulong);
            var headBytes = _heads[column].Length + keysBytes;
            var head = new Span<byte>(Cells(block, column) - headBytes, headBytes);
            _heads[column].CopyTo(head);
            if (keys is not null)
            {
                WriteKeys(keys, head[_heads[column].Length..]);
            }
        }
    }

    /// <summary>Where the cells of <paramref name="column"/> lie, one after another, not aligned.</summary>
    public byte* Cells(byte* block, int column)
    {
        Debug.Assert(_rowCount > 0, "The block was measured.");
        return block + _cellOffsets[column];
    }

    private void WriteKeys(NativeKeys keys, Span<byte> destination)
    {
        var width = keys.IndexBytes switch
        {
            1 => 0UL,
            2 => 1UL,
            _ => 2UL,
        };
        BinaryPrimitives.WriteUInt64LittleEndian(destination, KeysVersion);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], KeysInBlock + width);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], (ulong)keys.Count);
        keys.Bytes.CopyTo(destination[KeysHeadBytes..]);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[^sizeof(ulong)..], (ulong)_rowCount);
    }

    private static byte[] Head(NativeColumn column)
    {
        var name = Encoding.UTF8.GetBytes(column.Name);
        var type = Encoding.UTF8.GetBytes(column.TypeName);
        var head = new byte[name.Length + type.Length + (2 * NativeVarint.BytesMax)];
        var length = NativeVarint.Write(head, (ulong)name.Length);
        name.CopyTo(head, length);
        length += name.Length;
        length += NativeVarint.Write(head.AsSpan(length), (ulong)type.Length);
        type.CopyTo(head, length);
        return head[..(length + type.Length)];
    }
}
