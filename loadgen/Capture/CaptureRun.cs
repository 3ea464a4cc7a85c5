using System.Diagnostics;
using Weir.Loadgen.Kafka;

namespace Weir.Loadgen.Capture;

/// <summary>When a capture ends.</summary>
public sealed record CaptureLimits
{
    /// <summary>After so long; null for not by time.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>After so many messages.</summary>
    public long MessageCount { get; init; } = long.MaxValue;

    /// <summary>After so many bytes of keys and values.</summary>
    public long MessageBytes { get; init; } = long.MaxValue;

    /// <summary>When all messages that were there at the start have been read.</summary>
    public bool StopsAtEnd { get; init; }
}

/// <summary>Copies messages from topics into a capture.</summary>
/// <remarks>One run for each object, on a thread of its own.</remarks>
public sealed class CaptureRun(TopicConsumer consumer, CaptureWriter writer, CaptureLimits limits, Rewriting? rewriting)
{
    private static readonly TimeSpan _readTimeout = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _flushInterval = TimeSpan.FromSeconds(5); // What a crash may cost.

    private readonly Stopwatch _clock = new();
    private readonly PayloadRewriter?[] _rewriters =
    [
        .. writer.Header.Topics.Select(topic => rewriting is null ? null : PayloadRewriter.Create(
            topic.Format ?? throw new ArgumentException("Anonymising needs the format of the records: --format"))),
    ];

    private long _messageCount;
    private long _messageBytes;

    /// <summary>Messages captured by this run.</summary>
    public long MessageCount => Volatile.Read(ref _messageCount);

    /// <summary>Bytes of their keys and values, as they came.</summary>
    public long MessageBytes => Volatile.Read(ref _messageBytes);

    /// <summary>Since the start.</summary>
    public TimeSpan Elapsed => _clock.Elapsed;

    /// <summary>Runs until a limit is reached or it is cancelled.</summary>
    public Task RunAsync(CancellationToken cancellation) =>
        Task.Factory.StartNew(() => Run(cancellation), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void Run(CancellationToken cancellation)
    {
        _clock.Start();
        var flushed = TimeSpan.Zero;
        var next = writer.NextOffsets.ToDictionary(
            entry => (writer.Header.Topics[entry.Key.Topic].Name, entry.Key.Partition), entry => entry.Value);
        while (!cancellation.IsCancellationRequested && !(_clock.Elapsed >= limits.Duration)
            && _messageCount < limits.MessageCount && _messageBytes < limits.MessageBytes)
        {
            if (limits.StopsAtEnd && consumer.HasReachedEnds(next))
            {
                break;
            }

            if (consumer.Read(_readTimeout) is { } message)
            {
                writer.Add(Change(message));
                next[(writer.Header.Topics[message.Topic].Name, message.Partition)] = message.Offset + 1;
                Volatile.Write(ref _messageCount, _messageCount + 1);
                Volatile.Write(ref _messageBytes, _messageBytes + message.Bytes);
            }

            if (_clock.Elapsed - flushed > _flushInterval)
            {
                writer.Flush();
                flushed = _clock.Elapsed;
            }
        }

        writer.Flush();
        _clock.Stop();
    }

    /// <summary>Keys and headers may name anything, so they become hashes: equal ones stay equal.</summary>
    private CapturedMessage Change(CapturedMessage message) => rewriting is null
        ? message
        : message with
        {
            Key = message.Key is null ? null : rewriting.HashName(message.Key),
            Value = message.Value is null ? null : _rewriters[message.Topic]!.Rewrite(message.Value, rewriting),
            Headers = [.. message.Headers.Select(header => new KeyValuePair<string, byte[]?>(
                header.Key, header.Value is null ? null : rewriting.HashName(header.Value)))],
        };
}
