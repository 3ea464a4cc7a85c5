using Weir.Bench.Report;

namespace Weir.Bench.Lines;

/// <summary>Lines that are measured together.</summary>
/// <param name="Ids">Their names, in the order of the table.</param>
/// <param name="What">What is measured, in a sentence, for <c>--list</c>.</param>
/// <param name="Run">Measures.</param>
internal sealed record LineGroup(IReadOnlyList<string> Ids, string What, Func<BenchContext, IEnumerable<LineResult>> Run)
{
    /// <summary>
    /// True for lines that take minutes however few the rounds are, and for some that inform only: <c>--quick</c>, which is to end within five
    /// minutes, measures them where they are named.
    /// </summary>
    public bool IsLong { get; init; }

    /// <summary>True when <paramref name="name"/> is one of its lines or what several of them begin with: <c>vs.clickhouse</c>.</summary>
    public bool IsNamed(string name) => Ids.Any(id => IsNamed(id, name));

    /// <summary>True when <paramref name="name"/> is the line or what it begins with, up to a dot.</summary>
    public static bool IsNamed(string id, string name) =>
        id == name || (id.StartsWith(name, StringComparison.Ordinal) && id[name.Length] == '.');
}
