using Microsoft.Playwright;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Page;

/// <summary>Draws the pictures of <c>docs/images</c>; <c>scripts/screenshots.sh</c> runs it, ordinary test runs do not.</summary>
/// <remarks>The page is that of a running weir, named by WEIR_SCREENSHOTS_URL; the directory by WEIR_SCREENSHOTS.</remarks>
[Collection(RealPartsCollection.Name)]
public sealed class PageScreenshots
{
    [ScreenshotTheory]
    [InlineData("page", 1280, 2300, false)]
    [InlineData("page-dark", 1280, 1180, true)]
    [InlineData("page-phone", 390, 1500, false)]
    public async Task Draw(string name, int width, int height, bool isDark)
    {
        var url = new Uri(Environment.GetEnvironmentVariable(ScreenshotTheoryAttribute.UrlVariable)!);
        await using var chromium = await ChromiumPage.OpenAsync(width, height, isDark);
        await chromium.LoadAsync(url);
        await Assertions.Expect(chromium.Page.Locator("#live .state")).ToHaveTextAsync("live");
        await chromium.Page.ScreenshotAsync(new PageScreenshotOptions
        {
            Path = Path.Combine(Environment.GetEnvironmentVariable(ScreenshotTheoryAttribute.DirectoryVariable)!, $"{name}.png"),
        });
    }
}

/// <summary>Runs only where the variables of <c>scripts/screenshots.sh</c> are set.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ScreenshotTheoryAttribute : TheoryAttribute
{
    /// <summary>The page to draw.</summary>
    public const string UrlVariable = "WEIR_SCREENSHOTS_URL";

    /// <summary>Where the pictures go.</summary>
    public const string DirectoryVariable = "WEIR_SCREENSHOTS";

    public ScreenshotTheoryAttribute()
    {
        if (Environment.GetEnvironmentVariable(UrlVariable) is null || Environment.GetEnvironmentVariable(DirectoryVariable) is null)
        {
            Skip = "scripts/screenshots.sh draws the pictures of docs/images.";
        }
    }
}
