using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Weir.Codecs.ClickHouse;

namespace Weir.Writer;

/// <summary>The body of an insert: the pieces of a block, sent from where they lie, with one column more where the server needs it.</summary>
internal sealed class BlockContent : HttpContent
{
    /// <summary>Cells of a piece of the added column: below the size of large objects, which only full collections take.</summary>
    private const int CellsPerPiece = 32 << 10;

    private static readonly byte[] _cells = [.. Enumerable.Repeat((byte)1, CellsPerPiece)];
    private static readonly Lazy<byte[]> _framedCells = new(() => Frame(_cells));

    private readonly Block _block;
    private readonly byte[] _start = [];
    private readonly List<ReadOnlyMemory<byte>> _end = [];
    private readonly long _endBytes;

    /// <param name="block">The block.</param>
    /// <param name="blockColumn">A column to add, whose cells all are the block's name; null for the block as it is.</param>
    internal BlockContent(Block block, string? blockColumn = null)
    {
        _block = block;
        Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        if (blockColumn is not null)
        {
            _start = Encode(Start(block));
            _end.Add(Encode(ColumnHead(block, blockColumn)));
            for (var left = block.RowCount; left > 0; left -= CellsPerPiece)
            {
                _end.Add(Cells(Math.Min(left, CellsPerPiece)));
            }

            _endBytes = _end.Sum(piece => (long)piece.Length);
        }
    }

    /// <inheritdoc/>
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        var skipped = _start.Length == 0 ? 0 : _block.StartBytes;
        await stream.WriteAsync(_start, cancellationToken).ConfigureAwait(false);
        foreach (var piece in _block.Pieces)
        {
            var from = Math.Min(skipped, piece.Length);
            skipped -= from;
            await stream.WriteAsync(piece[from..], cancellationToken).ConfigureAwait(false);
        }

        foreach (var piece in _end)
        {
            await stream.WriteAsync(piece, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    /// <inheritdoc/>
    protected override bool TryComputeLength(out long length)
    {
        // A length, so that a server never takes a body that was cut off for a whole one.
        length = _block.EncodedBytes + _endBytes + (_start.Length == 0 ? 0 : _start.Length - _block.StartBytes);
        return true;
    }

    private static byte[] Start(Block block)
    {
        using var raw = new MemoryStream();
        WriteVarint(raw, (ulong)block.Columns.Count + 1);
        WriteVarint(raw, (ulong)block.RowCount);
        return raw.ToArray();
    }

    /// <summary>A LowCardinality column of one text: its dictionary, before one byte for each row.</summary>
    private static byte[] ColumnHead(Block block, string name)
    {
        using var raw = new MemoryStream();
        WriteText(raw, name);
        WriteText(raw, "LowCardinality(String)");
        WriteNumber(raw, 1); // Version of the serialization.
        WriteNumber(raw, 0x600); // Keys in the block, indexes of one byte.
        WriteNumber(raw, 2);
        WriteText(raw, ""); // Key 0 is always the empty text.
        WriteText(raw, block.Name.ToString());
        WriteNumber(raw, (ulong)block.RowCount);
        return raw.ToArray();
    }

    private static void WriteText(MemoryStream raw, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        WriteVarint(raw, (ulong)bytes.Length);
        raw.Write(bytes);
    }

    private static void WriteNumber(MemoryStream raw, ulong value) => raw.Write(BitConverter.GetBytes(value));

    private static void WriteVarint(MemoryStream raw, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            raw.WriteByte((byte)(value | 0x80));
        }

        raw.WriteByte((byte)value);
    }

    private static byte[] Frame(ReadOnlySpan<byte> raw)
    {
        using var frame = new CompressedFrame(FrameMethod.None); // A byte for each row is not worth compressing.
        var buffer = new byte[frame.BoundBytes(raw.Length)];
        return buffer[..frame.Write(raw, buffer)];
    }

    /// <summary>The bytes in the block's own form.</summary>
    private byte[] Encode(byte[] raw) => _block.IsFramed ? Frame(raw) : raw;

    private ReadOnlyMemory<byte> Cells(int count) => !_block.IsFramed
        ? _cells.AsMemory(0, count)
        : count == CellsPerPiece ? _framedCells.Value : Frame(_cells.AsSpan(0, count));
}
