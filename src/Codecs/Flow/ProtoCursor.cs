using System.Runtime.CompilerServices;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>Wire types of protobuf.</summary>
internal enum WireType
{
    /// <summary>A varint.</summary>
    Varint = 0,

    /// <summary>8 bytes.</summary>
    Fixed64 = 1,

    /// <summary>A length and so many bytes.</summary>
    Bytes = 2,

    /// <summary>Begin of a group.</summary>
    GroupStart = 3,

    /// <summary>End of a group.</summary>
    GroupEnd = 4,

    /// <summary>4 bytes.</summary>
    Fixed32 = 5,
}

/// <summary>Reads the wire format of protobuf between two addresses, and nothing outside them.</summary>
internal unsafe ref struct ProtoCursor(byte* start, byte* end)
{
    /// <summary>Depth of groups, which nothing that is alive writes, but which must be passed.</summary>
    public const int GroupDepthMax = 32;

    /// <summary>Longest varint.</summary>
    public const int VarintBytesMax = 10;

    /// <summary>The next byte.</summary>
    public byte* Position = start;

    /// <summary>The byte after the last one.</summary>
    public readonly byte* End = end;

    /// <summary>True when everything has been read.</summary>
    public readonly bool IsAtEnd => Position >= End;

    /// <summary>Reads a varint of at most 10 bytes and 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public DecodeStatus ReadVarint(out ulong value)
    {
        if (Position < End && *Position < 0x80)
        {
            value = *Position++;
            return DecodeStatus.Ok;
        }

        if (End - Position >= 2 && Position[1] < 0x80)
        {
            value = ((uint)Position[0] & 0x7f) | ((uint)Position[1] << 7);
            Position += 2;
            return DecodeStatus.Ok;
        }

        return ReadLongVarint(out value);
    }

    /// <summary>Reads the number and the wire type of a field.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public DecodeStatus ReadTag(out uint field, out WireType wireType)
    {
        var status = ReadVarint(out var tag);
        field = (uint)tag >> 3;
        wireType = (WireType)(tag & 7);
        return status != DecodeStatus.Ok ? status : field == 0 || tag > uint.MaxValue ? DecodeStatus.Malformed : DecodeStatus.Ok;
    }

    /// <summary>Reads a length and the bytes that it announces.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public DecodeStatus ReadBytes(out ReadOnlySpan<byte> bytes)
    {
        bytes = default;
        var status = ReadVarint(out var length);
        if (status != DecodeStatus.Ok)
        {
            return status;
        }

        if (length > (ulong)(End - Position))
        {
            return length > int.MaxValue ? DecodeStatus.LengthOverLimit : DecodeStatus.Truncated;
        }

        bytes = new ReadOnlySpan<byte>(Position, (int)length);
        Position += length;
        return DecodeStatus.Ok;
    }

    /// <summary>Reads 4 or 8 bytes.</summary>
    public DecodeStatus ReadFixed(WireType wireType, out ulong value)
    {
        var width = wireType == WireType.Fixed32 ? sizeof(uint) : sizeof(ulong);
        value = 0;
        if (End - Position < width)
        {
            return DecodeStatus.Truncated;
        }

        value = width == sizeof(uint) ? Unsafe.ReadUnaligned<uint>(Position) : Unsafe.ReadUnaligned<ulong>(Position);
        Position += width;
        return DecodeStatus.Ok;
    }

    /// <summary>Passes the value of a field.</summary>
    public DecodeStatus Skip(uint field, WireType wireType)
    {
        switch (wireType)
        {
            case WireType.Varint:
                return ReadVarint(out _);
            case WireType.Fixed64 or WireType.Fixed32:
                return ReadFixed(wireType, out _);
            case WireType.Bytes:
                return ReadBytes(out _);
            case WireType.GroupStart:
                return SkipGroup(field);
            default:
                return DecodeStatus.Malformed;
        }
    }

    private DecodeStatus SkipGroup(uint field)
    {
        var open = stackalloc uint[GroupDepthMax];
        open[0] = field;
        var depth = 1;
        while (depth > 0)
        {
            var status = ReadTag(out field, out var wireType);
            if (status == DecodeStatus.Ok && wireType == WireType.GroupStart)
            {
                if (depth == GroupDepthMax)
                {
                    return DecodeStatus.LengthOverLimit;
                }

                open[depth++] = field;
            }
            else if (status == DecodeStatus.Ok && wireType == WireType.GroupEnd)
            {
                if (open[--depth] != field)
                {
                    return DecodeStatus.Malformed;
                }
            }
            else if (status != DecodeStatus.Ok || (status = Skip(field, wireType)) != DecodeStatus.Ok)
            {
                return status;
            }
        }

        return DecodeStatus.Ok;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private DecodeStatus ReadLongVarint(out ulong value)
    {
        value = 0;
        var position = Position;
        for (var shift = 0; shift < VarintBytesMax * 7; shift += 7)
        {
            if (position >= End)
            {
                return DecodeStatus.Truncated;
            }

            ulong part = *position++;
            value |= (part & 0x7f) << shift;
            if (part < 0x80)
            {
                Position = position;
                return shift == 63 && part > 1 ? DecodeStatus.Malformed : DecodeStatus.Ok;
            }
        }

        return DecodeStatus.Malformed;
    }
}
