using Xunit;

namespace Weir.Tests.Host;

public class OptionsErrorsTests
{
    [Fact]
    public void All_errors_are_told_at_once_with_line_path_value_and_range()
    {
        var loaded = HostConfig.Load("""
            kafka:
              bootstrap: nowhere
              topics:
                - { name: "a b", format: csv }
                - { name: flows }
              gruop: weir
            flush:
              interval: 0s
            aggregation: { workers: -1, queue: { policy: wait } }
            memory: { limit: 1MB }
            admin: { listen: 9526 }
            clickhouse: { compression: brotli, database: a-b, retention: { 7s: 1d, 1s: soon } }
            """);

        Assert.Equal(
            [
                "weir.yaml:6: kafka.gruop is not an option; did you mean kafka.group?",
                "weir.yaml:2: kafka.bootstrap is nowhere; allowed: host:port, more of them separated by commas",
                "weir.yaml:4: kafka.topics[0].name is \"a b\"; allowed: a topic name: letters, digits, '.', '_' and '-', at most 249",
                "weir.yaml:4: kafka.topics[0].format is csv; allowed: pmacct-json | goflow2 | goflow2-json | weir-proto | weir",
                "weir.yaml:5: kafka.topics[1].format is missing; allowed: pmacct-json | goflow2 | goflow2-json | weir-proto | weir",
                "weir.yaml:12: clickhouse.database is a-b; allowed: letters, digits and _, not beginning with a digit, at most 64",
                "weir.yaml:12: clickhouse.compression is brotli; allowed: lz4 | zstd | none",
                "weir.yaml:12: clickhouse.retention.7s is not a granularity; allowed: whole seconds that divide a day, such as 1s, 10s, 1m, 5m, 1h, 1d",
                "weir.yaml:12: clickhouse.retention.1s is soon; allowed: 1h to 36500d (units ms, s, m, h, d), or off",
                "weir.yaml:9: aggregation.workers is -1; allowed: 0 to 256",
                "weir.yaml:9: aggregation.queue.policy is wait; allowed: block | overwrite | drop",
                "weir.yaml:8: flush.interval is 0s; allowed: 100ms to 1h (units ms, s, m, h, d)",
                "weir.yaml:10: memory.limit is 1MB; allowed: 64MiB to 1024GiB (units KiB, MiB, GiB)",
                "weir.yaml:11: admin.listen is 9526; allowed: ip:port, localhost:port or *:port; port 0 takes a free one",
            ],
            loaded.Errors.Select(error => error.ToString()));
    }

    [Theory]
    [InlineData("flsh: { interval: 1s }", "weir.yaml:1: flsh is not an option; did you mean flush?")]
    [InlineData("flush: { intreval: 1s }", "weir.yaml:1: flush.intreval is not an option; did you mean flush.interval?")]
    [InlineData("something_else:", "weir.yaml:1: something_else is not an option")]
    [InlineData("kafka: { topics: [{ name: a, format: weir, fromat: x }] }", "kafka.topics[0].fromat is not an option; did you mean kafka.topics[0].format?")]
    [InlineData("kafka: 127.0.0.1:9092", "kafka is a single value; allowed: a map of options")]
    [InlineData("flush: { interval: [1s] }", "flush.interval is a list; allowed: 100ms to 1h")]
    [InlineData("kafka: { topics: flows }", "kafka.topics is a single value; allowed: a list")]
    [InlineData("kafka: { topics: [flows] }", "kafka.topics[0] is a single value; allowed: a map with name, format")]
    [InlineData("kafka: { topics: [] }", "kafka.topics is empty; allowed: 1 to 64 topics")]
    [InlineData("kafka: { topics: [{ name: a, format: weir }, { name: a, format: goflow2 }] }", "kafka.topics[1].name is a, which another topic of the list has")]
    [InlineData("kafka: { options: { group.id: x } }", "kafka.options.group.id is set by Weir: use kafka.group")]
    [InlineData("kafka: { options: { enable.auto.commit: true } }", "kafka.options.enable.auto.commit is set by Weir: Weir commits itself")]
    [InlineData("kafka: { options: { a: [1] } }", "kafka.options.a is a list; allowed: a single value")]
    [InlineData("clickhouse: { url: http://a:1, embedded: d }", "clickhouse.embedded is given together with clickhouse.url (weir.yaml:1); allowed: one of the two")]
    [InlineData("clickhouse: { url: ftp://a }", "clickhouse.url is ftp://a; allowed: http://host:port or https://host:port")]
    [InlineData("clickhouse: { retention: { 60s: 1d, 1m: 1d } }", "clickhouse.retention.1m names a granularity a second time")]
    [InlineData("ingest: { workers: 1_000 }", "ingest.workers is 1_000; allowed: 1 to 256")]
    [InlineData("[1, 2]", "the file is a list; allowed: a map of options")]
    [InlineData("a: [", "the file is not YAML")]
    [InlineData("flush: { interval: 1s }\nflush: { interval: 2s }", "the file is not YAML")]
    [InlineData("flush: { interval: 1s }\n---\nflush: { interval: 2s }", "the file has a second document; allowed: one")]
    [InlineData("? [a]\n: b", "a key is a list or a map; allowed: a word")]
    public void Each_kind_of_error_says_where_and_what_is_allowed(string yaml, string expected)
    {
        Assert.Contains(expected, HostConfig.SingleError(yaml), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("WEIR__FLUSH__INTREVAL", "1s", "WEIR__FLUSH__INTREVAL: flush.intreval is not an option; did you mean WEIR__FLUSH__INTERVAL?")]
    [InlineData("WEIR__FLUSH__INTERVAL", "1", "WEIR__FLUSH__INTERVAL: flush.interval is 1; allowed: 100ms to 1h (units ms, s, m, h, d)")]
    [InlineData("WEIR__FLUSH", "1s", "WEIR__FLUSH: flush is not an option")]
    [InlineData("WEIR__KAFKA__TOPICS__3__NAME", "x", "WEIR__KAFKA__TOPICS__3__NAME: kafka.topics has 0 items")]
    [InlineData("WEIR__KAFKA__TOPICS__A__NAME", "x", "kafka.topics is a map; allowed: a list")]
    [InlineData("WEIR__KAFKA__TOPICS", "[", "WEIR__KAFKA__TOPICS: kafka.topics is not YAML")]
    [InlineData("WEIR__CLICKHOUSE__URL", "http://bob:hunter2@a:1", "clickhouse.url is http://***@a:1; allowed:")]
    public void Errors_in_variables_name_the_variable(string name, string value, string expected)
    {
        var error = HostConfig.SingleError("", (name, value));

        Assert.Contains(expected.Split(": ")[^1], error, StringComparison.Ordinal);
        Assert.StartsWith(name + ": ", error, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_small_file_of_aliases_cannot_grow_without_end()
    {
        var levels = string.Join("\n", Enumerable.Range(1, 12).Select(level => $"l{level}: &l{level} [{string.Join(",", Enumerable.Repeat($"*l{level - 1}", 10))}]"));
        var error = HostConfig.SingleError($"l0: &l0 [x]\n{levels}");

        Assert.Contains("more than 10000 values", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_that_can_be_typed_makes_the_reader_throw()
    {
        var random = new Random(20260101);
        var letters = "kafka: {}[]&*!|>'\"%@`\n -#?,~0123flushinterval\t\u00e9\ud83d\ude00\0";
        for (var round = 0; round < 3_000; round++)
        {
            var yaml = new string([.. Enumerable.Range(0, random.Next(60)).Select(_ => letters[random.Next(letters.Length)])]);
            Assert.NotNull(HostConfig.Load(yaml)); // The seed and the round make a failure repeatable.
        }
    }
}
