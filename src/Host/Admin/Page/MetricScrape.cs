using System.Buffers.Text;
using System.Text;

namespace Weir.Host.Admin.Page;

/// <summary>Reads scrapes as maps: the series as Prometheus prints it, such as <c>weir_x{queue="cuts"}</c>, and its value.</summary>
/// <remarks>
/// <para>
/// The page is fed by the very text that Prometheus gets, so it can show no other numbers, and a metric that comes new to the
/// registry, histograms among them, is on the page without a line of code here.
/// </para>
/// <para>Any thread. Names are remembered, so that a scrape makes no text anew.</para>
/// </remarks>
internal sealed class MetricScrape
{
    /// <summary>Names above which all are forgotten: series come and go with topics and tags.</summary>
    internal const int NamesMax = 2 * MetricHistory.SeriesMax;

    private const int NameCharsMax = 1_024;

    private readonly Lock _lock = new();
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly HashSet<string>.AlternateLookup<ReadOnlySpan<char>> _namesBySpan;
    private int _lastCount;

    /// <summary>Makes a reader that knows no name.</summary>
    public MetricScrape() => _namesBySpan = _names.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Reads what a scrape has collected.</summary>
    public Dictionary<string, double> Read(PrometheusText text)
    {
        lock (_lock)
        {
            var series = new Dictionary<string, double>(_lastCount, StringComparer.Ordinal);
            foreach (var samples in text.Samples())
            {
                AddTo(series, samples.Span);
            }

            _lastCount = series.Count;
            return series;
        }
    }

    /// <summary>Reads Prometheus text.</summary>
    public Dictionary<string, double> Read(ReadOnlySpan<byte> text)
    {
        lock (_lock)
        {
            var series = new Dictionary<string, double>(StringComparer.Ordinal);
            AddTo(series, text);
            return series;
        }
    }

    private void AddTo(Dictionary<string, double> series, ReadOnlySpan<byte> text)
    {
        foreach (var range in text.Split((byte)'\n'))
        {
            var line = text[range];
            var space = line.LastIndexOf((byte)' '); // A label value may have spaces; the number has none, and no time follows it.
            if (space > 0
                && line[0] != '#'
                && Utf8Parser.TryParse(line[(space + 1)..], out double value, out var parsed)
                && parsed == line.Length - space - 1
                && double.IsFinite(value))
            {
                series[NameOf(line[..space])] = value;
            }
        }
    }

    private string NameOf(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length > NameCharsMax)
        {
            return Encoding.UTF8.GetString(utf8);
        }

        Span<char> chars = stackalloc char[NameCharsMax];
        var name = chars[..Encoding.UTF8.GetChars(utf8, chars)];
        if (!_namesBySpan.TryGetValue(name, out var known))
        {
            if (_names.Count >= NamesMax)
            {
                _names.Clear();
            }

            known = name.ToString();
            _names.Add(known);
        }

        return known;
    }
}
