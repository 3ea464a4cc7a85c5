using System.Net;
using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Host;
using Weir.Host.Options;
using Weir.Ingest;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Host;

public class OptionsTests
{
    /// <summary>The block that the documentation promises to other programs.</summary>
    private const string Promised = """
        kafka:
          bootstrap: 127.0.0.1:9092
          group: weir
          topics:
            - { name: flows, format: pmacct-json }   # pmacct-json | goflow2 | goflow2-json | weir-proto | weir
          options: {}                                 # any librdkafka property, passed through
        clickhouse:
          url: http://127.0.0.1:8123                  # or: embedded: ./weir-data
          user: default
          password: ""
          database: weir
          compression: lz4                            # lz4 | zstd | none
          retention: { 1s: 3d, 1m: 30d }              # by granularity; off = keep for ever
        ingest: { workers: 1 }
        aggregation: { workers: 1, queue: { capacity_records: 262144, policy: block } }   # block | overwrite | drop
        flush: { interval: 10s }
        time: { past_max: 7d, future_max: 10m }       # relative to the broker's time of the message
        admin: { listen: 127.0.0.1:9526 }
        views: []                                     # empty = the standard views
        """;

    [Fact]
    public void The_promised_configuration_is_the_default_one()
    {
        var promised = HostConfig.LoadGood(Promised);
        var nothing = HostConfig.LoadGood("");

        Assert.Equal(WithoutOrigins(nothing), WithoutOrigins(promised));
        Assert.Empty(promised.Warnings);
        Assert.Equal(StandardSchema.Views, nothing.Options.EffectiveViews);
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 9526), nothing.Options.Admin.Listen);
        Assert.Equal(TimeSpan.FromSeconds(30), nothing.Options.ShutdownTimeout);
        Assert.Equal(1L << 30, nothing.Options.MemoryLimitBytes);
    }

    [Fact]
    public void Every_option_reaches_its_place()
    {
        var options = HostConfig.LoadGood("""
            kafka:
              bootstrap: a:1,SSL://b:2
              group: g
              topics: [{ name: t.1, format: weir }, { name: t.2, format: goflow2 }]
              revoke_timeout: 3s
              options: { fetch.wait.max.ms: 10, security.protocol: SASL_SSL }
            clickhouse:
              url: https://ch.example:8443
              user: u
              password: p
              database: flows
              compression: zstd
              retention: { 1s: off, 10s: 12h }
              request_timeout: 5s
              on_refused: drop
            ingest: { workers: 4, strings_max: 20 }
            aggregation: { workers: 0, queue: { capacity_records: 2048, policy: overwrite } }
            flush: { interval: 250ms }
            time: { past_max: 1h, future_max: 0s }
            memory: { limit: 256MiB }
            shutdown: { timeout: 1m30s }
            admin: { listen: "*:0", remote_queries: true, token: a-token-of-the-tests }
            log: { level: debug, format: json }
            """).Options;

        Assert.Equal("a:1,SSL://b:2", options.Ingest.Bootstrap);
        Assert.Equal("g", options.Ingest.Group);
        Assert.Equal([new TopicOptions("t.1", "weir"), new TopicOptions("t.2", "goflow2")], options.Ingest.Topics);
        Assert.Equal(TimeSpan.FromSeconds(3), options.Ingest.RevokeTimeout);
        Assert.Equal("10", options.Ingest.KafkaProperties["fetch.wait.max.ms"]);
        Assert.Equal("https://ch.example:8443/", options.Writer.Url!.AbsoluteUri);
        Assert.Equal(("u", "p", "flows"), (options.Writer.User, options.Writer.Password, options.Writer.Database));
        Assert.Equal(BlockCompression.Zstd, options.Writer.Compression);
        Assert.Equal([(10, TimeSpan.FromHours(12)), (60, TimeSpan.FromDays(30))], options.Writer.Retention.Select(pair => (pair.Key, pair.Value)));
        Assert.Equal(TimeSpan.FromSeconds(5), options.Writer.RequestTimeout);
        Assert.Equal(RefusedBlock.Drop, options.Writer.OnRefused);
        Assert.Equal((4, 20), (options.Ingest.Workers, options.Ingest.StringsMax));
        Assert.Equal((0, 2048L, FullPolicy.Overwrite), (options.Aggregation.Workers, options.Aggregation.QueueCapacityRecords, options.Aggregation.QueuePolicy));
        Assert.Equal(TimeSpan.FromMilliseconds(250), options.Ingest.FlushInterval);
        Assert.Equal((TimeSpan.FromHours(1), TimeSpan.Zero), (options.Ingest.PastMax, options.Ingest.FutureMax));
        Assert.Equal(256L << 20, options.MemoryLimitBytes);
        Assert.Equal(TimeSpan.FromSeconds(90), options.ShutdownTimeout);
        Assert.Equal((IPAddress.IPv6Any, 0, true), (options.Admin.Listen.Address, options.Admin.Listen.Port, options.Admin.RemoteQueries));
        Assert.Equal((Microsoft.Extensions.Logging.LogLevel.Debug, LogFormat.Json), (options.Log.Level, options.Log.Format));
    }

    [Fact]
    public void An_embedded_store_alone_wins_over_the_default_server()
    {
        var options = HostConfig.LoadGood("clickhouse: { embedded: ./weir-data }").Options;

        Assert.Equal("./weir-data", options.Writer.EmbeddedPath);
        Assert.Null(options.Writer.Url);
    }

    [Fact]
    public void A_sink_in_the_environment_wins_over_the_other_one_in_the_file()
    {
        var embedded = HostConfig.LoadGood("clickhouse: { url: http://a:1 }", ("WEIR__CLICKHOUSE__EMBEDDED", "/data")).Options;
        var server = HostConfig.LoadGood("clickhouse: { embedded: /data }", ("WEIR__CLICKHOUSE__URL", "http://a:1")).Options;

        Assert.Equal(("/data", null), (embedded.Writer.EmbeddedPath, embedded.Writer.Url));
        Assert.Equal((null, "http://a:1/"), (server.Writer.EmbeddedPath, server.Writer.Url!.AbsoluteUri));
    }

    [Fact]
    public void Variables_win_over_the_file_and_reach_into_lists_and_maps()
    {
        var options = HostConfig.LoadGood(
            """
            kafka:
              group: file
              topics: [{ name: a, format: weir }]
              options: { client.id: file }
            """,
            ("WEIR__KAFKA__GROUP", "variable"),
            ("WEIR__KAFKA__TOPICS__0__FORMAT", "goflow2"),
            ("WEIR__KAFKA__TOPICS__1__NAME", "b"),
            ("WEIR__KAFKA__TOPICS__1__FORMAT", "pmacct-json"),
            ("WEIR__KAFKA__OPTIONS__FETCH_WAIT_MAX_MS", "10"),
            ("WEIR__KAFKA__OPTIONS__session.timeout.ms", "3000"),
            ("WEIR__CLICKHOUSE__RETENTION__1S", "off"),
            ("WEIR__AGGREGATION__QUEUE__CAPACITY_RECORDS", "4096"),
            ("weir__flush__interval", "5s"),
            ("WEIR__LOG__LEVEL", ""),
            ("WEIR_OTHER", "not ours")).Options;

        Assert.Equal("variable", options.Ingest.Group);
        Assert.Equal([new TopicOptions("a", "goflow2"), new TopicOptions("b", "pmacct-json")], options.Ingest.Topics);
        Assert.Equal(
            ["client.id=file", "fetch.wait.max.ms=10", "session.timeout.ms=3000"],
            options.Ingest.KafkaProperties.Select(pair => $"{pair.Key}={pair.Value}"));
        Assert.False(options.Writer.Retention.ContainsKey(1));
        Assert.Equal(4096, options.Aggregation.QueueCapacityRecords);
        Assert.Equal(TimeSpan.FromSeconds(5), options.Ingest.FlushInterval);
    }

    [Fact]
    public void A_variable_may_give_a_whole_list_as_yaml()
    {
        var options = HostConfig.LoadGood(
            "kafka: { topics: [{ name: a, format: weir }, { name: b, format: weir }] }",
            ("WEIR__KAFKA__TOPICS", "[{ name: c, format: goflow2 }]"),
            ("WEIR__VIEWS", "[{ name: ports, granularity: 1m, tags: [dst_port] }]")).Options;

        Assert.Equal([new TopicOptions("c", "goflow2")], options.Ingest.Topics);
        Assert.Equal("ports", Assert.Single(options.EffectiveViews).Name);
    }

    [Fact]
    public void A_list_can_be_made_of_variables_alone()
    {
        var options = HostConfig.LoadGood(
            "", ("WEIR__KAFKA__TOPICS__0__NAME", "x"), ("WEIR__KAFKA__TOPICS__0__FORMAT", "weir"), ("WEIR__CLICKHOUSE__PASSWORD", "s")).Options;

        Assert.Equal([new TopicOptions("x", "weir")], options.Ingest.Topics);
        Assert.Equal("s", options.Writer.Password);
    }

    private static string WithoutOrigins(LoadedOptions loaded) =>
        OptionsPrinter.Print(loaded with { OriginByPath = new Dictionary<string, ConfigOrigin>() });
}
