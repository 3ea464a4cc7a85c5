using Weir.Ingest;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Deploy;

/// <summary>Passwords are in no output, and security properties reach the Kafka client.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class SecretsTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>
{
    private const string KafkaPassword = "kafka-geheim-5512";

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task No_log_page_metric_or_check_says_a_password_even_when_it_is_wrong()
    {
        using var bed = await PipelineBed.StartAsync("flows:1");
        var file = bed.Configure(
            $"url: {server.Url}, database: secrets, user: weir, password: {ClickHouseServer.Password}x", [("flows", "weir")], more: "log: { level: trace }\nshutdown: { timeout: 1s }");
        var text = (await File.ReadAllTextAsync(file)).Replace(
            "heartbeat.interval.ms: 200", $"heartbeat.interval.ms: 200, sasl.password: {KafkaPassword}, ssl.key.password: {KafkaPassword}, debug: 'all'",
            StringComparison.Ordinal);
        await File.WriteAllTextAsync(file, text);
        var said = new List<string>();
        var check = await ProgramProcess.RunAsync(bed.DirectoryPath, null, "check", "-c", file);
        said.AddRange([check.Output, check.Error]);
        Assert.Contains("password: \"***\"", check.Output, StringComparison.Ordinal);
        Assert.Contains("sasl.password: \"***\"", check.Output, StringComparison.Ordinal);

        var run = await bed.RunAsync(file);
        bed.Produce("flows", 1, FlowFeed.Messages("weir", FlowFeed.Make("weir", 1, 1_000), 100));
        await run.Process.LineAsync("WRONG_PASSWORD"); // The server's own words, which repeat what it was sent on some versions.
        foreach (var page in new[] { "", "healthz", "metrics", "queues", "positions" })
        {
            said.Add(await run.PageAsync(page));
        }

        said.Add(await run.PageAsync("readyz"));
        said.Add(run.Process.ErrorText);
        run.Process.Signal("TERM");
        await run.Process.ExitCodeAsync(TimeSpan.FromSeconds(120));
        said.AddRange([run.Process.ErrorText, run.Process.OutputText]);

        Assert.All(said, page => Assert.DoesNotContain(ClickHouseServer.Password, page, StringComparison.Ordinal));
        Assert.All(said, page => Assert.DoesNotContain(KafkaPassword, page, StringComparison.Ordinal));
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
}
