using System.Diagnostics;
using Weir.Core.Buffers;
using Weir.Core.Model;

namespace Weir.Core.Telemetry;

/// <summary>Where a tap looks.</summary>
public enum TapStage
{
    /// <summary>Records as the decoder made them.</summary>
    Decoded,

    /// <summary>Rows as they leave the fold.</summary>
    Folded,
}

/// <summary>Copies live records that match a filter into a bounded list, and takes at most a fixed part of the worker's time for it.</summary>
/// <remarks>
/// Shared by all workers while it is on. It only reads what passes by: nothing is taken out, held up or lost, and what is above its share
/// of time is not looked at.
/// </remarks>
public sealed unsafe class FlowTap
{
    /// <summary>Part of the time, as a divisor, that all workers together look at most.</summary>
    private const int TimeShare = 100;

    /// <summary>Rows of a cut that are looked at.</summary>
    private const int RowsPerCutMax = 16_384;

    private readonly Lock _lock = new();
    private readonly StreamSchema _schema;
    private readonly FlowFilter _filter;
    private readonly int _limit;
    private readonly string? _view;
    private readonly long _startedAt = Stopwatch.GetTimestamp();
    private readonly Queue<(PartitionKey Partition, IReadOnlyList<(string Name, string Value)> Fields)> _found = new();
    private long _busyTimestamps;
    private long _lookedAtCount;
    private int _foundCount;

    /// <summary>Makes a tap.</summary>
    /// <param name="schema">Layout of the records.</param>
    /// <param name="stage">Where it looks.</param>
    /// <param name="filter">What it keeps.</param>
    /// <param name="limit">Records after which it looks no more.</param>
    /// <param name="view">For rows, the view; null for the finest.</param>
    public FlowTap(StreamSchema schema, TapStage stage, FlowFilter filter, int limit, string? view = null)
    {
        _schema = schema;
        Stage = stage;
        _filter = filter;
        _limit = limit;
        _view = view ?? schema.Views[0].Definition.Name;
    }

    /// <summary>Where it looks.</summary>
    public TapStage Stage { get; }

    /// <summary>True when it has found as many as were asked for.</summary>
    public bool IsFull => Volatile.Read(ref _foundCount) >= _limit;

    /// <summary>Records or rows that it has looked at.</summary>
    public long LookedAtCount => Interlocked.Read(ref _lookedAtCount);

    /// <summary>Takes what was found since the last call.</summary>
    public IReadOnlyList<(PartitionKey Partition, IReadOnlyList<(string Name, string Value)> Fields)> Take()
    {
        lock (_lock)
        {
            var found = _found.ToArray();
            _found.Clear();
            return found;
        }
    }

    /// <summary>Looks at the records of a chunk. A worker.</summary>
    internal void Chunk(RecordChunk chunk)
    {
        if (Stage != TapStage.Decoded || !MayLook(out var from))
        {
            return;
        }

        for (var index = 0; index < chunk.RecordCount && !IsFull; index++)
        {
            var record = chunk.Rows + ((nint)index * _schema.RecordBytes);
            if (_filter.MatchesRecord(record, chunk.Cut.Strings))
            {
                Add(chunk.Cut, record);
            }
        }

        Looked(chunk.RecordCount, from);
    }

    /// <summary>Looks at the rows of a view. A worker.</summary>
    internal void Rows(Cut cut, ViewPlan plan, RowStore rows)
    {
        if (Stage != TapStage.Folded || plan.Definition.Name != _view || !MayLook(out var from))
        {
            return;
        }

        var count = Math.Min(rows.Count, RowsPerCutMax);
        for (var index = 0; index < count && !IsFull; index++)
        {
            if (_filter.MatchesRow(plan, rows[index], cut.Strings))
            {
                Add(cut.Partition, FlowText.OfRow(_schema, plan, rows[index], cut.Strings));
            }
        }

        Looked(count, from);
    }

    private bool MayLook(out long from)
    {
        from = Stopwatch.GetTimestamp();
        return !IsFull && Interlocked.Read(ref _busyTimestamps) * TimeShare <= from - _startedAt;
    }

    private void Looked(int count, long from)
    {
        Interlocked.Add(ref _lookedAtCount, count);
        Interlocked.Add(ref _busyTimestamps, Stopwatch.GetTimestamp() - from);
    }

    /// <summary>Apart from <see cref="Chunk"/>, which then allocates nothing for records that do not match.</summary>
    private void Add(Cut cut, byte* record)
    {
        var texts = _schema.StringTagOffsets.Select(offset => FlowText.TextOf(record + StreamSchema.HashBytes + offset, cut.Strings));
        Add(cut.Partition, FlowText.OfRecord(_schema, record, [.. texts]));
    }

    private void Add(PartitionKey partition, IReadOnlyList<(string Name, string Value)> fields)
    {
        lock (_lock)
        {
            if (_foundCount < _limit)
            {
                _foundCount++;
                _found.Enqueue((partition, fields));
            }
        }
    }
}
