using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Playwright;
using Weir.Host.Diagnosis;
using Weir.Tests.Deploy;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Page;

/// <summary>The page behind a token: in a real Chromium by HTTP's basic authentication, and behind a front that asks for a certificate.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class TokenPageTests : IAsyncDisposable
{
    private const string Token = "correct-horse-battery";

    private readonly FakeWeir _weir = new() { Token = Token };

    [RealPartFact(RealPart.Chromium)]
    public async Task A_browser_logs_in_with_the_token_as_password_and_the_page_lives()
    {
        _weir.Diagnosis = new DiagnosisReport("healthy", new FlowLimit("input", "every stage waits for records"), 0.8, 15, [])
        {
            InsertLog = new InsertLogReading(null, 60, [new WriterInserts("host:7", IsThis: true, 12, 0, 0.25, 0.5, 60_000)]),
        };
        _weir.Flow(0, overwritten: 0);
        var url = await _weir.StartAsync();
        await using var chromium = await ChromiumPage.OpenAsync(password: Token);
        await chromium.Page.GotoAsync(url.AbsoluteUri);

        // Its events need the token as much as the page does; time must pass for them to come.
        var seconds = 0;
        await Eventually.TrueAsync(
            async () =>
            {
                _weir.Flow(++seconds, overwritten: 0);
                _weir.Time.Advance(TimeSpan.FromSeconds(1));
                return await chromium.Page.Locator("#live .state").TextContentAsync() == "live"
                    && (await chromium.TableAsync("#queue-table")).Count > 0;
            },
            "the page is live");
        await Assertions.Expect(chromium.Page.Locator("#verdict .headline")).ToHaveTextAsync("Healthy");
        await Assertions.Expect(chromium.Page.Locator("#insert-log")).ToHaveTextAsync(
            "system.query_log, last 60 s, writer host:7 (this process): 12 inserts, 0.250 s each, 0.500 s at most, "
            + "20,000 rows a second of insert time, 0 failed");
        chromium.AssertClean(url);
        if (Environment.GetEnvironmentVariable("WEIR_SCREENSHOTS") is { Length: > 0 } directory)
        {
            await chromium.Page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(directory, "token.png"), FullPage = true });
        }
    }

    [RealPartFact(RealPart.Chromium)]
    public async Task With_another_password_a_browser_gets_nothing_but_the_words_that_say_so()
    {
        var url = await _weir.StartAsync();
        await using var chromium = await ChromiumPage.OpenAsync(password: "correct-horse-batterx");

        var answer = await chromium.Page.GotoAsync(url.AbsoluteUri);

        Assert.Equal((int)HttpStatusCode.Unauthorized, answer!.Status);
        Assert.Equal("Basic realm=\"weir\", charset=\"UTF-8\"", await answer.HeaderValueAsync("www-authenticate"));
        Assert.Contains("the token of admin.token is needed", await chromium.Page.ContentAsync(), StringComparison.Ordinal);
    }

    [RealPartFact(RealPart.Nginx)]
    public async Task A_front_that_brings_the_token_makes_it_mutual_tls()
    {
        var directory = Directory.CreateTempSubdirectory("weir-admin-tls-");
        try
        {
            using var authority = new TestAuthority(directory.FullName, "admins");
            var url = await _weir.StartAsync();
            await using var front = await TlsFront.StartAsync(
                url,
                authority.Issue("server", "127.0.0.1"),
                authority.CaFile,
                $"proxy_set_header Authorization \"Bearer {Token}\"; proxy_buffering off;");
            using var stranger = Client(null);
            var files = authority.Issue("operator", "operator");
            using var certificate = X509Certificate2.CreateFromPemFile(files.Certificate, files.Key);
            using var known = Client(certificate);

            using var refused = await stranger.GetAsync(new Uri(front.Url, "queues"));
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode); // nginx: no required certificate was sent.
            Assert.StartsWith("[", await known.GetStringAsync(new Uri(front.Url, "queues")), StringComparison.Ordinal);
            await using var events = await known.GetStreamAsync(new Uri(front.Url, "events"));
            Assert.True(await events.ReadAsync(new byte[256]) > 0, "Events come through the front at once.");
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    public ValueTask DisposeAsync() => _weir.DisposeAsync();

    private static HttpClient Client(X509Certificate2? certificate)
    {
        var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true }; // The front's own is not at stake.
        if (certificate is not null)
        {
            handler.ClientCertificates.Add(certificate);
        }

        return new HttpClient(handler);
    }
}
