using System.Diagnostics;
using System.Text;
using Confluent.Kafka;
using Weir.Ingest;

namespace Weir.Tests.Support;

/// <summary>The embedded broker and what tests do with one: produce, read committed offsets, run kcat.</summary>
internal sealed class KafkaBroker : IDisposable
{
    private readonly Lazy<IProducer<byte[]?, byte[]?>> _producer;

    private KafkaBroker(EmbeddedBroker? embedded, string bootstrap)
    {
        Embedded = embedded;
        Bootstrap = bootstrap;
        _producer = new(() => new ProducerBuilder<byte[]?, byte[]?>(new ProducerConfig
        {
            BootstrapServers = bootstrap,
            LingerMs = 2,
            QueueBufferingMaxMessages = 1_000_000,
        }).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build()); // Faults are part of the tests.
    }

    /// <summary>The broker in this process, for faults; null for one elsewhere.</summary>
    public EmbeddedBroker? Embedded { get; }

    /// <summary><c>127.0.0.1:PORT</c>.</summary>
    public string Bootstrap { get; }

    /// <summary>Starts a broker in this process with one topic.</summary>
    public static KafkaBroker Start(string topic = "flows", int partitionCount = 4) => Start(new Dictionary<string, int> { [topic] = partitionCount });

    /// <summary>Starts a broker in this process.</summary>
    public static KafkaBroker Start(IReadOnlyDictionary<string, int> topics)
    {
        var embedded = EmbeddedBroker.Start(topics, rebalanceDelay: TimeSpan.FromMilliseconds(10));
        return new KafkaBroker(embedded, embedded.Bootstrap);
    }

    /// <summary>Uses a broker that is a process of its own.</summary>
    public static KafkaBroker At(string bootstrap) => new(null, bootstrap);

    /// <summary>Properties that make a consumer's tests quick: a waiting fetch of the mock is not woken by new data.</summary>
    public static Dictionary<string, string> QuickProperties() => new()
    {
        ["fetch.wait.max.ms"] = "10",
        ["session.timeout.ms"] = "3000",
        ["heartbeat.interval.ms"] = "200",
    };

    /// <summary>Produces messages and waits until the broker has them.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="messages">Partition, value, and time of each message (now, where it is null).</param>
    public void Produce(string topic, IEnumerable<(int Partition, byte[]? Value, DateTimeOffset? Time)> messages)
    {
        var errors = 0;
        var lastError = default(Error);
        foreach (var (partition, value, time) in messages)
        {
            var message = new Message<byte[]?, byte[]?> { Value = value };
            if (time is { } at)
            {
                message.Timestamp = new Timestamp(at);
            }

            _producer.Value.Produce(new TopicPartition(topic, partition), message, report =>
            {
                if (report.Error.IsError)
                {
                    lastError = report.Error;
                    Interlocked.Increment(ref errors);
                }
            });
        }

        if (_producer.Value.Flush(TimeSpan.FromSeconds(30)) > 0 || errors > 0)
        {
            throw new InvalidOperationException($"{errors} messages were not produced: {lastError}.");
        }
    }

    /// <summary>Produces messages without a time of their own to one partition.</summary>
    public void Produce(string topic, int partition, params byte[][] values) =>
        Produce(topic, values.Select(value => (partition, (byte[]?)value, (DateTimeOffset?)null)));

    /// <summary>The committed offset of each partition; −1 where there is none.</summary>
    public long[] Committed(string group, string topic, int partitionCount)
    {
        using var consumer = new ConsumerBuilder<Ignore, Ignore>(
            new ConsumerConfig { BootstrapServers = Bootstrap, GroupId = group }).Build();
        var partitions = Enumerable.Range(0, partitionCount).Select(partition => new TopicPartition(topic, partition));
        return [.. consumer.Committed(partitions, TimeSpan.FromSeconds(10))
            .OrderBy(offset => offset.Partition.Value)
            .Select(offset => Math.Max(offset.Offset.Value, -1))];
    }

    /// <summary>Produces lines with kcat, one message each.</summary>
    public void ProduceWithKcat(string topic, int partition, IEnumerable<string> lines)
    {
        var start = new ProcessStartInfo(RealParts.RequireProgram("kcat"))
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var argument in new[] { "-P", "-q", "-b", Bootstrap, "-t", topic, "-p", partition.ToString() })
        {
            start.ArgumentList.Add(argument);
        }

        using var kcat = Process.Start(start)!;
        var bytes = Encoding.UTF8.GetBytes(string.Join('\n', lines) + "\n");
        kcat.StandardInput.BaseStream.Write(bytes);
        kcat.StandardInput.Close();
        var error = kcat.StandardError.ReadToEnd();
        kcat.WaitForExit();
        if (kcat.ExitCode != 0)
        {
            throw new InvalidOperationException($"kcat ended with {kcat.ExitCode}: {error}");
        }
    }

    public void Dispose()
    {
        if (_producer.IsValueCreated)
        {
            _producer.Value.Dispose();
        }

        Embedded?.Dispose();
    }
}
