using System.Globalization;
using Microsoft.Playwright;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Page;

/// <summary>The page of a real pipeline under load, in a real Chromium: it shows what <c>/queues</c> says, second by second.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class LivePageTests
{
    private const int PartitionCount = 2;
    private const int RecordsPerLook = 4_000;
    private const int ReadingsMin = 3; // Each look waits for a new one, and fails where none comes.
    private static readonly TimeSpan _span =
        TimeSpan.FromSeconds(Environment.GetEnvironmentVariable("WEIR_LONG") == "true" ? 60 : 15);

    private static readonly (string Head, string Property)[] _counters =
    [
        ("offered", "offered_count"), ("enqueued", "enqueued_count"), ("dequeued", "dequeued_count"), ("dropped", "dropped_count"),
        ("overwritten", "overwritten_count"), ("deepest", "depth_max"),
    ];

    [RealPartFact(RealPart.Chromium, RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task It_stays_live_and_shows_what_queues_says_at_that_moment()
    {
        using var bed = await PipelineBed.StartAsync($"flows:{PartitionCount}");
        var run = await bed.RunAsync(
            bed.Configure(bed.Embedded(), [("flows", "weir")]),
            ("WEIR__AGGREGATION__QUEUE__POLICY", "overwrite"), ("WEIR__AGGREGATION__QUEUE__CAPACITY_RECORDS", "1024"),
            ("WEIR__CLICKHOUSE__PASSWORD", "a-secret"));
        await using var chromium = await ChromiumPage.OpenAsync();
        await chromium.LoadAsync(run.AdminUrl);
        await Assertions.Expect(chromium.Page.Locator("#live .state")).ToHaveTextAsync("live");

        var shown = new HashSet<string>();
        var looks = 0;
        var from = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(from) < _span || shown.Count < ReadingsMin)
        {
            var records = FlowFeed.MakeDistinct(looks++ * RecordsPerLook, RecordsPerLook);
            bed.Produce("flows", PartitionCount, FlowFeed.Messages("weir", records, 500));
            shown.Add(await AssertBracketedAsync(chromium, run));
        }

        await bed.StoredAsync(run);
        await AssertEqualAsync(chromium, run);
        await Assertions.Expect(chromium.Page.Locator("#live .state")).ToHaveTextAsync("live");
        await AssertRestAsync(chromium, run, looks * RecordsPerLook);
        chromium.AssertClean(run.AdminUrl);
        await PipelineBed.AssertStopsAsync(run);
    }

    // A reading of the page lies between the one before it was shown and the one after it was read: what only grows proves it.
    private static async Task<string> AssertBracketedAsync(ChromiumPage chromium, WeirRun run)
    {
        var before = await chromium.TableAsync("#queue-table");
        var after = await run.ListAsync("queues");
        var heads = await chromium.HeadsAsync("#queue-table");
        foreach (var (row, queue) in before.Zip(after))
        {
            Assert.Equal($"{queue.GetProperty("name").GetString()}[{queue.GetProperty("index").GetInt32()}]", row[0]);
            foreach (var (head, property) in _counters)
            {
                Assert.InRange(Number(row, heads, head), 0, queue.GetProperty(property).GetInt64());
            }

            // The page shows one consistent reading: the equations of the queue hold in it.
            Assert.Equal(Number(row, heads, "offered"), Number(row, heads, "enqueued") + Number(row, heads, "dropped"));
            Assert.Equal(
                Number(row, heads, "enqueued"),
                Number(row, heads, "dequeued") + Number(row, heads, "overwritten") + Number(row, heads, "depth"));
        }

        // And it is not an old one: within the time of an event or two it has passed what /queues said.
        var least = after[0].GetProperty("offered_count").GetInt64();
        var last = "";
        await Eventually.TrueAsync(
            async () =>
            {
                last = (await chromium.TableAsync("#queue-table"))[0][Array.IndexOf(heads, "offered")];
                return long.Parse(last, NumberStyles.AllowThousands, CultureInfo.InvariantCulture) >= least;
            },
            () => $"the page showing {least} records offered; it shows {last}");
        return last;
    }

    private static async Task AssertEqualAsync(ChromiumPage chromium, WeirRun run)
    {
        var heads = await chromium.HeadsAsync("#queue-table");
        string page = "", process = "";
        await Eventually.TrueAsync(
            async () =>
            {
                page = string.Join('\n', (await chromium.TableAsync("#queue-table")).Select(row => string.Join(' ', _counters
                    .Select(counter => Number(row, heads, counter.Head)).Append(Number(row, heads, "depth")))));
                process = string.Join('\n', (await run.ListAsync("queues")).Select(queue => string.Join(' ', _counters
                    .Select(counter => queue.GetProperty(counter.Property).GetInt64()).Append(queue.GetProperty("depth").GetInt64()))));
                return page == process;
            },
            () => $"the page showing\n{process}\nit shows\n{page}");

        // It had something to show.
        Assert.Contains(await run.ListAsync("queues"), queue => queue.GetProperty("overwritten_count").GetInt64() > 0);
    }

    private static async Task AssertRestAsync(ChromiumPage chromium, WeirRun run, long produced)
    {
        // Tables come with the next event, each of its own time.
        var overwritten = await run.AccountAsync("overwritten");
        Dictionary<string, string> lines = [];
        await Eventually.TrueAsync(
            async () =>
            {
                lines = (await chromium.TableAsync("#account-table")).ToDictionary(row => row[0], row => row[2]);
                return lines["read from Kafka"] == $"{produced:N0}"
                    && lines["+ overwritten: pushed out of a full queue"] == $"{overwritten:N0}"
                    && lines["difference"] == "0";
            },
            () => $"{produced} records read, {overwritten} overwritten; the page shows {string.Join("; ", lines)}");
        var positions = (await run.ListAsync("positions"))
            .Select(position => (position.GetProperty("partition").GetInt32(), position.GetProperty("next_offset").GetInt64()))
            .Order()
            .ToList();
        await Eventually.TrueAsync(
            async () => (await chromium.TableAsync("#partition-table"))
                .Select(row => (int.Parse(row[1], CultureInfo.InvariantCulture), Parse(row[^3])))
                .Order()
                .SequenceEqual(positions),
            () => $"the page showing the positions {string.Join(", ", positions)}");
        await chromium.Page.Locator("#configuration summary").ClickAsync();
        await Assertions.Expect(chromium.Page.Locator("#configuration-text")).ToContainTextAsync("capacity_records: 1024");
        Assert.DoesNotContain("a-secret", await chromium.Page.ContentAsync(), StringComparison.Ordinal);
        await Assertions.Expect(chromium.Page.Locator("#promise")).ToContainTextAsync("exactly once");
    }

    private static long Number(string[] row, string[] heads, string head) => Parse(row[Array.IndexOf(heads, head)]);

    private static long Parse(string text) => long.Parse(text, NumberStyles.AllowThousands, CultureInfo.InvariantCulture);
}
