using Confluent.Kafka;
using Weir.Loadgen.Kafka;

namespace Weir.Loadgen.Replay;

/// <summary>Asks how far the consumer is; throws <see cref="HttpRequestException"/> or <see cref="IOException"/> while it can't be
/// asked.</summary>
public delegate ValueTask<IReadOnlyList<ConsumerPosition>> PositionSource(CancellationToken cancellation);

/// <summary>Sends a file of recorded flow records to Kafka, again and again, and counts what the broker acknowledged.</summary>
/// <remarks>
/// The messages are made once; sending one costs a copy of its bytes and, once a second, its times anew. One run for each object.
/// <see cref="Snapshot"/> may be called from any thread while it runs.
/// </remarks>
public sealed class FlowReplayer
{
    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan _flushTimeout = TimeSpan.FromSeconds(30);

    private readonly ReplayOptions _options;
    private readonly TimeProvider _time;
    private readonly PositionSource? _positions;
    private readonly Lock _totalsLock = new();
    private readonly Dictionary<string, FlowSums> _protocols = [];
    private PositionFollower? _follower;
    private FlowSums _sums;
    private long _messageCount;
    private long _messageBytes;
    private long _failedRecordCount;
    private long _startTimestamp;
    private long _endTimestamp;

    /// <summary>Checks the options; nothing is opened yet.</summary>
    /// <param name="options">What, where to, how fast.</param>
    /// <param name="time">The clock of the moved times and of the pace; null for the system's.</param>
    /// <param name="positions">
    /// Where given, no partition gets more than <see cref="ReplayOptions.AheadBytesMax"/> beyond the position that this tells.
    /// </param>
    public FlowReplayer(ReplayOptions options, TimeProvider? time = null, PositionSource? positions = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
        _time = time ?? TimeProvider.System;
        _positions = positions;
    }

    /// <summary>Why the last question for the consumer's position failed; null when it was answered.</summary>
    public string? PositionProblem => _follower?.Problem;

    /// <summary>The totals so far.</summary>
    public ReplayTotals Snapshot()
    {
        lock (_totalsLock)
        {
            TimeSpan elapsed = _startTimestamp == 0
                ? TimeSpan.Zero
                : _time.GetElapsedTime(_startTimestamp, _endTimestamp == 0 ? _time.GetTimestamp() : _endTimestamp);
            return new ReplayTotals(
                elapsed, _messageCount, _messageBytes, _sums, new SortedDictionary<string, FlowSums>(_protocols, StringComparer.Ordinal),
                    _failedRecordCount);
        }
    }

    /// <summary>Sends until the time or count is reached or <paramref name="cancellation"/> is asked for, then waits for what is in
    /// flight.</summary>
    /// <returns>What was acknowledged, also after a cancellation.</returns>
    /// <exception cref="InvalidDataException">The file is not what it should be.</exception>
    /// <exception cref="KafkaException">The broker can't be reached at the start, or the client has failed for good.</exception>
    public async Task<ReplayTotals> RunAsync(CancellationToken cancellation = default)
    {
        await Task.Yield(); // What follows blocks: it loads a file and asks the broker.
        var configuration = new ProducerConfig(new Dictionary<string, string>(_options.ProducerProperties))
        {
            BootstrapServers = _options.Bootstrap,
            EnableIdempotence = true,
            Acks = Acks.All,
            CompressionType = CompressionType.Lz4,
            LingerMs = 5,
            BatchSize = 1_000_000,
            QueueBufferingMaxMessages = 10_000_000, // The limit is InFlightBytesMax.
            DeliveryReportFields = "none",
        };
        using IProducer<Null, byte[]> producer = new ProducerBuilder<Null, byte[]>(configuration).SetLogHandler((_, _) => { }).Build();
        int partitionCount = Topics.CountPartitions(producer.Handle, _options.Topic);
        List<ReplayMessage> messages = ReplayFile.Load(_options, partitionCount);
        var window = new AheadWindow(partitionCount);

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _follower = _positions is null ? null : new PositionFollower(_positions, _options.Topic, window, _options.PositionInterval, _time);
        Task follower = _follower?.RunAsync(stop.Token) ?? Task.CompletedTask;
        _startTimestamp = _time.GetTimestamp();
        try
        {
            await SendAsync(producer, messages, window, partitionCount, cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Stopping is not a failure: what was acknowledged counts.
        }
        finally
        {
            producer.Flush(_flushTimeout);
            _endTimestamp = _time.GetTimestamp();
            await stop.CancelAsync();
            await follower;
        }

        return Snapshot();
    }

    private async Task SendAsync(
        IProducer<Null, byte[]> producer, List<ReplayMessage> messages, AheadWindow window, int partitionCount,
            CancellationToken cancellation)
    {
        long sentRecords = 0;
        int turn = 0;
        for (long times = 0; times < (_options.Times ?? long.MaxValue); times++)
        {
            foreach (ReplayMessage message in messages)
            {
                int partition = message.Partition ?? turn;
                turn = (turn + 1) % partitionCount;
                if (!await WaitForRoomAsync(message, partition, window, sentRecords, cancellation))
                {
                    return;
                }

                if (_options.IsRetimed)
                {
                    message.MoveTo(_time.GetUtcNow().ToUnixTimeSeconds());
                }

                Send(producer, message, partition, window);
                sentRecords += message.Sums.RecordCount;
            }
        }
    }

    /// <summary>Waits for the pace, for the broker and for the consumer.</summary>
    /// <returns>False when the time is up.</returns>
    private async ValueTask<bool> WaitForRoomAsync(
        ReplayMessage message, int partition, AheadWindow window, long sentRecords, CancellationToken cancellation)
    {
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            TimeSpan elapsed = _time.GetElapsedTime(_startTimestamp);
            if (elapsed >= _options.Duration)
            {
                return false;
            }

            // A message that is larger than a limit goes when nothing else is there.
            long aheadBytes = window.AheadBytes(partition);
            long inFlightBytes = window.InFlightBytes;
            bool isDue = sentRecords <= elapsed.TotalSeconds * (_options.RecordsPerSecond ?? double.PositiveInfinity)
                || elapsed == TimeSpan.Zero;
            bool hasBroker = inFlightBytes == 0 || inFlightBytes + message.Payload.Length <= _options.InFlightBytesMax;
            bool hasConsumer = _positions is null || aheadBytes == 0 || aheadBytes + message.Payload.Length <= _options.AheadBytesMax;
            if (isDue && hasBroker && hasConsumer)
            {
                return true;
            }

            await Task.Delay(_pause, _time, cancellation);
        }
    }

    private void Send(IProducer<Null, byte[]> producer, ReplayMessage message, int partition, AheadWindow window)
    {
        int bytes = message.Payload.Length;
        window.Sent(partition, bytes);
        try
        {
            // The client copies the payload before it returns, so the buffer may change afterwards.
            producer.Produce(
                new TopicPartition(_options.Topic, partition),
                new Message<Null, byte[]> { Value = message.Payload },
                report => Reported(report, message, partition, window, bytes));
        }
        catch (ProduceException<Null, byte[]> error)
        {
            window.Failed(partition, bytes);
            throw new KafkaException(error.Error, error);
        }
    }

    // Runs on the client's own thread.
    private void Reported(DeliveryReport<Null, byte[]> report, ReplayMessage message, int partition, AheadWindow window, int bytes)
    {
        if (report.Error.IsError)
        {
            window.Failed(partition, bytes);
            lock (_totalsLock)
            {
                _failedRecordCount += message.Sums.RecordCount;
            }

            return;
        }

        if (_positions is null)
        {
            window.Failed(partition, bytes); // Nobody tells how far a consumer is: acknowledged is gone.
        }
        else
        {
            window.Delivered(partition, report.Offset.Value, bytes);
        }

        lock (_totalsLock)
        {
            _messageCount++;
            _messageBytes += bytes;
            _sums += message.Sums;
            foreach ((string protocol, FlowSums sums) in message.Protocols)
            {
                _protocols[protocol] = _protocols.GetValueOrDefault(protocol) + sums;
            }
        }
    }
}
