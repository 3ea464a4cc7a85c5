namespace Weir.Codecs.Flow;

/// <summary>Numbers of the <c>weir</c> batch format, version 1. FORMAT.md describes it byte by byte.</summary>
public static class WeirBatch
{
    /// <summary>Records of one batch.</summary>
    public const int RecordsMax = 65_536;

    /// <summary>Version that this program writes and reads.</summary>
    public const byte Version = 1;

    /// <summary>Texts of one batch: one for each record and the two that <c>StringDictionary</c> reserves.</summary>
    internal const int TextsMax = RecordsMax + 2;

    /// <summary>Columns of one batch, those that a reader does not know among them.</summary>
    internal const int ColumnsMax = 256;

    /// <summary>Bytes before the body: magic, version, flags, columns, records, body length.</summary>
    internal const int HeaderBytes = 16;

    /// <summary>Bytes after the body.</summary>
    internal const int ChecksumBytes = 4;

    /// <summary>Bytes before the lengths of the texts: their number and their bytes.</summary>
    internal const int TextsHeaderBytes = 8;

    /// <summary>Bytes before the data of a column: id, encoding, width, length, base.</summary>
    internal const int ColumnHeaderBytes = 16;

    /// <summary>Column ids of tags: this and their field number in weir.v1.Tags.</summary>
    internal const ushort TagColumns = 0x100;

    /// <summary>Column ids of the time and the meters: this and their field number in weir.v1.FlowRecord.</summary>
    internal const ushort RecordColumns = 0x200;

    /// <summary>Column ids of tags and meters that users define: this and the field number of the mapping.</summary>
    internal const ushort UserColumns = 0x8000;

    /// <summary>Encoding of numbers: base + unsigned difference.</summary>
    internal const byte EncodingNumbers = 0;

    /// <summary>Encoding of addresses: one for all, IPv4, or 16 bytes.</summary>
    internal const byte EncodingAddresses = 1;

    /// <summary>Encoding of texts: numbers that are indices into the texts of the batch.</summary>
    internal const byte EncodingTexts = 2;

    /// <summary>The first bytes.</summary>
    internal static ReadOnlySpan<byte> Magic => "WEIR"u8;
}
