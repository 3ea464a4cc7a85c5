using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Weir.Codecs.ClickHouse;
using Weir.Core.Model;
using Xunit;

namespace Weir.Tests.Support;

/// <summary>Reads Native blocks (revision 0) into texts; made from the format's description, it shares nothing with the writer.</summary>
internal sealed class NativeBlockReader
{
    private readonly byte[] _block;
    private int _position;

    private NativeBlockReader(byte[] block) => _block = block;

    /// <summary>Column names and types, <c>name type</c>.</summary>
    public List<string> Columns { get; } = [];

    /// <summary>The rows, cells separated by tabs: numbers in decimal, 16-byte values in hex, texts as they are.</summary>
    public List<string> Rows { get; } = [];

    /// <summary>The keys of each LowCardinality column.</summary>
    public List<string[]> Keys { get; } = [];

    /// <summary>Reads one whole block.</summary>
    public static NativeBlockReader Read(byte[] block)
    {
        var reader = new NativeBlockReader(block);
        reader.Read();
        Assert.Equal(block.Length, reader._position);
        return reader;
    }

    /// <summary>The raw bytes of pieces that are frames.</summary>
    public static byte[] Unframe(IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        using var frames = new CompressedFrame(FrameMethod.None);
        ReadOnlySpan<byte> source = Join(pieces);
        var raw = new MemoryStream();
        var room = new byte[CompressedFrame.RawBytesMax];
        while (!source.IsEmpty)
        {
            Assert.Equal(DecodeStatus.Ok, frames.TryRead(source, room, out var frameBytes, out var rawBytes));
            raw.Write(room, 0, rawBytes);
            source = source[frameBytes..];
        }

        return raw.ToArray();
    }

    /// <summary>All pieces as one array.</summary>
    public static byte[] Join(IEnumerable<ReadOnlyMemory<byte>> pieces)
    {
        var joined = new MemoryStream();
        foreach (var piece in pieces)
        {
            Assert.False(piece.IsEmpty);
            joined.Write(piece.Span);
        }

        return joined.ToArray();
    }

    private void Read()
    {
        var columnCount = (int)Varint();
        var rowCount = (int)Varint();
        var cells = new List<string[]>();
        for (var column = 0; column < columnCount; column++)
        {
            var name = Text();
            var type = Text();
            Columns.Add($"{name} {type}");
            cells.Add(type == "LowCardinality(String)"
                ? LowCardinality(rowCount)
                : [.. Enumerable.Range(0, rowCount).Select(_ => Cell(type))]);
        }

        Rows.AddRange(Enumerable.Range(0, rowCount).Select(row => string.Join('\t', cells.Select(column => column[row]))));
    }

    private string[] LowCardinality(int rowCount)
    {
        Assert.Equal(1UL, U64());
        var flags = U64();
        Assert.Equal(0x600UL, flags & ~0xFFUL);
        var keys = new string[U64()];
        for (var key = 0; key < keys.Length; key++)
        {
            keys[key] = Text();
        }

        Assert.Equal("", keys[0]);
        Keys.Add(keys);
        Assert.Equal((ulong)rowCount, U64());
        var indexBytes = 1 << (int)(flags & 0xFF);
        return [.. Enumerable.Range(0, rowCount).Select(_ => keys[(int)Number(indexBytes)])];
    }

    private string Cell(string type) => type switch
    {
        "UInt8" => Number(1).ToString(CultureInfo.InvariantCulture),
        "UInt16" => Number(2).ToString(CultureInfo.InvariantCulture),
        "UInt32" or "DateTime" => Number(4).ToString(CultureInfo.InvariantCulture),
        "UInt64" => Number(8).ToString(CultureInfo.InvariantCulture),
        "FixedString(16)" => Convert.ToHexString(Take(16)),
        _ => throw new InvalidOperationException($"Type {type} is not read here."),
    };

    private ulong Number(int bytes)
    {
        Span<byte> padded = stackalloc byte[8];
        padded.Clear();
        Take(bytes).CopyTo(padded);
        return BinaryPrimitives.ReadUInt64LittleEndian(padded);
    }

    private ulong U64() => Number(8);

    private string Text() => Encoding.UTF8.GetString(Take((int)Varint()));

    private ReadOnlySpan<byte> Take(int bytes) => _block.AsSpan((_position += bytes) - bytes, bytes);

    private ulong Varint()
    {
        var value = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var next = _block[_position++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }
    }
}
