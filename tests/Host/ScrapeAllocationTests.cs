using System.Buffers;
using System.Globalization;
using Weir.Core.Telemetry;
using Weir.Host.Admin;
using Weir.Host.Admin.Page;
using Xunit;

namespace Weir.Tests.Host;

/// <summary>What a scrape leaves to the garbage collector: texts of its size would go to the heap of large objects.</summary>
public sealed class ScrapeAllocationTests
{
    private const int SeriesCount = 2_000;
    private static readonly MetricDefinition _metric = new("weir_some_records_total", MetricKind.Counter, "Records.", "topic");
    private static readonly string[] _topics =
        [.. Enumerable.Range(0, SeriesCount).Select(index => string.Create(CultureInfo.InvariantCulture, $"a-topic-with-a-long-name-{index}"))];

    [Fact]
    public void A_scrape_is_written_without_a_text_of_its_size()
    {
        var output = new ArrayBufferWriter<byte>(1 << 20);
        _ = Allocated(() => Scrape(output)); // Rents its memory once.

        var written = Enumerable.Range(0, 5).Min(_ => Allocated(() => Scrape(output)));
        var asText = Allocated(() => ScrapeAsText());

        Assert.InRange(output.WrittenCount, 100_000, int.MaxValue);
        Assert.InRange(written, 1, 4_096);
        Assert.InRange(asText, output.WrittenCount, long.MaxValue); // The control.
    }

    [Fact]
    public void A_scrape_is_read_for_the_page_without_making_its_names_again()
    {
        var scrape = new MetricScrape();
        using var text = new PrometheusText();
        Fill(text);
        var first = Allocated(() => scrape.Read(text));

        var second = Enumerable.Range(0, 5).Min(_ => Allocated(() => scrape.Read(text)));

        Assert.Equal(SeriesCount, scrape.Read(text).Count);
        var namesBytes = SeriesCount * 2L * (_metric.Name.Length + "{topic=\"a-topic-with-a-long-name-\"}".Length);
        Assert.InRange(first, namesBytes, long.MaxValue); // The control: the first time they are made.
        Assert.InRange(second, 1, namesBytes / 2);
    }

    private static void Fill(PrometheusText text)
    {
        foreach (var topic in _topics)
        {
            text.Read(_metric, topic.Length, topic);
        }
    }

    private static void Scrape(ArrayBufferWriter<byte> output)
    {
        output.ResetWrittenCount();
        using var text = new PrometheusText();
        Fill(text);
        text.WriteTo(output);
    }

    private static void ScrapeAsText()
    {
        using var text = new PrometheusText();
        Fill(text);
        _ = text.ToString();
    }

    private static long Allocated(Action action)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
