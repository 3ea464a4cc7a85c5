using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Weir.Codecs.Flow;

/// <summary>
/// Takes the fields of a protobuf message in the order that writers use, one test for each. Whoever finds another field than the ones
/// that may come leaves the rest to <see cref="ProtoFieldTable"/>.
/// </summary>
/// <remarks>
/// Values that their tag cannot hold are gathered in <see cref="Over"/>, not told apart. Reads up to <see cref="SlackBytes"/> beyond the end
/// of the message: <see cref="UsualCopy"/> sees to it that they can be read.
/// </remarks>
internal unsafe ref struct UsualFields(byte* start, byte* end)
{
    /// <summary>Memory behind a message that must be readable.</summary>
    public const int SlackBytes = 1024;

    private const ulong ValueBits = 0x7f7f_7f7f_7f7f_7f7f;
    private const ulong EndBits = 0x8080_8080_8080_8080;

    private readonly byte* _end = end;

    /// <summary>True where it is worth its while.</summary>
    public static bool IsSupported => Bmi2.X64.IsSupported;

    /// <summary>The next byte.</summary>
    public byte* Position { get; private set; } = start;

    /// <summary>Not 0 when a value was too large.</summary>
    public ulong Over { get; private set; }

    /// <summary>True when goflow2's times come next, fields 110 and 111.</summary>
    public readonly bool IsTimeNext => (*(ushort*)Position | 8) == 0x06f8;

    /// <summary>A number that is mostly below 128, under a tag of one byte (fields 1 to 15) or two.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TrySmall(int field, out ulong value)
    {
        value = 0;
        if (!IsNext(field, WireType.Varint))
        {
            return false;
        }

        var at = Position + TagBytes(field);
        if (*at < 0x80)
        {
            value = *at;
            Position = at + 1;
        }
        else if (at[1] < 0x80)
        {
            value = (*at & 0x7fUL) | ((ulong)at[1] << 7);
            Position = at + 2;
        }
        else
        {
            Position = at;
            value = Read();
        }

        return true;
    }

    /// <summary>A number of any size up to 56 bits, whose length cannot be foreseen.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryNumber(int field, out ulong value)
    {
        value = 0;
        if (!IsNext(field, WireType.Varint))
        {
            return false;
        }

        Position += TagBytes(field);
        value = Read();
        return true;
    }

    /// <summary>A number of up to 63 bits, mostly of 9 bytes: ns since 1970 are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryLong(int field, out ulong value)
    {
        value = 0;
        if (!IsNext(field, WireType.Varint))
        {
            return false;
        }

        Position += TagBytes(field);
        var word = *(ulong*)Position;
        if ((~word & EndBits) == 0 && Position[8] < 0x80)
        {
            value = Bmi2.X64.ParallelBitExtract(word, ValueBits) | ((ulong)Position[8] << 56);
            Position += 9;
            return true;
        }

        value = Read();
        return true;
    }

    /// <summary>Stores an address of 4 or 16 bytes; <paramref name="offset"/> is −1 where no view uses it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void TakeAddress(int field, byte* row, int offset)
    {
        if (!IsNext(field, WireType.Bytes))
        {
            return;
        }

        var at = Position + TagBytes(field);
        if (*at == sizeof(uint))
        {
            if (offset >= 0)
            {
                AddressText.PutIpv4(row + offset, *(uint*)(at + 1));
            }

            Position = at + 1 + sizeof(uint);
        }
        else if (*at == AddressText.Bytes)
        {
            if (offset >= 0)
            {
                Unsafe.CopyBlockUnaligned(row + offset, at + 1, AddressText.Bytes);
            }

            Position = at + 1 + AddressText.Bytes;
        }
    }

    /// <summary>An address of 4 or 16 bytes as a number whose bytes lie in network order; IPv4 as ::ffff:a.b.c.d.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryAddress(int field, out UInt128 address)
    {
        var at = Position + TagBytes(field);
        if (!IsNext(field, WireType.Bytes) || *at is not (sizeof(uint) or AddressText.Bytes))
        {
            address = default;
            return false;
        }

        Position = at + 1 + *at;
        address = *at == sizeof(uint)
            ? new UInt128(((ulong)*(uint*)(at + 1) << 32) | 0xffff_0000, 0)
            : Unsafe.ReadUnaligned<UInt128>(at + 1);
        return true;
    }

    /// <summary>Bytes of a length below 128 that lie in the message.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryBytes(int field, out ReadOnlySpan<byte> bytes)
    {
        var at = Position + TagBytes(field);
        if (!IsNext(field, WireType.Bytes) || *at >= 0x80 || *at >= _end - at)
        {
            bytes = default;
            return false;
        }

        bytes = new ReadOnlySpan<byte>(at + 1, *at);
        Position = at + 1 + bytes.Length;
        return true;
    }

    /// <summary>Stores a number of one byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void TakeU8(int field, byte* row, int offset)
    {
        if (TrySmall(field, out var value))
        {
            Over |= value >> 8;
            row[offset] = (byte)value;
        }
    }

    /// <summary>Stores a small number of two bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void TakeU16(int field, byte* row, int offset)
    {
        if (TrySmall(field, out var value))
        {
            Over |= value >> 16;
            *(ushort*)(row + offset) = (ushort)value;
        }
    }

    /// <summary>Stores a number of two bytes whose length cannot be foreseen.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void TakePort(int field, byte* row, int offset)
    {
        if (TryNumber(field, out var value))
        {
            Over |= value >> 16;
            *(ushort*)(row + offset) = (ushort)value;
        }
    }

    /// <summary>Stores a number of four bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void TakeU32(int field, byte* row, int offset)
    {
        if (TrySmall(field, out var value))
        {
            Over |= value >> 32;
            *(uint*)(row + offset) = (uint)value;
        }
    }

    /// <summary>Stores a MAC address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void TakeMac(int field, byte* row, int offset)
    {
        if (TryNumber(field, out var value))
        {
            Over |= value >> 48;
            *(ulong*)(row + offset) = value;
        }
    }

    /// <summary>Says how many bits a value may have.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Check(ulong value, int bits) => Over |= value >> bits;

    /// <summary>Passes a number that nobody wants.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Pass(int field) => TrySmall(field, out _);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int TagBytes(int field) => field < 16 ? 1 : 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly bool IsNext(int field, WireType wireType)
    {
        var tag = (field << 3) | (int)wireType;
        return field < 16 ? *Position == tag : *(ushort*)Position == ((tag & 0x7f) | 0x80 | (tag >> 7 << 8));
    }

    /// <summary>Up to 8 bytes without a branch; more are too large.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong Read()
    {
        var word = *(ulong*)Position;
        var ends = ~word & EndBits;
        Over |= ends == 0 ? 1UL : 0;
        Position += (BitOperations.TrailingZeroCount(ends) >> 3) + 1;
        return Bmi2.X64.ParallelBitExtract(word & (ends ^ (ends - 1)), ValueBits);
    }
}

/// <summary>Room for a message near the end of its payload, so that what is behind it can be read: zeros, which are no field.</summary>
/// <remarks>One thread.</remarks>
internal sealed unsafe class UsualCopy
{
    private const int MessageBytesMax = 1024;

    private readonly byte[] _memory = GC.AllocateArray<byte>(MessageBytesMax + UsualFields.SlackBytes, pinned: true);

    /// <summary>Moves a message if it has to be.</summary>
    /// <param name="start">Its first byte.</param>
    /// <param name="end">Its end.</param>
    /// <param name="readableEnd">Memory before this address may be read.</param>
    /// <returns>False when it is too long for that.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryPlace(ref byte* start, ref byte* end, byte* readableEnd) =>
        readableEnd - end >= UsualFields.SlackBytes || TryCopy(ref start, ref end);

    private bool TryCopy(ref byte* start, ref byte* end)
    {
        // No field goes further than 20 bytes, and from zeros none goes on.
        const int ZeroBytes = 64;
        var length = (int)(end - start);
        if (length > MessageBytesMax)
        {
            return false;
        }

        var copy = (byte*)Unsafe.AsPointer(ref _memory[0]);
        Unsafe.CopyBlockUnaligned(copy, start, (uint)length);
        Unsafe.InitBlockUnaligned(copy + length, 0, ZeroBytes);
        start = copy;
        end = copy + length;
        return true;
    }
}
