namespace Weir.Codecs.Flow;

/// <summary>What a decoder does with the value of a field. The first ones store a tag or meter as it is; the later ones have a meaning.</summary>
internal enum FieldKind : byte
{
    /// <summary>Not known, or not used.</summary>
    None,

    /// <summary>A number of 1 byte.</summary>
    U8,

    /// <summary>A number of 2 bytes.</summary>
    U16,

    /// <summary>A number of 4 bytes.</summary>
    U32,

    /// <summary>A number of 8 bytes.</summary>
    U64,

    /// <summary>A count: as <see cref="U64"/>, but a negative one has its own status.</summary>
    Count,

    /// <summary>16 bytes; IPv4 as ::ffff:a.b.c.d.</summary>
    Address,

    /// <summary>The id of a text.</summary>
    Text,

    /// <summary>Who measured: an address, kept in its canonical text, or any other text.</summary>
    Exporter,

    /// <summary>A number up to 65,535 with a status of its own.</summary>
    Port,

    /// <summary>The IP protocol by name or number.</summary>
    Proto,

    /// <summary>A MAC address as text or as a number of 48 bits.</summary>
    Mac,

    /// <summary>Bits of a prefix: a number, or what follows the slash of a network.</summary>
    Mask,

    /// <summary>The Ethernet type by number or by goflow2's names.</summary>
    Etype,

    /// <summary>The Ethernet type as pmacct writes it: hexadecimal text.</summary>
    EtypeHex,

    /// <summary>TCP flags: a tag, and three meters at the end of the record.</summary>
    TcpFlags,

    /// <summary>Flows; at the end of the record 1 where there was no count.</summary>
    Flows,

    /// <summary>Packets, to be multiplied by the sampling rate.</summary>
    Packets,

    /// <summary>Bytes, to be multiplied by the sampling rate.</summary>
    Bytes,

    /// <summary>One of so many packets was seen.</summary>
    SamplingRate,

    /// <summary>A time in seconds, into slot <see cref="FieldAction.TimeSlot"/>.</summary>
    TimeSeconds,

    /// <summary>A time in nanoseconds, into slot <see cref="FieldAction.TimeSlot"/>.</summary>
    TimeNanos,

    /// <summary>A duration that the agent measured, ms.</summary>
    DurationMs,

    /// <summary>pmacct's kind of event: a record or a marker.</summary>
    EventType,

    /// <summary>The nested message of tags of <c>weir-proto</c>.</summary>
    NestedTags,
}

/// <summary>One entry of a decoder's table of fields.</summary>
/// <param name="Kind">What to do.</param>
/// <param name="Offset">Where in the row, from its first byte; −1 when no view uses the field: its value is checked only.</param>
/// <param name="Next">Index of a further action for the same field, a tag or meter that a user defined; −1 for none.</param>
/// <param name="TimeSlot">For times: which one.</param>
internal readonly record struct FieldAction(FieldKind Kind, short Offset, short Next = -1, byte TimeSlot = 0)
{
    /// <summary>An unknown field.</summary>
    public static readonly FieldAction None = new(FieldKind.None, -1);
}
