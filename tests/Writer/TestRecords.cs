using Weir.Core.Model;

namespace Weir.Tests.Writer;

/// <summary>Schemas and random records for the tests of the block builder.</summary>
internal static class TestRecords
{
    /// <summary>2026-01-01 00:00:00 UTC.</summary>
    public const uint Start = 1_767_225_600;

    /// <summary>A schema with every type of tag and every fold: one view with all tags, one coarser one with few.</summary>
    public static StreamSchema AllTypes { get; } = StreamSchema.Compile(
    [
        new ViewDefinition(
            "all_1s",
            1,
            [
                new("addr", TagType.Address), new("u8", TagType.U8), new("u16", TagType.U16), new("u32", TagType.U32),
                new("u64", TagType.U64), new("site", TagType.String), new("agent", TagType.String),
            ],
            [
                StandardSchema.Records, StandardSchema.Bytes, new("rtt_max", MeterFold.Max), new("rtt_min", MeterFold.Min),
            ],
            ["site", "u16", "addr", "u8", "agent", "u32", "u64"]),
        new ViewDefinition(
            "site_1m",
            60,
            [new("site", TagType.String), new("u8", TagType.U8)],
            [StandardSchema.Records, new("rtt_max", MeterFold.Max)],
            ["u8", "site"]),
    ]);

    /// <summary>The schema that Weir ships.</summary>
    public static StreamSchema Standard { get; } = StreamSchema.Compile(StandardSchema.Views);

    private static readonly string[] _texts =
        ["", "é", "a", "b", "aa", "Z", "berlin-1", "berlin-10", "berlin-2", "__overflow__", "\u4E2D", "😀"];

    /// <summary>Records with few enough different values that keys repeat, and some at the ends of their ranges.</summary>
    public static List<TestRecord> Random(StreamSchema schema, Random random, int count, int days = 2, int spread = 4) =>
        [.. Enumerable.Range(0, count).Select(_ => One(schema, random, days, spread))];

    private static TestRecord One(StreamSchema schema, Random random, int days, int spread) => new(
        Start + ((uint)random.Next(days) * 86_400) + (uint)random.Next(120),
        schema.Tags.ToDictionary(slot => slot.Tag.Name, slot => Value(slot.Tag.Type, random, spread)),
        [.. schema.Meters.Select((meter, index) => index == 0 ? 1UL : Number(random))]);

    private static object Value(TagType type, Random random, int spread) => type switch
    {
        TagType.U8 => (byte)random.Next(spread),
        TagType.U16 => (ushort)(random.Next(spread) * 257),
        TagType.U32 => random.Next(9) == 0 ? uint.MaxValue : (uint)random.Next(spread),
        TagType.U64 => random.Next(9) == 0 ? ulong.MaxValue : (ulong)random.Next(spread) << 40,
        TagType.Address => Address(random, spread),
        _ => random.Next(3) == 0 ? $"text-{random.Next(spread)}" : _texts[random.Next(_texts.Length)],
    };

    private static byte[] Address(Random random, int spread)
    {
        byte[] address = random.Next(3) > 0
            ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, (byte)random.Next(2), 0, 0]
            : [0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        var host = (ushort)random.Next(spread);
        address[14] = (byte)(host >> 8);
        address[15] = (byte)host;
        return address;
    }

    private static ulong Number(Random random) =>
        random.Next(20) == 0 ? ulong.MaxValue - (ulong)random.Next(5) : (ulong)random.Next(1_000_000);
}
