using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Host;
using Weir.Host.Admin;
using Weir.Ingest;
using Weir.Host.Commands;
using Xunit;

namespace Weir.Tests.Host;

/// <summary>The admin endpoint over real HTTP on a free port.</summary>
public sealed class AdminServerTests : IAsyncDisposable
{
    private const string Token = "a-token-of-the-tests";

    private readonly HttpClient _client = new();
    private readonly List<(string Sql, string Format)> _asked = [];
    private HealthReport _health = new([], []);
    private AdminServer? _server;

    [Fact]
    public async Task Health_is_alive_while_it_is_not_ready_yet()
    {
        _health = new HealthReport([], ["no partition is assigned", "clickhouse has not answered"]);
        var url = await StartAsync();

        using var alive = await _client.GetAsync(new Uri(url, "healthz"));
        using var ready = await _client.GetAsync(new Uri(url, "readyz"));

        Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        using var reasons = JsonDocument.Parse(await ready.Content.ReadAsStringAsync());
        Assert.Equal("not ready", reasons.RootElement.GetProperty("status").GetString());
        Assert.Equal("no partition is assigned", reasons.RootElement.GetProperty("reasons")[0].GetString());

        _health = new HealthReport([], []);
        using var now = await _client.GetAsync(new Uri(url, "readyz"));
        Assert.Equal(HttpStatusCode.OK, now.StatusCode);

        _health = new HealthReport(["the writer stage failed"], []);
        using var dead = await _client.GetAsync(new Uri(url, "healthz"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, dead.StatusCode);
    }

    [Fact]
    public async Task Metrics_are_prometheus_text_of_every_source()
    {
        var url = await StartAsync();

        using var answer = await _client.GetAsync(new Uri(url, "metrics"));

        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        Assert.Contains("weir_build_info{version=\"test\"} 1\n", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("test", Assert.Single(answer.Headers.GetValues(AdminServer.VersionHeader)));
    }

    [Fact]
    public async Task Queues_are_json_with_every_counter()
    {
        var url = await StartAsync();

        using var json = JsonDocument.Parse(await _client.GetStringAsync(new Uri(url, "queues")));

        var queue = json.RootElement[0];
        Assert.Equal(
            [
                "name", "index", "policy", "capacity_records", "offered_count", "enqueued_count", "dropped_count", "overwritten_count",
                "dequeued_count", "depth", "depth_max", "depth_max_interval", "slots_used", "producer_wait_seconds", "consumer_wait_seconds",
            ],
            queue.EnumerateObject().Select(property => property.Name));
        Assert.Equal(("shard", "overwrite", 100L, 1.5), (
            queue.GetProperty("name").GetString()!, queue.GetProperty("policy").GetString()!,
            queue.GetProperty("offered_count").GetInt64(), queue.GetProperty("producer_wait_seconds").GetDouble()));
    }

    [Fact]
    public async Task Questions_are_answered_by_get_and_by_post_in_the_format_asked_for()
    {
        var url = await StartAsync();

        var got = await _client.GetStringAsync(new Uri(url, "query?query=SELECT%201"));
        using var posted = await _client.PostAsync(new Uri(url, "query?format=JSONEachRow"), new StringContent("SELECT 2"));

        Assert.Equal("answer\n", got);
        Assert.Equal("application/json; charset=utf-8", posted.Content.Headers.ContentType!.ToString());
        Assert.Equal([("SELECT 1", "TSV"), ("SELECT 2", "JSONEachRow")], _asked);
    }

    [Theory]
    [InlineData("query?query=DROP%20TABLE%20t", "only questions are answered")]
    [InlineData("query?query=SELECT%20broken", "the server said no")]
    [InlineData("query?query=SELECT%201&format=..%2Fx", "the format is not a name")]
    [InlineData("query", "the question is empty")]
    public async Task What_cannot_be_answered_is_told_as_text_with_status_400(string path, string expected)
    {
        var url = await StartAsync();

        using var answer = await _client.GetAsync(new Uri(url, path));

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal("text/plain; charset=utf-8", answer.Content.Headers.ContentType!.ToString());
        Assert.Contains(expected, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_breaks_off_is_not_taken_for_a_whole_one()
    {
        var url = await StartAsync();

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => _client.GetStringAsync(new Uri(url, "query?query=SELECT%20half")));
        await Assert.ThrowsAsync<StoreException>(() => AdminClient.TryQueryAsync(url, "SELECT half", "TSV", Stream.Null, CancellationToken.None));
    }

    [Fact]
    public async Task Web_pages_and_other_machines_are_not_answered()
    {
        var url = await StartAsync();
        using var fromPage = new HttpRequestMessage(HttpMethod.Post, new Uri(url, "query")) { Content = new StringContent("SELECT 1") };
        fromPage.Headers.Add("Origin", "http://evil.example");
        using var rebound = new HttpRequestMessage(HttpMethod.Get, new Uri(url, "query?query=SELECT%201"));
        rebound.Headers.Host = "evil.example";

        using var first = await _client.SendAsync(fromPage);
        using var second = await _client.SendAsync(rebound);

        Assert.Equal(HttpStatusCode.Forbidden, first.StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, second.StatusCode);
        Assert.Empty(_asked);
    }

    [Fact]
    public async Task An_address_that_others_reach_answers_questions_only_with_the_option()
    {
        _client.DefaultRequestHeaders.Authorization = new System.Net.Http.Headers.AuthenticationHeaderValue("Bearer", Token);
        var closed = await StartAsync(new AdminOptions { Token = Token, Listen = new IPEndPoint(IPAddress.Any, 0) });
        using var refused = await _client.GetAsync(new Uri(AdminClient.UrlOf(new IPEndPoint(IPAddress.Any, closed.Port)), "query?query=SELECT%201"));
        await _server!.DisposeAsync();
        var open = await StartAsync(new AdminOptions { Token = Token, Listen = new IPEndPoint(IPAddress.Any, 0), RemoteQueries = true });
        using var answered = await _client.GetAsync(new Uri(AdminClient.UrlOf(new IPEndPoint(IPAddress.Any, open.Port)), "query?query=SELECT%201"));

        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
    }

    [Fact]
    public async Task A_weir_with_a_server_sends_questions_there()
    {
        var url = await StartAsync(hasStore: false);

        using var answer = await _client.GetAsync(new Uri(url, "query?query=SELECT%201"));

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.False(await AdminClient.TryQueryAsync(url, "SELECT 1", "TSV", Stream.Null, CancellationToken.None));
    }

    [Fact]
    public async Task A_body_over_the_limit_is_refused()
    {
        var url = await StartAsync();

        using var answer = await _client.PostAsync(new Uri(url, "query"), new StringContent(new string(' ', 2_000_000)));

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
    }

    [Fact]
    public async Task A_port_that_is_taken_says_which_option_to_change()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        await using var server = Create(new AdminOptions { Listen = (IPEndPoint)other.LocalEndpoint });

        var error = await Assert.ThrowsAsync<IOException>(() => server.StartAsync(CancellationToken.None));

        Assert.Contains("set admin.listen", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_client_writes_the_answer_and_knows_when_nobody_is_there()
    {
        var url = await StartAsync();
        using var output = new MemoryStream();

        Assert.True(await AdminClient.TryQueryAsync(url, "SELECT 1", "TSV", output, CancellationToken.None));
        await _server!.DisposeAsync();
        _server = null;
        Assert.False(await AdminClient.TryQueryAsync(url, "SELECT 1", "TSV", output, CancellationToken.None));

        Assert.Equal("answer\n", Encoding.UTF8.GetString(output.ToArray()));
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    /// <summary>A reading whose equations hold.</summary>
    internal static QueueSnapshot Queue(string name, int index) => new(
        name, index, FullPolicy.Overwrite, 1_000, OfferedCount: 100, EnqueuedCount: 90, DroppedCount: 10, OverwrittenCount: 5, DequeuedCount: 80,
        Depth: 5, DepthMax: 50, DepthMaxInterval: 20, SlotsUsed: 1, TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(2));

    private async Task<Uri> StartAsync(AdminOptions? options = null, bool hasStore = true)
    {
        _server = Create(options ?? new AdminOptions { Listen = new IPEndPoint(IPAddress.Loopback, 0) }, hasStore);
        await _server.StartAsync(CancellationToken.None);
        Assert.NotEqual(0, _server.Url.Port);
        return _server.Url;
    }

    private AdminServer Create(AdminOptions options, bool hasStore = true) => new(options, "test", new AdminSources
    {
        Metrics = [new ProcessMetrics("test", new Weir.Core.Buffers.MemoryBudget(1), () => [Queue("shard", 0)])],
        Queues = () => [Queue("shard", 0)],
        Health = () => _health,
        Positions = () => [new PartitionSnapshot(new PartitionKey("flows", 2), 0, 41, 30, 50, -1, -1)],
        Account = () => new BlockAccount(1_000, 990, 4, 3, 2, 1),
        Query = hasStore ? AnswerAsync : null,
    });

    private async Task AnswerAsync(string sql, string format, Stream output, CancellationToken cancel)
    {
        _asked.Add((sql, format));
        if (sql.Contains("broken", StringComparison.Ordinal))
        {
            throw new StoreException("the server said no");
        }

        await output.WriteAsync("answer\n"u8.ToArray(), cancel);
        if (sql.Contains("half", StringComparison.Ordinal))
        {
            await output.FlushAsync(cancel);
            throw new StoreException("out of memory");
        }
    }
}
