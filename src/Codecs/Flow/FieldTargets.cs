using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>Where in a row the tags and meters of a schema lie, for the constructors of the decoders.</summary>
/// <remarks>Immutable. Offsets count from the first byte of the row, its tag hash.</remarks>
internal sealed class FieldTargets
{
    /// <summary>Rows are far smaller; the limit lets offsets be 16 bits wide.</summary>
    private const int RowBytesMax = short.MaxValue;

    /// <summary>Finds all tags and meters.</summary>
    /// <exception cref="ArgumentException">A tag or meter is neither standard nor names a source, or the rows are too long.</exception>
    public FieldTargets(StreamSchema schema)
    {
        if (schema.RecordBytes > RowBytesMax)
        {
            throw new ArgumentException($"A record of {schema.RecordBytes} B is above the limit of {RowBytesMax} B.", nameof(schema));
        }

        Schema = schema;
        foreach (var slot in schema.Tags)
        {
            if (slot.Tag.Source is null && !StandardSchema.Tags.Contains(slot.Tag))
            {
                throw new ArgumentException($"Tag {slot.Tag.Name} is not a standard tag of that type and names no source.", nameof(schema));
            }
        }

        foreach (var meter in schema.Meters)
        {
            if (meter.Source is null && !StandardSchema.Meters.Any(standard => standard.Name == meter.Name))
            {
                throw new ArgumentException($"Meter {meter.Name} is not a standard meter and names no source.", nameof(schema));
            }
        }
    }

    /// <summary>The schema.</summary>
    public StreamSchema Schema { get; }

    /// <summary>Offset of a standard tag; −1 when no view uses it.</summary>
    public short Tag(TagDefinition tag)
    {
        foreach (var slot in Schema.Tags)
        {
            if (slot.Tag == tag)
            {
                return (short)(StreamSchema.HashBytes + slot.OffsetBytes);
            }
        }

        return -1;
    }

    /// <summary>Offset of a standard tag; 0, the place of the tag hash, when no view uses it.</summary>
    public int TagOrHash(TagDefinition tag) => Math.Max((int)Tag(tag), 0);

    /// <summary>Offset of a standard meter, whatever its fold; −1 when no view uses it.</summary>
    public short Meter(MeterDefinition meter)
    {
        for (var index = 0; index < Schema.Meters.Length; index++)
        {
            if (Schema.Meters[index].Source is null && Schema.Meters[index].Name == meter.Name)
            {
                return MeterOffset(index);
            }
        }

        return -1;
    }

    /// <summary>The tags and meters that users defined, with their sources and what is to be done with a value.</summary>
    public IEnumerable<(FieldSource Source, bool IsTag, FieldAction Action)> UserDefined()
    {
        foreach (var slot in Schema.Tags)
        {
            if (slot.Tag.Source is { } source)
            {
                yield return (source, true, new FieldAction(KindOf(slot.Tag.Type), (short)(StreamSchema.HashBytes + slot.OffsetBytes)));
            }
        }

        for (var index = 0; index < Schema.Meters.Length; index++)
        {
            if (Schema.Meters[index].Source is { } source)
            {
                yield return (source, false, new FieldAction(FieldKind.Count, MeterOffset(index)));
            }
        }
    }

    private static FieldKind KindOf(TagType type) => type switch
    {
        TagType.U8 => FieldKind.U8,
        TagType.U16 => FieldKind.U16,
        TagType.U32 => FieldKind.U32,
        TagType.U64 => FieldKind.U64,
        TagType.Address => FieldKind.Address,
        TagType.String => FieldKind.Text,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Not a tag type."),
    };

    private short MeterOffset(int index) => (short)(Schema.RecordMetersOffset + (index * sizeof(ulong)));
}
