using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Weir.Core.Telemetry;
using Weir.Host.Admin.Page;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Page;

/// <summary>The page's files and what it lives on, over real HTTP.</summary>
public sealed partial class PageEndpointsTests : IAsyncDisposable
{
    private readonly FakeWeir _weir = new();
    private readonly HttpClient _client = new();

    [Fact]
    public async Task The_page_and_its_files_come_from_the_process_and_name_nothing_outside()
    {
        var url = await _weir.StartAsync();

        using var answer = await _client.GetAsync(url);
        var page = await answer.Content.ReadAsStringAsync();

        Assert.Equal("text/html; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        Assert.Contains("default-src 'none'", Assert.Single(answer.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
        Assert.Contains("9.8.7", page, StringComparison.Ordinal);
        Assert.Contains("/metrics /queues /positions", page, StringComparison.Ordinal);
        Assert.DoesNotContain("://", page, StringComparison.Ordinal);
        foreach (Match link in Asset().Matches(page))
        {
            Assert.NotNull(PageAssets.Find(link.Groups[1].Value));
        }

        foreach (var name in PageAssets.Names.Where(name => !name.StartsWith("uplot", StringComparison.Ordinal)))
        {
            var text = Encoding.UTF8.GetString(PageAssets.Find(name)!.Bytes).Replace("http://www.w3.org/", "", StringComparison.Ordinal);
            Assert.DoesNotContain("://", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_licence_of_the_chart_library_is_served_and_its_notice_kept()
    {
        var url = await _weir.StartAsync();

        Assert.Contains("MIT License", await _client.GetStringAsync(new Uri(url, "assets/uplot-license.txt")), StringComparison.Ordinal);
        Assert.StartsWith(
            "/*! https://github.com/leeoniya/uPlot", await _client.GetStringAsync(new Uri(url, "assets/uplot.js")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_the_browser_has_is_not_sent_again()
    {
        var url = new Uri(await _weir.StartAsync(), "assets/page.css");
        using var first = await _client.GetAsync(url);
        using var again = new HttpRequestMessage(HttpMethod.Get, url);
        again.Headers.IfNoneMatch.Add(first.Headers.ETag!);

        using var second = await _client.SendAsync(again);
        using var absent = await _client.GetAsync(new Uri(url, "..%2fsecret"));

        Assert.Equal("text/css; charset=utf-8", first.Content.Headers.ContentType!.ToString());
        Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, absent.StatusCode);
    }

    [Fact]
    public async Task Events_begin_with_everything_and_go_on_with_what_changed()
    {
        _weir.Set(WeirMeter.IngestReadTotal, 10, "flows");
        _weir.Set(WeirMeter.MemoryLimitBytes, 77);
        _weir.Errors = [_weir.Error("Too many parts (300)")];
        var url = await _weir.StartAsync();
        using var stream = new StreamReader(await _client.GetStreamAsync(new Uri(url, "events")));

        var first = await NextAsync(stream);
        _weir.Set(WeirMeter.IngestReadTotal, 12, "flows");
        _weir.Errors = [];
        await AdvanceAsync();
        var next = await NextAsync(stream);

        Assert.True(first.GetProperty("is_whole").GetBoolean());
        Assert.Equal(10, first.GetProperty("metrics").GetProperty("weir_ingest_read_records_total{topic=\"flows\"}").GetDouble());
        Assert.Equal("aggregation", first.GetProperty("queues")[0].GetProperty("name").GetString());
        Assert.Equal(9, first.GetProperty("positions")[0].GetProperty("lag_messages").GetInt64());
        Assert.Equal(1_000, first.GetProperty("account").GetProperty("read_count").GetInt64());
        Assert.Equal("overloaded", first.GetProperty("errors")[0].GetProperty("cause").GetString());
        Assert.Equal("Too many parts (300)", first.GetProperty("errors")[0].GetProperty("message").GetString());
        Assert.StartsWith(
            "exactly once, by the names", first.GetProperty("sink").GetProperty("promise").GetString(), StringComparison.Ordinal);
        Assert.False(next.GetProperty("is_whole").GetBoolean());
        Assert.Equal("weir_ingest_read_records_total{topic=\"flows\"}", Assert.Single(next.GetProperty("metrics").EnumerateObject()).Name);
        Assert.Equal(0, next.GetProperty("errors").GetArrayLength());
        Assert.False(next.TryGetProperty("queues", out _));
    }

    [Fact]
    public async Task More_viewers_than_there_is_room_for_are_told_and_a_place_is_free_again_when_one_goes()
    {
        var url = new Uri(await _weir.StartAsync(), "events");
        var streams = new List<StreamReader>();
        for (var count = 0; count < PageEndpoints.StreamsMax; count++)
        {
            streams.Add(new StreamReader(await _client.GetStreamAsync(url)));
            await NextAsync(streams[^1]);
        }

        using var refused = await _client.GetAsync(url);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);

        streams[0].Dispose();
        await Eventually.TrueAsync(
            async () =>
            {
                using var answer = await _client.GetAsync(url, HttpCompletionOption.ResponseHeadersRead);
                return answer.StatusCode == HttpStatusCode.OK;
            },
            "a free place");
        streams.ForEach(stream => stream.Dispose());
    }

    [Fact]
    public async Task The_endpoint_closes_at_once_although_somebody_looks()
    {
        var url = new Uri(await _weir.StartAsync(), "events");
        using var stream = new StreamReader(await _client.GetStreamAsync(url));
        await NextAsync(stream);

        await _weir.StopAsync().WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Equal("", (await stream.ReadToEndAsync()).Trim()); // The stream has ended as it should, not broken off.
    }

    [Fact]
    public async Task The_history_has_a_sample_each_few_seconds_and_continues_where_the_viewer_is()
    {
        _weir.Set(WeirMeter.MemoryLimitBytes, 77);
        _weir.Set(WeirMeter.IngestReadTotal, 1, "flows");
        var url = await _weir.StartAsync();
        await SamplesAsync(url, 1);
        _weir.Set(WeirMeter.IngestReadTotal, 2, "flows");
        _weir.Time.Advance(MetricHistory.Interval);
        var all = await SamplesAsync(url, 2);

        var first = all.GetProperty("times")[0].GetDouble();
        using var rest = JsonDocument.Parse(await _client.GetStringAsync(new Uri(url, $"history?since={first:R}&name=weir_ingest_read")));

        var series = all.GetProperty("series");
        Assert.Equal(77, series.GetProperty("weir_memory_limit_bytes").GetDouble());
        Assert.Equal(
            [1.0, 2.0],
            series.GetProperty("weir_ingest_read_records_total{topic=\"flows\"}").EnumerateArray().Select(value => value.GetDouble()));
        Assert.Equal(1, rest.RootElement.GetProperty("times").GetArrayLength());
        Assert.Single(rest.RootElement.GetProperty("series").EnumerateObject());
    }

    [Fact]
    public async Task The_configuration_is_the_text_that_weir_check_prints()
    {
        var url = await _weir.StartAsync();

        Assert.Equal("kafka:\n  group: weir\n", await _client.GetStringAsync(new Uri(url, "configuration")));
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _weir.DisposeAsync();
    }

    private static async Task<JsonElement> NextAsync(StreamReader stream)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (await stream.ReadLineAsync(timeout.Token) is { } line)
        {
            if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                using var json = JsonDocument.Parse(line["data: ".Length..]);
                return json.RootElement.Clone();
            }
        }

        Assert.Fail("The stream ended.");
        return default;
    }

    // The stream's timer is made after its first event was written.
    private async Task AdvanceAsync()
    {
        await Eventually.TrueAsync(() => _weir.Time.DueTimes.Any(due => due <= TimeSpan.FromSeconds(1)), "the stream waiting");
        _weir.Time.Advance(TimeSpan.FromSeconds(1));
    }

    private async Task<JsonElement> SamplesAsync(Uri url, int count)
    {
        JsonElement last = default;
        await Eventually.TrueAsync(
            async () =>
            {
                using var history = JsonDocument.Parse(await _client.GetStringAsync(new Uri(url, "history")));
                last = history.RootElement.Clone();
                return last.GetProperty("times").GetArrayLength() == count;
            },
            () => $"{count} samples");
        return last;
    }

    [GeneratedRegex("assets/([a-z.-]+)\"")]
    private static partial Regex Asset();
}
