using System.Text.Json;
using Confluent.Kafka;

namespace Weir.Tests.Diagnosis;

/// <summary>What is sent to one topic: messages to draw from, how many a second, and where to.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Messages">Sent again and again, in turn.</param>
/// <param name="MessageRate">Messages a second; with <see cref="Backlog"/>, ignored.</param>
/// <param name="PartitionCount">Partitions of the topic that get them: from 0 on.</param>
internal sealed record FlowLoad(string Topic, IReadOnlyList<byte[]> Messages, double MessageRate, int PartitionCount)
{
    /// <summary>Messages of each partition that weir has still to read at any time: as fast as it can, and never all; 0 for a rate.</summary>
    public int Backlog { get; init; }

    /// <summary>Messages that are sent at once, with pauses between that keep the rate.</summary>
    public int Burst { get; init; } = 1;
}

/// <summary>Sends what the test says, from a thread of its own, until it is disposed.</summary>
internal sealed class FlowFeeder : IDisposable
{
    private static readonly TimeSpan _tick = TimeSpan.FromMilliseconds(20);

    private readonly IProducer<byte[]?, byte[]?> _producer;
    private readonly ManualResetEventSlim _stop = new();
    private readonly Dictionary<(string Topic, int Partition), long> _sent = [];
    private readonly Thread _thread;
    private readonly HttpClient _client = new();
    private IReadOnlyList<FlowLoad> _loads = [];
    private Uri? _positions;

    public FlowFeeder(string bootstrap)
    {
        _producer = new ProducerBuilder<byte[]?, byte[]?>(new ProducerConfig
        {
            BootstrapServers = bootstrap,
            LingerMs = 5,
            CompressionType = CompressionType.Zstd,
            QueueBufferingMaxMessages = 1_000_000,
            MessageTimeoutMs = 300_000,
        }).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build(); // Faults are part of the tests.
        _thread = new Thread(Run) { IsBackground = true, Name = "feeder" };
        _thread.Start();
    }

    /// <summary>What is sent from now on.</summary>
    public void Send(params FlowLoad[] loads) => Volatile.Write(ref _loads, loads);

    /// <summary>Whose positions a backlog is measured by.</summary>
    public void Follow(Uri admin) => _positions = new Uri(admin, "positions");

    public void Dispose()
    {
        _stop.Set();
        _thread.Join();
        _producer.Dispose();
        _client.Dispose();
        _stop.Dispose();
    }

    private void Run()
    {
        var due = new Dictionary<FlowLoad, double>();
        var next = 0;
        while (!_stop.Wait(_tick))
        {
            foreach (var load in Volatile.Read(ref _loads))
            {
                if (load.Backlog > 0)
                {
                    FillUp(load, ref next);
                    continue;
                }

                var count = due.GetValueOrDefault(load) + (load.MessageRate * _tick.TotalSeconds);
                while (count >= load.Burst)
                {
                    for (var message = 0; message < load.Burst; message++)
                    {
                        Send(load, next % load.PartitionCount, load.Messages[next++ % load.Messages.Count]);
                    }

                    count -= load.Burst;
                }

                due[load] = count;
            }
        }
    }

    private void FillUp(FlowLoad load, ref int next)
    {
        var read = ReadPositions(load.Topic);
        for (var partition = 0; partition < load.PartitionCount; partition++)
        {
            if (!read.TryGetValue(partition, out var position))
            {
                continue; // Not assigned yet.
            }

            var from = position >= 0 ? position : _sent.GetValueOrDefault((load.Topic, partition)); // Nothing read yet: it begins at the end.
            while (_sent.GetValueOrDefault((load.Topic, partition)) - from < load.Backlog)
            {
                Send(load, partition, load.Messages[next++ % load.Messages.Count]);
            }
        }

        _producer.Flush(TimeSpan.FromSeconds(5));
    }

    private Dictionary<int, long> ReadPositions(string topic)
    {
        try
        {
            using var json = JsonDocument.Parse(_client.GetStringAsync(_positions).GetAwaiter().GetResult());
            return json.RootElement.EnumerateArray()
                .Where(position => position.GetProperty("topic").GetString() == topic)
                .ToDictionary(position => position.GetProperty("partition").GetInt32(), position => position.GetProperty("next_offset").GetInt64());
        }
        catch (HttpRequestException)
        {
            return []; // Between two processes.
        }
    }

    private void Send(FlowLoad load, int partition, byte[] value)
    {
        try
        {
            _producer.Produce(new TopicPartition(load.Topic, partition), new Message<byte[]?, byte[]?> { Value = value });
            _sent[(load.Topic, partition)] = _sent.GetValueOrDefault((load.Topic, partition)) + 1;
        }
        catch (ProduceException<byte[]?, byte[]?>)
        {
            // The queue is full while the broker is away: a generator sends no more then.
        }
    }
}
