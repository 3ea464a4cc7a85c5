using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Weir.Core.Buffers;
using Weir.Core.Model;
using Weir.Host;
using Weir.Host.Admin;
using Weir.Host.Options;
using Weir.Tests.Host;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Diagnosis;

/// <summary>Who may ask the admin endpoint, and what floods, slow senders and large bodies do to it.</summary>
[Collection(AloneCollection.Name)]
public sealed class AdminSecurityTests : IAsyncDisposable
{
    private const string Token = "correct-horse-battery";

    private readonly HttpClient _client = new();
    private AdminServer? _server;

    [Theory]
    [InlineData(null, HttpStatusCode.Unauthorized)]
    [InlineData("Bearer wrong-horse-battery", HttpStatusCode.Unauthorized)]
    [InlineData("Bearer correct-horse-batter", HttpStatusCode.Unauthorized)]
    [InlineData("Bearer ", HttpStatusCode.Unauthorized)]
    [InlineData("Basic !!!", HttpStatusCode.Unauthorized)]
    [InlineData("Bearer correct-horse-battery", HttpStatusCode.OK)]
    [InlineData("basic YW55OmNvcnJlY3QtaG9yc2UtYmF0dGVyeQ==", HttpStatusCode.OK)]
    public async Task Where_there_is_a_token_every_page_needs_it(string? authorization, HttpStatusCode expected)
    {
        var url = await StartAsync(new AdminOptions { Listen = Loopback(), Token = Token });
        foreach (var path in (string[])["", "metrics", "metrics?snapshot=true", "queues", "positions"])
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(url, path));
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
            using var answer = await _client.SendAsync(request);
            Assert.True(answer.StatusCode == expected, $"/{path} answers {answer.StatusCode}.");
        }
    }

    [Fact]
    public async Task Health_answers_without_the_token_and_without_reasons()
    {
        var url = await StartAsync(new AdminOptions { Listen = Loopback(), Token = Token });

        using var answer = await _client.GetAsync(new Uri(url, "readyz"));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.DoesNotContain("secret server", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_that_others_reach_answers_nobody_without_a_token()
    {
        var url = await StartAsync(new AdminOptions { Listen = new IPEndPoint(IPAddress.Any, 0) });

        using var answer = await _client.GetAsync(new Uri(AdminClient.UrlOf(new IPEndPoint(IPAddress.Any, url.Port)), "queues"));

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }

    [Fact]
    public void An_address_that_others_reach_is_an_error_of_the_configuration_without_a_token()
    {
        var error = Assert.Single(OptionsLoader.Load("admin: { listen: \"*:9526\" }", "weir.yaml", new Dictionary<string, string>()).Errors);
        Assert.Contains("admin.token", error.ToString(), StringComparison.Ordinal);
        var loaded = OptionsLoader.Load(
            "admin: { listen: \"*:9526\" }", "weir.yaml", new Dictionary<string, string> { ["WEIR__ADMIN__TOKEN"] = Token });
        Assert.Empty(loaded.Errors);
        Assert.Equal(Token, loaded.Options.Admin.Token);
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 9526), new AdminOptions().Listen);
    }

    [Fact]
    public async Task The_token_may_be_the_first_line_of_a_file()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, Token + "\nsecond line\n");
            var url = await StartAsync(new AdminOptions { Listen = Loopback(), TokenFile = file });
            _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Token);
            using var answer = await _client.GetAsync(new Uri(url, "queues"));
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);

            await File.WriteAllTextAsync(file, "short\n");
            Assert.Throws<IOException>(() => AdminToken.Read(new AdminOptions { TokenFile = file }));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Nothing_can_be_changed()
    {
        var url = await StartAsync(new AdminOptions { Listen = Loopback() });
        foreach (var method in (string[])["POST", "PUT", "DELETE", "PATCH"])
        {
            foreach (var path in (string[])["", "metrics", "queues", "positions", "diagnose", "tap", "profile"])
            {
                using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(url, path));
                using var answer = await _client.SendAsync(request);
                Assert.True(answer.StatusCode is HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotFound, $"{method} /{path} answers {answer.StatusCode}.");
            }
        }
    }

    [Fact]
    public async Task A_flood_slow_senders_and_a_gigabyte_leave_the_endpoint_answering_in_little_memory()
    {
        var url = await StartAsync(new AdminOptions { Listen = Loopback() });
        GC.Collect();
        var before = GC.GetTotalMemory(forceFullCollection: true);

        // Heads that never end hold some of the connections; a body of 1 GB is announced and begun.
        var slow = new List<TcpClient>();
        for (var index = 0; index < 20; index++)
        {
            var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, url.Port);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(index == 0
                ? "POST /query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n"
                : "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: "));
            slow.Add(client);
        }

        await SendBodyAsync(slow[0]);
        var answers = await Task.WhenAll(Enumerable.Range(0, 2_000).Select(_ => AskAsync(new Uri(url, "queues"))));
        slow.ForEach(client => client.Dispose());

        Assert.Equal(2_000, answers.Length);
        Assert.Contains(answers, isAnswered => isAnswered); // Some may be refused: connections are limited.
        await Eventually.TrueAsync(() => AskAsync(new Uri(url, "queues")), "the endpoint answers after the flood");
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 64L << 20);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    private static IPEndPoint Loopback() => new(IPAddress.Loopback, 0);

    private static async Task SendBodyAsync(TcpClient client)
    {
        var piece = new byte[1 << 20];
        try
        {
            for (var count = 0; count < 1024; count++)
            {
                await client.GetStream().WriteAsync(piece);
            }

            Assert.Fail("A gigabyte was taken.");
        }
        catch (IOException)
        {
            // Refused and closed, as it should be.
        }
    }

    private async Task<bool> AskAsync(Uri url)
    {
        try
        {
            using var answer = await _client.GetAsync(url);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private async Task<Uri> StartAsync(AdminOptions options)
    {
        _server = new AdminServer(options, "test", new AdminSources
        {
            Metrics = [new ProcessMetrics("test", new MemoryBudget(1), () => [AdminServerTests.Queue("shard", 0)])],
            Queues = () => [AdminServerTests.Queue("shard", 0)],
            Health = () => new HealthReport([], ["the secret server does not answer"]),
            Positions = () => [],
            Account = () => default(BlockAccount),
        });
        await _server.StartAsync(CancellationToken.None);
        return _server.Url;
    }
}
