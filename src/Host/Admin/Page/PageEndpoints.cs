using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Text.Json;

namespace Weir.Host.Admin.Page;

/// <summary>
/// The page at <c>/</c>, its files, and what it lives on: <c>/events</c>, <c>/reading</c>, <c>/history</c>, <c>/configuration</c>.
/// </summary>
/// <remarks>
/// Requests run on the thread pool. A timer samples the metrics for the history; readings for viewers are shared, so that many
/// viewers cost the process as much as one.
/// </remarks>
internal sealed class PageEndpoints : IDisposable
{
    /// <summary>Streams of events at one time: a few people with a few windows. More are told to come back.</summary>
    internal const int StreamsMax = 16;

    /// <summary>Answers with the history at one time; each may be some megabytes.</summary>
    private const int HistoriesMax = 4;

    private const int FlushBytes = 1 << 16;

    /// <summary>Nothing but the process itself may be asked by the page, and no other page may frame it.</summary>
    private const string ContentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private static readonly TimeSpan _eventInterval = TimeSpan.FromSeconds(1);

    // Below the interval of events, so that each event has a new reading, and viewers of the same second share one.
    private static readonly TimeSpan _readingAgeMax = TimeSpan.FromMilliseconds(500);

    private readonly string _version;
    private readonly AdminSources _sources;
    private readonly Func<PrometheusText> _scrape;
    private readonly MetricScrape _metrics = new();
    private readonly TimeProvider _time;
    private readonly MetricHistory _history = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _streams = new(StreamsMax);
    private readonly SemaphoreSlim _histories = new(HistoriesMax);
    private readonly Lock _readingLock = new();
    private PageReading? _reading;
    private long _readingAt;
    private Task _sampling = Task.CompletedTask;

    /// <summary>Prepares the endpoints; nothing is sampled before <see cref="Start"/>.</summary>
    /// <param name="version">Version of the program.</param>
    /// <param name="sources">What it tells.</param>
    /// <param name="scrape">Gives the text of <c>/metrics</c>; the caller disposes it.</param>
    public PageEndpoints(string version, AdminSources sources, Func<PrometheusText> scrape)
    {
        _version = version;
        _sources = sources;
        _scrape = scrape;
        _time = sources.Time;
    }

    /// <summary>Adds the endpoints.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/", http => WritePageAsync(http, routes));
        routes.MapGet("/assets/{name}", WriteAssetAsync);
        routes.MapGet("/events", StreamEventsAsync);
        routes.MapGet("/reading", WriteReadingAsync);
        routes.MapGet("/history", WriteHistoryAsync);
        routes.MapGet("/configuration", WriteConfigurationAsync);
    }

    /// <summary>Begins to sample.</summary>
    public void Start() => _sampling = SampleAsync();

    /// <summary>Ends the streams and the sampling; a stream would last as long as its viewer.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _sampling;
    }

    /// <summary>After the last request.</summary>
    public void Dispose() => _stopping.Dispose();

    private async Task SampleAsync()
    {
        using var timer = new PeriodicTimer(MetricHistory.Interval, _time);
        try
        {
            do
            {
                _history.Add(_time.GetUtcNow(), Scrape());
            }
            while (await timer.WaitForNextTickAsync(_stopping.Token));
        }
        catch (OperationCanceledException)
        {
            // The stop.
        }
    }

    private Dictionary<string, double> Scrape()
    {
        using var text = _scrape();
        return _metrics.Read(text);
    }

    private PageReading Reading()
    {
        lock (_readingLock)
        {
            if (_reading is null || _time.GetElapsedTime(_readingAt) > _readingAgeMax)
            {
                _reading = PageReading.Take(_time.GetUtcNow(), _sources, Scrape());
                _readingAt = _time.GetTimestamp();
            }

            return _reading;
        }
    }

    private Task WritePageAsync(HttpContext http, IEndpointRouteBuilder routes)
    {
        var paths = routes.DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            .Select(endpoint => endpoint.RoutePattern.RawText!)
            .Where(path => path.Length > 1 && !path.Contains('{', StringComparison.Ordinal))
            .Distinct(StringComparer.Ordinal);
        http.Response.ContentType = "text/html; charset=utf-8";
        http.Response.Headers.ContentSecurityPolicy = ContentPolicy;
        return http.Response.WriteAsync(PageAssets.Page(_version, paths), http.RequestAborted);
    }

    private static Task WriteAssetAsync(HttpContext http)
    {
        if (PageAssets.Find((string)http.Request.RouteValues["name"]!) is not { } asset)
        {
            http.Response.StatusCode = (int)HttpStatusCode.NotFound;
            return Task.CompletedTask;
        }

        http.Response.Headers.ETag = asset.Tag;
        http.Response.Headers.CacheControl = "no-cache"; // Kept, and asked for again with the tag.
        if (http.Request.Headers.IfNoneMatch == asset.Tag)
        {
            http.Response.StatusCode = (int)HttpStatusCode.NotModified;
            return Task.CompletedTask;
        }

        http.Response.ContentType = asset.ContentType;
        http.Response.ContentLength = asset.Bytes.Length;
        return http.Response.Body.WriteAsync(asset.Bytes, http.RequestAborted).AsTask();
    }

    private async Task WriteReadingAsync(HttpContext http)
    {
        http.Response.ContentType = "application/json; charset=utf-8";
        var output = http.Response.BodyWriter;
        Reading().WriteTo(output, earlier: null);
        output.Write("\n"u8);
        await output.FlushAsync(http.RequestAborted);
    }

    private Task WriteConfigurationAsync(HttpContext http)
    {
        http.Response.ContentType = "text/plain; charset=utf-8";
        return http.Response.WriteAsync(_sources.Configuration(), http.RequestAborted);
    }

    /// <summary>Server-sent events: a whole reading first, then each second what has changed.</summary>
    /// <remarks>A viewer that reads slowly holds up its own stream only; nothing is kept for it.</remarks>
    private async Task StreamEventsAsync(HttpContext http)
    {
        if (!await _streams.WaitAsync(TimeSpan.Zero))
        {
            await RefuseAsync(http, $"{StreamsMax} viewers are connected; close one");
            return;
        }

        try
        {
            using var cancel = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, _stopping.Token);
            http.Response.ContentType = "text/event-stream";
            await http.Response.WriteAsync("retry: 2000\n\n", cancel.Token);
            using var timer = new PeriodicTimer(_eventInterval, _time);
            PageReading? sent = null;
            do
            {
                var reading = Reading();
                WriteEvent(http.Response.BodyWriter, reading, sent);
                await http.Response.BodyWriter.FlushAsync(cancel.Token);
                sent = reading;
            }
            while (await timer.WaitForNextTickAsync(cancel.Token));
        }
        catch (Exception error) when (error is OperationCanceledException or IOException)
        {
            // The viewer has gone, or the process stops.
        }
        finally
        {
            _streams.Release();
        }
    }

    private static void WriteEvent(PipeWriter output, PageReading reading, PageReading? sent)
    {
        output.Write("data: "u8);
        reading.WriteTo(output, sent);
        output.Write("\n\n"u8);
    }

    /// <summary>
    /// The history: <c>since</c> in epoch seconds, and any number of <c>name</c>, each the beginning of a series' name. A series that
    /// did not change is one number instead of a list.
    /// </summary>
    private async Task WriteHistoryAsync(HttpContext http)
    {
        if (!await _histories.WaitAsync(TimeSpan.Zero))
        {
            await RefuseAsync(http, $"{HistoriesMax} answers with the history are being written; ask again");
            return;
        }

        try
        {
            _ = double.TryParse(http.Request.Query["since"], NumberStyles.Float, CultureInfo.InvariantCulture, out var since);
            string?[] names = [.. http.Request.Query["name"]];
            bool Concerns(string series) =>
                names.Length == 0 || names.Any(name => series.StartsWith(name ?? "", StringComparison.Ordinal));
            http.Response.ContentType = "application/json; charset=utf-8";
            await WriteAsync(http, _history.Read(since, Concerns));
        }
        finally
        {
            _histories.Release();
        }
    }

    private async Task WriteAsync(HttpContext http, HistorySamples samples)
    {
        await using var writer = new Utf8JsonWriter(http.Response.BodyWriter, PageReading.WriterOptions);
        writer.WriteStartObject();
        writer.WriteNumber("interval_s", MetricHistory.Interval.TotalSeconds);
        writer.WriteNumber("series_left_out", _history.LeftOutCount);
        writer.WriteStartArray("times");
        Array.ForEach(samples.Times, writer.WriteNumberValue);
        writer.WriteEndArray();
        writer.WriteStartObject("series");
        foreach (var (series, values) in samples.Series)
        {
            writer.WritePropertyName(series);
            WriteValues(writer, values);
            if (writer.BytesPending > FlushBytes)
            {
                await writer.FlushAsync(http.RequestAborted);
                await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
            }
        }

        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void WriteValues(Utf8JsonWriter writer, double[] values)
    {
        if (values.Length > 0 && !double.IsNaN(values[0]) && Array.TrueForAll(values, value => value.Equals(values[0])))
        {
            writer.WriteNumberValue(values[0]);
            return;
        }

        writer.WriteStartArray();
        foreach (var value in values)
        {
            if (double.IsNaN(value))
            {
                writer.WriteNullValue();
            }
            else
            {
                writer.WriteNumberValue(value);
            }
        }

        writer.WriteEndArray();
    }

    private static Task RefuseAsync(HttpContext http, string reason)
    {
        http.Response.StatusCode = (int)HttpStatusCode.ServiceUnavailable;
        http.Response.ContentType = "text/plain; charset=utf-8";
        return http.Response.WriteAsync(reason + "\n", http.RequestAborted);
    }
}
