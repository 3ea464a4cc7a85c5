using Weir.Host.Admin.Page;
using Xunit;

namespace Weir.Tests.Page;

/// <summary>The ring of the last hour, and the reading of a scrape.</summary>
public sealed class MetricHistoryTests
{
    private static readonly DateTimeOffset _start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void A_scrape_is_read_series_by_series()
    {
        var series = new MetricScrape().Read(
            "# HELP weir_x Things.\n# TYPE weir_x counter\nweir_x{name=\"a b\",index=\"0\"} 12\n"u8
            + "weir_y 1.5E+20\nweir_z NaN\nweir_w{le=\"+Inf\"} 3\n"u8);

        Assert.Equal(
            [new("weir_x{name=\"a b\",index=\"0\"}", 12), new("weir_y", 1.5e20), new("weir_w{le=\"+Inf\"}", 3)], series);
    }

    [Fact]
    public void An_hour_is_kept_and_the_oldest_sample_goes()
    {
        var history = new MetricHistory();
        for (var index = 0; index < MetricHistory.SamplesMax + 10; index++)
        {
            Add(history, index, ("weir_a", index));
        }

        var samples = history.Read(0, _ => true);

        Assert.Equal(TimeSpan.FromHours(1), MetricHistory.SamplesMax * MetricHistory.Interval);
        Assert.Equal(MetricHistory.SamplesMax, samples.Times.Length);
        Assert.Equal(samples.Times.Order(), samples.Times);
        Assert.Equal(Enumerable.Range(10, MetricHistory.SamplesMax).Select(value => (double)value), samples.Series[0].Value);
    }

    [Fact]
    public void A_series_that_comes_late_or_goes_has_holes()
    {
        var history = new MetricHistory();
        Add(history, 0, ("weir_a", 1));
        Add(history, 1, ("weir_a", 2), ("weir_b", 7));
        Add(history, 2, ("weir_b", 8));

        var series = history.Read(0, _ => true).Series.ToDictionary();

        Assert.Equal([1, 2, double.NaN], series["weir_a"]);
        Assert.Equal([double.NaN, 7, 8], series["weir_b"]);
    }

    [Fact]
    public void Only_what_is_newer_and_asked_for_is_given()
    {
        var history = new MetricHistory();
        Add(history, 0, ("weir_a", 1), ("weir_b", 1));
        Add(history, 1, ("weir_a", 2), ("weir_b", 2));
        var since = history.Read(0, _ => true).Times[0];

        var samples = history.Read(since, series => series == "weir_b");

        var (name, values) = Assert.Single(samples.Series);
        Assert.Equal("weir_b", name);
        Assert.Equal([2], values);
    }

    [Fact]
    public void Series_above_the_limit_are_counted_and_not_kept()
    {
        var history = new MetricHistory();
        (string, double)[] all = [.. Enumerable.Range(0, MetricHistory.SeriesMax + 5).Select(index => ($"weir_a{{i=\"{index}\"}}", 1.0))];
        Add(history, 0, all);

        Assert.Equal(MetricHistory.SeriesMax, history.Read(0, _ => true).Series.Count);
        Assert.Equal(5, history.LeftOutCount);
    }

    [Fact]
    public void What_was_gone_for_an_hour_makes_room()
    {
        var history = new MetricHistory();
        Add(history, 0, ("weir_gone", 1));
        for (var index = 1; index <= 2 * MetricHistory.SamplesMax; index++)
        {
            Add(history, index, ("weir_here", 1));
        }

        Assert.Equal("weir_here", Assert.Single(history.Read(0, _ => true).Series).Key);
    }

    private static void Add(MetricHistory history, int index, params (string Series, double Value)[] scrape) =>
        history.Add(_start + (index * MetricHistory.Interval), scrape.ToDictionary(pair => pair.Series, pair => pair.Value));
}
