using System.Diagnostics;
using System.Runtime;
using Confluent.Kafka;
using Weir.Core.Hashing;
using Weir.Loadgen.Capture;
using Weir.Loadgen.Kafka;

namespace Weir.Loadgen.Replay;

/// <summary>Where a replayed message goes.</summary>
public enum PartitionMode
{
    /// <summary>To the partition that it came from.</summary>
    Same,

    /// <summary>By the hash of its key, as Java's clients choose; without a key in turn.</summary>
    Key,

    /// <summary>Its records are split by the hash of their tag sets.</summary>
    Tags,

    /// <summary>Message after message in turn.</summary>
    Turn,
}

/// <summary>How messages are replayed.</summary>
public sealed record CaptureReplayOptions
{
    /// <summary>Formats of the topics' records, by index; null where nobody said.</summary>
    public required IReadOnlyList<string?> Formats { get; init; }

    /// <summary>Most messages a second; null for no cap.</summary>
    public double? MessagesPerSecond { get; init; }

    /// <summary>Most records a second; null for no cap. Needs the format.</summary>
    public double? RecordsPerSecond { get; init; }

    /// <summary>Most bytes of values a second; null for no cap.</summary>
    public double? BytesPerSecond { get; init; }

    /// <summary>Copies of each message; those after the first with renamed addresses.</summary>
    public int Scale { get; init; } = 1;

    /// <summary>Moves the times of messages and records to now.</summary>
    public bool IsRetimed { get; init; }

    /// <summary>Where messages go.</summary>
    public PartitionMode Partitions { get; init; } = PartitionMode.Same;

    /// <summary>Counts the records of each message. Needs the format.</summary>
    public bool CountsRecords { get; init; }

    /// <summary>When to stop; null for not by time.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>True when something needs the format.</summary>
    public bool NeedsFormat => Scale > 1 || IsRetimed || Partitions == PartitionMode.Tags || CountsRecords || RecordsPerSecond is not null;
}

/// <summary>Sends messages with the gaps between their recorded times, and measures how late each send is.</summary>
/// <remarks>One run for each object, on a thread of its own; the rest may be read from any thread.</remarks>
public sealed class CaptureReplayer : IDisposable
{
    /// <summary>A sleep of 1 ms takes 1.06 to 1.2 ms. Staying awake for more than this would use a core up, and a busy system then takes
    /// it away.</summary>
    private const double AwakeSeconds = 0.0001;
    private static readonly TimeSpan _lastMessageTimeout = TimeSpan.FromSeconds(5);

    private readonly CaptureReplayOptions _options;
    private readonly TopicProducer _producer;
    private readonly Stopwatch _elapsed = new();
    private readonly Rewriting[] _copies;
    private readonly PayloadRewriter?[] _rewriters;
    private readonly RecordCounter?[] _counters;
    private int _turn;
    private long _firstMs = long.MinValue;
    private double _passMs; // Recorded time that earlier passes took.
    private double _lastMs;
    private double _capUntil;

    /// <summary>Prepares a replay.</summary>
    /// <exception cref="ArgumentException">Something needs a format that nobody said, or that can't be rewritten.</exception>
    public CaptureReplayer(CaptureReplayOptions options, TopicProducer producer, ReplayClock clock)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(producer);
        _options = options;
        _producer = producer;
        Clock = clock;
        if (options.NeedsFormat && options.Formats.Any(format => format is null))
        {
            throw new ArgumentException(
                "--retime, --scale, --partitions tags, --rate and --count need the format of the records: --format.");
        }

        _copies = [.. Enumerable.Range(0, options.Scale).Select(Rewriting.Copy)];
        _rewriters = [.. options.Formats.Select(format => options.NeedsFormat ? PayloadRewriter.Create(format!) : null)];
        _counters = [.. options.Formats.Select(
            format => options.CountsRecords || options.RecordsPerSecond is not null ? new RecordCounter(format!) : null)];
    }

    /// <summary>The time of the recording: change its speed, pause it.</summary>
    public ReplayClock Clock { get; }

    /// <summary>How late sends were, against the schedule.</summary>
    public LatenessHistogram Lateness { get; } = new();

    /// <summary>Since the start.</summary>
    public TimeSpan Elapsed => _elapsed.Elapsed;

    /// <summary>Recorded time that has been sent, of this pass.</summary>
    public TimeSpan RecordedElapsed => TimeSpan.FromMilliseconds(Volatile.Read(ref _lastMs) - Volatile.Read(ref _passMs));

    /// <summary>How far the last send was behind its schedule.</summary>
    public double BehindSeconds { get; private set; }

    /// <summary>Messages whose partition the topic does not have: they went to partition modulo count.</summary>
    public long MovedMessageCount { get; private set; }

    /// <summary>Sends until the messages or the time are used up, or it is cancelled, and waits for what is in flight.</summary>
    /// <param name="passes">The messages of each pass.</param>
    /// <param name="cancellation">Stops it.</param>
    public Task RunAsync(IEnumerable<IEnumerable<CapturedMessage>> passes, CancellationToken cancellation) => Task.Factory.StartNew(
        () => Run(passes, cancellation), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var copy in _copies)
        {
            copy.Dispose();
        }
    }

    private void Run(IEnumerable<IEnumerable<CapturedMessage>> passes, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource();
        using var stopping = cancellation.Register(() => late.CancelAfter(_lastMessageTimeout));
        _elapsed.Start();
        var latencyMode = GCSettings.LatencyMode;
        GCSettings.LatencyMode = GCLatencyMode.SustainedLowLatency; // No blocking collection of everything while sends are due.
        try
        {
            foreach (var pass in passes)
            {
                _firstMs = long.MinValue;
                foreach (var message in pass)
                {
                    if (Lateness.Count == 0)
                    {
                        Clock.Restart(0); // Opening and decompressing the first segments is not part of the schedule.
                    }

                    if (!Send(message, cancellation, late.Token))
                    {
                        return;
                    }
                }

                Volatile.Write(ref _passMs, _lastMs);
            }
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested)
        {
            // The broker takes nothing any more, and a stop was asked for.
        }
        finally
        {
            GCSettings.LatencyMode = latencyMode;
            _producer.Flush();
            _elapsed.Stop();
        }
    }

    /// <summary>Waits for the message's time and sends its copies.</summary>
    /// <returns>False when the run is over.</returns>
    private bool Send(CapturedMessage message, CancellationToken cancellation, CancellationToken late)
    {
        var timeMs = message.TimestampType == 0 && _firstMs != long.MinValue ? (long)_lastMs - (long)_passMs + _firstMs
            : message.TimestampMs;
        _firstMs = _firstMs == long.MinValue ? timeMs : _firstMs;
        var dueMs = Math.Max(_passMs + timeMs - _firstMs, _lastMs); // A message that is out of order goes at once.
        if (!Wait(dueMs, cancellation))
        {
            return false;
        }

        BehindSeconds = Math.Max(0, -Clock.SecondsUntil(dueMs));
        Lateness.Add(BehindSeconds);
        Volatile.Write(ref _lastMs, dueMs);
        if (double.IsPositiveInfinity(Clock.Speed))
        {
            Clock.Restart(dueMs); // So that another speed goes on from here.
        }

        var addSeconds = _options.IsRetimed ? DateTimeOffset.UtcNow.ToUnixTimeSeconds() - (timeMs / 1_000) : 0;
        var headers = MakeHeaders(message);
        for (var copy = 0; copy < _copies.Length; copy++)
        {
            _copies[copy].AddSeconds = addSeconds;
            var value = message.Value is not null && _copies[copy].ChangesAnything
                ? _rewriters[message.Topic]!.Rewrite(message.Value, _copies[copy]) : message.Value;
            SendValue(message, value, timeMs + (addSeconds * 1_000), headers, late);
        }

        if (Lateness.Count == 1)
        {
            Clock.Restart(dueMs); // The first send compiles code and connects: the schedule counts from its end.
        }

        return true;
    }

    private void SendValue(CapturedMessage message, byte[]? value, long timeMs, Headers? headers, CancellationToken late)
    {
        var timestamp = new Timestamp(timeMs, TimestampType.CreateTime);
        if (_options.Partitions == PartitionMode.Tags && value is not null
            && _rewriters[message.Topic]!.Split(value, _producer.PartitionCount) is { Count: > 0 } parts)
        {
            foreach (var (partition, part) in parts)
            {
                SendTo(message.Topic, partition, message.Key, part, timestamp, headers, late);
            }

            return;
        }

        SendTo(message.Topic, PartitionOf(message), message.Key, value, timestamp, headers, late);
    }

    private void SendTo(int topic, int partition, byte[]? key, byte[]? value, Timestamp timestamp, Headers? headers, CancellationToken late)
    {
        var records = value is null ? 0 : _counters[topic]?.Count(value) ?? 0;
        _producer.Send(partition, key, value, timestamp, headers, records, late);
        var now = _elapsed.Elapsed.TotalSeconds;
        var cost = Math.Max(
            Math.Max(1 / (_options.MessagesPerSecond ?? double.PositiveInfinity),
                records / (_options.RecordsPerSecond ?? double.PositiveInfinity)),
            (value?.Length ?? 0) / (_options.BytesPerSecond ?? double.PositiveInfinity));
        _capUntil = Math.Max(_capUntil, now - 1) + cost; // At most a second's worth is made up for.
    }

    private int PartitionOf(CapturedMessage message)
    {
        var count = _producer.PartitionCount;
        switch (_options.Partitions)
        {
            case PartitionMode.Same:
                MovedMessageCount += message.Partition >= count ? 1 : 0;
                return message.Partition % count;
            case PartitionMode.Key when message.Key is not null:
                return (int)((Murmur2.Of(message.Key) & int.MaxValue) % (uint)count);
            case PartitionMode.Tags when message.Value is not null:
                return (int)Math.BigMul(TagHash.OfText(message.Value), (ulong)count, out _); // Can't be split: whole.
            default:
                _turn = (_turn + 1) % count;
                return _turn;
        }
    }

    /// <summary>Waits for the recorded time and the caps; a pause and a change of speed are seen within 20 ms.</summary>
    private bool Wait(double dueMs, CancellationToken cancellation)
    {
        while (true)
        {
            if (cancellation.IsCancellationRequested || _elapsed.Elapsed >= _options.Duration)
            {
                return false;
            }

            var left = Math.Max(Clock.SecondsUntil(dueMs), _capUntil - _elapsed.Elapsed.TotalSeconds);
            if (left <= 0)
            {
                return true;
            }

            if (left > AwakeSeconds)
            {
                Thread.Sleep(left > 0.05 ? 20 : 1);
            }
            else
            {
                Thread.SpinWait(50);
            }
        }
    }

    private static Headers? MakeHeaders(CapturedMessage message)
    {
        if (message.Headers.Count == 0)
        {
            return null;
        }

        var headers = new Headers();
        foreach (var (name, value) in message.Headers)
        {
            headers.Add(name, value);
        }

        return headers;
    }
}
