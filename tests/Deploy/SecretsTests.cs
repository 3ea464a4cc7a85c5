using Weir.Ingest;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Deploy;

/// <summary>Secrets are in no output, and security properties reach the Kafka client.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class SecretsTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>
{
    private const string KafkaPassword = "kafka-geheim-5512";
    private const string Token = "token-geheim-9917-4401";

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task Nothing_that_weir_says_has_a_password_when_it_is_wrong()
    {
        using var bed = await PipelineBed.StartAsync("flows:1");
        await using var said = new AllOutputs();
        var file = await ConfigureAsync(bed, $"password: {ClickHouseServer.Password}x", said.CollectorUrl);
        var run = await bed.RunAsync(file);
        bed.Produce("flows", 1, FlowFeed.Messages("weir", FlowFeed.Make("weir", 1, 1_000), 100));
        await run.Process.LineAsync("WRONG_PASSWORD"); // The server's own words, which repeat what it was sent on some versions.
        await said.AskAsync(run.AdminUrl, token: null);
        await CommandsAsync(said, bed, file, run.AdminUrl, new Dictionary<string, string>());
        run.Process.Signal("TERM");
        await run.Process.ExitCodeAsync(TimeSpan.FromSeconds(120));
        said.Add("log", run.Process.ErrorText + run.Process.OutputText);

        Assert.Empty(said.WaysThatSay(ClickHouseServer.Password));
        Assert.Empty(said.WaysThatSay(KafkaPassword));
        Assert.Contains("log", said.WaysThatSay("WRONG_PASSWORD")); // The search finds what is there.
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task Nothing_that_weir_says_has_a_secret_of_a_file_or_a_token_when_all_is_well()
    {
        using var bed = await PipelineBed.StartAsync("flows:1");
        await using var said = new AllOutputs();
        var passwordFile = Path.Combine(bed.DirectoryPath, "password");
        await File.WriteAllTextAsync(passwordFile, ClickHouseServer.Password);
        var file = await ConfigureAsync(bed, $"password_file: {passwordFile}", said.CollectorUrl);
        var run = await bed.RunAsync(file, ("WEIR__ADMIN__TOKEN", Token));
        run.Authorize(Token);
        bed.Produce("flows", 1, [.. FlowFeed.Messages("weir", FlowFeed.Make("weir", 1, 1_000), 100), new byte[] { 1, 2, 3 }]);
        await bed.StoredAsync(run);
        await said.AskAsync(run.AdminUrl, Token);
        await CommandsAsync(said, bed, file, run.AdminUrl, new Dictionary<string, string> { ["WEIR__ADMIN__TOKEN"] = Token });
        await Eventually.TrueAsync(
            async () => await server.RunAsync("SELECT count() FROM weir_system.ingest") != "0", "weir_system has rows");
        foreach (var table in (await server.RunAsync("SELECT name FROM system.tables WHERE database IN ('weir_system', 'secrets')")).Split('\n'))
        {
            var database = await server.RunAsync($"SELECT any(database) FROM system.tables WHERE name = '{table}'");
            said.Add("tables", await server.RunAsync($"SELECT * FROM {database}.{table} FORMAT TSV"));
        }

        await PipelineBed.AssertStopsAsync(run);
        said.Add("log", run.Process.ErrorText + run.Process.OutputText);

        Assert.Contains("spans", said.Ways);
        Assert.Empty(said.WaysThatSay(ClickHouseServer.Password));
        Assert.Empty(said.WaysThatSay(KafkaPassword));
        Assert.Empty(said.WaysThatSay(Token));
    }

    /// <summary>The broker here speaks neither TLS nor SASL: what can be seen is that the client tries, and what it says.</summary>
    [RealPartTheory(RealPart.LocalRdkafka)]
    [InlineData("security.protocol: ssl", "ssl")]
    [InlineData("security.protocol: sasl_plaintext, sasl.mechanism: PLAIN, sasl.username: u, sasl.password: kafka-geheim-5512", "sasl")]
    public async Task Security_properties_reach_the_kafka_client(string properties, string expected)
    {
        using var bed = await PipelineBed.StartAsync("flows:1");
        var file = bed.Configure(bed.Embedded(), [("flows", "weir")]);
        await File.WriteAllTextAsync(file, (await File.ReadAllTextAsync(file)).Replace(
            "heartbeat.interval.ms: 200", $"heartbeat.interval.ms: 200, {properties}", StringComparison.Ordinal));

        var check = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "check", "-c", file);

        Assert.Equal(2, check.Code);
        Assert.Contains(expected, check.Error, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(KafkaPassword, check.Error + check.Output, StringComparison.Ordinal);
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Properties_of_certificates_are_checked_when_the_client_is_made()
    {
        var options = new IngestOptions
        {
            KafkaProperties = new Dictionary<string, string> { ["security.protocol"] = "ssl", ["ssl.ca.location"] = "/nowhere/ca.crt" },
        };
        var error = Assert.ThrowsAny<Exception>(() => GroupPositions.Read(options, TimeSpan.FromSeconds(1)));
        Assert.Contains("ssl.ca.location failed", error.Message, StringComparison.Ordinal);
    }

    /// <summary>The log says all it can, librdkafka's debugging included, and the Kafka client has secrets that nobody asks it for.</summary>
    private async Task<string> ConfigureAsync(PipelineBed bed, string password, Uri collector)
    {
        var file = bed.Configure(
            $"url: {server.Url}, database: secrets, user: weir, {password}", [("flows", "weir")], more: $$"""
                log: { level: trace }
                shutdown: { timeout: 5s }
                telemetry: { traces_url: "{{collector}}", tables_interval: 500ms }
                dead_letters: { directory: letters }
                """);
        var text = (await File.ReadAllTextAsync(file)).Replace(
            "heartbeat.interval.ms: 200", $"heartbeat.interval.ms: 200, sasl.password: {KafkaPassword}, ssl.key.password: {KafkaPassword}, debug: 'all'",
            StringComparison.Ordinal);
        await File.WriteAllTextAsync(file, text);
        return file;
    }

    private static async Task CommandsAsync(
        AllOutputs said, PipelineBed bed, string file, Uri url, IReadOnlyDictionary<string, string> environment)
    {
        var (directory, address) = (bed.DirectoryPath, url.AbsoluteUri);
        var check = await ProgramProcess.RunAsync(directory, environment, "check", "-c", file);
        Assert.Contains("sasl.password: \"***\"", check.Output, StringComparison.Ordinal);
        said.Add("weir check", check.Output + check.Error);
        await said.RunAsync(directory, environment, "audit", "-c", file);
        await said.RunAsync(directory, environment, "schema", "plan", "-c", file, "--cluster", "none");
        await said.RunAsync(directory, environment, "query", "SELECT 1", "-c", file);
        await said.RunAsync(directory, environment, "deadletters", "show", "-c", file);
        await said.RunAsync(directory, environment, "diagnose", "--url", address);
        await said.RunAsync(directory, environment, "reload", "--url", address);
        await said.RunAsync(directory, environment, "tap", "--stage", "decoded", "--seconds", "1", "--url", address);
    }
}
