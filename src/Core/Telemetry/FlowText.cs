using System.Globalization;
using System.Net;
using System.Text;
using Weir.Core.Model;

namespace Weir.Core.Telemetry;

/// <summary>Records and rows as names and values for people.</summary>
public static unsafe class FlowText
{
    /// <summary>A record of a chunk.</summary>
    /// <param name="schema">Its layout.</param>
    /// <param name="record">Its first byte.</param>
    /// <param name="texts">Its string tags, in the order of the schema's string tags.</param>
    public static IReadOnlyList<(string Name, string Value)> OfRecord(StreamSchema schema, byte* record, IReadOnlyList<string> texts)
    {
        var key = record + StreamSchema.HashBytes;
        return Fields(key, schema.Tags, schema, record + schema.RecordMetersOffset, slot =>
            texts[schema.StringTagOffsets.IndexOf(slot.OffsetBytes)]);
    }

    /// <summary>A folded row of a view.</summary>
    public static IReadOnlyList<(string Name, string Value)> OfRow(StreamSchema schema, ViewPlan plan, byte* row, StringDictionary strings) =>
        Fields(row, plan.Tags, schema, row + plan.KeyBytes, slot => TextOf(row + slot.OffsetBytes, strings));

    /// <summary>The text of a string tag.</summary>
    public static string TextOf(byte* value, StringDictionary strings) => Encoding.UTF8.GetString(strings.Utf8((int)*(uint*)value));

    /// <summary>A value that is no string as a number of 64 bits; for an address, its low half.</summary>
    internal static ulong NumberOf(byte* value, TagType type) => type switch
    {
        TagType.U8 => *value,
        TagType.U16 => *(ushort*)value,
        TagType.U32 or TagType.String => *(uint*)value,
        _ => *(ulong*)value,
    };

    private static List<(string Name, string Value)> Fields(
        byte* key, IEnumerable<TagSlot> tags, StreamSchema schema, byte* meters, Func<TagSlot, string> textOf)
    {
        var fields = new List<(string Name, string Value)>
        {
            ("time", DateTimeOffset.FromUnixTimeSeconds((long)*(ulong*)key).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)),
        };
        foreach (var slot in tags)
        {
            fields.Add((slot.Tag.Name, slot.Tag.Type switch
            {
                TagType.String => textOf(slot),
                TagType.Address => AddressText(key + slot.OffsetBytes),
                _ => NumberOf(key + slot.OffsetBytes, slot.Tag.Type).ToString(CultureInfo.InvariantCulture),
            }));
        }

        for (var index = 0; index < schema.Meters.Length; index++)
        {
            fields.Add((schema.Meters[index].Name, ((ulong*)meters)[index].ToString(CultureInfo.InvariantCulture)));
        }

        return fields;
    }

    private static string AddressText(byte* value)
    {
        var address = new IPAddress(new ReadOnlySpan<byte>(value, 16));
        return (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString();
    }
}
