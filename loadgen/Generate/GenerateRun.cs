using System.Diagnostics;
using System.Security.Cryptography;
using Confluent.Kafka;
using Weir.Loadgen.Kafka;

namespace Weir.Loadgen.Generate;

/// <summary>Makes messages and sends them when they are due.</summary>
/// <remarks>One run for each object, on a thread of its own; progress may be read from any thread.</remarks>
public sealed class GenerateRun : IGenerateRun, IDisposable
{
    private static readonly TimeSpan _lastMessageTimeout = TimeSpan.FromSeconds(5);

    private readonly Generator _generator;
    private readonly TopicProducer? _producer;
    private readonly bool _isPaced;
    private readonly IncrementalHash? _hash;
    private readonly Stopwatch _clock = new();
    private long _handledRecordCount;
    private long _handledBytes;
    private double _dueSeconds;

    /// <summary>Prepares a run.</summary>
    /// <param name="generator">Makes the messages.</param>
    /// <param name="producer">Takes them; null to make them only.</param>
    /// <param name="isPaced">False for as fast as can be.</param>
    /// <param name="isHashed">Whether to compute the hash of all messages.</param>
    public GenerateRun(Generator generator, TopicProducer? producer, bool isPaced, bool isHashed)
    {
        _generator = generator;
        _producer = producer;
        _isPaced = isPaced;
        _hash = isHashed ? IncrementalHash.CreateHash(HashAlgorithmName.SHA256) : null;
    }

    /// <inheritdoc/>
    public long HandledRecordCount => Volatile.Read(ref _handledRecordCount);

    /// <inheritdoc/>
    public long HandledBytes => Volatile.Read(ref _handledBytes);

    /// <inheritdoc/>
    public double BehindSeconds => _isPaced ? Math.Max(0, _clock.Elapsed.TotalSeconds - Volatile.Read(ref _dueSeconds)) : 0;

    /// <inheritdoc/>
    public TimeSpan Elapsed => _clock.Elapsed;

    /// <inheritdoc/>
    public double WaitedSeconds => _producer?.WaitedSeconds ?? 0;

    /// <inheritdoc/>
    public GeneratedTotals Totals => _generator.Totals;

    /// <inheritdoc/>
    /// <remarks>They are in the totals and were given up after a stop.</remarks>
    public long UnsentRecordCount { get; private set; }

    /// <inheritdoc/>
    public TimeSpan GeneratorCpu { get; private set; }

    /// <inheritdoc/>
    public string? Hash { get; private set; }

    /// <inheritdoc/>
    public string? Problem => _producer?.Problem;

    /// <summary>Runs in a thread of its own until the records or the time are used up, or it is cancelled.</summary>
    public Task RunAsync(long recordsMax, TimeSpan? duration, CancellationToken cancellation) =>
        Task.Factory.StartNew(
            () => Run(recordsMax, duration, cancellation), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <inheritdoc/>
    public void Dispose() => _hash?.Dispose();

    private void Run(long recordsMax, TimeSpan? duration, CancellationToken cancellation)
    {
        var cpuBefore = CpuClock.OfThread();
        using var late = new CancellationTokenSource();
        using var stopping = cancellation.Register(() => late.CancelAfter(_lastMessageTimeout));
        _clock.Start();
        try
        {
            foreach (var message in _generator.Messages(recordsMax))
            {
                AddToHash(message);
                Volatile.Write(ref _dueSeconds, message.DueSeconds);
                if (_isPaced)
                {
                    Pacing.Wait(_clock, message.DueSeconds, cancellation);
                }

                Send(message, late.Token);
                if (cancellation.IsCancellationRequested
                    || (duration is { } time && (_isPaced ? message.DueSeconds : _clock.Elapsed.TotalSeconds) >= time.TotalSeconds))
                {
                    break;
                }
            }
        }
        finally
        {
            GeneratorCpu = CpuClock.OfThread() - cpuBefore;
            _producer?.Flush();
            _clock.Stop();
            Hash = _hash is null ? null : Convert.ToHexStringLower(_hash.GetHashAndReset());
        }
    }

    // The message is in the totals: it is sent even when a stop was asked for meanwhile, unless the broker takes nothing any more.
    private void Send(in GeneratedMessage message, CancellationToken late)
    {
        try
        {
            _producer?.Send(
                message.Partition, null, message.Value, new Timestamp(message.TimestampMs, TimestampType.CreateTime), null,
                    message.RecordCount, late);
            Volatile.Write(ref _handledRecordCount, _handledRecordCount + message.RecordCount);
            Volatile.Write(ref _handledBytes, _handledBytes + message.Value.Length);
        }
        catch (OperationCanceledException)
        {
            UnsentRecordCount += message.RecordCount;
        }
    }

    private void AddToHash(in GeneratedMessage message)
    {
        if (_hash is not null)
        {
            Span<byte> head = stackalloc byte[16];
            System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(head, message.Partition);
            System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(head[4..], message.TimestampMs);
            System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(head[12..], message.Value.Length);
            _hash.AppendData(head);
            _hash.AppendData(message.Value);
        }
    }
}
