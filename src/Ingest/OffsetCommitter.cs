using Confluent.Kafka;
using Microsoft.Extensions.Logging;
using Weir.Core.Telemetry;

namespace Weir.Ingest;

/// <summary>Commits the ends of stored cuts, all partitions in one call, and tries again what failed while the partition is ours.</summary>
/// <remarks>
/// The source's thread. This is also where the plan of the next cut has its place: committed before the insert, from here.
/// </remarks>
internal sealed class OffsetCommitter(ILogger logger)
{
    private static readonly TimeSpan _retryDelayMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _retryDelayMax = TimeSpan.FromSeconds(5);

    private readonly List<PartitionState> _uncommitted = [];
    private readonly List<TopicPartitionOffset> _offsets = [];
    private TimeSpan _retryDelay = _retryDelayMin;
    private TimeSpan _retryAt;
    private long _failureCount;
    private long _errorCount;

    /// <summary>Commits that failed. Any thread.</summary>
    public long ErrorCount => Volatile.Read(ref _errorCount);

    /// <summary>The cut in flight of <paramref name="state"/> is stored.</summary>
    public void Add(PartitionState state) => _uncommitted.Add(state);

    /// <summary>Forgets a partition that is no longer ours.</summary>
    public void Remove(PartitionState state) => _uncommitted.Remove(state);

    /// <summary>Commits what is stored and not committed yet, unless the last try was a moment ago and failed.</summary>
    /// <param name="consumer">The member of the group.</param>
    /// <param name="now">Time since the start.</param>
    /// <param name="committed">Called for each partition whose cut is committed.</param>
    /// <exception cref="KafkaException">The consumer cannot go on.</exception>
    public void Commit(IConsumer<Ignore, Ignore> consumer, TimeSpan now, Action<PartitionState> committed)
    {
        if (_uncommitted.Count == 0 || now < _retryAt)
        {
            return;
        }

        _offsets.Clear();
        foreach (var state in _uncommitted)
        {
            _offsets.Add(new TopicPartitionOffset(state.Key.Topic, state.Key.Partition, state.InFlightCut!.ToOffset));
        }

        Error? error = null;
        IReadOnlyList<TopicPartitionOffsetError>? results = null;
        try
        {
            consumer.Commit(_offsets);
        }
        catch (TopicPartitionOffsetException partly)
        {
            error = partly.Error;
            results = partly.Results;
        }
        catch (KafkaException failure) when (!failure.Error.IsFatal)
        {
            error = failure.Error;
        }

        var firstError = error;
        for (var index = _uncommitted.Count - 1; index >= 0; index--)
        {
            var state = _uncommitted[index];
            var partitionError = results is null ? error : ErrorOf(results, state);
            if (partitionError is null || !partitionError.IsError)
            {
                _uncommitted.RemoveAt(index);
                state.CommittedOffset = state.InFlightCut!.ToOffset;
                committed(state);
            }
            else
            {
                firstError = partitionError;
            }
        }

        if (_uncommitted.Count == 0)
        {
            Recover();
        }
        else
        {
            Fail(now, firstError!);
        }
    }

    private static Error? ErrorOf(IReadOnlyList<TopicPartitionOffsetError> results, PartitionState state)
    {
        foreach (var result in results)
        {
            if (result.Partition == state.Key.Partition && result.Topic == state.Key.Topic)
            {
                return result.Error;
            }
        }

        return null;
    }

    private void Fail(TimeSpan now, Error error)
    {
        Volatile.Write(ref _errorCount, _errorCount + 1);
        if (_failureCount++ == 0)
        {
            WeirLog.CommitFailed(logger, _uncommitted.Count, error.Reason);
        }

        _retryAt = now + _retryDelay;
        _retryDelay = TimeSpan.FromTicks(Math.Min(_retryDelay.Ticks * 2, _retryDelayMax.Ticks));
    }

    private void Recover()
    {
        if (_failureCount > 0)
        {
            WeirLog.CommitRecovered(logger, _failureCount);
            _failureCount = 0;
        }

        _retryDelay = _retryDelayMin;
        _retryAt = TimeSpan.Zero;
    }
}
