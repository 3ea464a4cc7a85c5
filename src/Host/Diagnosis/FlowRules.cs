using System.Globalization;
using System.Numerics;
using Weir.Core.Queues;
using Weir.Host.Options;

namespace Weir.Host.Diagnosis;

/// <summary>Causes in the flow between the stages: which one bounds it, which queue loses, and what makes one worker hotter than the rest.</summary>
internal static class FlowRules
{
    private const double HotKeyShare = 0.4;
    private const double HotShardFactor = 1.5;
    private const double HotPartitionShare = 0.7;
    private const double WaitShareMin = 0.2;
    private const double PauseShareMin = 0.1;
    private const int SamplesMin = 16;

    /// <summary>Looks for them.</summary>
    /// <param name="window">What happened.</param>
    /// <param name="loads">How busy each stage is.</param>
    /// <param name="causes">What was found already: a stage that waits for one of these is not a cause itself.</param>
    public static IEnumerable<Finding> Find(DiagnosisWindow window, IReadOnlyList<StageLoad> loads, IReadOnlyList<Finding> causes)
    {
        var isBlamed = causes.Any(cause => cause.Severity == Severity.Warning && cause.Stage is "clickhouse" or "process" or "broker");
        var hot = HotShard(window);
        foreach (var loss in QueueLosses(window, loads, hot))
        {
            yield return loss;
        }

        if (!isBlamed && MemoryPressure(window) is { } memory)
        {
            yield return memory;
            yield break;
        }

        if (isBlamed || !window.IsBehind)
        {
            yield break;
        }

        var partition = HotPartition(window);
        var bound = loads.FirstOrDefault(load => load.Busy >= StageLoad.BusyMin && load.Stage is "aggregation" && ProducerWait(window) >= WaitShareMin);
        if (bound.Stage is not null)
        {
            yield return hot is null ? WithHotKey(AggregationBound(window, bound), window) : hot with { Severity = Severity.Warning };
        }
        else if (loads.First(load => load.Stage == "ingest") is var ingest && ingest.Busy >= StageLoad.BusyMin)
        {
            yield return partition ?? IngestBound(window, ingest);
        }
        else if (loads.First(load => load.Stage == "writer") is var writer && writer.Busy >= StageLoad.BusyMin)
        {
            yield return WriterBound(window, writer);
        }
    }

    private static IEnumerable<Finding> QueueLosses(DiagnosisWindow window, IReadOnlyList<StageLoad> loads, Finding? hot)
    {
        for (var index = 0; index < window.Last.Host.Queues.Count; index++)
        {
            var (now, before) = (window.Last.Host.Queues[index], window.First.Host.Queues[index]);
            var dropped = now.DroppedCount - before.DroppedCount;
            var overwritten = now.OverwrittenCount - before.OverwrittenCount;
            var lost = dropped + overwritten;
            if (lost == 0)
            {
                continue;
            }

            var name = $"{now.Name}[{now.Index}]";
            string[] evidence =
            [
                Text($"{dropped} records dropped and {overwritten} overwritten, {lost / (double)Math.Max(now.OfferedCount - before.OfferedCount, 1):P1} of those offered"),
                Text($"deepest {now.DepthMax} of {now.CapacityRecords} records; its worker is busy {FoldBusy(window, now.Index):P0} of the time"),
            ];
            if (hot is not null && hot.Queue == name)
            {
                yield return hot with { Severity = Severity.Loss, Rate = lost / window.Seconds, Evidence = [.. hot.Evidence, .. evidence] };
                continue;
            }

            var isSustained = FoldBusy(window, now.Index) >= StageLoad.BusyMin;
            yield return WithHotKey(
                isSustained ? Sustained(window, now, name, evidence, lost) : TooSmall(window, now, name, evidence, lost), window);
        }
    }

    private static Finding Sustained(DiagnosisWindow window, QueueSnapshot queue, string name, string[] evidence, long lost) => new(
        queue.Policy == FullPolicy.Drop ? "queue-dropping" : "queue-overwriting",
        Severity.Loss,
        "aggregation",
        "The fold is slower than the input, and its queue loses the rest: let reading wait instead, or add workers.")
    {
        Queue = name,
        Evidence = evidence,
        Rate = lost / window.Seconds,
        Option = "aggregation.queue.policy",
        From = queue.Policy.ToString().ToLowerInvariant(),
        To = "block",
    };

    private static Finding TooSmall(DiagnosisWindow window, QueueSnapshot queue, string name, string[] evidence, long lost) => new(
        "queue-too-small",
        Severity.Loss,
        "aggregation",
        "The fold keeps up on average, but its queue is too small for bursts.")
    {
        Queue = name,
        Evidence = evidence,
        Rate = lost / window.Seconds,
        Option = "aggregation.queue.capacity_records",
        From = Text($"{queue.CapacityRecords}"),
        To = Text($"{BitOperations.RoundUpToPowerOf2((ulong)Math.Max(queue.CapacityRecords * 4, (long)(window.ReadRate / 4)))}"),
    };

    /// <summary>One shard that gets far more than its part, and the tag set that does it.</summary>
    private static Finding? HotShard(DiagnosisWindow window)
    {
        var shards = window.Last.Host.Queues.Zip(window.First.Host.Queues)
            .Where(pair => pair.First.Name == QueuedShard.QueueName)
            .Select(pair => (pair.First.Index, Offered: pair.First.OfferedCount - pair.Second.OfferedCount))
            .ToList();
        var sum = shards.Sum(shard => shard.Offered);
        if (shards.Count < 2 || sum == 0)
        {
            return null;
        }

        var hottest = shards.MaxBy(shard => shard.Offered);
        if (hottest.Offered < sum * HotShardFactor / shards.Count)
        {
            return null;
        }

        var key = HotKey(window);
        var evidence = Text($"shard {hottest.Index} gets {hottest.Offered / (double)sum:P0} of the records, its fair part is {1.0 / shards.Count:P0}");
        return new Finding(
            key is null ? "hot-shard" : "hot-key",
            Severity.Info,
            "aggregation",
            key is null
                ? "One shard gets most records: fold in the decoding threads, which share the load by partition."
                : "One tag set has most records, and one shard folds it: fold in the decoding threads, which share the load by partition.")
        {
            Queue = $"{QueuedShard.QueueName}[{hottest.Index}]",
            Party = key?.TagSet ?? $"shard {hottest.Index}",
            Evidence = key is null ? [evidence] : [evidence, Text($"one tag set has {key.Value.Share:P0} of the sampled records")],
            Option = "aggregation.workers",
            From = Text($"{window.Options.Aggregation.Workers}"),
            To = "0",
        };
    }

    /// <summary>Names the tag set that has most records. The shards share its records, so it is the fold as a whole that has too many.</summary>
    private static Finding WithHotKey(Finding finding, DiagnosisWindow window) => HotKey(window) is not { } key
        ? finding
        : finding with
        {
            Party = key.TagSet,
            Evidence = [.. finding.Evidence, Text($"one tag set has {key.Share:P0} of the sampled records, which go to the shards in turns")],
        };

    private static (string TagSet, double Share)? HotKey(DiagnosisWindow window)
    {
        // Each sample stands for its chunk, so a worker's samples count as its records do.
        var samples = window.Probes.SelectMany((probe, worker) => probe.Samples(window.First.SampledCounts[worker])).ToList();
        if (samples.Count < SamplesMin)
        {
            return null;
        }

        var hottest = samples.GroupBy(sample => sample.TagHash).MaxBy(group => group.Count())!;
        var share = hottest.Count() / (double)samples.Count;
        var tags = window.Options.EffectiveViews[0].Tags.Select(tag => tag.Name).ToHashSet(StringComparer.Ordinal);
        return share < HotKeyShare ? null : (hottest.First().TagText(tags), share);
    }

    private static Finding? HotPartition(DiagnosisWindow window)
    {
        var partitions = window.Last.Host.Ingest.Partitions;
        var lag = partitions.Sum(partition => partition.Lag);
        if (partitions.Count < 2 || lag == 0)
        {
            return null;
        }

        var hottest = partitions.MaxBy(partition => partition.Lag);
        if (hottest.Lag < lag * HotPartitionShare)
        {
            return null;
        }

        var before = window.First.Host.Ingest.Partitions.FirstOrDefault(partition => partition.Key == hottest.Key);
        var read = before.NextOffset >= 0 ? hottest.NextOffset - before.NextOffset : 0;
        return new Finding(
            "hot-partition", Severity.Warning, "ingest", "One partition gets most messages, and one worker reads it: key the producers by more than what they key by.")
        {
            Party = $"partition {hottest.Key}",
            Evidence =
            [
                Text($"it has {hottest.Lag / (double)lag:P0} of the {lag:N0} messages that wait, and {read / (double)Math.Max(window.Delta(frame => frame.Host.Ingest.MessageCount), 1):P0} of those read"),
                Text($"ingest worker {hottest.WorkerIndex} is busy {window.Busy($"ingest {hottest.WorkerIndex}"):P0} of the time"),
            ],
            Option = "kafka.topics", // More partitions and another key: the topic's own setting.
            From = Text($"{partitions.Count(partition => partition.Key.Topic == hottest.Key.Topic)} partitions of {hottest.Key.Topic}"),
            To = "keyed by tag set (weir rekey)",
        };
    }

    private static Finding? MemoryPressure(DiagnosisWindow window)
    {
        var share = window.Share(frame => frame.Host.Ingest.MemoryPauseTotal) / window.Options.Ingest.Workers;
        return share < PauseShareMin ? null : new Finding(
            "memory-pressure", Severity.Warning, "process", "Reading pauses, since rows and blocks fill their memory: allow more, or cut more often.")
        {
            Party = "memory.limit",
            Evidence =
            [
                Text($"reading paused {share:P0} of the time"),
                Text($"{window.Last.Process.MemoryUsedBytes / 1048576.0:N0} of {window.Last.Process.MemoryLimitBytes / 1048576.0:N0} MiB in use; {window.Last.Host.Aggregation.Sum(worker => worker.Views.Sum(view => view.OpenSeriesCount)):N0} open series"),
            ],
            Option = "memory.limit",
            From = Sizes.Format(window.Options.MemoryLimitBytes),
            To = Sizes.Format(window.Options.MemoryLimitBytes * 2),
        };
    }

    private static Finding AggregationBound(DiagnosisWindow window, StageLoad load) => new(
        "aggregation-cpu-bound", Severity.Warning, "aggregation", "The fold bounds the flow: give it more workers.")
    {
        Queue = $"{QueuedShard.QueueName}[{load.Worker.Split(' ')[1]}]",
        Evidence =
        [
            Text($"{load.Worker} is busy {load.Busy:P0} of the time, and reading waits for room {ProducerWait(window):P0}"),
            Text($"{window.ReadRate:N0} records a second; {DiagnosisWindow.LagOf(window.Last):N0} messages wait"),
        ],
        Option = "aggregation.workers",
        From = Text($"{window.Options.Aggregation.Workers}"),
        To = Text($"{window.Options.Aggregation.Workers + 1}"),
    };

    private static Finding IngestBound(DiagnosisWindow window, StageLoad load)
    {
        var workers = window.Options.Ingest.Workers;
        var partitions = window.Last.Host.Ingest.Partitions.Count;
        var mayHelp = workers < Math.Max(partitions, 1);
        return new Finding(
            "ingest-cpu-bound",
            Severity.Warning,
            "ingest",
            mayHelp ? "Decoding bounds the flow: give it more workers." : "Decoding bounds the flow, with a worker for each partition: add partitions and processes.")
        {
            Party = load.Worker,
            Evidence =
            [
                Text($"{load.Worker} is busy {load.Busy:P0} of the time at {window.ReadRate:N0} records a second"),
                Text($"{DiagnosisWindow.LagOf(window.Last):N0} messages wait, and they do not grow fewer"),
            ],
            Option = mayHelp ? "ingest.workers" : null,
            From = mayHelp ? Text($"{workers}") : null,
            To = mayHelp ? Text($"{Math.Min(workers * 2, partitions)}") : null,
        };
    }

    private static Finding WriterBound(DiagnosisWindow window, StageLoad load) => new(
        "writer-cpu-bound", Severity.Warning, "writer", "Sorting and encoding blocks bounds the flow: fold longer into fewer rows, or add a process.")
    {
        Evidence = [Text($"{load.Worker} is busy {load.Busy:P0} of the time; {window.Last.Host.Writer.WaitingCutCount} cuts wait")],
        Option = "flush.interval",
        From = Durations.Format(window.Options.Ingest.FlushInterval),
        To = Durations.Format(window.Options.Ingest.FlushInterval * 2),
    };

    private static double FoldBusy(DiagnosisWindow window, int worker) =>
        Math.Max(window.Busy($"fold {worker}"), window.Share(frame => frame.Host.Aggregation[worker].BusyTime));

    private static double ProducerWait(DiagnosisWindow window) => Math.Min(
        window.Share(frame => frame.Host.Queues.Where(queue => queue.Name == QueuedShard.QueueName).Aggregate(TimeSpan.Zero, (sum, queue) => sum + queue.ProducerWait))
            / window.Options.Ingest.Workers,
        1);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
