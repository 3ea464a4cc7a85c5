using System.Net;
using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Core.Telemetry;
using Weir.Host;
using Weir.Host.Admin;
using Weir.Host.Diagnosis;
using Weir.Ingest;
using Weir.Tests.Support;
using Weir.Writer;

namespace Weir.Tests.Page;

/// <summary>An admin endpoint whose figures a test sets, on a clock that a test moves.</summary>
internal sealed class FakeWeir : IMetricSource, IAsyncDisposable
{
    private readonly List<(MetricDefinition Metric, double Value, string[] Labels)> _values = [];
    private readonly Lock _lock = new();
    private AdminServer? _server;

    /// <summary>The clock of history and events.</summary>
    public ManualTimeProvider Time { get; } = new();

    /// <summary>Where it listens; set by <see cref="StartAsync"/>.</summary>
    public Uri Url => _server!.Url;

    /// <summary>The queues; the last is that of cuts.</summary>
    public IReadOnlyList<QueueSnapshot> Queues { get; set; } =
        [Queue("aggregation", 0), Queue("cuts", 0) with { CapacityRecords = 1L << 40 }];

    /// <summary>The account since the start.</summary>
    public BlockAccount Account { get; set; } = new(1_000, 990, 4, 3, 2, 1);

    /// <summary>The partitions.</summary>
    public IReadOnlyList<PartitionSnapshot> Positions { get; set; } = [new(new PartitionKey("flows", 2), 0, 41, 30, 50, -1, -1)];

    /// <summary>How the process is.</summary>
    public HealthReport Health { get; set; } = new([], []);

    /// <summary>The last errors of the writer.</summary>
    public IReadOnlyList<WriterError> Errors { get; set; } = [];

    /// <summary>What the tables promise.</summary>
    public SinkPromise? Promise { get; set; } = new(true, "by the names of the last 10000 blocks of each table");

    /// <summary>The configuration in force.</summary>
    public string Configuration { get; set; } = "kafka:\n  group: weir\n";

    /// <summary>The secret that requests must bring; null for none.</summary>
    public string? Token { get; init; }

    /// <summary>The slowest cuts, the slowest first.</summary>
    public IReadOnlyList<CutTrace> SlowCuts { get; set; } = [];

    /// <summary>What is wrong; null for an endpoint without a diagnosis.</summary>
    public DiagnosisReport? Diagnosis { get; set; }

    /// <summary>A queue whose equations hold.</summary>
    public static QueueSnapshot Queue(string name, int index, long overwritten = 0) => new(
        name, index, FullPolicy.Overwrite, 1_000, OfferedCount: 100_000 + overwritten, EnqueuedCount: 100_000 + overwritten,
        DroppedCount: 0, OverwrittenCount: overwritten, DequeuedCount: 99_950, Depth: 50, DepthMax: 500, DepthMaxInterval: 200, SlotsUsed: 1,
        TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(2));

    /// <summary>An error of the writer that came three times.</summary>
    public WriterError Error(string message) =>
        new(ReplyCause.Overloaded, message, "look at merges", 3, Time.GetUtcNow(), Time.GetUtcNow());

    /// <summary>Opens it; a port of 0 takes a free one.</summary>
    public async Task<Uri> StartAsync(int port = 0)
    {
        _server = new AdminServer(new AdminOptions { Listen = new IPEndPoint(IPAddress.Loopback, port), Token = Token }, "9.8.7", new AdminSources
        {
            Metrics = [this],
            Queues = () => Queues,
            Health = () => Health,
            Account = () => Account,
            Positions = () => Positions,
            Writer = () => new WriterSnapshot(true, Account, 1, [], [], TimeSpan.Zero, 0, 0, null, 0, null)
            {
                Promise = Promise,
                Errors = Errors,
            },
            Sink = "ClickHouse of the test",
            Configuration = () => Configuration,
            SlowCuts = () => SlowCuts,
            Diagnose = Diagnosis is { } report ? () => Task.FromResult(report) : null,
            Time = Time,
        });
        await _server.StartAsync(CancellationToken.None);
        return _server.Url;
    }

    /// <summary>Sets a metric; other sets of labels keep their values.</summary>
    public void Set(MetricDefinition metric, double value, params string[] labels)
    {
        lock (_lock)
        {
            _values.RemoveAll(had => had.Metric.Name == metric.Name && had.Labels.SequenceEqual(labels));
            _values.Add((metric, value, labels));
        }
    }

    /// <summary>Counters of the queues and of the account as a pipeline has them after so many seconds of 1,000 records each.</summary>
    /// <param name="seconds">Seconds since the start.</param>
    /// <param name="overwritten">Records that the first queue has lost.</param>
    public void Flow(int seconds, long overwritten)
    {
        var read = seconds * 1_000L;
        var first = Queue("aggregation", 0, overwritten);
        Queues = [first with { OfferedCount = read, EnqueuedCount = read, DequeuedCount = read - overwritten - 50 }, Queues[^1]];
        Account = new BlockAccount(read, read - overwritten, 0, 0, 0, overwritten);
        Set(WeirMeter.IngestReadTotal, read, "flows");
        Set(WeirMeter.IngestMessagesTotal, read / 10, "flows");
        Set(WeirMeter.QueueOfferedTotal, read, "aggregation", "0");
        Set(WeirMeter.QueueDequeuedTotal, read - overwritten - 50, "aggregation", "0");
        Set(WeirMeter.QueueOverwrittenTotal, overwritten, "aggregation", "0");
        Set(WeirMeter.QueueDepth, 50, "aggregation", "0");
        Set(WeirMeter.QueueDepthMax, 500, "aggregation", "0");
        foreach (var (line, count) in ((string, long)[])[
            ("read", read), ("folded", read - overwritten), ("rejected", 0), ("late", 0), ("dropped", 0), ("overwritten", overwritten)])
        {
            Set(WeirMeter.WriterStoredRecordsTotal, count, line);
        }
    }

    /// <summary>Closes the endpoint; it may be started again.</summary>
    public async Task StopAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
            _server = null;
        }
    }

    public void Collect(MetricReader reader)
    {
        lock (_lock)
        {
            foreach (var (metric, value, labels) in _values)
            {
                reader.Read(metric, value, labels);
            }
        }
    }

    public async ValueTask DisposeAsync() => await StopAsync();
}
