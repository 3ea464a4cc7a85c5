using System.Buffers.Binary;

namespace Weir.Codecs.Flow;

/// <summary>Reads addresses as text into the 16 bytes, in network order, that tags of type Address are.</summary>
internal static unsafe class AddressText
{
    /// <summary>Bytes of an address in a row.</summary>
    public const int Bytes = 16;

    /// <summary>Longest form: six groups and an IPv4 tail.</summary>
    private const int TextBytesMax = 45;

    private const int GroupCount = 8;

    /// <summary>Puts ::ffff:a.b.c.d at <paramref name="to"/>.</summary>
    /// <param name="to">16 bytes.</param>
    /// <param name="ipv4">The four bytes as they lie in memory.</param>
    public static void PutIpv4(byte* to, uint ipv4)
    {
        *(ulong*)to = 0;
        *(ulong*)(to + 8) = ((ulong)ipv4 << 32) | 0xffff_0000; // Bytes 00 00 ff ff; in one store, so that a load of both halves need not wait.
    }

    /// <summary>Reads an IPv4 address in four decimal parts, or an IPv6 one as RFC 4291 allows, without a zone.</summary>
    /// <param name="text">The text.</param>
    /// <param name="to">16 bytes; undefined when the text is bad.</param>
    public static bool TryParse(ReadOnlySpan<byte> text, byte* to)
    {
        if (text.Length is < 2 or > TextBytesMax)
        {
            return false;
        }

        // The first letters tell: 1.2. and 10.2 and 100. have a point there, fe80 and a:b: and ::1.2.3.4 have not, or begin with a colon.
        if (text[0] != ':' && (text[1] == '.' || (text.Length > 3 && (text[2] == '.' || text[3] == '.'))))
        {
            var ok = TryParseIpv4(text, out var ipv4);
            PutIpv4(to, ipv4);
            return ok;
        }

        return TryParseIpv6(text, to);
    }

    /// <summary>Reads six bytes in hexadecimal, separated by colons or hyphens; the first one becomes the highest of 48 bits.</summary>
    public static bool TryParseMac(ReadOnlySpan<byte> text, out ulong mac)
    {
        const int MacTextBytes = 17;
        mac = 0;
        if (text.Length != MacTextBytes)
        {
            return false;
        }

        for (var index = 0; index < MacTextBytes; index++)
        {
            if (index % 3 == 2)
            {
                if (text[index] is not ((byte)':' or (byte)'-'))
                {
                    return false;
                }

                continue;
            }

            var digit = HexDigit(text[index]);
            if (digit < 0)
            {
                return false;
            }

            mac = (mac << 4) | (uint)digit;
        }

        return true;
    }

    /// <summary>The value of a hexadecimal digit; −1 for another letter.</summary>
    public static int HexDigit(byte letter) => letter switch
    {
        >= (byte)'0' and <= (byte)'9' => letter - '0',
        >= (byte)'a' and <= (byte)'f' => letter - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => letter - 'A' + 10,
        _ => -1,
    };

    private static bool TryParseIpv4(ReadOnlySpan<byte> text, out uint ipv4)
    {
        ipv4 = 0;
        uint part = 0;
        var digitCount = 0;
        var shift = 0;
        foreach (var letter in text)
        {
            var digit = (uint)(letter - '0');
            if (digit <= 9)
            {
                // A leading zero is refused: some read it as octal.
                if (digitCount > 0 && part == 0)
                {
                    return false;
                }

                part = (part * 10) + digit;
                digitCount++;
                if (part > byte.MaxValue)
                {
                    return false;
                }
            }
            else
            {
                if (letter != '.' || digitCount == 0 || shift == 24)
                {
                    return false;
                }

                ipv4 |= part << shift;
                shift += 8;
                part = 0;
                digitCount = 0;
            }
        }

        ipv4 |= part << shift;
        return shift == 24 && digitCount > 0;
    }

    private static bool TryParseIpv6(ReadOnlySpan<byte> text, byte* to)
    {
        var groups = stackalloc ushort[GroupCount];
        var groupCount = 0;
        var gapAt = -1; // Groups before "::".
        var position = 0;
        if (text[0] == ':')
        {
            if (text[1] != ':')
            {
                return false;
            }

            gapAt = 0;
            position = 2;
        }

        while (position < text.Length)
        {
            if (groupCount == GroupCount)
            {
                return false;
            }

            var start = position;
            var group = ReadGroup(text, ref position);
            if (position < text.Length && text[position] == '.')
            {
                if (groupCount > GroupCount - 2 || !TryParseIpv4(text[start..], out var tail))
                {
                    return false;
                }

                groups[groupCount++] = BinaryPrimitives.ReverseEndianness((ushort)tail);
                groups[groupCount++] = BinaryPrimitives.ReverseEndianness((ushort)(tail >> 16));
                break;
            }

            if (position - start is < 1 or > 4)
            {
                return false;
            }

            groups[groupCount++] = (ushort)group;
            if (position == text.Length)
            {
                break;
            }

            if (text[position++] != ':' || position == text.Length)
            {
                return false; // Another letter, or a colon at the end.
            }

            if (text[position] == ':')
            {
                if (gapAt >= 0)
                {
                    return false;
                }

                gapAt = groupCount;
                position++;
            }
        }

        return TryPutGroups(groups, groupCount, gapAt, to);
    }

    private static uint ReadGroup(ReadOnlySpan<byte> text, ref int position)
    {
        uint group = 0;
        for (; position < text.Length && HexDigit(text[position]) is >= 0 and var digit; position++)
        {
            group = (group << 4) | (uint)digit;
        }

        return group;
    }

    private static bool TryPutGroups(ushort* groups, int groupCount, int gapAt, byte* to)
    {
        if (gapAt < 0 ? groupCount != GroupCount : groupCount == GroupCount)
        {
            return false; // "::" stands for one group or more.
        }

        var before = gapAt < 0 ? GroupCount : gapAt;
        var gap = GroupCount - groupCount;
        for (var index = 0; index < GroupCount; index++)
        {
            var group = index < before ? groups[index] : index < before + gap ? (ushort)0 : groups[index - gap];
            ((ushort*)to)[index] = BinaryPrimitives.ReverseEndianness(group);
        }

        return true;
    }
}
