using System.Collections.Immutable;

namespace Weir.Core.Model;

/// <summary>Where a tag lies in a row.</summary>
/// <param name="Tag">The tag.</param>
/// <param name="OffsetBytes">Offset of its value from the start of the key.</param>
public readonly record struct TagSlot(TagDefinition Tag, int OffsetBytes);

/// <summary>A run of bytes that goes from the key of a finer row into the key of a coarser one.</summary>
/// <param name="FromBytes">Offset in the finer key.</param>
/// <param name="ToBytes">Offset in the coarser key.</param>
/// <param name="LengthBytes">Length of the run.</param>
public readonly record struct KeySegment(int FromBytes, int ToBytes, int LengthBytes);

/// <summary>A view compiled to offsets.</summary>
/// <param name="Index">Position in <see cref="StreamSchema.Views"/>.</param>
/// <param name="Definition">What it was made from.</param>
/// <param name="ParentIndex">The view whose rows this one folds, always a smaller index; −1 when it folds records.</param>
/// <param name="KeyBytes">Bytes of a key: 8 of time, then the tags, a multiple of 8.</param>
/// <param name="Tags">The view's tags in column order, with their offsets in the key.</param>
/// <param name="Segments">How a key is made from the parent's (or the record's), the time aside.</param>
/// <param name="HasSourceKeys">True when the key differs from the parent's (or the record's) in its time only.</param>
public sealed record ViewPlan(
    int Index,
    ViewDefinition Definition,
    int ParentIndex,
    int KeyBytes,
    ImmutableArray<TagSlot> Tags,
    ImmutableArray<KeySegment> Segments,
    bool HasSourceKeys);

/// <summary>The tags and meters that the views use, compiled to one fixed row layout.</summary>
/// <remarks>
/// <para>
/// A record in a chunk: <c>[u64 tag hash][key][meters]</c>. A key: <c>[u64 time, seconds since the epoch][tags, largest first,
/// zero-padded to 8]</c>. Meters: 64 bits each, sums first, then maxima, then minima; <c>records</c> is meter 0. A folded row
/// of view v is <c>[v's key][meters]</c>; all views keep all meters in memory, and each writes those that it names.
/// </para>
/// <para>Immutable; any thread.</para>
/// </remarks>
public sealed class StreamSchema
{
    /// <summary>Bytes before the key of a record: its tag hash.</summary>
    public const int HashBytes = 8;

    /// <summary>Bytes of the time at the start of a key.</summary>
    public const int TimeBytes = 8;

    private StreamSchema(
        ImmutableArray<TagSlot> tags, int keyBytes, ImmutableArray<MeterDefinition> meters, ImmutableArray<ViewPlan> views)
    {
        Tags = tags;
        KeyBytes = keyBytes;
        Meters = meters;
        Views = views;
        SumCount = meters.Count(meter => meter.Fold == MeterFold.Sum);
        MaxCount = meters.Count(meter => meter.Fold == MeterFold.Max);
        MinCount = meters.Count(meter => meter.Fold == MeterFold.Min);
        StringTagOffsets = [.. tags.Where(slot => slot.Tag.Type == TagType.String).Select(slot => slot.OffsetBytes)];
    }

    /// <summary>All tags that some view uses, with their offsets in a record's key.</summary>
    public ImmutableArray<TagSlot> Tags { get; }

    /// <summary>Bytes of a record's key, a multiple of 8.</summary>
    public int KeyBytes { get; }

    /// <summary>All meters that some view uses, in the order of a row.</summary>
    public ImmutableArray<MeterDefinition> Meters { get; }

    /// <summary>The views, finer ones before the coarser ones that are made from them.</summary>
    public ImmutableArray<ViewPlan> Views { get; }

    /// <summary>Meters that add: the first ones of a row.</summary>
    public int SumCount { get; }

    /// <summary>Meters that keep the larger value: after the sums.</summary>
    public int MaxCount { get; }

    /// <summary>Meters that keep the smaller value: after the maxima.</summary>
    public int MinCount { get; }

    /// <summary>Offsets in a record's key of the ids of string tags.</summary>
    public ImmutableArray<int> StringTagOffsets { get; }

    /// <summary>Bytes of all meters of a row.</summary>
    public int MeterBytes => Meters.Length * sizeof(ulong);

    /// <summary>Bytes of a record in a chunk.</summary>
    public int RecordBytes => HashBytes + KeyBytes + MeterBytes;

    /// <summary>Offset of the meters in a record.</summary>
    public int RecordMetersOffset => HashBytes + KeyBytes;

    /// <summary>Compiles views to a row layout.</summary>
    /// <exception cref="ArgumentException">A view has no tags, two tags of one name and different types, or an order that is not its tags.</exception>
    public static StreamSchema Compile(IReadOnlyList<ViewDefinition> views)
    {
        ArgumentOutOfRangeException.ThrowIfZero(views.Count);
        var meters = OrderMeters(views);
        var (tags, keyBytes) = Layout(Union(views));

        // A view with more tags and a finer granularity comes first, so that parents precede their children.
        var ordered = views.OrderBy(view => view.GranularitySeconds).ThenByDescending(view => view.Tags.Count).ToList();
        var plans = ImmutableArray.CreateBuilder<ViewPlan>(views.Count);
        foreach (var view in ordered)
        {
            plans.Add(Plan(view, plans, tags));
        }

        return new StreamSchema(tags, keyBytes, meters, plans.ToImmutable());
    }

    private static List<TagDefinition> Union(IReadOnlyList<ViewDefinition> views)
    {
        var union = new List<TagDefinition>();
        foreach (var tag in views.SelectMany(view => view.Tags))
        {
            var known = union.Find(other => other.Name == tag.Name);
            if (known is null)
            {
                union.Add(tag);
            }
            else if (known != tag)
            {
                throw new ArgumentException($"Tag {tag.Name} is defined in two ways: {known} and {tag}.", nameof(views));
            }
        }

        return union;
    }

    private static ImmutableArray<MeterDefinition> OrderMeters(IReadOnlyList<ViewDefinition> views)
    {
        var meters = new List<MeterDefinition> { StandardSchema.Records };
        foreach (var meter in views.SelectMany(view => view.Meters))
        {
            var known = meters.Find(other => other.Name == meter.Name);
            if (known is null)
            {
                meters.Add(meter);
            }
            else if (known != meter)
            {
                throw new ArgumentException($"Meter {meter.Name} is defined in two ways: {known} and {meter}.", nameof(views));
            }
        }

        return [.. meters.OrderBy(meter => meter.Fold)]; // A stable sort: records stays the first.
    }

    private static (ImmutableArray<TagSlot> Tags, int KeyBytes) Layout(List<TagDefinition> tags)
    {
        var slots = new TagSlot[tags.Count];
        var offset = TimeBytes;
        foreach (var index in Enumerable.Range(0, tags.Count).OrderByDescending(index => tags[index].Type.WidthBytes()))
        {
            slots[index] = new TagSlot(tags[index], offset);
            offset += tags[index].Type.WidthBytes();
        }

        return ([.. slots], (offset + 7) & ~7);
    }

    private static ViewPlan Plan(
        ViewDefinition view, ImmutableArray<ViewPlan>.Builder finer, ImmutableArray<TagSlot> recordTags)
    {
        if (!view.OrderBy.Order().SequenceEqual(view.Tags.Select(tag => tag.Name).Order()))
        {
            throw new ArgumentException($"View {view.Name} must be ordered by each of its tags once.", nameof(view));
        }

        // The smallest finer view that has all tags: its rows are the fewest to fold again.
        var parent = finer
            .Where(plan => view.GranularitySeconds % plan.Definition.GranularitySeconds == 0)
            .Where(plan => view.Tags.All(tag => plan.Definition.Tags.Contains(tag)))
            .OrderBy(plan => plan.Definition.Tags.Count)
            .ThenByDescending(plan => plan.Definition.GranularitySeconds)
            .FirstOrDefault();
        var sourceTags = parent?.Tags ?? recordTags;

        // Tags keep the order of the source's layout, so that they move in few long runs.
        var bySource = view.Tags.OrderBy(tag => Find(sourceTags, tag).OffsetBytes).ToList();
        var (slots, keyBytes) = Layout(bySource);
        var segments = new List<KeySegment>();
        foreach (var slot in slots.OrderBy(slot => slot.OffsetBytes))
        {
            var segment = new KeySegment(Find(sourceTags, slot.Tag).OffsetBytes, slot.OffsetBytes, slot.Tag.Type.WidthBytes());
            if (segments.Count > 0
                && segments[^1] is var last
                && last.FromBytes + last.LengthBytes == segment.FromBytes
                && last.ToBytes + last.LengthBytes == segment.ToBytes)
            {
                segments[^1] = last with { LengthBytes = last.LengthBytes + segment.LengthBytes };
            }
            else
            {
                segments.Add(segment);
            }
        }

        return new ViewPlan(
            finer.Count,
            view,
            parent?.Index ?? -1,
            keyBytes,
            [.. view.Tags.Select(tag => Find(slots, tag))],
            [.. segments],
            view.Tags.Count == sourceTags.Length);
    }

    private static TagSlot Find(ImmutableArray<TagSlot> slots, TagDefinition tag) => slots.First(slot => slot.Tag == tag);
}
