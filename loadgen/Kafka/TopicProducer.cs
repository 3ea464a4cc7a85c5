using System.Diagnostics;
using System.Text.Json;
using Confluent.Kafka;
using Weir.Loadgen.Replay;

namespace Weir.Loadgen.Kafka;

/// <summary>How messages are produced.</summary>
public sealed record ProducerOptions
{
    /// <summary>Kafka's <c>bootstrap.servers</c>.</summary>
    public required string Bootstrap { get; init; }

    /// <summary>The topic; it has to exist, or the broker has to make it.</summary>
    public required string Topic { get; init; }

    /// <summary>none, gzip, snappy, lz4 or zstd.</summary>
    public string Codec { get; init; } = "lz4";

    /// <summary>Level of the codec; null for its default.</summary>
    public int? Level { get; init; }

    /// <summary>The idempotent producer: no message twice, none out of order, also when requests are tried again.</summary>
    public bool IsIdempotent { get; init; } = true;

    /// <summary>How long a batch waits for more, ms.</summary>
    public double LingerMs { get; init; } = 5;

    /// <summary>Most bytes of a batch, before compression.</summary>
    public int BatchBytes { get; init; } = 1_000_000;

    /// <summary>Most bytes that the broker has not acknowledged.</summary>
    public long InFlightBytesMax { get; init; } = 32 * 1024 * 1024;

    /// <summary>Most bytes of a partition beyond the position of its consumer, where that is followed.</summary>
    public long AheadBytesMax { get; init; } = 4 * 1024 * 1024;

    /// <summary>Further librdkafka properties, NAME=VALUE.</summary>
    public IReadOnlyList<string> Properties { get; init; } = [];
}

/// <summary>What the broker acknowledged.</summary>
/// <param name="MessageCount">Messages.</param>
/// <param name="MessageBytes">Bytes of their values, before compression.</param>
/// <param name="RecordCount">Records in them.</param>
/// <param name="FailedMessageCount">Messages that it did not take, after all retries.</param>
/// <param name="FailedRecordCount">Records in those.</param>
public readonly record struct Delivered(
    long MessageCount, long MessageBytes, long RecordCount, long FailedMessageCount, long FailedRecordCount);

/// <summary>Sends messages to partitions of one topic, bounded by what the broker and a followed consumer take.</summary>
/// <remarks>One thread sends; any thread may read <see cref="Delivered"/>.</remarks>
public sealed class TopicProducer : IDisposable
{
    private static readonly TimeSpan _flushTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan _followInterval = TimeSpan.FromMilliseconds(20);

    private readonly ProducerOptions _options;
    private readonly IProducer<byte[]?, byte[]?> _producer;
    private readonly AheadWindow _window;
    private readonly PositionFollower? _follower;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _following = Task.CompletedTask;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, long> _nextOffsets = [];
    private Delivered _delivered;
    private string? _lastError;
    private long _sentBytesOnWire;

    /// <summary>Connects.</summary>
    /// <param name="options">Where to and how.</param>
    /// <param name="positions">Tells how far a consumer is, for <see cref="ProducerOptions.AheadBytesMax"/>; null for no consumer.</param>
    /// <exception cref="KafkaException">The broker can't be reached.</exception>
    /// <exception cref="ArgumentException">A property is not allowed.</exception>
    public TopicProducer(ProducerOptions options, PositionSource? positions = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        var properties = Topics.Properties(options.Bootstrap, []);
        properties["compression.type"] = options.Codec;
        properties["enable.idempotence"] = options.IsIdempotent ? "true" : "false";
        properties["acks"] = options.IsIdempotent ? "all" : "1";
        properties["linger.ms"] = options.LingerMs.ToString(System.Globalization.CultureInfo.InvariantCulture);
        properties["batch.size"] = options.BatchBytes.ToString(System.Globalization.CultureInfo.InvariantCulture);
        properties["message.max.bytes"] =
            Math.Max(options.BatchBytes, 1_000_000).ToString(System.Globalization.CultureInfo.InvariantCulture);
        properties["queue.buffering.max.messages"] = "10000000"; // The limit is InFlightBytesMax.
        properties["queue.buffering.max.kbytes"] = "1048576";
        properties["statistics.interval.ms"] = "200";
        properties["dotnet.producer.delivery.report.fields"] = "none";
        if (options.Level is { } level)
        {
            properties["compression.level"] = level.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        foreach (var (name, value) in Topics.Properties(options.Bootstrap, options.Properties))
        {
            properties[name] = value;
        }

        _producer = new ProducerBuilder<byte[]?, byte[]?>(properties)
            .SetLogHandler((_, _) => { })
            .SetErrorHandler((_, error) => _lastError = error.Reason)
            .SetStatisticsHandler((_, json) => ReadStatistics(json))
            .Build();
        try
        {
            PartitionCount = Topics.CountPartitions(_producer.Handle, options.Topic);
        }
        catch
        {
            _producer.Dispose();
            throw;
        }

        _window = new AheadWindow(PartitionCount);
        if (positions is not null)
        {
            _follower = new PositionFollower(positions, options.Topic, _window, _followInterval, TimeProvider.System);
            _following = _follower.RunAsync(_stop.Token);
        }
    }

    /// <summary>Partitions of the topic.</summary>
    public int PartitionCount { get; }

    /// <summary>Time in which the sender had to wait, because too much was in flight or ahead of the consumer.</summary>
    public double WaitedSeconds { get; private set; }

    /// <summary>Bytes that went to the brokers, requests whole, as of the last statistics.</summary>
    public long SentBytesOnWire => Interlocked.Read(ref _sentBytesOnWire);

    /// <summary>What is wrong with the broker or with the followed consumer, in words; null for nothing.</summary>
    public string? Problem => _follower?.Problem is { } problem ? $"no position: {problem}" : _lastError;

    /// <summary>The offset after the last acknowledged message of each partition that got one.</summary>
    public Dictionary<int, long> NextOffsets
    {
        get
        {
            lock (_lock)
            {
                return new Dictionary<int, long>(_nextOffsets);
            }
        }
    }

    /// <summary>What was acknowledged so far.</summary>
    public Delivered Delivered
    {
        get
        {
            lock (_lock)
            {
                return _delivered;
            }
        }
    }

    /// <summary>Sends a message; waits while too much is in flight or ahead of the consumer.</summary>
    /// <exception cref="OperationCanceledException">Cancelled before it was sent.</exception>
    /// <exception cref="KafkaException">The client refused it: too large, or the client has failed for good.</exception>
    public void Send(
        int partition, byte[]? key, byte[]? value, Timestamp timestamp, Headers? headers, int recordCount, CancellationToken cancellation)
    {
        var bytes = (value?.Length ?? 0) + (key?.Length ?? 0);
        if (!HasRoom(partition, bytes))
        {
            WaitForRoom(partition, bytes, cancellation);
        }

        cancellation.ThrowIfCancellationRequested();
        _window.Sent(partition, bytes);
        try
        {
            _producer.Produce(
                new TopicPartition(_options.Topic, partition),
                new Message<byte[]?, byte[]?> { Key = key, Value = value, Timestamp = timestamp, Headers = headers },
                report => Reported(report, partition, bytes, recordCount));
        }
        catch (ProduceException<byte[]?, byte[]?> error)
        {
            _window.Failed(partition, bytes);
            throw new KafkaException(error.Error, error);
        }
    }

    /// <summary>Waits for what is in flight.</summary>
    /// <returns>False when something is still not acknowledged.</returns>
    public bool Flush() => _producer.Flush(_flushTimeout) == 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        _following.GetAwaiter().GetResult();
        _stop.Dispose();
        _producer.Dispose();
    }

    private void WaitForRoom(int partition, int bytes, CancellationToken cancellation)
    {
        var start = Stopwatch.GetTimestamp();
        do
        {
            cancellation.ThrowIfCancellationRequested();
            Thread.Sleep(1);
        }
        while (!HasRoom(partition, bytes));
        WaitedSeconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    // A message that is larger than a limit goes when nothing else is there.
    private bool HasRoom(int partition, int bytes)
    {
        var inFlight = _window.InFlightBytes;
        if (inFlight > 0 && inFlight + bytes > _options.InFlightBytesMax)
        {
            return false;
        }

        var ahead = _follower is null ? 0 : _window.AheadBytes(partition);
        return ahead == 0 || ahead + bytes <= _options.AheadBytesMax;
    }

    // Runs on the client's own thread.
    private void Reported(DeliveryReport<byte[]?, byte[]?> report, int partition, int bytes, int recordCount)
    {
        if (report.Error.IsError || _follower is null)
        {
            _window.Failed(partition, bytes); // Nobody tells how far a consumer is: acknowledged is gone.
        }
        else
        {
            _window.Delivered(partition, report.Offset.Value, bytes);
        }

        lock (_lock)
        {
            if (report.Error.IsError)
            {
                _lastError = report.Error.Reason;
                _delivered = _delivered with
                {
                    FailedMessageCount = _delivered.FailedMessageCount + 1,
                    FailedRecordCount = _delivered.FailedRecordCount + recordCount,
                };
            }
            else
            {
                _delivered = _delivered with
                {
                    MessageCount = _delivered.MessageCount + 1,
                    MessageBytes = _delivered.MessageBytes + bytes,
                    RecordCount = _delivered.RecordCount + recordCount,
                };
                _nextOffsets[partition] = Math.Max(_nextOffsets.GetValueOrDefault(partition), report.Offset.Value + 1);
            }
        }
    }

    private void ReadStatistics(string text)
    {
        using var json = JsonDocument.Parse(text);
        Interlocked.Exchange(ref _sentBytesOnWire, json.RootElement.GetProperty("tx_bytes").GetInt64());
    }
}
