using System.Buffers.Binary;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Weir.Core.Model;
using Weir.Core.Telemetry;
using Weir.Host.Admin;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Page;

/// <summary>The page in a real Chromium, fed with figures that the test sets: states, keyboard, words, screens.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class PageInBrowserTests : IAsyncDisposable
{
    internal const string Verdict = """
        {"verdict":"losing","limit":{"stage":"aggregation","why":"shard 0 is busy 97 % of the time"},"headroom":0.03,
        "window_s":60,"findings":[
        {"id":"queue_small","severity":"loss","stage":"aggregation","queue":"aggregation[0]","party":null,
        "title":"Queue aggregation[0] is too small for the bursts","evidence":["<b>full</b> in 11 of 12 looks"],
        "option":"aggregation.queue.capacity_records","from":"1000","to":"262144","since":"2026-01-02T03:04:05Z","last":null,"rate":120.0}]}
        """;

    private const string Healthy =
        """{"verdict":"healthy","limit":{"stage":"ingest","why":"it is busiest"},"headroom":0.4,"window_s":60,"findings":[]}""";

    private const int HistorySeconds = 120;
    private static readonly MetricDefinition _bucket = new("weir_test_insert_seconds_bucket", MetricKind.Counter, "Insert times.", "le");

    private readonly FakeWeir _weir = new();

    [RealPartFact(RealPart.Chromium)]
    public async Task A_loss_is_shown_by_mark_word_and_figure_and_the_verdict_names_the_option()
    {
        var url = await StartAsync(lossesPerSecond: 20);
        await using var chromium = await ChromiumPage.OpenAsync();
        await chromium.AnswerDiagnoseAsync(Verdict);
        await chromium.LoadAsync(url);
        var page = chromium.Page;

        await Assertions.Expect(page.Locator("#verdict .headline")).ToHaveTextAsync("Losing records");
        await Assertions.Expect(page.Locator("#verdict"))
            .ToContainTextAsync("Change aggregation.queue.capacity_records from 1000 to 262144.");
        await Assertions.Expect(page.Locator("#verdict")).ToContainTextAsync("<b>full</b> in 11 of 12 looks"); // Text, never markup.
        await Assertions.Expect(page.Locator("#picture [data-part=to-shards]")).ToHaveAttributeAsync("data-state", "loss");
        await Assertions.Expect(page.Locator("#picture [data-part=to-shards] [data-role=loss0]")).ToContainTextAsync("✖ 1,200 overwritten");
        await Assertions.Expect(page.Locator("#picture [data-part=fold]")).ToHaveAttributeAsync("data-state", "idle");
        await Assertions.Expect(page.Locator("#picture desc")).ToContainTextAsync("1200 overwritten in the last minute");

        var heads = await chromium.HeadsAsync("#queue-table");
        var queue = (await chromium.TableAsync("#queue-table"))[0];
        Assert.Equal("losing", queue[Array.IndexOf(heads, "state")]);
        Assert.Equal($"{HistorySeconds * 20:N0}", queue[Array.IndexOf(heads, "overwritten")]);
        Assert.Contains("→ queue aggregation: losing", (await chromium.TableAsync("#path-table")).Select(row => $"{row[0]}: {row[^1]}"));
        chromium.AssertClean(url);
    }

    /// <summary>Also how <c>scripts/screenshots.sh</c> makes docs/images: of a running weir (WEIR_SCREENSHOTS_URL), into WEIR_SCREENSHOTS.</summary>
    [RealPartTheory(RealPart.Chromium)]
    [InlineData("page", 1280, 2300, false)]
    [InlineData("page-dark", 1280, 1180, true)]
    [InlineData("page-phone", 390, 1500, false)]
    public async Task A_picture_of_the_live_page_can_be_taken(string name, int width, int height, bool isDark)
    {
        var running = Environment.GetEnvironmentVariable("WEIR_SCREENSHOTS_URL");
        await using var chromium = await ChromiumPage.OpenAsync(width, height, isDark);
        if (running is null)
        {
            await chromium.AnswerDiagnoseAsync(Healthy);
        }

        await chromium.LoadAsync(running is null ? await StartAsync(lossesPerSecond: 0) : new Uri(running));
        await Assertions.Expect(chromium.Page.Locator("#live .state")).ToHaveTextAsync("live");
        var picture = await chromium.Page.ScreenshotAsync();

        var scale = width < 500 ? 2 : 1;
        Assert.Equal("PNG"u8, picture.AsSpan(1, 3));
        Assert.Equal(width * scale, BinaryPrimitives.ReadInt32BigEndian(picture.AsSpan(16)));
        Assert.Equal(height * scale, BinaryPrimitives.ReadInt32BigEndian(picture.AsSpan(20)));
        if (Environment.GetEnvironmentVariable("WEIR_SCREENSHOTS") is { } directory)
        {
            await File.WriteAllBytesAsync(Path.Combine(directory, $"{name}.png"), picture);
        }
    }

    [RealPartFact(RealPart.Chromium)]
    public async Task The_account_adds_up_line_by_line_and_says_so_when_it_does_not()
    {
        var url = await StartAsync(lossesPerSecond: 0);
        await using var chromium = await ChromiumPage.OpenAsync();
        await chromium.AnswerDiagnoseAsync(Healthy);
        await chromium.LoadAsync(url);
        var verdict = chromium.Page.Locator("#account-verdict .state");

        await Assertions.Expect(verdict).ToContainTextAsync("It adds up");
        await Assertions.Expect(chromium.Page.Locator("#verdict .headline")).ToHaveTextAsync("Healthy");
        var lines = (await chromium.TableAsync("#account-table")).ToDictionary(row => row[0], row => row[2]);
        Assert.Equal($"{HistorySeconds * 1_000:N0}", lines["read from Kafka"]);
        Assert.Equal(lines["read from Kafka"], lines["= folded into sums"]);
        Assert.Equal("0", lines["difference"]);

        _weir.Account = _weir.Account with { FoldedCount = _weir.Account.FoldedCount - 7 };
        await using var clock = RunClock();
        await Assertions.Expect(verdict).ToContainTextAsync("It does not add up");
        Assert.Equal("7", (await chromium.TableAsync("#account-table"))[^1][2]);
        chromium.AssertClean(url);
    }

    [RealPartFact(RealPart.Chromium)]
    public async Task A_histogram_that_is_in_the_registry_is_drawn_and_told_in_numbers()
    {
        var url = await StartAsync(lossesPerSecond: 0);
        await using var chromium = await ChromiumPage.OpenAsync();
        await chromium.AnswerDiagnoseAsync(Healthy);
        await chromium.LoadAsync(url);
        var figure = chromium.Page.Locator("#heat-maps figure");

        // 98 of 100 inserts took up to 0.1 s, the others up to 1 s.
        await Assertions.Expect(figure.Locator("canvas")).ToHaveAttributeAsync("aria-label", new Regex(@"p50 51.5\sms.*p99 550\sms"));
        await figure.Locator("summary").ClickAsync();
        Assert.NotEmpty(await chromium.TableAsync("#heat-maps table"));
        Assert.True(await chromium.Page.EvaluateAsync<bool>("""
            () => { const map = document.querySelector('#heat-maps canvas');
              return map.getContext('2d').getImageData(0, 0, map.width, map.height).data.some(value => value > 0); }
            """));
        await Assertions.Expect(chromium.Page.Locator("#insert-figures")).ToContainTextAsync("p99, last minute");
        chromium.AssertClean(url);
    }

    [RealPartFact(RealPart.Chromium)]
    public async Task The_slowest_cuts_are_told_step_by_step()
    {
        var closed = new DateTimeOffset(2026, 1, 2, 3, 4, 0, TimeSpan.Zero);
        _weir.SlowCuts =
        [
            new CutTrace(
                new PartitionKey("flows", 2), 100, 250, 75_000, 1_200, 4, closed, closed.AddMilliseconds(40), closed.AddMilliseconds(140),
                closed.AddMilliseconds(150), closed.AddSeconds(2.65), closed.AddSeconds(3.1))
            {
                Inserts =
                [
                    new InsertTrace("edge_1s", 0, 900, 3, closed.AddSeconds(0.15), closed.AddSeconds(2.4), "the server is away"),
                    new InsertTrace("edge_1m", 0, 300, 1, closed.AddSeconds(2.4), closed.AddSeconds(2.65), null),
                ],
            },
        ];
        var url = await StartAsync(lossesPerSecond: 0);
        await using var chromium = await ChromiumPage.OpenAsync();
        await chromium.AnswerDiagnoseAsync(Healthy);
        await chromium.LoadAsync(url);

        await Assertions.Expect(chromium.Page.Locator("#slow-cuts tbody tr")).ToHaveCountAsync(1);
        Assert.Equal(
            ["cut", "stored at", "records", "rows", "whole", "fold", "build", "plan", "insert", "ledger", "slowest insert"],
            await chromium.HeadsAsync("#slow-cuts"));
        var row = (await chromium.TableAsync("#slow-cuts"))[0];
        Assert.Equal("flows/2 100–250", row[0]);
        Assert.Equal(
            ["75,000", "1,200", "3.10 s", "40.0 ms", "100 ms", "10.0 ms", "2.50 s", "450 ms", "edge_1s, 900 rows, 2.25 s, 3 attempts"],
            row[2..].Select(cell => cell.Replace('\u00a0', ' ')));
        chromium.AssertClean(url);
    }

    [RealPartFact(RealPart.Chromium)]
    public async Task Everything_works_with_the_keyboard_alone()
    {
        var url = await StartAsync(lossesPerSecond: 20);
        await using var chromium = await ChromiumPage.OpenAsync();
        await chromium.AnswerDiagnoseAsync(Verdict);
        await chromium.LoadAsync(url);
        var page = chromium.Page;

        await page.Keyboard.PressAsync("Tab");
        Assert.Equal("Skip to the content", await FocusedAsync(page, "textContent"));
        await page.Keyboard.PressAsync("Enter");
        Assert.Equal("main", await FocusedAsync(page, "id"));

        var chart = page.Locator("#queue-charts .plot").First;
        await chart.FocusAsync();
        await page.Keyboard.PressAsync("End");
        await page.Keyboard.PressAsync("ArrowLeft");
        await Assertions.Expect(page.Locator("#queue-charts .readout").First).ToContainTextAsync("overwritten 20/s");
        await Assertions.Expect(page.Locator("#say")).ToContainTextAsync("overwritten 20/s");

        var table = page.Locator("#queue-charts details").First;
        await table.Locator("summary").FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(table.Locator("table")).ToBeVisibleAsync();
        await Assertions.Expect(table.Locator("tbody")).ToContainTextAsync("20");

        await page.Locator("#configuration summary").FocusAsync();
        await page.Keyboard.PressAsync("Space");
        await Assertions.Expect(page.Locator("#configuration-text")).ToContainTextAsync("group: weir");

        await page.Locator("#metrics summary").FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.TypeAsync("QUEUE_DEPTH_REC");
        await Assertions.Expect(page.Locator("#metrics-table tbody tr")).ToHaveCountAsync(1);
        Assert.True(
            await page.EvaluateAsync<bool>("() => getComputedStyle(document.activeElement).outlineStyle === 'solid'"),
            "The focus is not to be seen.");
        chromium.AssertClean(url);
    }

    [RealPartFact(RealPart.Chromium)]
    public async Task A_screen_reader_finds_landmarks_names_and_a_table_for_each_picture()
    {
        var url = await StartAsync(lossesPerSecond: 0);
        await using var chromium = await ChromiumPage.OpenAsync();
        await chromium.AnswerDiagnoseAsync(Verdict);
        await chromium.LoadAsync(url);

        Assert.Empty(await chromium.Page.EvaluateAsync<string[]>("""
            () => {
              const wrong = [];
              for (const [name, number] of [['main', 1], ['header', 1], ['nav', 1], ['footer', 1], ['h1', 1]])
                if (document.querySelectorAll(name).length !== number) wrong.push(`${name} is not there ${number} time`);
              for (const section of document.querySelectorAll('section'))
                if (!document.getElementById(section.getAttribute('aria-labelledby'))?.textContent) wrong.push(`${section.id} has no name`);
              for (const link of document.querySelectorAll('nav a'))
                if (!document.querySelector(link.hash)) wrong.push(`${link.hash} leads nowhere`);
              for (const figure of document.querySelectorAll('figure'))
                if (!figure.querySelector('figcaption')?.textContent || !figure.querySelector('details table'))
                  wrong.push('a figure without name or table');
              for (const canvas of document.querySelectorAll('canvas'))
                if (!canvas.getAttribute('aria-label') && !canvas.closest('[aria-label]')) wrong.push('a canvas without words');
              for (const head of document.querySelectorAll('th'))
                if (!head.scope) wrong.push(`${head.textContent} has no scope`);
              for (const box of document.querySelectorAll('[tabindex="0"]'))
                if (!box.getAttribute('aria-label')) wrong.push(`${box.outerHTML.slice(0, 80)} has no name`);
              for (const id of ['verdict-body', 'state-body', 'say'])
                if (document.getElementById(id).getAttribute('aria-live') !== 'polite') wrong.push(`${id} is not polite`);
              if (document.querySelector('#picture svg').getAttribute('role') !== 'img') wrong.push('the picture is no image');
              return wrong;
            }
            """));
        chromium.AssertClean(url);
    }

    [RealPartTheory(RealPart.Chromium)]
    [InlineData(390, false)]
    [InlineData(390, true)]
    [InlineData(1280, true)]
    public async Task It_fits_the_screen_and_its_text_can_be_read_in_either_scheme(int width, bool isDark)
    {
        _weir.Errors = [_weir.Error($"Too many parts {new string('x', 300)}")];
        _weir.Health = new HealthReport([], ["no partition is assigned <b>yet</b>"]);
        var url = await StartAsync(lossesPerSecond: 20);
        await using var chromium = await ChromiumPage.OpenAsync(width, isDark: isDark);
        await chromium.AnswerDiagnoseAsync(Verdict);
        await chromium.LoadAsync(url);
        await Assertions.Expect(chromium.Page.Locator("#verdict .headline")).ToBeVisibleAsync();
        await Assertions.Expect(chromium.Page.Locator("#state-body")).ToContainTextAsync("<b>yet</b>");

        Assert.Equal(width, await chromium.Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth"));
        Assert.Empty(await chromium.Page.EvaluateAsync<string[]>(ContrastScript));
        chromium.AssertClean(url);
    }

    [RealPartFact(RealPart.Chromium)]
    public async Task When_the_process_goes_the_page_says_so_and_it_goes_on_when_it_is_back()
    {
        var url = await StartAsync(lossesPerSecond: 0);
        await using var chromium = await ChromiumPage.OpenAsync();
        await chromium.AnswerDiagnoseAsync(Healthy);
        await using var clock = RunClock();
        await chromium.LoadAsync(url);
        var live = chromium.Page.Locator("#live .state");
        await Assertions.Expect(live).ToHaveTextAsync("live");

        await _weir.StopAsync();
        await Assertions.Expect(live).ToContainTextAsync("no word since");
        await _weir.StartAsync(url.Port);
        await Assertions.Expect(live).ToHaveTextAsync("live");
    }

    public ValueTask DisposeAsync() => _weir.DisposeAsync();

    // Text of at least 4.5 : 1 against what is behind it (WCAG AA).
    private const string ContrastScript = """
        () => {
          const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
          const rgba = text => {
            canvas.clearRect(0, 0, 1, 1);
            canvas.fillStyle = text;
            canvas.fillRect(0, 0, 1, 1);
            return [...canvas.getImageData(0, 0, 1, 1).data];
          };
          const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
          const behind = element => {
            for (let at = element; at; at = at.parentElement) {
              const ground = rgba(getComputedStyle(at).backgroundColor);
              if (ground[3] === 255) return ground;
            }
            return [255, 255, 255];
          };
          const wrong = new Set();
          const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walk.nextNode()) {
            const element = walk.currentNode.parentElement;
            if (!walk.currentNode.textContent.trim() || !element.checkVisibility()) continue;
            if (element.closest('.sr, .skip, noscript, script, desc, title')) continue;
            const style = getComputedStyle(element);
            const [one, two] = [light(rgba(element.closest('svg') ? style.fill : style.color)), light(behind(element))];
            const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
            if (ratio < 4.5) wrong.add(`${element.tagName}.${element.getAttribute('class')}: ${ratio.toFixed(2)}`);
          }
          return [...wrong];
        }
        """;

    private static Task<string> FocusedAsync(IPage page, string property) =>
        page.EvaluateAsync<string>($"() => document.activeElement.{property}");

    /// <summary>A process that has run for two minutes, with a history of them.</summary>
    private async Task<Uri> StartAsync(long lossesPerSecond)
    {
        SetFigures(0, lossesPerSecond);
        var url = await _weir.StartAsync();
        using var client = new HttpClient { BaseAddress = url };
        for (var second = 5; second <= HistorySeconds; second += 5)
        {
            SetFigures(second, lossesPerSecond);
            _weir.Time.Advance(TimeSpan.FromSeconds(5));
            var samples = (second / 5) + 1; // The timer of the history must have taken this one before the next is due.
            await Eventually.TrueAsync(
                async () => (await client.GetStringAsync("history?name=weir_memory")).Split(',').Length >= samples + 3,
                $"{samples} samples");
        }

        return url;
    }

    private void SetFigures(int second, long lossesPerSecond)
    {
        _weir.Flow(second, second * lossesPerSecond);
        _weir.Set(_bucket, 0, "0.001");
        _weir.Set(_bucket, second * 98, "0.1");
        _weir.Set(_bucket, second * 100, "1");
        _weir.Set(_bucket, second * 100, "+Inf");
    }

    /// <summary>Lets the process's time pass: a second every look, so that events come.</summary>
    private Clock RunClock() => new(_weir.Time);

    private sealed class Clock : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _run;

        internal Clock(ManualTimeProvider time) => _run = Task.Run(async () =>
        {
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
            try
            {
                while (await timer.WaitForNextTickAsync(_stop.Token))
                {
                    time.Advance(TimeSpan.FromSeconds(1));
                }
            }
            catch (OperationCanceledException)
            {
                // The end of the test.
            }
        });

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _run;
            _stop.Dispose();
        }
    }
}
