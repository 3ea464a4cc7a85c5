using System.Globalization;
using Weir.Core.Buffers;
using Weir.Core.Queues;
using Weir.Core.Telemetry;

namespace Weir.Host.Admin;

/// <summary>The metrics of the process and of every queue.</summary>
internal sealed class ProcessMetrics(string version, MemoryBudget budget, Func<IReadOnlyList<QueueSnapshot>> queues) : IMetricSource
{
    /// <inheritdoc/>
    public void Collect(MetricReader reader)
    {
        reader.Read(WeirMeter.BuildInfo, 1, version);
        reader.Read(WeirMeter.MemoryUsedBytes, budget.UsedBytes);
        reader.Read(WeirMeter.MemoryLimitBytes, budget.LimitBytes);
        foreach (var queue in queues())
        {
            var index = queue.Index.ToString(CultureInfo.InvariantCulture);
            reader.Read(WeirMeter.QueueOfferedTotal, queue.OfferedCount, queue.Name, index);
            reader.Read(WeirMeter.QueueEnqueuedTotal, queue.EnqueuedCount, queue.Name, index);
            reader.Read(WeirMeter.QueueDequeuedTotal, queue.DequeuedCount, queue.Name, index);
            reader.Read(WeirMeter.QueueDroppedTotal, queue.DroppedCount, queue.Name, index);
            reader.Read(WeirMeter.QueueOverwrittenTotal, queue.OverwrittenCount, queue.Name, index);
            reader.Read(WeirMeter.QueueDepth, queue.Depth, queue.Name, index);
            reader.Read(WeirMeter.QueueDepthMax, queue.DepthMax, queue.Name, index);
            reader.Read(WeirMeter.QueueCapacity, queue.CapacityRecords, queue.Name, index);
            reader.Read(WeirMeter.QueueProducerWaitTotal, queue.ProducerWait.TotalSeconds, queue.Name, index);
            reader.Read(WeirMeter.QueueConsumerWaitTotal, queue.ConsumerWait.TotalSeconds, queue.Name, index);
        }
    }
}
