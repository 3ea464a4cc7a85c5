using System.Diagnostics;

namespace Weir.Core.Queues;

/// <content>Who waits for whom, and how long.</content>
public sealed partial class StageQueue<T>
{
    /// <summary>Waits for something to take, and then for what follows it soon.</summary>
    private void WaitForItems(TimeSpan timeout)
    {
        if (_gatherChunks == 1)
        {
            // A sleep costs the producer that ends it some µs, so a producer that is busy filling the next chunk is worth as much.
            var spin = default(SpinWait);
            while (!spin.NextSpinWillYield && Volatile.Read(ref _slotsUsed) == 0)
            {
                spin.SpinOnce();
            }
        }

        WaitFor(1, timeout);
        if (_gatherChunks > 1 && Volatile.Read(ref _slotsUsed) > 0)
        {
            WaitFor(_gatherChunks, _gatherTime);
        }
    }

    /// <summary>Sleeps until that many slots are in use, a marker among them, or the queue is completed.</summary>
    private void WaitFor(int chunkCount, TimeSpan timeout)
    {
        lock (_lock)
        {
            if (_slotsUsed >= chunkCount || _markersUsed > 0 || _isCompleted)
            {
                return;
            }

            _wakeAtChunks = chunkCount;
            TakeOffGiven();
            WakeProducersForRoom(); // Those of whom the last batch did not know.
        }

        var from = Stopwatch.GetTimestamp();
        _itemsReady.Wait(timeout);
        var waitedTicks = Stopwatch.GetElapsedTime(from).Ticks;
        lock (_lock)
        {
            _wakeAtChunks = 0;
            _consumerWaitTicks += waitedTicks;
        }
    }

    private void WaitForRoom(CancellationToken cancel)
    {
        try
        {
            _roomReady.Wait(cancel);
        }
        catch (OperationCanceledException)
        {
            // The next round of Enqueue sees the cancellation.
        }
    }

    /// <summary>
    /// Wakes them when half of the queue is free, not at the first chunk: the other half keeps the consumer busy for longer than
    /// a thread needs to wake, and each wake brings many chunks instead of one.
    /// </summary>
    private void WakeProducersForRoom()
    {
        if (IsHalfEmpty())
        {
            WakeProducers();
        }
    }

    private bool IsHalfEmpty() =>
        Volatile.Read(ref _depth) - _givenCount <= CapacityRecords / 2 && Volatile.Read(ref _chunksUsed) - _givenChunks <= _chunksMax / 2;

    private void WakeProducers()
    {
        if (_producersWaiting > 0)
        {
            _roomReady.Release(_producersWaiting);
            _producersWaiting = 0;
        }
    }

    private void WakeConsumer()
    {
        if (_wakeAtChunks > 0)
        {
            _wakeAtChunks = 0;
            _itemsReady.Release();
        }
    }

    private long BeginProducerWait()
    {
        var from = Stopwatch.GetTimestamp();
        _waitCount++;
        _waitFromSum += from;
        return from;
    }

    private void EndProducerWait(long waitedFrom)
    {
        if (waitedFrom != 0)
        {
            _waitCount--;
            _waitFromSum -= waitedFrom;
            _producerWaitTimestamps += Stopwatch.GetTimestamp() - waitedFrom;
        }
    }

    /// <summary>Time that producers have waited, those that wait now included: a long stall must show while it lasts.</summary>
    private TimeSpan ProducerWait() =>
        Stopwatch.GetElapsedTime(0, _producerWaitTimestamps + (long)(((Int128)_waitCount * Stopwatch.GetTimestamp()) - _waitFromSum));
}
