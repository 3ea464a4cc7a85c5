using System.Globalization;

namespace Weir.Tests.Support.Agents;

/// <summary>What tests/Agents/expected-rows.sh, which shares no code with Weir, says that a standard view must hold.</summary>
/// <param name="Rows">Tab-separated: time, tags, records, flows, packets, bytes; sorted bytewise.</param>
/// <param name="RecordCount">Records in those rows.</param>
/// <param name="UnplaceableCount">Records whose time no DateTime can hold.</param>
internal sealed record ExpectedRows(IReadOnlyList<string> Rows, long RecordCount, long UnplaceableCount)
{
    private const int RecordsFromEnd = 4;

    /// <summary>Asks for one view of one file of pmacct records.</summary>
    public static ExpectedRows Read(string file, string view)
    {
        string[] lines = AgentProcess.Run("bash", RepositoryPaths.Of("tests", "Agents", "expected-rows.sh"), file, view)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] last = lines[^1].Split('\t');
        return last[0] == "unplaceable"
            ? new ExpectedRows(lines[..^1], lines[..^1].Sum(row => Number(row.Split('\t')[^RecordsFromEnd])), Number(last[1]))
            : throw new InvalidDataException($"The last line is {lines[^1]}.");
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
