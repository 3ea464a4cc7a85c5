using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Core.Telemetry;

namespace Weir.Aggregator;

/// <summary>Folds the chunks of one shard into the tables of their cuts, and at a cut's marker hands its rows over.</summary>
/// <remarks>
/// <para>
/// With a queue it has a thread of its own (<see cref="Start"/>, which ends when the queue is completed and empty). Without
/// one it runs in the thread that calls <see cref="Offer"/>, an ingest worker's; each ingest worker then has its own, and its
/// cuts have one shard. Everything but <see cref="Snapshot"/> and <see cref="Collect"/> belongs to that one thread.
/// </para>
/// <para>
/// Records fold into the views that have no parent. The others are made from their parents' rows at the marker, in the order
/// of the schema: that costs a fraction of folding each record twice.
/// </para>
/// </remarks>
public sealed class AggregationWorker : IShard, IMetricSource, IDisposable
{
    private static readonly TimeSpan _dequeueWait = TimeSpan.FromSeconds(1); // Only bounds a wait; completion wakes the worker.

    private readonly StreamSchema _schema;
    private readonly ChunkPool _chunks;
    private readonly StageQueue<RecordChunk>? _queue;
    private readonly Action<Cut> _cutFolded;
    private readonly Action<Exception> _failed;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly TablePool _tables;
    private readonly Dictionary<Cut, OpenCut> _openCuts = [];
    private readonly Stack<OpenCut> _freeCuts = new();
    private readonly Dictionary<PartitionKey, int[]> _lastRowCounts = []; // Of the partition's last cut, by view.
    private readonly ViewPlan[] _baseViews;
    private readonly ViewCounters[] _counters;
    private readonly string _label;
    private readonly int _shard;
    private Thread? _thread;

    // Written by the worker's thread, read by any through Volatile.
    private long _foldedCount;
    private long _cutCount;
    private long _abandonedCutCount;
    private long _openRowBytes;
    private long _busyTicks;
    private int _openCutCount;

    /// <summary>Makes a worker; it does nothing until <see cref="Start"/>, or <see cref="Offer"/> when it has no queue.</summary>
    /// <param name="index">Number of the worker; with a queue also its shard.</param>
    /// <param name="schema">The views.</param>
    /// <param name="rows">Where rows live; shared by all workers.</param>
    /// <param name="chunks">Where folded chunks go back to.</param>
    /// <param name="queue">Where chunks and markers come from; null for a worker in an ingest worker's thread.</param>
    /// <param name="cutFolded">Gets each cut that all its shards have folded, abandoned ones too. On the thread of the last shard.</param>
    /// <param name="failed">Gets the exception that ended the worker's thread: a broken invariant, which ends the process.</param>
    /// <param name="time">Measures how long the worker is busy.</param>
    /// <param name="logger">Where a view that meets its limit is told.</param>
    public AggregationWorker(
        int index,
        StreamSchema schema,
        RowPools rows,
        ChunkPool chunks,
        StageQueue<RecordChunk>? queue,
        Action<Cut> cutFolded,
        Action<Exception> failed,
        TimeProvider time,
        ILogger logger)
    {
        Index = index;
        _shard = queue is null ? 0 : index;
        _schema = schema;
        _chunks = chunks;
        _queue = queue;
        _cutFolded = cutFolded;
        _failed = failed;
        _time = time;
        _logger = logger;
        _tables = new TablePool(schema, rows);
        _baseViews = [.. schema.Views.Where(plan => plan.ParentIndex < 0)];
        _counters = [.. schema.Views.Select(_ => new ViewCounters())];
        _label = index.ToString(CultureInfo.InvariantCulture);
        Probe = new FlowProbe(schema);
    }

    /// <summary>Looks at what the worker folds, once for each chunk and each cut. Any thread reads.</summary>
    public FlowProbe Probe { get; }

    /// <summary>Number of the worker.</summary>
    public int Index { get; }

    /// <summary>Always false: a worker without a queue works only when it is called, so full chunks cost nothing and fold best.</summary>
    public bool IsIdle => false;

    /// <inheritdoc/>
    public bool IsInOtherThread => _queue is not null;

    /// <summary>Starts the thread of a worker that has a queue.</summary>
    public void Start()
    {
        if (_queue is null)
        {
            throw new InvalidOperationException("A worker without a queue runs in the thread that calls Offer.");
        }

        _thread = new Thread(Run) { Name = $"weir-fold-{_label}", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Waits for the thread to end, which it does when the queue is completed and empty.</summary>
    /// <returns>False when it still runs after <paramref name="timeout"/>; <see cref="Dispose"/> must not be called then.</returns>
    public bool Join(TimeSpan timeout) => _thread is null || _thread.Join(timeout);

    /// <summary>Folds a chunk, or ends a cut, at once. For a worker without a queue, in the thread that owns it.</summary>
    /// <returns>True: the chunk has been given back to its pool.</returns>
    public bool Offer(RecordChunk chunk, CancellationToken cancel)
    {
        if (_queue is not null)
        {
            throw new InvalidOperationException("A worker with a queue takes chunks from it only.");
        }

        Process(chunk);
        return true;
    }

    /// <summary>A reading of the counters. Any thread.</summary>
    public AggregationSnapshot Snapshot()
    {
        var slotCount = _tables.Slots.RentedSlotCount; // Before the rows: a cut that ends meanwhile must not leave rows without slots.
        var views = ImmutableArray.CreateBuilder<ViewFoldSnapshot>(_counters.Length);
        for (var view = 0; view < _counters.Length; view++)
        {
            views.Add(_counters[view].Snapshot(_schema.Views[view].Definition.Name));
        }

        return new AggregationSnapshot(
            Index,
            Volatile.Read(ref _foldedCount),
            Volatile.Read(ref _cutCount),
            Volatile.Read(ref _abandonedCutCount),
            Volatile.Read(ref _openCutCount),
            Volatile.Read(ref _openRowBytes) + _tables.Slots.RentedBytes + _tables.Slots.FreeBytes,
            TimeSpan.FromTicks(Volatile.Read(ref _busyTicks)),
            views.MoveToImmutable())
        {
            SlotCount = slotCount,
        };
    }

    /// <inheritdoc/>
    public void Collect(MetricReader reader)
    {
        var snapshot = Snapshot();
        reader.Read(WeirMeter.AggregationFoldedTotal, snapshot.FoldedCount, _label);
        reader.Read(WeirMeter.AggregationCutsTotal, snapshot.CutCount, _label);
        reader.Read(WeirMeter.AggregationAbandonedCutsTotal, snapshot.AbandonedCutCount, _label);
        reader.Read(WeirMeter.AggregationOpenCuts, snapshot.OpenCutCount, _label);
        reader.Read(WeirMeter.AggregationTableBytes, snapshot.TableBytes, _label);
        reader.Read(WeirMeter.AggregationTableLoad, snapshot.TableLoad, _label);
        reader.Read(WeirMeter.AggregationBusyTotal, snapshot.BusyTime.TotalSeconds, _label);
        foreach (var view in snapshot.Views)
        {
            reader.Read(WeirMeter.AggregationOpenSeries, view.OpenSeriesCount, _label, view.View);
            reader.Read(WeirMeter.AggregationCutSeries, view.CutSeriesCount, _label, view.View);
            reader.Read(WeirMeter.AggregationOverflowTotal, view.OverflowRecordCount, _label, view.View);
        }
    }

    /// <summary>Gives all memory back, that of cuts without a marker too. After the thread has ended.</summary>
    public void Dispose()
    {
        foreach (var open in _openCuts.Values)
        {
            ReturnTables(open);
        }

        _openCuts.Clear();
        _tables.Dispose();
    }

    /// <summary>Takes at most one chunk or marker from the queue and works it off.</summary>
    /// <returns>False when there was none within <paramref name="wait"/>.</returns>
    internal bool TryProcessNext(TimeSpan wait)
    {
        if (!_queue!.TryDequeue(wait, out var chunk, out _))
        {
            return false;
        }

        Process(chunk);
        return true;
    }

    [SuppressMessage("Design", "CA1031", Justification = "The top frame of a worker: what comes here ends the process.")]
    private void Run()
    {
        try
        {
            while (TryProcessNext(_dequeueWait) || !_queue!.IsDrained)
            {
            }
        }
        catch (Exception error)
        {
            _failed(error);
        }
    }

    private void Process(RecordChunk chunk)
    {
        var from = _time.GetTimestamp();
        Cut? folded = null;
        if (chunk.IsMarker)
        {
            folded = EndCut(chunk.Cut);
        }
        else
        {
            try
            {
                Fold(chunk);
            }
            finally
            {
                _chunks.Return(chunk);
            }
        }

        Volatile.Write(ref _busyTicks, _busyTicks + _time.GetElapsedTime(from).Ticks);
        if (folded is not null)
        {
            _cutFolded(folded); // Not in the busy time: it may wait for the writer.
        }
    }

    private void Fold(RecordChunk chunk)
    {
        Probe.Chunk(chunk);
        ref var open = ref CollectionsMarshal.GetValueRefOrAddDefault(_openCuts, chunk.Cut, out _);
        open ??= OpenTables(chunk.Cut);
        foreach (var plan in _baseViews)
        {
            var table = open.Tables[plan.Index]!;
            var rowCountBefore = table.RowCount;
            var overflowBefore = table.OverflowRecordCount;
            table.Fold(chunk);
            CountRows(plan, table.RowCount - rowCountBefore);
            _counters[plan.Index].AddOverflow(table.OverflowRecordCount - overflowBefore);
        }

        open.FoldedCount += chunk.RecordCount;
        Volatile.Write(ref _foldedCount, _foldedCount + chunk.RecordCount);
        Volatile.Write(ref _openCutCount, _openCuts.Count);
    }

    private OpenCut OpenTables(Cut cut)
    {
        if (!_freeCuts.TryPop(out var open))
        {
            open = new OpenCut(_schema.Views.Length);
        }

        open.FoldedCount = 0;
        ref var lastRowCounts = ref CollectionsMarshal.GetValueRefOrAddDefault(_lastRowCounts, cut.Partition, out _);
        open.LastRowCounts = lastRowCounts ??= new int[_schema.Views.Length];
        foreach (var plan in _baseViews)
        {
            open.Tables[plan.Index] = _tables.Rent(plan, cut.ShardCount, open.LastRowCounts[plan.Index]);
        }

        return open;
    }

    /// <summary>Ends this shard's part of a cut.</summary>
    /// <returns>The cut, when this was its last shard; null else.</returns>
    private Cut? EndCut(Cut cut)
    {
        var foldedCount = 0L;
        if (_openCuts.Remove(cut, out var open))
        {
            foldedCount = open.FoldedCount;
            foreach (var plan in _baseViews)
            {
                CountRows(plan, -open.Tables[plan.Index]!.RowCount);
                open.Tables[plan.Index]!.ReturnSlots();
            }

            if (!cut.IsAbandoned)
            {
                RollUp(cut, open);
                HandOver(cut, open);
            }

            ReturnTables(open);
            _freeCuts.Push(open);
            _tables.Slots.EndCut();
            Volatile.Write(ref _openCutCount, _openCuts.Count);
        }

        Volatile.Write(ref _cutCount, _cutCount + 1);
        if (cut.IsAbandoned)
        {
            Volatile.Write(ref _abandonedCutCount, _abandonedCutCount + 1);
        }

        return cut.CompleteShard(_shard, foldedCount) ? cut : null;
    }

    private void RollUp(Cut cut, OpenCut open)
    {
        foreach (var plan in _schema.Views)
        {
            if (plan.ParentIndex >= 0)
            {
                var table = _tables.Rent(plan, cut.ShardCount, open.LastRowCounts[plan.Index]);
                open.Tables[plan.Index] = table;
                table.FoldRows(open.Tables[plan.ParentIndex]!.Rows);
                table.ReturnSlots();
                _counters[plan.Index].AddOverflow(table.OverflowRecordCount);
            }
        }
    }

    private void HandOver(Cut cut, OpenCut open)
    {
        foreach (var plan in _schema.Views)
        {
            var table = open.Tables[plan.Index]!;
            var counters = _counters[plan.Index];
            counters.SetCutSeries(table.RowCount);
            open.LastRowCounts[plan.Index] = table.RowCount;
            Probe.Rows(cut, plan, table.Rows);
            TellLimit(cut, plan, counters, table.OverflowRecordCount);
            if (table.TakeRows() is { } rows)
            {
                cut.SetRows(_shard, plan.Index, rows);
            }
        }
    }

    /// <summary>Logs when a view begins to overflow, and when a cut has no overflow again.</summary>
    private void TellLimit(Cut cut, ViewPlan plan, ViewCounters counters, long overflowRecordCount)
    {
        var isOverflowing = overflowRecordCount > 0;
        if (isOverflowing == counters.IsOverflowing)
        {
            return;
        }

        counters.IsOverflowing = isOverflowing;
        if (isOverflowing)
        {
            WeirLog.SeriesLimitMet(_logger, plan.Definition.Name, cut.Partition, plan.Definition.SeriesMax, overflowRecordCount);
        }
        else
        {
            WeirLog.SeriesLimitLeft(_logger, plan.Definition.Name, cut.Partition);
        }
    }

    private void ReturnTables(OpenCut open)
    {
        for (var view = 0; view < open.Tables.Length; view++)
        {
            if (open.Tables[view] is { } table)
            {
                _tables.Return(table);
                open.Tables[view] = null;
            }
        }
    }

    private void CountRows(ViewPlan plan, int change)
    {
        _counters[plan.Index].AddOpenSeries(change);
        Volatile.Write(ref _openRowBytes, _openRowBytes + ((long)change * RowPools.RowBytes(_schema, plan)));
    }

    /// <summary>Counters of a view: written by the worker's thread, read by any.</summary>
    private sealed class ViewCounters
    {
        private long _openSeriesCount;
        private long _cutSeriesCount;
        private long _overflowRecordCount;

        /// <summary>True when the last cut had an overflow series. The worker's thread only.</summary>
        internal bool IsOverflowing { get; set; }

        internal void AddOpenSeries(int change) => Volatile.Write(ref _openSeriesCount, _openSeriesCount + change);

        internal void SetCutSeries(int count) => Volatile.Write(ref _cutSeriesCount, count);

        internal void AddOverflow(long recordCount) => Volatile.Write(ref _overflowRecordCount, _overflowRecordCount + recordCount);

        internal ViewFoldSnapshot Snapshot(string view) => new(
            view, Volatile.Read(ref _openSeriesCount), Volatile.Read(ref _cutSeriesCount), Volatile.Read(ref _overflowRecordCount));
    }
}
