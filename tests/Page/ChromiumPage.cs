using Microsoft.Playwright;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Page;

/// <summary>One window of a real Chromium without a screen; it notes what a page must not do.</summary>
internal sealed class ChromiumPage : IAsyncDisposable
{
    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(90);

    private readonly IPlaywright _playwright;
    private readonly IBrowser _browser;
    private readonly List<string> _complaints = [];
    private readonly List<string> _requests = [];

    private ChromiumPage(IPlaywright playwright, IBrowser browser, IPage page)
    {
        _playwright = playwright;
        _browser = browser;
        Page = page;
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                Note(_complaints, $"{message.Type}: {message.Text}");
            }
        };
        page.PageError += (_, error) => Note(_complaints, error);
        page.Request += (_, request) => Note(_requests, request.Url);
        page.SetDefaultTimeout((float)_timeout.TotalMilliseconds);
    }

    /// <summary>The page.</summary>
    public IPage Page { get; }

    /// <summary>Opens a window.</summary>
    /// <param name="width">Pixels of the screen.</param>
    /// <param name="height">Pixels of the screen.</param>
    /// <param name="isDark">Whether the user wants the dark scheme.</param>
    /// <param name="password">What the user types where the page asks for a password; null for nothing.</param>
    public static async Task<ChromiumPage> OpenAsync(int width = 1280, int height = 900, bool isDark = false, string? password = null)
    {
        Assertions.SetDefaultExpectTimeout((float)_timeout.TotalMilliseconds);
        var playwright = await Playwright.CreateAsync();
        try
        {
            var browser = await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
            {
                ExecutablePath = RealParts.RequireProgram("chromium"),
                Args = ["--no-sandbox", "--disable-gpu"], // Containers have neither user namespaces nor a graphics card.
                Timeout = (float)_timeout.TotalMilliseconds,
            });
            var page = await browser.NewPageAsync(new BrowserNewPageOptions
            {
                ViewportSize = new ViewportSize { Width = width, Height = height },
                ColorScheme = isDark ? ColorScheme.Dark : ColorScheme.Light,
                DeviceScaleFactor = width < 500 ? 2 : 1,
                HttpCredentials = password is null ? null : new HttpCredentials { Username = "anybody", Password = password },
            });
            return new ChromiumPage(playwright, browser, page);
        }
        catch
        {
            playwright.Dispose();
            throw;
        }
    }

    /// <summary>Gives the page a verdict to show, in the place of the process's own.</summary>
    public async Task AnswerDiagnoseAsync(string json)
    {
        await Page.RouteAsync(
            "**/diagnose", route => route.FulfillAsync(new RouteFulfillOptions { ContentType = "application/json", Body = json }));
        await Page.RouteAsync(url => new Uri(url).AbsolutePath == "/", async route =>
        {
            var answer = await route.FetchAsync();
            var text = await answer.TextAsync();
            await route.FulfillAsync(new RouteFulfillOptions
            {
                Response = answer,
                Body = text.Contains("/diagnose", StringComparison.Ordinal)
                    ? text
                    : text.Replace("\"weir-paths\" content=\"", "\"weir-paths\" content=\"/diagnose ", StringComparison.Ordinal),
            });
        });
    }

    /// <summary>Loads the page and waits until it has figures and a history.</summary>
    public async Task LoadAsync(Uri url)
    {
        await Page.GotoAsync(url.AbsoluteUri);
        await Assertions.Expect(Page.Locator("#queue-charts canvas").First).ToBeVisibleAsync();
    }

    /// <summary>The texts of a table's body, row by row, once it has rows: a table that a click has opened is filled after it.</summary>
    public async Task<IReadOnlyList<string[]>> TableAsync(string selector)
    {
        await Assertions.Expect(Page.Locator($"{selector} tbody tr").First).ToBeAttachedAsync();
        return await Page.EvaluateAsync<string[][]>(
            "selector => [...document.querySelector(selector).tBodies[0].rows].map(row => [...row.children].map(cell => cell.textContent))",
            selector);
    }

    /// <summary>The heads of a table.</summary>
    public async Task<string[]> HeadsAsync(string selector) => await Page.EvaluateAsync<string[]>(
        "selector => [...document.querySelectorAll(selector + ' thead th')].map(cell => cell.textContent)", selector);

    /// <summary>Fails when the page complained, or asked anybody but the process.</summary>
    public void AssertClean(Uri url)
    {
        lock (_complaints)
        {
            Assert.Empty(_complaints);
        }

        lock (_requests)
        {
            Assert.NotEmpty(_requests);
            Assert.All(_requests, request => Assert.True(
                request.StartsWith(url.AbsoluteUri, StringComparison.Ordinal) || request.StartsWith("data:", StringComparison.Ordinal),
                $"The page asked {request}."));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.CloseAsync();
        _playwright.Dispose();
    }

    private static void Note(List<string> notes, string text)
    {
        lock (notes)
        {
            notes.Add(text);
        }
    }
}
