using System.Globalization;
using System.Net;
using System.Text;

namespace Weir.Loadgen.Reports;

/// <summary>Draws lines over x as SVG.</summary>
internal static class SvgPlot
{
    private const int Width = 900;
    private const int Height = 280;
    private const int Left = 80;
    private const int Right = 20;
    private const int Top = 30;
    private const int Bottom = 40;
    private const int TickCount = 5;
    private const int PointsMax = 1_500; // More are not to be seen at this width.
    private static readonly string[] _colours = ["#1f6fb2", "#c8502a", "#2c8a4b", "#7b4fa3", "#a3862c", "#555555"];

    /// <summary>The plot, y from 0 or from the least where that is negative.</summary>
    public static string Draw(IReadOnlyList<PlotLine> lines, IReadOnlyList<(double X, string Word)> marks)
    {
        var points = lines.SelectMany(line => line.Points).Where(point => double.IsFinite(point.X) && double.IsFinite(point.Y)).ToList();
        var svg = new StringBuilder(
            $"<svg viewBox=\"0 0 {Width} {Height}\" xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" font-size=\"12\">\n");
        if (points.Count == 0)
        {
            return svg.Append($"<text x=\"{Left}\" y=\"{Top}\">nothing was measured</text></svg>\n").ToString();
        }

        var (fromX, toX, tickCountX) = Round(points.Min(point => point.X), points.Max(point => point.X));
        var (fromY, toY, tickCountY) = Round(Math.Min(0, points.Min(point => point.Y)), points.Max(point => point.Y));
        double X(double value) => Left + ((value - fromX) / (toX - fromX) * (Width - Left - Right));
        double Y(double value) => Height - Bottom - ((value - fromY) / (toY - fromY) * (Height - Top - Bottom));
        for (var tick = 0; tick <= tickCountY; tick++)
        {
            var value = fromY + ((toY - fromY) * tick / tickCountY);
            svg.Append(Invariant(
                $"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(value):0.0}\" y2=\"{Y(value):0.0}\" stroke=\"#e4e4e4\"/>"));
            svg.Append(Invariant($"<text x=\"{Left - 6}\" y=\"{Y(value) + 4:0.0}\" text-anchor=\"end\">{Number(value)}</text>\n"));
        }

        for (var tick = 0; tick <= tickCountX; tick++)
        {
            var at = fromX + ((toX - fromX) * tick / tickCountX);
            svg.Append(Invariant($"<text x=\"{X(at):0.0}\" y=\"{Height - Bottom + 18}\" text-anchor=\"middle\">{Number(at)}</text>\n"));
        }

        foreach (var (x, word) in marks)
        {
            svg.Append(Invariant(
                $"<line x1=\"{X(x):0.0}\" x2=\"{X(x):0.0}\" y1=\"{Top}\" y2=\"{Height - Bottom}\" stroke=\"#c00\" stroke-dasharray=\"3 3\"><title>{WebUtility.HtmlEncode(word)}</title></line>\n"));
        }

        for (var index = 0; index < lines.Count; index++)
        {
            var colour = _colours[index % _colours.Length];
            var step = Math.Max(1, lines[index].Points.Count / PointsMax);
            var path = string.Join(
                ' ', lines[index].Points.Where((point, at) => at % step == 0 && double.IsFinite(point.Y)).Select(
                    point => Invariant($"{X(point.X):0.0},{Y(point.Y):0.0}")));
            svg.Append($"<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{path}\"/>\n");
            svg.Append($"<text x=\"{Left + 8 + (index * 160)}\" y=\"{Top - 10}\" fill=\"{colour}\">{WebUtility.HtmlEncode(lines[index].Name)}</text>\n");
        }

        return svg.Append("</svg>\n").ToString();
    }

    /// <summary>The range that begins and ends at round numbers, and into how many parts ticks at such numbers divide it.</summary>
    private static (double From, double To, int TickCount) Round(double from, double to)
    {
        var least = Math.Max(to - from, 1e-6) / TickCount;
        var power = Math.Pow(10, Math.Floor(Math.Log10(least)));
        var step = power * ((least / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 });
        var first = Math.Floor(from / step);
        var last = Math.Max(first + 1, Math.Ceiling(to / step));
        return (first * step, last * step, (int)(last - first));
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);

    private static string Number(double value) =>
        value.ToString(Math.Abs(value) switch { >= 1e6 => "0,,.##M", >= 1e4 => "0,.#k", _ => "0.##" }, CultureInfo.InvariantCulture);
}
