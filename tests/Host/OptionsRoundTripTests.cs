using Weir.Host.Options;
using Xunit;

namespace Weir.Tests.Host;

public class OptionsRoundTripTests
{
    private const string Full = """
        kafka:
          topics: [{ name: t.1, format: weir }, { name: "0", format: goflow2 }]
          options: { sasl.password: hunter2, ssl.key.pem: "-----BEGIN\nhunter2", client.id: "a # b: 'c' \"d\" \\ é", sasl.username: yes }
        clickhouse:
          embedded: "./data of: mine #1"
          password: hunter2
          retention: { 1s: off, 5m: 36h }
        flush: { interval: 1s500ms }
        admin: { listen: "[::1]:0" }
        views:
          - name: by_app
            granularity: 10s
            tags: [dst_addr, { name: app, type: string, from: "app name", field: 900 }]
            meters: [bytes, { name: delay_max, fold: max, from: delay }]
            order_by: [app]
            series_max: 1000
          - { name: ports, granularity: 1m, tags: [dst_port] }
        """;

    [Fact]
    public void The_printed_configuration_read_back_is_the_same()
    {
        var loaded = HostConfig.LoadGood(Full);
        var printed = OptionsPrinter.Print(loaded);

        var again = HostConfig.LoadGood(
            printed,
            ("WEIR__CLICKHOUSE__PASSWORD", "hunter2"),
            ("WEIR__KAFKA__OPTIONS__SASL_PASSWORD", "hunter2"),
            ("WEIR__KAFKA__OPTIONS__SSL_KEY_PEM", "-----BEGIN\nhunter2"));

        Assert.Equal(Values(loaded), Values(again));
        Assert.Empty(again.Warnings); // The environment gave each secret.
        Assert.Equal(loaded.Options.Writer.Password, again.Options.Writer.Password);
        Assert.Equal(loaded.Options.Ingest.KafkaProperties, again.Options.Ingest.KafkaProperties);
        Assert.Equal("a # b: 'c' \"d\" \\ é", again.Options.Ingest.KafkaProperties["client.id"]);
        Assert.Equal("./data of: mine #1", again.Options.Writer.EmbeddedPath);
    }

    [Fact]
    public void The_default_configuration_read_back_is_the_same_and_prints_the_same()
    {
        var loaded = HostConfig.LoadGood("");
        var again = HostConfig.LoadGood(OptionsPrinter.Print(loaded));

        Assert.Equal(Values(loaded), Values(again));
        Assert.Equal(OptionsPrinter.Print(again), OptionsPrinter.Print(HostConfig.LoadGood(OptionsPrinter.Print(again))));
    }

    [Fact]
    public void Secrets_are_never_printed()
    {
        var printed = OptionsPrinter.Print(HostConfig.LoadGood(Full));

        Assert.DoesNotContain("hunter2", printed, StringComparison.Ordinal);
        Assert.Contains("password: \"***\"", printed, StringComparison.Ordinal);
        Assert.Contains("sasl.password: \"***\"", printed, StringComparison.Ordinal);
    }

    [Fact]
    public void A_masked_secret_counts_as_not_given_and_is_warned_of()
    {
        var loaded = HostConfig.LoadGood("""
            kafka: { options: { sasl.password: "***" } }
            clickhouse: { password: "***" }
            """);

        Assert.Equal("", loaded.Options.Writer.Password);
        Assert.Empty(loaded.Options.Ingest.KafkaProperties);
        Assert.Equal(["kafka.options.sasl.password", "clickhouse.password"], loaded.Warnings.Select(warning => warning.Path));
        Assert.Contains("WEIR__CLICKHOUSE__PASSWORD", loaded.Warnings[1].ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Each_value_is_printed_with_where_it_comes_from()
    {
        var printed = OptionsPrinter.Print(HostConfig.LoadGood("\nflush: { interval: 5s }", ("WEIR__KAFKA__GROUP", "g")));

        Assert.Matches(@"(?m)^  interval: 5s +# weir\.yaml:2$", printed);
        Assert.Matches(@"(?m)^  group: g +# WEIR__KAFKA__GROUP$", printed);
        Assert.Matches(@"(?m)^  database: weir +# default$", printed);
    }

    [Fact]
    public void Every_text_reads_back_as_it_was_printed()
    {
        var random = new Random(20260101);
        const string Letters = "ab1 :#-'\"\\\n\t{}[],&*!|>%@`~?=\u00e9\u2028\u0001\u0085";
        for (var round = 0; round < 2_000; round++)
        {
            var text = new string([.. Enumerable.Range(0, 1 + random.Next(8)).Select(_ => Letters[random.Next(Letters.Length)])]);
            var loaded = HostConfig.LoadGood($"clickhouse: {{ user: {YamlText.Scalar(text)} }}");
            Assert.Equal(text, loaded.Options.Writer.User);
        }
    }

    // Collections in the options are compared by what they print, secrets aside.
    private static string Values(LoadedOptions loaded) =>
        OptionsPrinter.Print(loaded with { OriginByPath = new Dictionary<string, ConfigOrigin>() });
}
