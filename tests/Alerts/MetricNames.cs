using System.Text.RegularExpressions;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Alerts;

/// <summary>The metrics that rules and dashboards may name: those of <c>docs/metrics.md</c>.</summary>
internal static partial class MetricNames
{
    private static readonly string[] _histogramSuffixes = ["_bucket", "_sum", "_count"];

    private static readonly HashSet<string> _known =
        [.. Row().Matches(File.ReadAllText(RepositoryPaths.Of("docs", "metrics.md"))).Select(row => row.Groups[1].Value)];

    /// <summary>Fails when an expression names a metric of Weir that is not on the page, or none at all.</summary>
    public static void AssertKnown(string expression, string where)
    {
        var names = Name().Matches(expression).Select(match => match.Value).ToList();
        Assert.True(names.Count > 0 || expression.StartsWith("up{", StringComparison.Ordinal), $"{where} names no metric: {expression}");
        Assert.All(names, name => Assert.True(IsKnown(name), $"{where} names {name}, which docs/metrics.md does not have."));
    }

    private static bool IsKnown(string name) =>
        _known.Contains(name)
        || _histogramSuffixes.Any(suffix => name.EndsWith(suffix, StringComparison.Ordinal) && _known.Contains(name[..^suffix.Length]));

    [GeneratedRegex(@"(?m)^\| `(weir_[a-z0-9_]+)` \|")]
    private static partial Regex Row();

    [GeneratedRegex(@"\bweir_[a-z0-9_]+\b")]
    private static partial Regex Name();
}
