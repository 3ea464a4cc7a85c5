using Weir.Core.Buffers;
using Weir.Core.Model;

namespace Weir.Tests.Ingest;

/// <summary>What a shard got of one record.</summary>
internal readonly record struct RoutedRecord(int Shard, Cut Cut, ulong Hash, ulong Time, uint Source, ushort Port, string Exporter, ulong Records);

/// <summary>Stands for the stages behind ingest: takes chunks, counts them as folded, and ends a cut at its last marker.</summary>
internal sealed unsafe class TestShards
{
    private readonly Lock _lock = new();
    private readonly StreamSchema _schema;
    private readonly List<RoutedRecord> _records = [];
    private readonly List<Cut> _closed = [];
    private readonly Shard[] _shards;

    public TestShards(StreamSchema schema, int shardCount = 1, bool keepsRecords = true, long budgetBytes = long.MaxValue)
    {
        _schema = schema;
        Budget = new MemoryBudget(budgetBytes);
        Pool = new ChunkPool(schema, new MemoryBudget(long.MaxValue));
        _shards = [.. Enumerable.Range(0, shardCount).Select(index => new Shard(this, index))];
        KeepsRecords = keepsRecords;
    }

    public MemoryBudget Budget { get; }

    public ChunkPool Pool { get; }

    public IReadOnlyList<IShard> Shards => _shards;

    public bool KeepsRecords { get; }

    public bool IsIdle { get; set; } = true;

    /// <summary>What the shards say of themselves; they take chunks in the caller's thread.</summary>
    public bool AreInOtherThreads { get; init; }

    /// <summary>Bytes charged to the budget for each record, until its cut is released; stands for the rows that hold it.</summary>
    public int ChargedBytesPerRecord { get; init; }

    /// <summary>Called at the last marker of a cut, on the worker's thread.</summary>
    public Action<Cut>? Folded { get; set; }

    public int ChunkCount { get; private set; }

    public long RecordCount { get; private set; }

    public IReadOnlyList<RoutedRecord> Records
    {
        get
        {
            lock (_lock)
            {
                return [.. _records];
            }
        }
    }

    public IReadOnlyList<Cut> Closed
    {
        get
        {
            lock (_lock)
            {
                return [.. _closed];
            }
        }
    }

    /// <summary>Gives back what a cut was charged.</summary>
    public void Release(Cut cut) => Budget.Add(-ChargedBytesPerRecord * cut.Account().FoldedCount);

    private void Take(int shard, RecordChunk chunk, ref long foldedCount)
    {
        lock (_lock)
        {
            ChunkCount++;
            RecordCount += chunk.RecordCount;
            foldedCount += chunk.RecordCount;
            Budget.Add(ChargedBytesPerRecord * (long)chunk.RecordCount);
            for (var index = 0; KeepsRecords && index < chunk.RecordCount; index++)
            {
                var row = chunk.Rows + ((nint)index * _schema.RecordBytes);
                var exporter = *(uint*)(row + OffsetOf("exporter"));
                _records.Add(new RoutedRecord(
                    shard,
                    chunk.Cut,
                    *(ulong*)row,
                    *(ulong*)(row + StreamSchema.HashBytes),
                    *(uint*)(row + OffsetOf("src_addr") + 12),
                    *(ushort*)(row + OffsetOf("dst_port")),
                    System.Text.Encoding.UTF8.GetString(chunk.Cut.Strings.Utf8((int)exporter)),
                    *(ulong*)(row + _schema.RecordMetersOffset)));
            }
        }

        Pool.Return(chunk);
    }

    private void End(Cut cut)
    {
        lock (_lock)
        {
            _closed.Add(cut);
        }

        Folded?.Invoke(cut);
    }

    private int OffsetOf(string tag) => StreamSchema.HashBytes + _schema.Tags.First(slot => slot.Tag.Name == tag).OffsetBytes;

    private sealed class Shard(TestShards owner, int index) : IShard
    {
        private readonly Dictionary<Cut, long> _foldedCounts = [];

        public bool IsIdle => owner.IsIdle;

        public bool IsInOtherThread => owner.AreInOtherThreads;

        public bool Offer(RecordChunk chunk, CancellationToken cancel)
        {
            lock (_foldedCounts)
            {
                var foldedCount = _foldedCounts.GetValueOrDefault(chunk.Cut);
                if (!chunk.IsMarker)
                {
                    var cut = chunk.Cut;
                    owner.Take(index, chunk, ref foldedCount);
                    _foldedCounts[cut] = foldedCount;
                    return true;
                }

                _foldedCounts.Remove(chunk.Cut);
                if (!chunk.Cut.CompleteShard(index, foldedCount))
                {
                    return true;
                }
            }

            owner.End(chunk.Cut);
            return true;
        }
    }
}
