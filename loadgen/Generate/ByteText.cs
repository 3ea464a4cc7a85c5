using System.Buffers;
using System.Buffers.Text;
using System.Net;

namespace Weir.Loadgen.Generate;

/// <summary>Bytes that grow at their end and are used again.</summary>
/// <remarks>One thread.</remarks>
internal sealed class ByteText : IBufferWriter<byte>
{
    private const int NumberBytesMax = 20;
    private const int AddressBytesMax = 64;
    private byte[] _bytes = new byte[64 * 1024];

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>What was written.</summary>
    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>Forgets what comes after a length.</summary>
    public void Truncate(int length) => Length = length;

    /// <inheritdoc/>
    public void Advance(int count) => Length += count;

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0)
    {
        if (Length + sizeHint > _bytes.Length || Length == _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + sizeHint));
        }

        return _bytes.AsSpan(Length);
    }

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        GetSpan(sizeHint);
        return _bytes.AsMemory(Length);
    }

    /// <summary>Appends bytes.</summary>
    public void Put(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(GetSpan(bytes.Length));
        Length += bytes.Length;
    }

    /// <summary>Appends bytes and a number in digits.</summary>
    public void Put(ReadOnlySpan<byte> bytes, ulong number)
    {
        Put(bytes);
        Utf8Formatter.TryFormat(number, GetSpan(NumberBytesMax), out var length);
        Length += length;
    }

    /// <summary>Appends bytes and a number of three digits.</summary>
    public void PutMillis(ReadOnlySpan<byte> bytes, uint millis)
    {
        Put(bytes);
        Utf8Formatter.TryFormat(millis, GetSpan(NumberBytesMax), out var length, new StandardFormat('D', 3));
        Length += length;
    }

    /// <summary>Appends bytes and an address as agents write it: IPv4 without a prefix.</summary>
    public void Put(ReadOnlySpan<byte> bytes, UInt128 address)
    {
        Put(bytes);
        if (address >> 32 == 0xffff)
        {
            var ipv4 = (uint)address;
            Put([], ipv4 >> 24);
            Put("."u8, (ipv4 >> 16) & 255);
            Put("."u8, (ipv4 >> 8) & 255);
            Put("."u8, ipv4 & 255);
            return;
        }

        Span<byte> network = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(network, address);
        new IPAddress(network).TryFormat(GetSpan(AddressBytesMax), out var length);
        Length += length;
    }
}
