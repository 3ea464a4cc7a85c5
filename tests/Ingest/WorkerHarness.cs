using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Weir.Ingest;

namespace Weir.Tests.Ingest;

/// <summary>An ingest worker without a thread and without Kafka: messages are injected, and time is an argument.</summary>
internal sealed class WorkerHarness : IDisposable
{
    public static readonly DateTimeOffset Epoch = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    public static readonly uint EpochSeconds = (uint)Epoch.ToUnixTimeSeconds();

    private readonly ListQueue _queue = new();
    private readonly Dictionary<PartitionState, long> _producedOffsets = [];

    public WorkerHarness(
        IngestOptions? options = null,
        int shardCount = 1,
        TestShards? shards = null,
        Func<StreamSchema, FlowDecoder>? decoder = null,
        DeadLetterQueue? deadLetters = null)
    {
        Options = options ?? new IngestOptions { Topics = [new TopicOptions("flows", "test")] };
        Shards = shards ?? new TestShards(Schema, shardCount);
        Context = new IngestContext(
            Options,
            Schema,
            _ => Shards.Shards,
            Shards.Pool,
            Shards.Budget,
            _ => decoder?.Invoke(Schema) ?? new TestFormat.Decoder(Schema),
            TimeProvider.System,
            NullLogger.Instance,
            new StringDictionaryPool(Options.StringsMax),
            new RejectRing(),
            (_, cut) => Unplanned.Add(cut),
            () => ReleasedCount++,
            CancellationToken.None)
        {
            DeadLetters = deadLetters,
        };
        Worker = new IngestWorker(0, Context, _queue);
    }

    public static StreamSchema Schema { get; } = StreamSchema.Compile(StandardSchema.Views);

    public IngestOptions Options { get; }

    public IngestContext Context { get; }

    public TestShards Shards { get; }

    public IngestWorker Worker { get; }

    /// <summary>Cuts that were closed and need a plan.</summary>
    public List<Cut> Unplanned { get; } = [];

    public int ReleasedCount { get; private set; }

    public TopicCounters Counters => Worker.Counters[0];

    /// <summary>Called while the worker waits for messages, as the source's thread might do something then.</summary>
    public Action? WhileTaking
    {
        set => _queue.WhileTaking = value;
    }

    public int WaitingMessageCount => _queue.Count;

    /// <summary>Gives the worker a partition.</summary>
    public PartitionState Assign(
        int partition = 0, long committedOffset = PartitionState.UnknownOffset, long replayTo = PartitionState.UnknownOffset)
    {
        var state = new PartitionState(new PartitionKey("flows", partition), 0, 0, committedOffset, Shards.Shards.Count) { ReplayTo = replayTo };
        _producedOffsets[state] = Math.Max(committedOffset, 0);
        Worker.Post(new WorkerCommand(WorkerCommandKind.Assign, state));
        return state;
    }

    public void Post(WorkerCommandKind kind, PartitionState state) => Worker.Post(new WorkerCommand(kind, state));

    /// <summary>A message of the next offset of a partition, of the time of <see cref="Epoch"/>.</summary>
    public void Produce(PartitionState state, params IEnumerable<TestRecord> records) =>
        Produce(state, TestFormat.Encode(records), Epoch.ToUnixTimeMilliseconds());

    public void Produce(PartitionState state, byte[] payload, long timestampMs) =>
        ProduceAt(state, _producedOffsets[state], payload, timestampMs);

    public void ProduceAt(PartitionState state, long offset, byte[] payload, long timestampMs)
    {
        _producedOffsets[state] = offset + 1;
        _queue.Add(state.Key.Partition, offset, timestampMs, payload, 0);
    }

    /// <summary>Says that the log of a partition ends at <paramref name="offset"/>.</summary>
    public void ProduceEnd(PartitionState state, long offset) => _queue.Add(state.Key.Partition, offset, -1, [], errorCode: -191);

    public void ProduceError(int errorCode, string text) => _queue.Add(0, 0, -1, System.Text.Encoding.UTF8.GetBytes(text), errorCode);

    /// <summary>Runs one step at a number of milliseconds after the start.</summary>
    public bool Step(double atMs) => Worker.Step(TimeSpan.FromMilliseconds(atMs), TimeSpan.Zero);

    public static TestRecord[] Records(int count, uint source = 1) =>
        [.. Enumerable.Range(0, count).Select(index => new TestRecord(EpochSeconds, source + (uint)index))];

    public void Dispose()
    {
        Worker.Dispose();
        _queue.Dispose();
    }

    private sealed unsafe class ListQueue : IMessageQueue, IDisposable
    {
        private readonly Queue<KafkaMessage> _messages = new();
        private readonly List<nint> _memory = [];

        public int Count => _messages.Count;

        public Action? WhileTaking { get; set; }

        public void Add(int partition, long offset, long timestampMs, byte[] payload, int errorCode)
        {
            var memory = (byte*)NativeMemory.Alloc((nuint)Math.Max(payload.Length, 1));
            _memory.Add((nint)memory);
            payload.CopyTo(new Span<byte>(memory, payload.Length));
            _messages.Enqueue(new KafkaMessage(0, partition, offset, timestampMs, memory, payload.Length, errorCode));
        }

        public int Take(Span<KafkaMessage> messages, TimeSpan timeout)
        {
            WhileTaking?.Invoke();
            var count = 0;
            while (count < messages.Length && _messages.TryDequeue(out messages[count]))
            {
                count++;
            }

            return count;
        }

        public void Release()
        {
        }

        public void Dispose()
        {
            foreach (var memory in _memory)
            {
                NativeMemory.Free((void*)memory);
            }
        }
    }
}
