using Confluent.Kafka;
using Weir.Core.Model;
using Weir.Core.Telemetry;

namespace Weir.Ingest;

/// <content>How partitions come and go. librdkafka calls the handlers on the source's thread, inside <c>Consume</c> and <c>Close</c>.</content>
public sealed partial class KafkaSource
{
    /// <summary>How long leaving partitions put up with commits that are refused because the group is being formed anew.</summary>
    private static readonly TimeSpan _rebalanceRefusalMax = TimeSpan.FromSeconds(2);

    private List<TopicPartitionOffset> OnAssigned(List<TopicPartition> partitions)
    {
        _rebalanceCount++;
        RenewMembership();
        var starts = ReadStarts(partitions);
        if (starts is null)
        {
            return [.. partitions.Select(partition => new TopicPartitionOffset(partition, Offset.Unset))]; // Stopping: nobody reads them.
        }

        foreach (var start in starts)
        {
            Assign(start);
        }

        PublishAssigned();
        WeirLog.PartitionsAssigned(_logger, partitions.Count, Names(partitions));
        return [.. starts.Select(start => new TopicPartitionOffset(
            start.Key.Topic, start.Key.Partition, start.Offset >= 0 ? start.Offset : Offset.Unset))];
    }

    private void Assign(in PartitionStart start)
    {
        var key = start.Key;
        if (_states.TryGetValue(key, out var earlier))
        {
            Abandon(earlier);
        }

        var topicIndex = IndexOfTopic(key.Topic);
        var workerIndex = (topicIndex + key.Partition) % _workers.Length;
        var state = new PartitionState(key, topicIndex, workerIndex, start.Offset, _context.ShardsOf(workerIndex).Count) 
        {
            ReplayTo = start.ReplayTo,
            Origins = start.Origins,
            EndOrigins = start.Origins?.ToString() ?? "",
        };
        _states[key] = state;
        if (start.IsEndWanted)
        {
            _committer.AddEnd(state, start.Offset);
        }

        _workers[workerIndex].Post(new WorkerCommand(WorkerCommandKind.Assign, state));
        _queues[workerIndex].Forward(key.Topic, key.Partition); // Before librdkafka starts to fetch.
    }

    /// <summary>Has the partitions cut, waits until they are stored, and commits their ends, before they are let go.</summary>
    private void OnRevoked(List<TopicPartitionOffset> partitions)
    {
        _rebalanceCount++;
        RenewMembership();
        var leaving = Find(partitions);
        Resume();
        Drain(leaving, _options.RevokeTimeout);
        AwaitCommit();
        if (leaving.Count > 0)
        {
            WeirLog.PartitionsRevoked(_logger, leaving.Count, Names(leaving));
        }
    }

    private void OnLost(List<TopicPartitionOffset> partitions)
    {
        _rebalanceCount++;
        _ = _commits.Renew();
        var lost = Find(partitions);
        foreach (var state in lost)
        {
            Abandon(state);
        }

        Resume();
        AwaitCommit();
        PublishAssigned();
        if (lost.Count > 0)
        {
            WeirLog.PartitionsLost(_logger, lost.Count, Names(lost));
        }
    }

    /// <summary>Takes partitions back from their workers; other partitions go on. What is not stored in time is given up.</summary>
    private bool Drain(List<PartitionState> leaving, TimeSpan timeout)
    {
        foreach (var state in leaving)
        {
            _workers[state.WorkerIndex].Post(new WorkerCommand(WorkerCommandKind.Revoke, state));
        }

        var drainFrom = Now;
        var deadline = drainFrom + timeout;
        while (!_hardStop.IsCancellationRequested && !leaving.TrueForAll(IsDone) && Now < deadline)
        {
            if (_stopRequested.IsSet && _stopDeadline < deadline)
            {
                deadline = _stopDeadline; // A revoke that is waited for must not hold the stop.
            }

            if (_committer.RebalanceRefusalTime(Now) >= _rebalanceRefusalMax)
            {
                break; // The group waits for this process to join; the plans that stand are enough for the next owner.
            }

            ServeCuts(isHurried: true, _committer.IsAnswerOut ? _drainPoll : TimeSpan.Zero);
            if (!_committer.IsAnswerOut && !leaving.TrueForAll(IsDone))
            {
                _progress.WaitOne(_drainPoll);
            }
        }

        var givenUp = leaving.FindAll(state => !IsDone(state) || state.IsGivenUp || !IsOurs(state));
        foreach (var state in leaving)
        {
            if (IsDone(state))
            {
                _states.Remove(state.Key);
            }
            else
            {
                Abandon(state);
            }
        }

        PublishAssigned();
        if (givenUp.Count > 0)
        {
            leaving.RemoveAll(givenUp.Contains);
            WeirLog.PartitionsGivenUp(_logger, givenUp.Count, (Now - drainFrom).TotalSeconds, Names(givenUp));
        }

        return givenUp.Count == 0;
    }

    /// <summary>True when everything read of a leaving partition is stored, and Kafka knows it.</summary>
    private bool IsDone(PartitionState state) => !IsOurs(state) || (state.IsReleased && !_committer.IsWaiting(state));

    private void Abandon(PartitionState state)
    {
        state.InFlightCut?.Abandon(); // At once: its worker may be waiting for room in a queue.
        _committer.Remove(state);
        _states.Remove(state.Key);
        _workers[state.WorkerIndex].Post(new WorkerCommand(WorkerCommandKind.Abandon, state));
    }

    private void PublishAssigned() => Volatile.Write(ref _assigned, [.. _states.Values]);

    private List<PartitionState> Find(List<TopicPartitionOffset> partitions)
    {
        var found = new List<PartitionState>(partitions.Count);
        foreach (var partition in partitions)
        {
            if (_states.TryGetValue(new PartitionKey(partition.Topic, partition.Partition.Value), out var state))
            {
                found.Add(state);
            }
        }

        return found;
    }

    private int IndexOfTopic(string topic)
    {
        for (var index = 0; index < _options.Topics.Count; index++)
        {
            if (_options.Topics[index].Name == topic)
            {
                return index;
            }
        }

        throw new InvalidOperationException($"Kafka assigned a partition of {topic}, which was not asked for.");
    }

    private static string Names(IEnumerable<TopicPartition> partitions) =>
        string.Join(", ", partitions.Select(partition => $"{partition.Topic}/{partition.Partition.Value}"));

    private static string Names(IEnumerable<PartitionState> states) => string.Join(", ", states.Select(state => state.Key.ToString()));
}
