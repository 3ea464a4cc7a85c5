namespace Weir.Codecs.ClickHouse;

/// <summary>The distinct texts of one LowCardinality column of one block, in the bytes of the Native format.</summary>
/// <remarks>One thread. The memory is used again from block to block.</remarks>
public sealed class NativeKeys
{
    private byte[] _bytes = new byte[1024];
    private int _bytesUsed;

    /// <summary>Makes the keys of a column that has only empty texts.</summary>
    public NativeKeys() => Clear();

    /// <summary>Number of keys, the empty text among them.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of an index: the smallest width that can name every key.</summary>
    public int IndexBytes => Count switch
    {
        <= 1 << 8 => 1,
        <= 1 << 16 => 2,
        _ => 4,
    };

    /// <summary>The keys as a block holds them.</summary>
    internal ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _bytesUsed);

    /// <summary>Forgets all keys but the empty text, which is key 0 of every column.</summary>
    public void Clear()
    {
        _bytes[0] = 0; // A text of no bytes.
        _bytesUsed = 1;
        Count = 1;
    }

    /// <summary>Adds a text that is not yet a key; its index is the <see cref="Count"/> before.</summary>
    public void Add(ReadOnlySpan<byte> utf8)
    {
        var needed = _bytesUsed + NativeVarint.BytesMax + utf8.Length;
        if (needed > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, needed));
        }

        _bytesUsed += NativeVarint.Write(_bytes.AsSpan(_bytesUsed), (ulong)utf8.Length);
        utf8.CopyTo(_bytes.AsSpan(_bytesUsed));
        _bytesUsed += utf8.Length;
        Count++;
    }
}

/// <summary>The variable-length numbers of the Native format: 7 bits a byte, lowest first.</summary>
internal static class NativeVarint
{
    /// <summary>Most bytes of a number.</summary>
    internal const int BytesMax = 10;

    /// <summary>Writes <paramref name="value"/> and returns its bytes.</summary>
    internal static int Write(Span<byte> destination, ulong value)
    {
        var length = 0;
        for (; value >= 0x80; value >>= 7)
        {
            destination[length++] = (byte)(value | 0x80);
        }

        destination[length++] = (byte)value;
        return length;
    }
}
