namespace Weir.Core.Model;

/// <summary>How the value of a tag is kept in a key.</summary>
public enum TagType
{
    /// <summary>Unsigned, 1 byte.</summary>
    U8,

    /// <summary>Unsigned, 2 bytes, little endian.</summary>
    U16,

    /// <summary>Unsigned, 4 bytes, little endian.</summary>
    U32,

    /// <summary>Unsigned, 8 bytes, little endian. MAC addresses are kept so.</summary>
    U64,

    /// <summary>16 bytes in network order; an IPv4 address is kept as ::ffff:a.b.c.d, so that it is one value in both forms.</summary>
    Address,

    /// <summary>4 bytes: the id of the text in the <see cref="StringDictionary"/> of the cut that the record belongs to.</summary>
    String,
}

/// <summary>Sizes of the types in a key.</summary>
public static class TagTypes
{
    /// <summary>Bytes of one value in a key; also its alignment, but for addresses, which need 8.</summary>
    public static int WidthBytes(this TagType type) => type switch
    {
        TagType.U8 => 1,
        TagType.U16 => 2,
        TagType.U32 or TagType.String => 4,
        TagType.U64 => 8,
        TagType.Address => 16,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a tag type."),
    };
}
