using System.Globalization;
using Weir.Host.Diagnosis;
using Weir.Tests.EndToEnd;
using Weir.Tests.Support;
using Xunit;
using Xunit.Abstractions;

namespace Weir.Tests.Diagnosis;

/// <summary>
/// Faults are brought into a system that runs under load, one at a time: <c>weir diagnose --json</c> names each, with stage or queue or
/// party, and the option to change.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class FaultTests(ITestOutputHelper output) : IAsyncLifetime
{
    // Kafka's numbers.
    private const short Heartbeat = 12;
    private const int UnknownMemberId = 25;

    private static readonly TimeSpan _promised = TimeSpan.FromSeconds(30);

    private readonly ClickHouseServer _server = new() { HasQueryLog = true };
    private readonly List<(string Name, TimeSpan After)> _score = [];
    private DiagnosisBed _bed = null!;
    private FlowLoad _normal = null!;

    public Task InitializeAsync()
    {
        _bed = new DiagnosisBed();
        _normal = new FlowLoad("flows", Feeds.Normal(50), 20, DiagnosisBed.PartitionCount);
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        _bed.Dispose();
        await _server.DisposeAsync();
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.ClickHouseServer)]
    public async Task Faults_of_broker_server_agents_and_machine_are_named()
    {
        await _server.StartAsync();
        await using var proxy = new FaultProxy(_server.Url);
        await proxy.OpenAsync();
        var run = await _bed.RunAsync(
            $"url: {proxy.Url}, user: weir, password: {ClickHouseServer.Password}, database: weir_diagnosis, request_timeout: 20s, on_refused: drop",
            "4s",
            """
            flush: { interval: 500ms }
            views:
              - { name: edge_1s, granularity: 1s, tags: [src_addr, dst_addr, dst_port, proto, exporter], meters: [bytes, packets], series_max: 5000 }
            """);
        _bed.Feeder.Send(_normal);
        await HealthyAsync(run);
        await ServerFaultsAsync(run, proxy);
        await BrokerFaultsAsync(run);
        await RecordFaultsAsync(run);
        await MachineFaultsAsync(run);
        Print();
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task Faults_of_shards_keys_and_the_collector_are_named()
    {
        await ShardFaultsAsync();
        await CollectorFaultAsync();
        Print();
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task Faults_of_queues_memory_keys_and_names_are_named()
    {
        await QueueFaultsAsync();
        await MemoryFaultAsync();
        await NameFaultAsync();
        Print();
    }

    private async Task ServerFaultsAsync(WeirRun run, FaultProxy proxy)
    {
        await FaultAsync(
            run, "ClickHouse refuses connections", proxy.CloseAsync, proxy.OpenAsync, new Expected("clickhouse-unreachable", "clickhouse", "clickhouse.url", "127.0.0.1"));
        await FaultAsync(
            run,
            "ClickHouse is slow",
            () => Set(() => proxy.InsertDelay = TimeSpan.FromSeconds(2)),
            () => Set(() => proxy.InsertDelay = TimeSpan.Zero),
            new Expected("clickhouse-slow", "clickhouse", "flush.interval", "127.0.0.1") { Evidence = "the time goes on the way" });
        proxy.InsertErrorTable = "edge_1s"; // A ledger that is refused for ever stops the process, and has no diagnosis.
        await AnswerAsync("a column is gone", "Code: 16, e.displayText() = DB::Exception: No such column bytes in table weir_diagnosis.edge_1s",
            new Expected("blocks-refused", "clickhouse", "clickhouse.on_refused", "view edge_1s"));
        proxy.InsertErrorTable = null;
        await AnswerAsync("too many parts", "Code: 252, e.displayText() = DB::Exception: Too many parts (301). Merges are processing significantly slower than inserts.",
            new Expected("clickhouse-too-many-parts", "clickhouse", "flush.interval", "127.0.0.1"));
        await AnswerAsync("the disk is full", "Code: 243, e.displayText() = DB::Exception: Cannot reserve 1.00 MiB, not enough space",
            new Expected("clickhouse-disk-full", "clickhouse", "clickhouse.retention", "127.0.0.1"));
        await FaultAsync(
            run,
            "the password was changed",
            () => Set(() => proxy.HasWrongPassword = true),
            () => Set(() => proxy.HasWrongPassword = false),
            new Expected("clickhouse-access", "clickhouse", "clickhouse.password", "127.0.0.1"));

        Task AnswerAsync(string name, string error, Expected expected) => FaultAsync(
            run, name, () => Set(() => proxy.InsertError = error), () => Set(() => proxy.InsertError = null), expected);
    }

    private async Task BrokerFaultsAsync(WeirRun run)
    {
        var broker = _bed.Kafka.Embedded!;
        await FaultAsync(
            run, "the broker is down", () => Set(broker.SetDown), () => Set(broker.SetUp), new Expected("broker-unreachable", "broker", "kafka.bootstrap", "127.0.0.1"));
        await FaultAsync(
            run,
            "the broker is slow",
            () => Set(() => broker.SetRoundTrip(TimeSpan.FromSeconds(1.2))),
            () => Set(() => broker.SetRoundTrip(TimeSpan.Zero)),
            new Expected("broker-slow", "broker", "kafka.options.max.partition.fetch.bytes", "127.0.0.1"));
        await FaultAsync(
            run,
            "the group is unstable",
            () => Set(() => broker.PushRequestErrors(Heartbeat, [.. Enumerable.Repeat(UnknownMemberId, 1000)])),
            () => Set(() => broker.ClearRequestErrors(Heartbeat)),
            new Expected("group-unstable", "ingest", "kafka.options.session.timeout.ms", "group diagnosis"));
    }

    private async Task RecordFaultsAsync(WeirRun run)
    {
        await FeedAsync("an agent's clock is ahead", new FlowLoad("flows", Feeds.Ahead("192.0.2.44"), 10, DiagnosisBed.PartitionCount),
            new Expected("agent-clock-skew", "ingest", "time.future_max", "192.0.2.44"));
        await FeedAsync("an agent's lines are cut off", new FlowLoad("flows", Feeds.Broken("192.0.2.77"), 10, DiagnosisBed.PartitionCount),
            new Expected("decode-failures", "ingest", "dead_letters.directory", "192.0.2.77"));
        await FeedAsync("an agent's version changed", new FlowLoad("own", Feeds.OtherVersion(), 10, 1),
            new Expected("format-version", "ingest", "dead_letters.directory", "own/0"));
        await FeedAsync("a tag explodes", new FlowLoad("own", Feeds.Exploding(60_000), 40, DiagnosisBed.PartitionCount),
            new Expected("cardinality-explosion", "aggregation", "views[].series_max", "src_addr"));

        Task FeedAsync(string name, FlowLoad load, Expected expected) => FaultAsync(
            run, name, () => Set(() => _bed.Feeder.Send(_normal, load)), () => Set(() => _bed.Feeder.Send(_normal)), expected);
    }

    private async Task MachineFaultsAsync(WeirRun run)
    {
        // Lines of JSON that mean little work behind the decoder.
        Priority.Raise(run.Process.Id); // What else runs here must not look like a fault of the machine.
        var flood = new FlowLoad("flows", Feeds.FewSeries(50), 0, DiagnosisBed.PartitionCount) { Backlog = 4_000 };
        await FaultAsync(
            run,
            "the input is more than a worker decodes",
            () => Set(() => _bed.Feeder.Send(flood)),
            () => Set(() => _bed.Feeder.Send(_normal)),
            new Expected("ingest-cpu-bound", "ingest", "ingest.workers", "ingest 0") { MayBeStarved = true });
        await FaultAsync(
            run,
            "one partition gets everything",
            () => Set(() => _bed.Feeder.Send(flood with { PartitionCount = 1, Backlog = 12_000 })),
            () => Set(() => _bed.Feeder.Send(_normal)),
            new Expected("hot-partition", "ingest", "kafka.topics", "flows/0") { MayBeStarved = true });
        if (CpuQuota.TryCreate() is { } quota)
        {
            using (quota)
            {
                await FaultAsync(
                    run,
                    "the control group throttles",
                    () => Set(() => quota.Limit(run.Process.Id, 0.05)),
                    () => Set(() => quota.Release(run.Process.Id)),
                    new Expected("cpu-throttled", "process", "resources.limits.cpu", "cgroup"));
            }
        }
        else
        {
            output.WriteLine("SKIPPED the control group throttles: no writable cpu controller here");
        }
    }

    private async Task QueueFaultsAsync()
    {
        var run = await _bed.RunAsync(_bed.NewStore(), "3s", """
            flush: { interval: 500ms }
            aggregation: { workers: 1, queue: { policy: overwrite, capacity_records: 1024 } }
            """);
        var bursts = new FlowLoad("own", Feeds.NormalOwn(4_000), 10, DiagnosisBed.PartitionCount) { Burst = 5 };
        await FaultAsync(
            run,
            "bursts are larger than the queue",
            () => Set(() => _bed.Feeder.Send(bursts)),
            () => Set(() => _bed.Feeder.Send(_normal)),
            new Expected("queue-too-small", "aggregation", "aggregation.queue.capacity_records", null) { Queue = "aggregation[0]" });
        _bed.End(run);

        run = await _bed.RunAsync(_bed.NewStore(), "3s", """
            flush: { interval: 1s }
            ingest: { workers: 2 }
            aggregation: { workers: 1, queue: { policy: drop, capacity_records: 65536 } }
            """);
        var flood = new FlowLoad("own", Feeds.Distinct(50_000), 0, DiagnosisBed.PartitionCount) { Backlog = 60 };
        await FaultAsync(
            run,
            "the fold is slower than the input, and its queue drops",
            () => Set(() => _bed.Feeder.Send(flood)),
            () => Set(() => _bed.Feeder.Send(_normal)),
            new Expected("queue-dropping", "aggregation", "aggregation.queue.policy", null) { Queue = "aggregation[0]" });
        _bed.End(run);
    }

    private async Task ShardFaultsAsync()
    {
        const int RecordsPerMessage = 4_000; // More than the queue holds: who gets them all, loses some.
        var run = await _bed.RunAsync(_bed.NewStore(), "3s", """
            flush: { interval: 500ms }
            aggregation: { workers: 2, queue: { policy: overwrite, capacity_records: 1024 } }
            """);
        var shard = new FlowLoad("own", Feeds.OneShard(1, 2, RecordsPerMessage), 10, DiagnosisBed.PartitionCount) { Burst = 5 };
        await FaultAsync(
            run,
            "one shard gets everything",
            () => Set(() => _bed.Feeder.Send(shard)),
            () => Set(() => _bed.Feeder.Send(_normal)),
            new Expected("hot-shard", "aggregation", "aggregation.workers", "shard 1") { Queue = "aggregation[1]" });
        _bed.End(run);

        run = await _bed.RunAsync(_bed.NewStore(), "3s", """
            flush: { interval: 500ms }
            aggregation: { workers: 1, queue: { policy: overwrite, capacity_records: 1024 } }
            """);
        var key = new FlowLoad("own", Feeds.HotKey(RecordsPerMessage), 10, DiagnosisBed.PartitionCount) { Burst = 5 };
        await FaultAsync(
            run,
            "one tag set has nine of ten records",
            () => Set(() => _bed.Feeder.Send(key)),
            () => Set(() => _bed.Feeder.Send(_normal)),
            new Expected("queue-too-small", "aggregation", "aggregation.queue.capacity_records", "dst_port=")
            {
                Queue = "aggregation[0]", Evidence = "one tag set has ",
            });
        _bed.End(run);
    }

    private async Task CollectorFaultAsync()
    {
        // 64 KiB of new objects between two collections, and readers of the admin endpoint that make more all the time.
        var run = await _bed.RunAsync(
            _bed.NewStore(), "3s", "flush: { interval: 500ms }", ("DOTNET_GCgen0size", "10000"), ("DOTNET_GCgen0MaxBudget", "10000"));
        _bed.Feeder.Send(_normal);
        await using var readers = new Readers(new Uri(run.AdminUrl, "metrics?snapshot=true"));
        await FaultAsync(
            run,
            "the collector has too little memory",
            () => Set(() => readers.Start(4)),
            readers.StopAsync,
            new Expected("gc-pressure", "process", "memory.limit", "runtime"));
        _bed.End(run);
    }

    private async Task MemoryFaultAsync()
    {
        var run = await _bed.RunAsync(_bed.NewStore(), "3s", """
            flush: { interval: 1m }
            memory: { limit: 64MiB }
            """);
        await FaultAsync(
            run,
            "memory is too small for the cuts",
            () => Set(() => _bed.Feeder.Send(new FlowLoad("own", Feeds.Distinct(400_000), 0, DiagnosisBed.PartitionCount) { Backlog = 60 })),
            () => Set(() => _bed.Feeder.Send(_normal)),
            new Expected("memory-pressure", "process", "memory.limit", "memory.limit"));
        _bed.End(run);
    }

    private async Task NameFaultAsync()
    {
        _bed.Feeder.Send();
        var run = await _bed.RunAsync("url: \"http://weir-no-such-host.invalid:8123\"", "3s");
        await FaultAsync(
            run,
            "a name has no address",
            () => Set(() => _bed.Feeder.Send(_normal)),
            () => Task.CompletedTask,
            new Expected("dns", "clickhouse", "clickhouse.url", "weir-no-such-host"),
            mends: false);
        _bed.End(run);
    }

    private async Task FaultAsync(WeirRun run, string name, Func<Task> inject, Func<Task> mend, Expected expected, bool mends = true)
    {
        await inject();
        var (report, after) = await DiagnosisBed.UntilAsync(run, expected.IsFirstOf, $"'{name}' is named {expected}");
        var first = report.Findings[0];
        Assert.NotNull(first.From);
        Assert.NotNull(first.To);
        Assert.NotEqual(first.From, first.To);
        Assert.NotEmpty(first.Evidence);
        Assert.NotNull(first.Since);
        Assert.Equal(first.Severity == Severity.Loss ? "losing" : "degraded", report.Verdict);
        Assert.True(first.Severity != Severity.Loss || first.Rate > 0, $"{name}: a loss has a rate.");
        _score.Add((name, after));
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{after.TotalSeconds,5:0.0} s  {name}: {first.Id} at {first.Queue ?? first.Stage}, by {first.Party}; {first.Option}: {first.From} -> {first.To}"));
        await mend();
        if (mends)
        {
            await HealthyAsync(run);
        }
    }

    private static async Task HealthyAsync(WeirRun run)
    {
        // After a rebalance nothing is wrong any more before the partitions are back.
        var before = await run.MetricAsync("weir_writer_cuts_total");
        await Eventually.TrueAsync(
            async () => await run.MetricAsync("weir_ingest_partitions") > 0 && await run.MetricAsync("weir_writer_cuts_total") > before + 2,
            () => $"cuts are stored again; the log:\n{run.Process.ErrorText}");
        await DiagnosisBed.UntilAsync(run, report => report.Verdict == "healthy" && report.WindowS > 1, "healthy again");
    }

    private static Task Set(Action change)
    {
        change();
        return Task.CompletedTask;
    }

    private void Print() => output.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"score: {_score.Count} of {_score.Count} faults named right, {_score.Count(fault => fault.After <= _promised)} within {_promised.TotalSeconds:0} s; slowest {_score.Max(fault => fault.After).TotalSeconds:0.0} s"));

    /// <summary>What the first finding has to be.</summary>
    private sealed record Expected(string Id, string Stage, string Option, string? Party)
    {
        public string? Queue { get; init; }

        /// <summary>Words that the evidence must have; null for any.</summary>
        public string? Evidence { get; init; }

        /// <summary>True where a machine that others keep busy is the cause before this one; the score shows which it was.</summary>
        public bool MayBeStarved { get; init; }

        public bool IsFirstOf(DiagnosisReport report) =>
            report.Findings.Count > 0
            && report.Findings[0] is var first
            && (IsOf(first) || (MayBeStarved && first.Id == "cpu-starved"));

        private bool IsOf(Finding first) =>
            first.Id == Id
            && first.Stage == Stage
            && first.Option == Option
            && (Party is null || (first.Party?.Contains(Party, StringComparison.Ordinal) ?? false))
            && (Queue is null || (first.Queue?.StartsWith(Queue, StringComparison.Ordinal) ?? false))
            && (Evidence is null || first.Evidence.Any(line => line.Contains(Evidence, StringComparison.Ordinal)));
    }
}
