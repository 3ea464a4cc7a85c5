namespace Weir.Codecs.ClickHouse;

/// <summary>The column types that Weir sends in Native blocks.</summary>
public enum NativeColumnType
{
    /// <summary>1 byte.</summary>
    UInt8,

    /// <summary>2 bytes, little endian.</summary>
    UInt16,

    /// <summary>4 bytes, little endian.</summary>
    UInt32,

    /// <summary>8 bytes, little endian.</summary>
    UInt64,

    /// <summary>Seconds since the epoch, 4 bytes, little endian.</summary>
    DateTime,

    /// <summary>16 bytes as they are; an IPv6 column takes them in network order.</summary>
    FixedString16,

    /// <summary>Texts by number: the keys once for each block, then an index for each row.</summary>
    LowCardinalityString,
}

/// <summary>A column of a Native block.</summary>
/// <param name="Name">Column name.</param>
/// <param name="Type">What its cells are.</param>
public sealed record NativeColumn(string Name, NativeColumnType Type)
{
    /// <summary>The type as ClickHouse writes it.</summary>
    public string TypeName => Type switch
    {
        NativeColumnType.FixedString16 => "FixedString(16)",
        NativeColumnType.LowCardinalityString => "LowCardinality(String)",
        _ => Type.ToString(),
    };

    /// <summary>Bytes of a cell; 0 for texts by number, whose index is as wide as the number of keys asks for.</summary>
    internal int CellBytes => Type switch
    {
        NativeColumnType.UInt8 => 1,
        NativeColumnType.UInt16 => 2,
        NativeColumnType.UInt32 or NativeColumnType.DateTime => 4,
        NativeColumnType.UInt64 => 8,
        NativeColumnType.FixedString16 => 16,
        _ => 0,
    };
}
