using System.Globalization;
using System.Net;
using Weir.Loadgen;
using Weir.Loadgen.Shadow;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Loadgen;

/// <summary>Faults of a ClickHouse server, by a proxy and by a command, as a soak makes them.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class SoakFaultTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>, IDisposable
{
    private readonly HttpClient _client = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-soak-faults-").FullName;

    public void Dispose()
    {
        _client.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [RealPartFact(RealPart.ClickHouseServer)]
    public async Task The_proxy_passes_requests_refuses_them_cuts_them_and_loses_answers()
    {
        await server.RunAsync("CREATE TABLE default.passed (n UInt8) ENGINE = MergeTree ORDER BY n");
        await using var proxy = new FaultProxy(server.Url);
        Task<HttpResponseMessage> InsertAsync() => _client.PostAsync(
            new Uri(proxy.Url, "?query=INSERT%20INTO%20default.passed%20VALUES"), new StringContent("(1)"));
        Task<string> CountAsync() => server.RunAsync("SELECT count() FROM default.passed");

        Assert.Equal(HttpStatusCode.OK, (await InsertAsync()).StatusCode);
        Assert.Equal("7\n", await _client.GetStringAsync(new Uri(proxy.Url, "?query=SELECT%207")));
        proxy.Fault = ProxyFault.Errors;
        using var refused = await InsertAsync();
        Assert.Equal(HttpStatusCode.InternalServerError, refused.StatusCode);
        Assert.StartsWith("Code: ", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        proxy.Fault = ProxyFault.Cuts;
        await Assert.ThrowsAsync<HttpRequestException>(InsertAsync);
        Assert.Equal("1", await CountAsync()); // The server was not asked.
        proxy.Fault = ProxyFault.LostAnswers;
        await Assert.ThrowsAsync<HttpRequestException>(InsertAsync);
        Assert.Equal("2", await CountAsync()); // It was.
        proxy.Fault = ProxyFault.None;
        using var passed = await _client.GetAsync(new Uri(proxy.Url, "?query=NONSENSE"));
        Assert.False(passed.IsSuccessStatusCode); // The server's own errors pass.
        Assert.Equal(3, proxy.FaultCount);
    }

    [Fact]
    public void What_came_again_is_as_promised_by_at_least_once_and_what_is_missing_never_is()
    {
        SoakResult Result(string stored, bool isExactlyOnce) =>
            new([], [], [new SoakView("edge_1s", "10\t20", stored)], new Weir.Loadgen.Generate.GeneratedTotals(false), 1, "{}", isExactlyOnce, null);

        Assert.True(Result("10\t21", false).IsAsPromised);
        Assert.False(Result("10\t21", true).IsAsPromised);
        Assert.False(Result("10\t19", false).IsAsPromised);
        Assert.False(Result("nothing", false).IsAsPromised);
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task A_soak_with_faults_of_its_server_loses_nothing()
    {
        var config = Path.Combine(_directory, "weir.yaml");
        await File.WriteAllTextAsync(config, 
            $"clickhouse: {{ user: weir, password: {ClickHouseServer.Password} }}\nflush: {{ interval: 500ms }}\n");
        var report = Path.Combine(_directory, "soak.md");
        var id = server.ProcessId.ToString(CultureInfo.InvariantCulture);
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(5));
        var (code, output, errors) = await WeirProgram.RunAsync(
            Path.Combine(AppContext.BaseDirectory, "weir-loadgen"),
            [
                "soak", "--for", "6s", "--fault-every", "1500ms", "--rate", "2000", "--series", "500", "--partitions", "2", "--seed", "3",
                "-c", config, "--clickhouse", server.Url.ToString(), "--report", report,
                "--fault", $"ClickHouse frozen=kill -STOP {id}; sleep 1; kill -CONT {id}",
            ],
            limit.Token);
        Assert.True(code == 0, output + errors);
        var text = await File.ReadAllTextAsync(report, limit.Token);
        Assert.Contains("weir promised at least once", text, StringComparison.Ordinal);
        // Plain tables of 18.16: a killed weir may count a block twice, and no answer is lost on purpose.
        Assert.DoesNotContain("are lost", text, StringComparison.Ordinal);
    }
}
