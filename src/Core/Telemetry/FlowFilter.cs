using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Weir.Core.Model;

namespace Weir.Core.Telemetry;

/// <summary>Conditions on tags and meters that all have to hold, such as <c>dst_port = 443 and bytes &gt; 1000</c>.</summary>
/// <remarks>Immutable; any thread.</remarks>
public sealed unsafe partial class FlowFilter
{
    private readonly StreamSchema _schema;
    private readonly List<Condition> _conditions;

    private FlowFilter(StreamSchema schema, List<Condition> conditions)
    {
        _schema = schema;
        _conditions = conditions;
    }

    /// <summary>Reads a filter; an empty text lets everything pass.</summary>
    /// <exception cref="FormatException">It cannot be read; the message says where and what is allowed.</exception>
    public static FlowFilter Parse(string text, StreamSchema schema)
    {
        var conditions = new List<Condition>();
        foreach (var part in AndWord().Split(text.Trim()).Where(part => part.Length > 0))
        {
            conditions.Add(ParseCondition(part.Trim(), schema));
        }

        return new FlowFilter(schema, conditions);
    }

    /// <summary>True when a record of a chunk passes.</summary>
    internal bool MatchesRecord(byte* record, StringDictionary strings)
    {
        var key = record + StreamSchema.HashBytes;
        foreach (var condition in _conditions)
        {
            var value = condition.Meter >= 0
                ? record + _schema.RecordMetersOffset + (condition.Meter * sizeof(ulong))
                : key + Slot(_schema.Tags, condition.Tag!).OffsetBytes;
            if (!condition.Matches(value, strings))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>True when a row of a view passes; one whose view has not the tag does not.</summary>
    internal bool MatchesRow(ViewPlan plan, byte* row, StringDictionary strings)
    {
        foreach (var condition in _conditions)
        {
            if (condition.Meter < 0 && !plan.Definition.Tags.Contains(condition.Tag!))
            {
                return false;
            }

            var value = condition.Meter >= 0
                ? row + plan.KeyBytes + (condition.Meter * sizeof(ulong))
                : row + Slot(plan.Tags, condition.Tag!).OffsetBytes;
            if (!condition.Matches(value, strings))
            {
                return false;
            }
        }

        return true;
    }

    private static TagSlot Slot(System.Collections.Immutable.ImmutableArray<TagSlot> slots, TagDefinition tag)
    {
        foreach (var slot in slots)
        {
            if (slot.Tag == tag)
            {
                return slot;
            }
        }

        throw new ArgumentException($"There is no tag {tag.Name}.", nameof(tag));
    }

    private static Condition ParseCondition(string text, StreamSchema schema)
    {
        var match = ConditionPattern().Match(text);
        if (!match.Success)
        {
            throw new FormatException($"'{text}' is no condition; allowed: NAME = VALUE, with =, !=, <, <=, > or >=, several joined by 'and'");
        }

        var (name, sign, literal) = (match.Groups[1].Value, match.Groups[2].Value, match.Groups[3].Value.Trim('\'', '"'));
        var meter = schema.Meters.ToList().FindIndex(known => known.Name == name);
        var tag = schema.Tags.FirstOrDefault(slot => slot.Tag.Name == name).Tag;
        if (meter < 0 && tag is null)
        {
            var names = schema.Tags.Select(slot => slot.Tag.Name).Concat(schema.Meters.Select(known => known.Name));
            throw new FormatException($"there is no tag or meter '{name}'; there are {string.Join(", ", names)}");
        }

        var comparison = sign switch { "=" or "==" => 0, "!=" => 1, "<" => 2, "<=" => 3, ">" => 4, _ => 5 };
        switch (tag?.Type)
        {
            case TagType.String:
                Require(comparison < 2);
                return new Condition(tag, -1, comparison, 0, literal, null);
            case TagType.Address:
                Require(comparison < 2 & IPAddress.TryParse(literal, out var address));
                return new Condition(tag, -1, comparison, 0, null, address!.MapToIPv6().GetAddressBytes());
            default:
                Require(ulong.TryParse(literal, NumberStyles.None, CultureInfo.InvariantCulture, out var number));
                return new Condition(tag, meter, comparison, number, null, null);
        }

        void Require(bool isAllowed)
        {
            if (!isAllowed)
            {
                throw new FormatException($"'{text}' cannot be compared: {name} takes a number, or = and != with an address or a text");
            }
        }
    }

    [GeneratedRegex(@"^([a-z0-9_]+)\s*(==|=|!=|<=|>=|<|>)\s*(.+)$", RegexOptions.CultureInvariant)]
    private static partial Regex ConditionPattern();

    [GeneratedRegex(@"\s+(?:and|AND)\s+|\s*&&\s*", RegexOptions.CultureInvariant)]
    private static partial Regex AndWord();

    private sealed record Condition(TagDefinition? Tag, int Meter, int Comparison, ulong Number, string? Text, byte[]? Address)
    {
        internal bool Matches(byte* value, StringDictionary strings)
        {
            if (Text is not null)
            {
                return (FlowText.TextOf(value, strings) == Text) == (Comparison == 0);
            }

            if (Address is not null)
            {
                return new ReadOnlySpan<byte>(value, Address.Length).SequenceEqual(Address) == (Comparison == 0);
            }

            var number = Meter >= 0 ? *(ulong*)value : FlowText.NumberOf(value, Tag!.Type);
            return Comparison switch
            {
                0 => number == Number,
                1 => number != Number,
                2 => number < Number,
                3 => number <= Number,
                4 => number > Number,
                _ => number >= Number,
            };
        }
    }
}
