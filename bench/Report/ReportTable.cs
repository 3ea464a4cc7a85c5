using System.Globalization;
using System.Text;

namespace Weir.Bench.Report;

/// <summary>The table for people: a line of figures and, below it, what one has to know to read them.</summary>
internal static class ReportTable
{
    private const int NoteWidth = 132;

    /// <summary>The columns' names.</summary>
    internal static string Header() =>
        Row("line", "ours", "peer", "unit", "ratio", "floor", "goal", "baseline", "") + "\n" + new string('-', NoteWidth);

    /// <summary>A line of the table, with its title and note below it.</summary>
    internal static string Line(LineResult line, double? baseline)
    {
        var text = new StringBuilder();
        if (line.Skipped is { } reason)
        {
            text.Append(CultureInfo.InvariantCulture, $"{line.Id,-26} not measured: {reason}");
        }
        else
        {
            var sign = line.Target?.Bound == Bound.AtMost ? "<=" : "";
            text.Append(Row(
                line.Id,
                Number(line.Ours),
                Number(line.Peer),
                line.Unit,
                Number(line.Ratio),
                line.Target is { } floor ? sign + Number(floor.Floor) : "",
                line.Target is { } goal ? sign + Number(goal.Goal) : "",
                Number(baseline),
                Word(Gate.Judge(line, baseline))));
        }

        AppendWrapped(text, line.Title);
        AppendWrapped(text, line.Note);
        return text.ToString();
    }

    /// <summary>A number as short as its size allows.</summary>
    internal static string Number(double? value) => value is not { } number
        ? ""
        : Math.Abs(number) switch
        {
            0 => "0",
            >= 10_000 => number.ToString("N0", CultureInfo.InvariantCulture),
            >= 100 => number.ToString("F0", CultureInfo.InvariantCulture),
            >= 10 => number.ToString("F1", CultureInfo.InvariantCulture),
            >= 0.1 => number.ToString("F2", CultureInfo.InvariantCulture),
            _ => number.ToString("F4", CultureInfo.InvariantCulture),
        };

    private static string Word(Verdict verdict) => verdict switch
    {
        Verdict.ReachesGoal => "goal",
        Verdict.Passes => "ok",
        Verdict.UnderFloor => "UNDER FLOOR",
        Verdict.UnderBaseline => "UNDER BASELINE",
        _ => "",
    };

    private static string Row(
        string id, string ours, string peer, string unit, string ratio, string floor, string goal, string baseline, string verdict) =>
        $"{id,-26} {ours,9} {peer,9} {unit,-11} {ratio,8} {floor,8} {goal,8} {baseline,8} {verdict}".TrimEnd();

    private static void AppendWrapped(StringBuilder text, string words)
    {
        var width = NoteWidth;
        foreach (var word in words.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (width + 1 + word.Length > NoteWidth)
            {
                text.Append("\n   ");
                width = 3;
            }

            text.Append(' ').Append(word);
            width += 1 + word.Length;
        }
    }
}
