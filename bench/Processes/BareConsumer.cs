using System.Diagnostics;
using Confluent.Kafka;
using Weir.Bench.Flows;
using Weir.Bench.Measure;
using Weir.Ingest;

namespace Weir.Bench.Processes;

/// <summary>
/// What librdkafka takes for a flow: a topic that is full is read as Weir reads it, with its settings and the native call for batches; each
/// message is gone through once and released, and nothing is decoded.
/// </summary>
/// <remarks>
/// One thread; counted are that thread and librdkafka's. The topic is filled before and read again and again by one consumer, so that
/// neither joining nor waiting for data is in the figure.
/// </remarks>
internal sealed class BareConsumer : IDisposable
{
    private const string ClientThreads = "rdk:";
    private const int TakenMax = 1_024;
    private const int CacheLineBytes = 64;
    private const int PassesPerRound = 4;
    private static readonly TimeSpan _takeTimeout = TimeSpan.FromMilliseconds(10);

    private static readonly TimeSpan _readTimeout = TimeSpan.FromSeconds(60);
    private static readonly TopicPartitionOffset[] _beginnings = [.. Enumerable.Range(0, Feeder.PartitionCount).Select(
        partition => new TopicPartitionOffset(Feeder.Topic, partition, Offset.Beginning))];

    private readonly KafkaMessage[] _taken = new KafkaMessage[TakenMax];
    private readonly IConsumer<Ignore, Ignore> _consumer;
    private readonly NativeMessageQueue _queue;
    private long _touched;
    private bool _isAssigned;

    /// <summary>Connects.</summary>
    /// <param name="bootstrap">The broker.</param>
    /// <param name="properties">librdkafka's, beside Weir's own.</param>
    public BareConsumer(string bootstrap, IReadOnlyDictionary<string, string> properties)
    {
        _ = NativeHeap.Keep(); // As weir does.
        var options = new IngestOptions { Bootstrap = bootstrap, Group = "bare", KafkaProperties = properties };
        _consumer = new ConsumerBuilder<Ignore, Ignore>(ConsumerSettings.Build(options)).SetLogHandler((_, _) => { }).Build();
        _queue = new NativeMessageQueue(KafkaNative.HandleOf(_consumer), [Feeder.Topic], TakenMax);
    }

    /// <summary>CPU of a flow, ns: the median of the plan's rounds.</summary>
    /// <param name="plan">How many rounds.</param>
    /// <param name="program">weir.dll, for the broker.</param>
    /// <param name="flows">The flows.</param>
    /// <param name="format">Their format.</param>
    public static double NanosPerFlow(RoundPlan plan, string program, FlowSet flows, string format)
    {
        var (broker, bootstrap) = WeirProgram.StartBroker(program, Feeder.Topic, Feeder.PartitionCount);
        using (broker)
        {
            using var feeder = new Feeder(bootstrap, flows, format);
            feeder.Fill();
            using var consumer = new BareConsumer(bootstrap, ProgramConfig.KafkaProperties);
            _ = consumer.Read(feeder.SentMessageCount);
            return Rounds.Median([.. Enumerable.Range(0, plan.RoundCount).Select(
                _ => Enumerable.Range(0, PassesPerRound).Sum(_ => consumer.Read(feeder.SentMessageCount))
                    / ((double)PassesPerRound * feeder.SentCount))]);
        }
    }

    /// <summary>Reads the topic from its beginning.</summary>
    /// <param name="messageCount">Messages in it.</param>
    /// <returns>CPU of this thread and of librdkafka's, ns.</returns>
    public long Read(long messageCount)
    {
        var (from, begun) = (Cpu(), Stopwatch.GetTimestamp());
        if (_isAssigned)
        {
            foreach (var partition in _beginnings)
            {
                _consumer.Seek(partition); // Another assignment would undo the forwarding, at a moment of librdkafka's own.
            }
        }
        else
        {
            _isAssigned = true;
            Array.ForEach(_beginnings, partition => _queue.Forward(Feeder.Topic, partition.Partition.Value));
            _consumer.Assign(_beginnings);
        }

        for (var count = 0L; count < messageCount;)
        {
            count += Take();
            if (Stopwatch.GetElapsedTime(begun) > _readTimeout)
            {
                throw new InvalidOperationException($"{count} of {messageCount} messages came within {_readTimeout.TotalSeconds} s.");
            }
        }

        return Cpu() - from;
    }

    public void Dispose()
    {
        _queue.Dispose();
        _consumer.Dispose();
        GC.KeepAlive(_touched);
    }

    private static long Cpu() => CpuClock.ThreadNanos() + CpuClock.ThreadNanos(Environment.ProcessId)
        .Where(thread => thread.Key.StartsWith(ClientThreads, StringComparison.Ordinal))
        .Sum(thread => thread.Value);

    private int Take()
    {
        var takenCount = _queue.Take(_taken, _takeTimeout);
        var count = 0;
        for (var index = 0; index < takenCount; index++)
        {
            if (_taken[index].ErrorCode == 0) // The ends of partitions come as errors.
            {
                var value = _taken[index].Value;
                for (var offset = 0; offset < value.Length; offset += CacheLineBytes)
                {
                    _touched += value[offset];
                }

                count++;
            }
        }

        _queue.Release();
        return count;
    }
}
