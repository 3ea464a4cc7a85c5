using Weir.Host.Diagnosis;
using Weir.Ingest;

namespace Weir.Host.Telemetry;

/// <summary>A table of <c>weir_system</c> as people ask for it: its columns, and its rows between two readings.</summary>
/// <remarks>
/// What is written is one table, <see cref="StoredName"/>, and each of these is a view of its rows: a process makes one part an interval of
/// them all, not eight, whose inserts and merges cost an embedded engine ten times as much and a server that has many processes the more.
/// </remarks>
/// <param name="Name">Its name.</param>
/// <param name="Columns">All columns, in order.</param>
/// <param name="MakeRows">The values after time and process, from the reading before (null for the first) to the present one.</param>
internal sealed record SystemTable(
    string Name,
    IReadOnlyList<(string Name, string Type)> Columns,
    Func<DiagnosisFrame?, DiagnosisFrame, IEnumerable<object[]>> MakeRows)
{
    /// <summary>The table that is written.</summary>
    public const string StoredName = "readings";

    /// <summary>Its column that says which table a row is of.</summary>
    public const string KindColumn = "kind";

    /// <summary>How long rows are kept.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromDays(7);

    /// <summary>Every table.</summary>
    public static IReadOnlyList<SystemTable> All { get; } = [Queue(), Ingest(), Partition(), Aggregation(), Writer(), Account(), Process(), Cardinality()];

    /// <summary>Columns of the table that is written: those of all tables, each once. A name means one type everywhere.</summary>
    public static IReadOnlyList<(string Name, string Type)> StoredColumns { get; } =
        [(KindColumn, "String"), .. All.SelectMany(table => table.Columns).Distinct()];

    /// <summary>The statements that make them.</summary>
    /// <param name="hasTtl">False on servers that do not drop old rows by themselves.</param>
    public static IEnumerable<string> CreateStatements(bool hasTtl) =>
    [
        $"CREATE TABLE IF NOT EXISTS {SystemTables.Database}.{StoredName} ("
            + string.Join(", ", StoredColumns.Select(column => $"`{column.Name}` {column.Type}"))
            + $") ENGINE = MergeTree() PARTITION BY toYYYYMMDD(time) ORDER BY ({KindColumn}, process, time)"
            + (hasTtl ? $" TTL time + toIntervalDay({(int)Retention.TotalDays})" : ""),
        .. All.Select(table => $"CREATE VIEW IF NOT EXISTS {SystemTables.Database}.{table.Name} AS SELECT "
            + string.Join(", ", table.Columns.Select(column => $"`{column.Name}`"))
            + $" FROM {SystemTables.Database}.{StoredName} WHERE {KindColumn} = '{table.Name}'"),
    ];

    /// <summary>The rows that say what happened since <paramref name="before"/>: the kind, time, process, and what the table has beside.</summary>
    public IEnumerable<object[]> RowsOf(string process, DiagnosisFrame? before, DiagnosisFrame now) =>
        MakeRows(before, now).Select(row => (object[])[Name, now.Time.ToUnixTimeSeconds(), process, .. row]);

    private static SystemTable Table(
        string name, (string Name, string Type)[] columns, Func<DiagnosisFrame?, DiagnosisFrame, IEnumerable<object[]>> rows) =>
        new(name, [("time", "DateTime('UTC')"), ("process", "String"), .. columns], rows);

    private static SystemTable Queue() => Table(
        "queue",
        [
            ("queue", "String"), ("index", "UInt16"), ("policy", "String"), ("capacity", "UInt64"), ("offered", "UInt64"),
            ("enqueued", "UInt64"), ("dequeued", "UInt64"), ("dropped", "UInt64"), ("overwritten", "UInt64"), ("depth", "UInt64"),
            ("depth_max", "UInt64"), ("producer_wait_seconds", "Float64"), ("consumer_wait_seconds", "Float64"),
        ],
        (before, now) => now.Host.Queues.Select((queue, index) =>
        {
            var old = before?.Host.Queues[index] ?? default;
            return (object[])
            [
                queue.Name, queue.Index, queue.Policy.ToString().ToLowerInvariant(), queue.CapacityRecords,
                queue.OfferedCount - old.OfferedCount, queue.EnqueuedCount - old.EnqueuedCount, queue.DequeuedCount - old.DequeuedCount,
                queue.DroppedCount - old.DroppedCount, queue.OverwrittenCount - old.OverwrittenCount, queue.Depth, queue.DepthMax,
                (queue.ProducerWait - old.ProducerWait).TotalSeconds, (queue.ConsumerWait - old.ConsumerWait).TotalSeconds,
            ];
        }));

    private static SystemTable Ingest() => Table(
        "ingest",
        [
            ("topic", "String"), ("messages", "UInt64"), ("bytes", "UInt64"), ("read", "UInt64"), ("rejected", "UInt64"), ("late", "UInt64"),
            ("gap_offsets", "UInt64"), ("lag_messages", "UInt64"), ("lag_seconds", "Float64"),
        ],
        (before, now) => now.Host.Ingest.Topics.Select((topic, index) =>
        {
            var old = before?.Host.Ingest.Topics[index] ?? new TopicSnapshot(topic.Topic);
            var partitions = now.Host.Ingest.Partitions.Where(partition => partition.Key.Topic == topic.Topic).ToList();
            return (object[])
            [
                topic.Topic, topic.MessageCount - old.MessageCount, topic.MessageBytes - old.MessageBytes, topic.ReadCount - old.ReadCount,
                topic.RejectedCounts.Sum() - old.RejectedCounts.Sum(), topic.LateCount - old.LateCount, topic.GapOffsetCount - old.GapOffsetCount,
                partitions.Sum(partition => partition.Lag),
                partitions.Select(partition => partition.LagTime(now.Time).TotalSeconds).DefaultIfEmpty().Max(),
            ];
        }));

    private static SystemTable Partition() => Table(
        "partition",
        [
            ("topic", "String"), ("partition", "Int32"), ("next_offset", "Int64"), ("committed_offset", "Int64"), ("high_watermark", "Int64"),
            ("lag_messages", "UInt64"), ("lag_seconds", "Float64"),
        ],
        (_, now) => now.Host.Ingest.Partitions.Select(partition => (object[])
        [
            partition.Key.Topic, partition.Key.Partition, partition.NextOffset, partition.CommittedOffset, partition.HighWatermark,
            partition.Lag, partition.LagTime(now.Time).TotalSeconds,
        ]));

    private static SystemTable Aggregation() => Table(
        "aggregation",
        [
            ("worker", "UInt16"), ("view", "String"), ("folded", "UInt64"), ("busy_seconds", "Float64"), ("open_series", "UInt64"),
            ("cut_series", "UInt64"), ("overflow", "UInt64"), ("table_bytes", "UInt64"),
        ],
        (before, now) => now.Host.Aggregation.SelectMany((worker, index) => worker.Views.Select((view, place) =>
        {
            var old = before?.Host.Aggregation[index];
            return (object[])
            [
                worker.Index, view.View, place == 0 ? worker.FoldedCount - (old?.FoldedCount ?? 0) : 0,
                place == 0 ? (worker.BusyTime - (old?.BusyTime ?? TimeSpan.Zero)).TotalSeconds : 0, view.OpenSeriesCount, view.CutSeriesCount,
                view.OverflowRecordCount - (old?.Views[place].OverflowRecordCount ?? 0), place == 0 ? worker.TableBytes : 0,
            ];
        })));

    private static SystemTable Writer() => Table(
        "writer",
        [
            ("view", "String"), ("blocks", "UInt64"), ("rows", "UInt64"), ("raw_bytes", "UInt64"), ("encoded_bytes", "UInt64"),
            ("dropped_records", "UInt64"), ("dead_letter_records", "UInt64"), ("retries", "UInt64"), ("insert_seconds", "Float64"),
            ("waiting_cuts", "UInt64"), ("is_writing", "UInt8"),
        ],
        (before, now) => now.Host.Writer.Views.Select((view, index) =>
        {
            var (writer, old) = (now.Host.Writer, before?.Host.Writer);
            var oldView = old?.Views[index] ?? default;
            return (object[])
            [
                view.View, view.BlockCount - oldView.BlockCount, view.RowCount - oldView.RowCount, view.RawBytes - oldView.RawBytes,
                view.EncodedBytes - oldView.EncodedBytes, view.DroppedRecordCount - oldView.DroppedRecordCount,
                view.DeadLetterRecordCount - oldView.DeadLetterRecordCount,
                index == 0 ? writer.RetryCounts.Sum() - (old?.RetryCounts.Sum() ?? 0) : 0,
                index == 0 ? (writer.InsertTime - (old?.InsertTime ?? TimeSpan.Zero)).TotalSeconds : 0, writer.WaitingCutCount,
                writer.IsWriting ? 1 : 0,
            ];
        }));

    private static SystemTable Account() => Table(
        "account",
        [
            ("read", "UInt64"), ("folded", "UInt64"), ("rejected", "UInt64"), ("late", "UInt64"), ("dropped", "UInt64"),
            ("overwritten", "UInt64"), ("cuts", "UInt64"), ("freshness_seconds", "Float64"),
        ],
        (before, now) =>
        {
            var (stored, old) = (now.Host.Writer.Stored, before?.Host.Writer.Stored ?? default);
            return
            [
                [
                    stored.ReadCount - old.ReadCount, stored.FoldedCount - old.FoldedCount, stored.RejectedCount - old.RejectedCount,
                    stored.LateCount - old.LateCount, stored.DroppedCount - old.DroppedCount, stored.OverwrittenCount - old.OverwrittenCount,
                    now.Host.Writer.CutCount - (before?.Host.Writer.CutCount ?? 0), now.Host.Writer.Freshness(now.Time)?.TotalSeconds ?? 0,
                ],
            ];
        });

    private static SystemTable Process() => Table(
        "process",
        [
            ("stage", "String"), ("cpu_seconds", "Float64"), ("cpu_wait_seconds", "Float64"), ("gc_pause_seconds", "Float64"),
            ("throttled_seconds", "Float64"), ("heap_bytes", "UInt64"), ("resident_bytes", "UInt64"), ("memory_used_bytes", "UInt64"),
            ("memory_limit_bytes", "UInt64"),
        ],
        (before, now) => now.Process.Stages.Select((stage, index) =>
        {
            var time = stage.Value - (before?.Process.Stages.GetValueOrDefault(stage.Key) ?? default);
            var old = before?.Process;
            return (object[])
            [
                stage.Key, time.Cpu.TotalSeconds, time.Wait.TotalSeconds,
                index == 0 ? (now.Process.GcPause - (old?.GcPause ?? TimeSpan.Zero)).TotalSeconds : 0,
                index == 0 ? ((now.Process.Cgroup?.ThrottledTime ?? TimeSpan.Zero) - (old?.Cgroup?.ThrottledTime ?? TimeSpan.Zero)).TotalSeconds : 0,
                now.Process.HeapBytes, now.Process.ResidentBytes, now.Process.MemoryUsedBytes, now.Process.MemoryLimitBytes,
            ];
        }));

    private static SystemTable Cardinality() => Table(
        "cardinality",
        [("tag", "String"), ("tag_values", "UInt64")],
        (_, now) => now.Cardinalities.Select(known => (object[])[known.Tag, known.Count]));
}
