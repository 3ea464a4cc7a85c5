using System.Buffers.Binary;

namespace Weir.Codecs.Flow;

/// <summary>Writes fields of protobuf into a span that is large enough; a field that is 0 or empty is left out.</summary>
internal ref struct ProtoWriter(Span<byte> to)
{
    private readonly Span<byte> _to = to;

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>Writes a varint.</summary>
    public void Varint(ulong value)
    {
        while (value >= 0x80)
        {
            _to[Length++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _to[Length++] = (byte)value;
    }

    /// <summary>Writes a number.</summary>
    public void Number(uint field, ulong value)
    {
        if (value != 0)
        {
            Varint(field << 3);
            Varint(value);
        }
    }

    /// <summary>Writes bytes.</summary>
    public void Bytes(uint field, scoped ReadOnlySpan<byte> bytes)
    {
        if (!bytes.IsEmpty)
        {
            Varint((field << 3) | (uint)WireType.Bytes);
            Varint((ulong)bytes.Length);
            bytes.CopyTo(_to[Length..]);
            Length += bytes.Length;
        }
    }

    /// <summary>Writes an address in 4 or 16 bytes; the address that is all zeros is left out.</summary>
    public void Address(uint field, UInt128 address)
    {
        if (address == 0)
        {
            return;
        }

        Span<byte> bytes = stackalloc byte[AddressText.Bytes];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, address);
        Bytes(field, address >> 32 == 0xffff ? bytes[12..] : bytes);
    }
}
