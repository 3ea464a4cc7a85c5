using System.Globalization;
using System.Net;
using System.Text;

namespace Weir.Loadgen.Reports;

/// <summary>A line of a plot: points in the order of x.</summary>
public sealed record PlotLine(string Name, IReadOnlyList<(double X, double Y)> Points);

/// <summary>A report of headings, paragraphs, tables and plots; as Markdown, or as an HTML page that needs nothing else.</summary>
/// <remarks>One thread.</remarks>
public sealed class Report(string title)
{
    private readonly List<Part> _parts = [];

    private enum PartKind
    {
        Heading,
        Text,
        Code,
        Table,
        Plot,
        Bars,
    }

    /// <summary>Adds a heading.</summary>
    public void Heading(string text) => _parts.Add(new Part(PartKind.Heading, text));

    /// <summary>Adds a paragraph.</summary>
    public void Text(string text) => _parts.Add(new Part(PartKind.Text, text));

    /// <summary>Adds lines as they are.</summary>
    public void Code(string text) => _parts.Add(new Part(PartKind.Code, text));

    /// <summary>Adds a table; its first row is the head.</summary>
    public void Table(IReadOnlyList<IReadOnlyList<string>> rows) => _parts.Add(new Part(PartKind.Table, string.Empty) { Rows = rows });

    /// <summary>Adds a plot. Markdown has a table of each line's least, mean and most in its place.</summary>
    /// <param name="caption">What is shown, with the unit.</param>
    /// <param name="lines">What is drawn.</param>
    /// <param name="marks">Vertical lines with a word each, such as faults.</param>
    public void Plot(string caption, IReadOnlyList<PlotLine> lines, IReadOnlyList<(double X, string Word)>? marks = null) =>
        _parts.Add(new Part(PartKind.Plot, caption) { Lines = lines, Marks = marks ?? [] });

    /// <summary>Adds a bar for each value, such as those of a histogram. Markdown has a table in its place.</summary>
    /// <param name="caption">What is shown, with the unit.</param>
    /// <param name="bars">Name, value, and the value in words.</param>
    public void Bars(string caption, IReadOnlyList<(string Name, double Value, string Text)> bars) =>
        _parts.Add(new Part(PartKind.Bars, caption) { BarValues = bars });

    /// <summary>Writes the file: HTML when it ends in .html or .htm, else Markdown.</summary>
    public void Write(string path)
    {
        var isHtml = path.EndsWith(".html", StringComparison.OrdinalIgnoreCase)
            || path.EndsWith(".htm", StringComparison.OrdinalIgnoreCase);
        File.WriteAllText(path, isHtml ? ToHtml() : ToMarkdown());
    }

    /// <summary>The report as Markdown.</summary>
    public string ToMarkdown()
    {
        var text = new StringBuilder($"# {title}\n");
        foreach (var part in _parts)
        {
            text.Append('\n');
            switch (part.Kind)
            {
                case PartKind.Heading:
                    text.Append($"## {part.Text}\n");
                    break;
                case PartKind.Code:
                    text.Append($"```\n{part.Text.TrimEnd()}\n```\n");
                    break;
                case PartKind.Table:
                    AppendMarkdown(text, part.Rows);
                    break;
                case PartKind.Plot:
                    text.Append($"{part.Text}\n\n");
                    AppendMarkdown(text, Summary(part));
                    break;
                case PartKind.Bars:
                    text.Append($"{part.Text}\n\n");
                    AppendMarkdown(text, [(string[])["", ""], .. part.BarValues.Select(bar => (string[])[bar.Name, bar.Text])]);
                    break;
                default:
                    text.Append($"{part.Text}\n");
                    break;
            }
        }

        return text.ToString();
    }

    /// <summary>The report as a page of HTML with its style and its plots inside.</summary>
    public string ToHtml()
    {
        var body = new StringBuilder();
        foreach (var part in _parts)
        {
            switch (part.Kind)
            {
                case PartKind.Heading:
                    body.Append($"<h2>{Escape(part.Text)}</h2>\n");
                    break;
                case PartKind.Code:
                    body.Append($"<pre>{Escape(part.Text)}</pre>\n");
                    break;
                case PartKind.Table:
                    AppendHtml(body, part.Rows);
                    break;
                case PartKind.Plot:
                    body.Append($"<figure><figcaption>{Escape(part.Text)}</figcaption>\n{SvgPlot.Draw(part.Lines, part.Marks)}</figure>\n");
                    break;
                case PartKind.Bars:
                    body.Append($"<figure><figcaption>{Escape(part.Text)}</figcaption>\n{SvgBars.Draw(part.BarValues)}</figure>\n");
                    break;
                default:
                    body.Append($"<p>{Escape(part.Text)}</p>\n");
                    break;
            }
        }

        return $$"""
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><title>{{Escape(title)}}</title><style>
            body { font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 62em; padding: 0 1em; color: #222; background: #fff; }
            table { border-collapse: collapse; margin: 1em 0; } td, th { border-bottom: 1px solid #ddd; padding: .2em .8em; text-align: right; }
            td:first-child, th:first-child { text-align: left; } pre { background: #f5f5f5; padding: 1em; overflow-x: auto; }
            figure { margin: 1.5em 0; } figcaption { font-weight: bold; } svg { width: 100%; height: auto; }
            </style></head><body>
            <h1>{{Escape(title)}}</h1>
            {{body}}</body></html>

            """;
    }

    private static List<IReadOnlyList<string>> Summary(Part part)
    {
        var rows = new List<IReadOnlyList<string>> { (string[])["", "least", "mean", "most"] };
        rows.AddRange(part.Lines.Select(line => (line.Name, Known: line.Points.Select(point => point.Y).Where(double.IsFinite).ToList()))
            .Where(line => line.Known.Count > 0).Select(line => (string[])
            [
                line.Name, Number(line.Known.Min()), Number(line.Known.Average()), Number(line.Known.Max()),
            ]));
        return rows;
    }

    private static void AppendMarkdown(StringBuilder text, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        for (var row = 0; row < rows.Count; row++)
        {
            text.Append($"| {string.Join(" | ", rows[row].Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal)))} |\n");
            if (row == 0)
            {
                text.Append($"|{string.Concat(rows[row].Select((_, index) => index == 0 ? "---|" : "---:|"))}\n");
            }
        }
    }

    private static void AppendHtml(StringBuilder body, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        body.Append("<table>\n");
        for (var row = 0; row < rows.Count; row++)
        {
            var tag = row == 0 ? "th" : "td";
            body.Append($"<tr>{string.Concat(rows[row].Select(cell => $"<{tag}>{Escape(cell)}</{tag}>"))}</tr>\n");
        }

        body.Append("</table>\n");
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    private static string Number(double value) => value.ToString(Math.Abs(value) >= 100 ? "N0" : "0.###", CultureInfo.InvariantCulture);

    private sealed record Part(PartKind Kind, string Text)
    {
        public IReadOnlyList<IReadOnlyList<string>> Rows { get; init; } = [];

        public IReadOnlyList<PlotLine> Lines { get; init; } = [];

        public IReadOnlyList<(double X, string Word)> Marks { get; init; } = [];

        public IReadOnlyList<(string Name, double Value, string Text)> BarValues { get; init; } = [];
    }
}
