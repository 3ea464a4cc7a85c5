using System.Net;
using System.Text;

namespace Weir.Loadgen.Reports;

/// <summary>Draws a bar for each of some values as SVG.</summary>
internal static class SvgBars
{
    private const int Width = 900;
    private const int RowHeight = 20;
    private const int Left = 140;
    private const int Right = 120;
    private const int BarMin = 1; // So that a single one among millions is to be seen.

    /// <summary>The bars, from above to below, each with its name and its value in words.</summary>
    public static string Draw(IReadOnlyList<(string Name, double Value, string Text)> bars)
    {
        var most = bars.Count == 0 ? 0 : bars.Max(bar => bar.Value);
        var svg = new StringBuilder(
            $"<svg viewBox=\"0 0 {Width} {Math.Max(1, bars.Count) * RowHeight}\" xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" font-size=\"12\">\n");
        for (var index = 0; index < bars.Count; index++)
        {
            var (name, value, text) = bars[index];
            var top = index * RowHeight;
            var length = most <= 0 || value <= 0 ? 0 : Math.Max(BarMin, value / most * (Width - Left - Right));
            svg.Append(FormattableString.Invariant(
                $"<text x=\"{Left - 8}\" y=\"{top + 14}\" text-anchor=\"end\">{WebUtility.HtmlEncode(name)}</text>"));
            svg.Append(FormattableString.Invariant(
                $"<rect x=\"{Left}\" y=\"{top + 3}\" width=\"{length:0.0}\" height=\"{RowHeight - 6}\" fill=\"#1f6fb2\"/>"));
            svg.Append(FormattableString.Invariant(
                $"<text x=\"{Left + length + 6:0.0}\" y=\"{top + 14}\">{WebUtility.HtmlEncode(text)}</text>\n"));
        }

        return svg.Append("</svg>\n").ToString();
    }
}
