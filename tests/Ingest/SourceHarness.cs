using System.Collections.Concurrent;
using Weir.Core.Model;
using Weir.Ingest;
using Weir.Tests.Support;

namespace Weir.Tests.Ingest;

/// <summary>A whole ingest stage on a real broker; the test stands for ClickHouse and says when a cut is stored.</summary>
internal sealed class SourceHarness : IDisposable
{
    private readonly ConcurrentQueue<Cut> _held = new();
    private volatile bool _storesAtOnce = true;

    public SourceHarness(
        KafkaBroker broker,
        Func<IngestOptions, IngestOptions>? change = null,
        int shardCount = 1,
        TestShards? shards = null,
        IReadOnlyDictionary<string, string>? properties = null,
        Func<PartitionKey, long, long, Task<bool>>? isStored = null,
        TimeProvider? time = null)
    {
        var all = KafkaBroker.QuickProperties();
        foreach (var (name, value) in properties ?? new Dictionary<string, string>())
        {
            all[name] = value;
        }

        var options = new IngestOptions
        {
            Bootstrap = broker.Bootstrap,
            Group = "weir",
            Topics = [new TopicOptions("flows", "test")],
            FlushInterval = TimeSpan.FromMilliseconds(200),
            KafkaProperties = all,
        };
        Options = change?.Invoke(options) ?? options;
        Shards = shards ?? new TestShards(WorkerHarness.Schema, shardCount);
        Shards.Folded = OnFolded;
        Source = new KafkaSource(
            Options,
            WorkerHarness.Schema,
            _ => Shards.Shards,
            Shards.Pool,
            Shards.Budget,
            _ => new TestFormat.Decoder(WorkerHarness.Schema),
            time ?? TimeProvider.System,
            Log,
            (stage, error) => Faults.Enqueue(error),
            isStored);
    }

    public IngestOptions Options { get; }

    public TestShards Shards { get; }

    public KafkaSource Source { get; }

    public RecordingLogger Log { get; } = new();

    public ConcurrentQueue<Exception> Faults { get; } = new();

    public ConcurrentQueue<Cut> StoredCuts { get; } = new();

    public IReadOnlyCollection<Cut> HeldCuts => _held;

    /// <summary>False to hold cuts back until <see cref="StoreHeld"/>.</summary>
    public bool StoresAtOnce
    {
        get => _storesAtOnce;
        set => _storesAtOnce = value;
    }

    public SourceHarness Start()
    {
        Source.Start();
        return this;
    }

    public void StoreHeld()
    {
        while (_held.TryDequeue(out var cut))
        {
            Store(cut);
        }
    }

    public void WaitForRecords(long count) =>
        Eventually.True(() => Faults.IsEmpty && Shards.RecordCount >= count, () => $"{count} records, have {Shards.RecordCount}");

    public void WaitForAssigned(int count) =>
        Eventually.True(() => Source.AssignedCount == count, () => $"{count} partitions assigned, have {Source.AssignedCount}");

    public void WaitForCommitted(long messageCount) => Eventually.True(
        () => Source.Snapshot().Partitions.Sum(partition => Math.Max(partition.CommittedOffset, 0)) >= messageCount,
        () => $"{messageCount} messages committed: {string.Join(", ", Source.Snapshot().Partitions)}");

    public void Dispose()
    {
        StoresAtOnce = true;
        StoreHeld();
        _ = Source.Stop(TimeSpan.FromSeconds(5));
        Source.Dispose();
    }

    /// <summary>Nothing of a cut may be inserted before its range is planned: only then the double gets it.</summary>
    private void OnFolded(Cut cut) => cut.WhenPlanned.ContinueWith(
        _ => OnPlanned(cut), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);

    private void OnPlanned(Cut cut)
    {
        if (StoresAtOnce)
        {
            Store(cut);
        }
        else
        {
            _held.Enqueue(cut);
        }
    }

    private void Store(Cut cut)
    {
        if (!cut.IsAbandoned)
        {
            StoredCuts.Enqueue(cut);
        }

        Shards.Release(cut);
        Source.Stored(cut);
    }
}
