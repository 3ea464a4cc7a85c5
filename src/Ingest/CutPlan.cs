using System.Globalization;
using System.Text.RegularExpressions;
using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>What a process is about to store of a partition, as it stands in Kafka: in the metadata of the committed offset.</summary>
/// <param name="FromOffset">First offset of the range: the committed offset.</param>
/// <param name="ToOffset">The offset after the last one.</param>
/// <param name="Layout">The layout (<see cref="BlockName.LayoutOf"/>) of the process that planned it.</param>
public readonly partial record struct CutPlan(long FromOffset, long ToOffset, int Layout)
{
    /// <summary>The metadata of a commit that plans a range up to <paramref name="toOffset"/>.</summary>
    /// <param name="toOffset">The offset after the range.</param>
    /// <param name="origins">How far a rekeyed partition has come in its origins before the range; empty for none.</param>
    /// <param name="layout">How its blocks are made.</param>
    public static string MetadataOf(long toOffset, string origins = "", int layout = BlockName.LayoutVersion) => string.Create(
        CultureInfo.InvariantCulture, $"weir-plan layout={layout} to={toOffset}{(origins.Length > 0 ? $" origins={origins}" : "")}");

    /// <summary>The metadata of a commit that plans nothing.</summary>
    public static string EndMetadataOf(string origins) => origins.Length > 0 ? $"weir-end origins={origins}" : "";

    /// <summary>Reads the plan of a commit.</summary>
    /// <returns>Null when the metadata is no plan: empty, of another program, or not of a range.</returns>
    public static CutPlan? Parse(long committedOffset, string metadata) =>
        Pattern().Match(metadata) is { Success: true } match
        && int.TryParse(match.Groups["layout"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var layout)
        && long.TryParse(match.Groups["to"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var toOffset)
        && committedOffset >= 0 && toOffset > committedOffset
            ? new CutPlan(committedOffset, toOffset, layout)
            : null;

    [GeneratedRegex(@"^weir-plan layout=(?<layout>\d+) to=(?<to>\d+)( origins=[\d:,]+)?\z", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
