using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Weir.Core.Telemetry;

namespace Weir.Ingest;

/// <summary>Passes librdkafka's log lines and errors on, one of a kind in each interval.</summary>
/// <remarks>Any thread: librdkafka calls it from its own.</remarks>
internal sealed class ClientLog(ILogger logger, TimeProvider timeProvider)
{
    private static readonly TimeSpan _interval = TimeSpan.FromSeconds(30);

    /// <summary>Kinds that are told apart; more share one limit, so that nothing grows for ever.</summary>
    private const int KindsMax = 64;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, LogLimiter> _limiters = new(StringComparer.Ordinal);
    private readonly long _startedAt = timeProvider.GetTimestamp();
    private readonly Dictionary<string, long> _errorCounts = new(StringComparer.Ordinal); // By code: librdkafka's own closed set.
    private long _errorCount;
    private string? _lastError;

    /// <summary>Errors so far.</summary>
    public long ErrorCount => Volatile.Read(ref _errorCount);

    /// <summary>The error that came last; null before the first.</summary>
    public string? LastError => Volatile.Read(ref _lastError);

    /// <summary>Errors by librdkafka's name of their code.</summary>
    public IReadOnlyDictionary<string, long> ErrorCounts()
    {
        lock (_lock)
        {
            return new Dictionary<string, long>(_errorCounts, StringComparer.Ordinal);
        }
    }

    /// <summary>A line of librdkafka's log. Warnings and worse are passed on.</summary>
    public void Write(LogMessage message)
    {
        if (message.Level <= SyslogLevel.Warning && TryPass(message.Facility, out var heldBackCount))
        {
            WeirLog.KafkaClientLog(logger, message.Facility, message.Message, heldBackCount);
        }
    }

    /// <summary>An error of the client that is not fatal: it goes on trying.</summary>
    public void Write(Error error)
    {
        Interlocked.Increment(ref _errorCount);
        Volatile.Write(ref _lastError, error.Reason);
        lock (_lock)
        {
            _errorCounts[error.Code.ToString()] = _errorCounts.GetValueOrDefault(error.Code.ToString()) + 1;
        }

        if (TryPass(error.Code.ToString(), out var heldBackCount))
        {
            WeirLog.KafkaError(logger, error.Reason, error.Code.ToString(), heldBackCount);
        }
    }

    private bool TryPass(string kind, out long heldBackCount)
    {
        lock (_lock)
        {
            if (!_limiters.TryGetValue(kind, out var limiter))
            {
                kind = _limiters.Count < KindsMax ? kind : "";
                if (!_limiters.TryGetValue(kind, out limiter))
                {
                    limiter = new LogLimiter(_interval);
                    _limiters.Add(kind, limiter);
                }
            }

            return limiter.TryPass(timeProvider.GetElapsedTime(_startedAt), out heldBackCount);
        }
    }
}
