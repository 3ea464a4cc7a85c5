using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Weir.Codecs.ClickHouse;

namespace Weir.Writer;

/// <summary>The body of an insert: the pieces of a block, sent from where they lie, with one column more where the server needs it.</summary>
internal sealed class BlockContent : HttpContent
{
    private readonly Block _block;
    private readonly byte[] _start = [];
    private readonly byte[] _end = [];

    /// <param name="block">The block.</param>
    /// <param name="blockColumn">A column to add, whose cells all are the block's name; null for the block as it is.</param>
    internal BlockContent(Block block, string? blockColumn = null)
    {
        _block = block;
        Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        if (blockColumn is not null)
        {
            _start = Encode(Start(block));
            _end = Encode(Column(block, blockColumn));
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

        await stream.WriteAsync(_end, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    /// <inheritdoc/>
    protected override bool TryComputeLength(out long length)
    {
        // A length, so that a server never takes a body that was cut off for a whole one.
        length = _block.EncodedBytes + _end.Length + (_start.Length == 0 ? 0 : _start.Length - _block.StartBytes);
        return true;
    }

    private static byte[] Start(Block block)
    {
        using var raw = new MemoryStream();
        WriteVarint(raw, (ulong)block.Columns.Count + 1);
        WriteVarint(raw, (ulong)block.RowCount);
        return raw.ToArray();
    }

    /// <summary>A LowCardinality column of one text: its dictionary, then one byte for each row.</summary>
    private static byte[] Column(Block block, string name)
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
        var cells = new byte[block.RowCount];
        Array.Fill(cells, (byte)1);
        raw.Write(cells);
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

    /// <summary>The bytes in the block's own form. A byte for each row is not worth compressing.</summary>
    private byte[] Encode(byte[] raw)
    {
        if (!_block.IsFramed)
        {
            return raw;
        }

        using var frame = new CompressedFrame(FrameMethod.None);
        using var encoded = new MemoryStream();
        var buffer = new byte[frame.BoundBytes(Math.Min(raw.Length, CompressedFrame.RawBytesMax))];
        for (var offset = 0; offset < raw.Length; offset += CompressedFrame.RawBytesMax)
        {
            var length = Math.Min(CompressedFrame.RawBytesMax, raw.Length - offset);
            encoded.Write(buffer, 0, frame.Write(raw.AsSpan(offset, length), buffer));
        }

        return encoded.ToArray();
    }
}
