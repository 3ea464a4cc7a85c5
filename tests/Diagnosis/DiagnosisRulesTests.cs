using Weir.Aggregator;
using Weir.Core.Buffers;
using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Core.Telemetry;
using Weir.Host.Diagnosis;
using Weir.Host.Telemetry;
using Weir.Ingest;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Diagnosis;

/// <summary>From readings to causes, one test for each cause of docs/diagnosis.md; <see cref="FaultTests"/> bring them about in a running system.</summary>
public sealed class DiagnosisRulesTests
{
    private readonly Readings _readings = new();

    [Fact]
    public void A_flow_that_keeps_up_is_healthy_with_its_headroom()
    {
        var report = _readings.Evaluate();

        Assert.Equal("healthy", report.Verdict);
        Assert.Empty(report.Findings);
        Assert.Equal(0.9, report.Headroom);
        Assert.Equal("input", report.Limit.Stage);
    }

    [Fact]
    public void Ingest_bounds_the_flow()
    {
        _readings.Lags = [4_000, 4_000];
        _readings.Busy("ingest 0", 0.97);
        AssertFirst("ingest-cpu-bound", "ingest", "ingest.workers", "1", "2", "ingest 0");
        Assert.Equal("degraded", _readings.Evaluate().Verdict);
        Assert.Equal("ingest", _readings.Evaluate().Limit.Stage);

        // The same work without a backlog is no fault.
        _readings.Lags = [0, 0];
        Assert.Empty(_readings.Evaluate().Findings);
    }

    [Fact]
    public void One_hot_partition()
    {
        _readings.Lags = [9_000, 100];
        _readings.Busy("ingest 0", 0.97);
        AssertFirst("hot-partition", "ingest", "kafka.topics", "2 partitions of flows", "keyed by tag set (weir rekey)", "partition flows/0");
    }

    [Fact]
    public void The_fold_bounds_the_flow()
    {
        _readings.Lags = [4_000, 4_000];
        _readings.Busy("fold 0", 0.99);
        _readings.Queues = seconds => [Readings.Queue(0, seconds, 50_000, waitShare: 0.6)];
        var first = AssertFirst("aggregation-cpu-bound", "aggregation", "aggregation.workers", "1", "2", null);
        Assert.Equal("aggregation[0]", first.Queue);
    }

    [Fact]
    public void One_hot_shard_that_loses()
    {
        TwoShards();
        _readings.Queues = seconds =>
            [Readings.Queue(0, seconds, 45_000, FullPolicy.Drop, dropRate: 5_000), Readings.Queue(1, seconds, 5_000, FullPolicy.Drop)];
        var first = AssertFirst("hot-shard", "aggregation", "aggregation.workers", "2", "0", "shard 0");
        Assert.Equal((Severity.Loss, "aggregation[0]", 5_000.0), (first.Severity, first.Queue, first.Rate));
        Assert.Equal("losing", _readings.Evaluate().Verdict);
    }

    [Fact]
    public void One_hot_shard_that_holds_the_flow_up()
    {
        TwoShards();
        _readings.Lags = [4_000, 4_000];
        _readings.Busy("fold 0", 0.99);
        _readings.Queues = seconds => [Readings.Queue(0, seconds, 45_000, waitShare: 0.6), Readings.Queue(1, seconds, 5_000)];
        Assert.Equal(Severity.Warning, AssertFirst("hot-shard", "aggregation", "aggregation.workers", "2", "0", "shard 0").Severity);
    }

    [Fact]
    public void One_hot_key_is_named_by_its_tags()
    {
        using var key = new OneKey();
        TwoShards();
        _readings.Probes = [key.Probe, new FlowProbe(key.Schema)];
        _readings.Queues = seconds =>
            [Readings.Queue(0, seconds, 45_000, FullPolicy.Drop, dropRate: 5_000), Readings.Queue(1, seconds, 5_000, FullPolicy.Drop)];
        AssertFirst("hot-key", "aggregation", "aggregation.workers", "2", "0", "dst_port=443");

        // Its records in turns over both shards: then the queue that loses names it.
        _readings.Queues = seconds =>
            [Readings.Queue(0, seconds, 25_000, FullPolicy.Drop, dropRate: 5_000), Readings.Queue(1, seconds, 25_000, FullPolicy.Drop)];
        AssertFirst("queue-too-small", "aggregation", "aggregation.queue.capacity_records", "4096", "16384", "dst_port=443");
    }

    [Fact]
    public void A_queue_that_is_too_small_for_bursts()
    {
        _readings.Queues = seconds => [Readings.Queue(0, seconds, 50_000, FullPolicy.Overwrite, overwriteRate: 300)];
        var first = AssertFirst("queue-too-small", "aggregation", "aggregation.queue.capacity_records", "4096", "16384", null);
        Assert.Equal(("aggregation[0]", 300.0), (first.Queue, first.Rate));
    }

    [Theory]
    [InlineData(FullPolicy.Drop, "queue-dropping", "drop")]
    [InlineData(FullPolicy.Overwrite, "queue-overwriting", "overwrite")]
    public void A_queue_whose_policy_loses_what_the_fold_cannot_take(FullPolicy policy, string id, string name)
    {
        _readings.Busy("fold 0", 0.99);
        _readings.Queues = seconds => [Readings.Queue(
            0, seconds, 50_000, policy, dropRate: policy == FullPolicy.Drop ? 9_000 : 0, overwriteRate: policy == FullPolicy.Drop ? 0 : 9_000)];
        AssertFirst(id, "aggregation", "aggregation.queue.policy", name, "block", null);
    }

    [Fact]
    public void ClickHouse_is_slow_by_both_clocks()
    {
        _readings.InsertShare = 0.99;
        _readings.InsertSeconds = 2;
        _readings.InsertLog = Log(meanSeconds: 1.9);
        var first = AssertFirst("clickhouse-slow", "clickhouse", "flush.interval", "10s", "40s", "clickhouse.example");
        Assert.Contains(first.Evidence, line => line.Contains("10 inserts, 1.900 s each", StringComparison.Ordinal));
        Assert.DoesNotContain(first.Evidence, line => line.Contains("on the way", StringComparison.Ordinal));
    }

    [Fact]
    public void ClickHouse_is_slow_by_our_clock_alone()
    {
        _readings.InsertShare = 0.99;
        _readings.InsertSeconds = 2;
        _readings.InsertLog = Log(meanSeconds: 0.02);
        var first = AssertFirst("clickhouse-slow", "clickhouse", "flush.interval", "10s", "40s", "clickhouse.example");
        Assert.Contains("the time goes on the way (network, proxy, connections), not in ClickHouse", first.Evidence[^1], StringComparison.Ordinal);

        _readings.InsertLog = InsertLogReading.NotAvailable("the server keeps none");
        Assert.Equal("system.query_log is not available: the server keeps none", _readings.Evaluate().Findings[0].Evidence[^1]);
    }

    [Theory]
    [InlineData(ReplyCause.Unreachable, 0, "", "clickhouse-unreachable", "clickhouse.url")]
    [InlineData(ReplyCause.Overloaded, 252, "Too many parts", "clickhouse-too-many-parts", "flush.interval")]
    [InlineData(ReplyCause.Overloaded, 243, "Cannot reserve", "clickhouse-disk-full", "clickhouse.retention")]
    [InlineData(ReplyCause.Unknown, 0, "write: No space left on device", "clickhouse-disk-full", "clickhouse.retention")]
    [InlineData(ReplyCause.Access, 516, "Authentication failed", "clickhouse-access", "clickhouse.password")]
    [InlineData(ReplyCause.TimedOut, 0, "No answer within 60 s", "clickhouse-slow", "flush.interval")]
    [InlineData(ReplyCause.Overloaded, 241, "Memory limit", "clickhouse-overloaded", "flush.interval")]
    [InlineData(ReplyCause.ReadOnly, 242, "Table is in readonly mode", "clickhouse-read-only", null)]
    [InlineData(ReplyCause.AnswerLost, 0, "The connection ended", "clickhouse-answers-lost", null)]
    [InlineData(ReplyCause.Unknown, 999, "Something new", "clickhouse-error", null)]
    public void What_ClickHouse_answers_names_the_cause(ReplyCause cause, int code, string message, string id, string? option)
    {
        _readings.Writer = (writer, seconds) => Failing(writer, seconds, InsertReply.Failed(cause, code, message));
        var first = _readings.Evaluate().Findings[0];
        Assert.Equal((id, "clickhouse", option), (first.Id, first.Stage, first.Option));
        Assert.Contains("clickhouse.example", first.Party, StringComparison.Ordinal);
        Assert.Equal(1, first.Rate);
        Assert.True(option is null || first.From != first.To);
    }

    [Fact]
    public void A_name_without_an_address_is_dns()
    {
        _readings.Writer = (writer, seconds) => Failing(writer, seconds, InsertReply.Failed(ReplyCause.Unreachable, 0, "no such host")) with
        {
            ResolveFailedCount = (long)seconds,
        };
        AssertFirst("dns", "clickhouse", "clickhouse.url", "http://clickhouse.example:8123", "a name that resolves, or an address", "clickhouse.example");
    }

    [Fact]
    public void ClickHouse_refuses_blocks_for_ever()
    {
        _readings.Writer = (writer, seconds) => writer with
        {
            Views = [writer.Views[0] with { DroppedRecordCount = (long)(700 * seconds) }],
            LastFailure = InsertReply.Failed(ReplyCause.Schema, 16, "No such column bytes in table"),
        };
        var first = AssertFirst("blocks-refused", "clickhouse", "clickhouse.on_refused", "drop", "dead-letter", "view edge_1s");
        Assert.Equal((Severity.Loss, 700.0), (first.Severity, first.Rate));
    }

    [Fact]
    public void Sorting_and_encoding_bound_the_flow()
    {
        _readings.Lags = [4_000, 4_000];
        _readings.Busy("builder", 0.99);
        AssertFirst("writer-cpu-bound", "writer", "flush.interval", "10s", "20s", null);
    }

    [Fact]
    public void No_broker_is_connected()
    {
        _readings.Ingest = (ingest, _) => ingest with { Client = Broker(isUp: false, TimeSpan.Zero), LastClientError = "Connection refused" };
        AssertFirst("broker-unreachable", "broker", "kafka.bootstrap", "127.0.0.1:9092", "addresses of brokers that run", "127.0.0.1:9092");

        _readings.Ingest = (ingest, _) => ingest with { Client = Broker(isUp: false, TimeSpan.Zero), LastClientError = "Failed to resolve 'kafka:9092'" };
        AssertFirst("dns", "broker", "kafka.bootstrap", "127.0.0.1:9092", "a name that resolves, or an address", "127.0.0.1:9092");
    }

    [Fact]
    public void A_broker_is_slow()
    {
        _readings.Ingest = (ingest, _) => ingest with { Client = Broker(isUp: true, TimeSpan.FromSeconds(1.2)) };
        AssertFirst("broker-slow", "broker", "kafka.options.max.partition.fetch.bytes", "1048576", "8388608", "kafka-1");
    }

    [Fact]
    public void The_group_is_unstable()
    {
        _readings.Ingest = (ingest, seconds) => ingest with { RebalanceCount = (long)seconds };
        AssertFirst("group-unstable", "ingest", "kafka.options.session.timeout.ms", "45000", "90000", "group weir");
    }

    [Fact]
    public void The_broker_deleted_what_was_not_read()
    {
        _readings.Topic = (topic, seconds) => topic with { GapOffsetCount = (long)(50 * seconds) };
        AssertFirst("offsets-deleted", "broker", "ingest.workers", "1", "2", "partition flows/0");
    }

    [Theory]
    [InlineData(7_200, "agent-clock-skew", "time.future_max", "10m", "2h24m")]
    [InlineData(-864_000, "agent-clock-skew", "time.past_max", "7d", "12d")]
    public void The_clock_of_an_agent_is_wrong(double ahead, string id, string option, string from, string to)
    {
        _readings.Topic = (topic, seconds) => topic with { LateCount = (long)(20 * seconds) };
        _readings.Ingest = (ingest, seconds) => Losing(ingest, seconds, DecodeStatus.Ok, "192.0.2.44", ahead);
        AssertFirst(id, "ingest", option, from, to, "agent 192.0.2.44");
    }

    [Fact]
    public void Late_records_of_nobody_in_particular()
    {
        _readings.Topic = (topic, seconds) => topic with { LateCount = (long)(20 * seconds) };
        _readings.Ingest = (ingest, seconds) => Losing(ingest, seconds, DecodeStatus.Ok, "", -864_000);
        AssertFirst("late-records", "ingest", "time.past_max", "7d", "12d", "partition flows/1");
    }

    [Theory]
    [InlineData(DecodeStatus.Truncated, "decode-failures", "{\"peer_ip_src\": \"192.0.2.77\", \"ip_src\":", "agent 192.0.2.77", "dead_letters.directory")]
    [InlineData(DecodeStatus.UnknownVersion, "format-version", "WEIRc", "partition flows/1", "dead_letters.directory")]
    public void Records_of_an_agent_do_not_decode(DecodeStatus status, string id, string evidence, string party, string option)
    {
        Rejecting(status, evidence, share: 0.01);
        var first = AssertFirst(id, "ingest", option, "not set", "a directory that keeps them", party);
        Assert.Equal(500, first.Rate);
    }

    [Fact]
    public void A_topic_has_another_format()
    {
        Rejecting(DecodeStatus.Malformed, "{\"type\":\"IPFIX\",\"sampler_address\":\"192.0.2.7\"}", share: 1);
        AssertFirst("wrong-format", "ingest", "kafka.topics[].format", "pmacct-json", "goflow2-json", "agent 192.0.2.7");
    }

    [Fact]
    public void Cardinality_explodes_and_its_tag_is_named()
    {
        _readings.OverflowRate = 400;
        var first = AssertFirst("cardinality-explosion", "aggregation", "views[].series_max", null, null, "tag src_addr");
        Assert.Equal(400, first.Rate);
        Assert.NotEqual(first.From, first.To);
    }

    [Fact]
    public void Memory_is_too_small_for_the_cuts()
    {
        _readings.Ingest = (ingest, seconds) => ingest with { MemoryPauseTotal = TimeSpan.FromSeconds(seconds * 0.4) };
        AssertFirst("memory-pressure", "process", "memory.limit", "1GiB", "2GiB", "memory.limit");
    }

    [Fact]
    public void The_collector_stops_the_process()
    {
        _readings.Process = (process, seconds) => process with { GcPause = TimeSpan.FromSeconds(seconds * 0.3) };
        AssertFirst("gc-pressure", "process", "memory.limit", "1GiB", "512MiB", "runtime");

        _readings.Process = (process, seconds) => process with { GcPause = TimeSpan.FromSeconds(seconds * 0.1) };
        Assert.Empty(_readings.Evaluate().Findings);
    }

    [Fact]
    public void The_control_group_throttles()
    {
        _readings.Process = (process, seconds) => process with { Cgroup = new CgroupReading(TimeSpan.FromSeconds(seconds * 0.5), 0.5) };
        AssertFirst("cpu-throttled", "process", "resources.limits.cpu", "0.5", "1", "cgroup");
    }

    [Theory]
    [InlineData(600, "memory.limit", "1GiB", "384MiB")] // Beside 600 MiB of others, which no option bounds, so much fits with some air.
    [InlineData(100, "resources.limits.memory", "1300Mi", "2688Mi")] // The others alone fill the container.
    public void The_container_is_almost_full(int rowsMebibytes, string option, string from, string to)
    {
        _readings.Lags = [4_000, 4_000];
        _readings.Busy("ingest 0", 0.97);
        _readings.Process = (process, _) => process with
        {
            MemoryUsedBytes = (long)rowsMebibytes << 20,
            GroupMemory = new CgroupMemory(UsedBytes: 1_200L << 20, LimitBytes: 1_300L << 20),
        };
        var report = _readings.Evaluate();
        Assert.Equal(["ingest-cpu-bound", "memory-near-limit"], report.Findings.Select(finding => finding.Id));
        Assert.Equal("ingest", report.Limit.Stage);
        var found = report.Findings[1];
        Assert.Equal((Severity.Warning, "process", "cgroup"), (found.Severity, found.Stage, found.Party));
        Assert.Equal((option, from, to), (found.Option, found.From, found.To));
    }

    [Fact]
    public void A_container_that_is_full_for_a_moment_is_not_named()
    {
        _readings.Process = (process, seconds) => process with
        {
            GroupMemory = new CgroupMemory(UsedBytes: (long)(seconds > 105 ? 1_290 : 1_100) << 20, LimitBytes: 1_300L << 20),
        };
        Assert.Empty(_readings.Evaluate().Findings);
    }

    [Fact]
    public void Others_have_the_processors()
    {
        _readings.Lags = [4_000, 4_000];
        _readings.Busy("ingest 0", 0.15, wait: 0.84);
        _readings.Busy("fold 0", 0, wait: 0);
        _readings.Busy("builder", 0, wait: 0);
        AssertFirst("cpu-starved", "process", "resources.requests.cpu", "0.2", "1", "machine");
    }

    [Fact]
    public void A_stage_that_waits_for_a_cause_is_not_blamed()
    {
        _readings.Lags = [4_000, 4_000];
        _readings.Busy("ingest 0", 0.97);
        _readings.Writer = (writer, seconds) => Failing(writer, seconds, InsertReply.Failed(ReplyCause.Unreachable, 0, "refused"));
        Assert.Equal("clickhouse-unreachable", Assert.Single(_readings.Evaluate().Findings).Id);
    }

    [Fact]
    public void A_promise_that_is_weaker_is_information()
    {
        _readings.Writer = (writer, _) => writer with { Promise = new SinkPromise(false, "ClickHouse 18.16.1 has no tokens") };
        var report = _readings.Evaluate();
        Assert.Equal(("healthy", "not-exactly-once"), (report.Verdict, Assert.Single(report.Findings).Id));
    }

    private static WriterSnapshot Failing(WriterSnapshot writer, double seconds, in InsertReply reply) => writer with
    {
        IsWriting = false,
        RetryCounts = [.. writer.RetryCounts.Select((_, cause) => cause == 1 ? (long)seconds : 0)],
        LastFailure = reply,
        LastFailureAt = new DateTimeOffset(2026, 1, 1, 12, 0, 0, TimeSpan.Zero).AddSeconds(seconds - 100),
        LastError = reply.Message,
    };

    private static InsertLogReading Log(double meanSeconds) => new(
        null, 60, [new WriterInserts(WriterNames.Own, IsThis: true, 10, 0, meanSeconds, meanSeconds, 10_000)]);

    private static ClientStatistics Broker(bool isUp, TimeSpan roundTrip) =>
        new([new BrokerStatistics("kafka-1:9092", isUp, roundTrip, 1, 0, 0)], "up", "steady", 0, 0);

    private static IngestSnapshot Losing(IngestSnapshot ingest, double seconds, DecodeStatus status, string agent, double ahead) => ingest with
    {
        LossCount = (long)(20 * seconds),
        Losses = [.. Enumerable.Range(1, 100).Select(back =>
            new LossSample((long)(20 * seconds) - back, new PartitionKey("flows", 1), status, agent, ahead)).Reverse()],
    };

    private void Rejecting(DecodeStatus status, string evidence, double share)
    {
        _readings.Topic = (topic, seconds) =>
        {
            var counted = new TopicSnapshot("flows") { MessageCount = topic.MessageCount, ReadCount = topic.ReadCount };
            counted.RejectedCounts[(int)status] = (long)(topic.ReadCount * share);
            return counted;
        };
        var bytes = System.Text.Encoding.ASCII.GetBytes(evidence);
        _readings.Ingest = (ingest, seconds) => Losing(ingest, seconds, status, "", 0) with
        {
            Rejects = [new RejectSample("flows", 1, 41, status, bytes.Length, bytes)],
        };
    }

    private void TwoShards()
    {
        _readings.Options = _readings.Options with { Aggregation = new AggregatorOptions { Workers = 2 } };
        _readings.Busy("fold 1", 0.1);
    }

    private Finding AssertFirst(string id, string stage, string? option, string? from, string? to, string? party)
    {
        var report = _readings.Evaluate();
        Assert.NotEmpty(report.Findings);
        var first = report.Findings[0];
        Assert.Equal((id, stage, option), (first.Id, first.Stage, first.Option));
        Assert.Equal(from ?? first.From, first.From);
        Assert.Equal(to ?? first.To, first.To);
        Assert.NotEmpty(first.Evidence);
        if (party is not null)
        {
            Assert.Contains(party, first.Party, StringComparison.Ordinal);
        }

        return first;
    }

    /// <summary>A probe that has seen one tag set only.</summary>
    private sealed unsafe class OneKey : IDisposable
    {
        private readonly ChunkPool _chunks;

        internal OneKey()
        {
            _chunks = new ChunkPool(Schema, new MemoryBudget(1L << 30));
            Probe = new FlowProbe(Schema);
            var cut = new Cut(new PartitionKey("flows", 0), 0, 1, Schema.Views.Length, new StringDictionary(16));
            var chunk = _chunks.Rent(cut);
            chunk.RecordCount = 8;
            new Span<byte>(chunk.Rows, 8 * Schema.RecordBytes).Clear();
            var port = Schema.Tags.First(slot => slot.Tag.Name == "dst_port").OffsetBytes;
            for (var index = 0; index < 8; index++)
            {
                *(ushort*)(chunk.Rows + (index * Schema.RecordBytes) + StreamSchema.HashBytes + port) = 443;
            }

            for (var count = 0; count < 32; count++)
            {
                Probe.Chunk(chunk);
            }

            _chunks.Return(chunk);
        }

        internal StreamSchema Schema { get; } = StreamSchema.Compile(StandardSchema.Views);

        internal FlowProbe Probe { get; }

        public void Dispose() => _chunks.Dispose();
    }
}
