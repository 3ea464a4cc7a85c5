using Weir.Aggregator;
using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Core.Telemetry;
using Weir.Host;
using Weir.Host.Diagnosis;
using Weir.Host.Telemetry;
using Weir.Ingest;
using Weir.Writer;

namespace Weir.Tests.Diagnosis;

/// <summary>Readings of a pipeline that does what a test says: three frames over ten seconds, made of rates.</summary>
internal sealed class Readings
{
    private static readonly DateTimeOffset _start = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    public Readings()
    {
        Busy("ingest 0", 0.1);
        Busy("fold 0", 0.1);
        Busy("builder", 0.05);
    }

    /// <summary>The options; two workers that fold where a test says so.</summary>
    public WeirOptions Options { get; set; } = new()
    {
        Writer = new WriterOptions { Url = new Uri("http://clickhouse.example:8123") },
    };

    /// <summary>Messages and records a second.</summary>
    public (long Messages, long Records) Rate { get; set; } = (1_000, 50_000);

    /// <summary>Messages that wait, by partition, in every frame.</summary>
    public long[] Lags { get; set; } = [0, 0];

    /// <summary>Queues, as they are after a time.</summary>
    public Func<double, IReadOnlyList<QueueSnapshot>> Queues { get; set; } = seconds => [Queue(0, seconds, 50_000)];

    /// <summary>The writer after a time.</summary>
    public Func<WriterSnapshot, double, WriterSnapshot> Writer { get; set; } = (writer, _) => writer;

    /// <summary>The ingest stage after a time.</summary>
    public Func<IngestSnapshot, double, IngestSnapshot> Ingest { get; set; } = (ingest, _) => ingest;

    /// <summary>The topic after a time.</summary>
    public Func<TopicSnapshot, double, TopicSnapshot> Topic { get; set; } = (topic, _) => topic;

    /// <summary>The process after a time.</summary>
    public Func<ProcessReading, double, ProcessReading> Process { get; set; } = (process, _) => process;

    /// <summary>Records that overflow a second, in the first view.</summary>
    public long OverflowRate { get; set; }

    /// <summary>Seconds of the server's answers in each second.</summary>
    public double InsertShare { get; set; } = 0.1;

    /// <summary>Seconds of one insert.</summary>
    public double InsertSeconds { get; set; } = 0.05;

    /// <summary>What the server's own log says.</summary>
    public InsertLogReading? InsertLog { get; set; }

    /// <summary>The workers' probes.</summary>
    public IReadOnlyList<FlowProbe> Probes { get; set; } = [];

    /// <summary>Processor time of threads a second: running, and waiting for a processor.</summary>
    public Dictionary<string, (double Cpu, double Wait)> Threads { get; } = [];

    /// <summary>A queue that gets so many records a second.</summary>
    public static QueueSnapshot Queue(
        int index, double seconds, long rate, FullPolicy policy = FullPolicy.Block, long dropRate = 0, long overwriteRate = 0, double waitShare = 0)
    {
        var (offered, dropped, overwritten) = ((long)(rate * seconds), (long)(dropRate * seconds), (long)(overwriteRate * seconds));
        return new QueueSnapshot(
            QueuedShard.QueueName, index, policy, 4_096, offered, offered - dropped, dropped, overwritten, offered - dropped - overwritten,
            0, 4_096, 4_096, 0, TimeSpan.FromSeconds(waitShare * seconds), TimeSpan.Zero);
    }

    /// <summary>Sets how busy a thread is.</summary>
    public void Busy(string thread, double cpu, double wait = 0) => Threads[thread] = (cpu, wait);

    /// <summary>The report of the ten seconds.</summary>
    public DiagnosisReport Evaluate()
    {
        DiagnosisFrame[] frames = [Frame(0), Frame(5), Frame(10)];
        return DiagnosisRules.Evaluate(new DiagnosisWindow(Options, frames, frames, Probes) { InsertLog = InsertLog });
    }

    private DiagnosisFrame Frame(double seconds)
    {
        var since = 100 + seconds; // Not the first seconds of the process.
        var histogram = LogHistogram.OfSeconds();
        for (var count = 0; count < (int)(since * InsertShare / InsertSeconds); count++)
        {
            histogram.Add(InsertSeconds);
        }

        var writer = new WriterSnapshot(
            true, default, (long)since, [new ViewWriterSnapshot("edge_1s", 0, (long)(1_000 * since), 0, 0, 0, 0, 0)],
            [.. new long[Enum.GetValues<ReplyCause>().Length]], TimeSpan.FromSeconds(since * InsertShare), 0, 0, null, 0, null)
        {
            Promise = new SinkPromise(true, "by the names of the last 10000 blocks of each table"),
            InsertSeconds = histogram.Snapshot(),
        };
        var topic = new TopicSnapshot("flows") { MessageCount = (long)(Rate.Messages * since), ReadCount = (long)(Rate.Records * since) };
        var ingest = new IngestSnapshot([Topic(topic, since)], [.. Lags.Select((lag, index) => Partition(index, lag, since))], [], TimeSpan.Zero, 0, 0, 0, 0);
        var process = new ProcessReading(
            Threads.ToDictionary(
                thread => thread.Key,
                thread => new StageTime(TimeSpan.FromSeconds(thread.Value.Cpu * since), TimeSpan.FromSeconds(thread.Value.Wait * since))),
            null, TimeSpan.Zero, [0, 0, 0], 50_000_000, (long)(1e6 * since), 200_000_000, 20, 10 << 20, Options.MemoryLimitBytes);
        var folds = Enumerable.Range(0, Math.Max(Options.Aggregation.Workers, 1)).Select(index => new AggregationSnapshot(
            index, 0, 0, 0, 0, 0, TimeSpan.Zero, [new ViewFoldSnapshot(Options.EffectiveViews[0].Name, 100, 100, (long)(OverflowRate * since))]));
        return new DiagnosisFrame(
            _start.AddSeconds(seconds),
            TimeSpan.FromSeconds(since),
            new HostSnapshot(Ingest(ingest, since), [.. folds], Writer(writer, since), Queues(since)),
            Process(process, since),
            [.. Probes.Select(probe => 0L)],
            [("src_addr", 90_000), ("dst_port", 12)]);
    }

    private PartitionSnapshot Partition(int index, long lag, double seconds)
    {
        var next = (long)(Rate.Messages * seconds / Lags.Length);
        return new PartitionSnapshot(new PartitionKey("flows", index), 0, next, next, next + lag, -1, -1);
    }
}
