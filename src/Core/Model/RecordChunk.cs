using System.Diagnostics;
using Weir.Core.Buffers;

namespace Weir.Core.Model;

/// <summary>Records that travel together through a queue: all of one cut (so of one partition), in offset order; or a cut's marker.</summary>
/// <remarks>One owner at a time; enqueueing hands it over. Records lie in the layout of <see cref="StreamSchema"/>.</remarks>
public sealed unsafe class RecordChunk
{
    /// <summary>Records of a full chunk. At 1,024 a hand-off of 20–60 ns vanishes (facts/PERFORMANCE.md).</summary>
    public const int RecordsMax = 1024;

    internal RecordChunk(byte* rows)
    {
        Rows = rows;
    }

    /// <summary>First byte of the first record; null in a marker.</summary>
    public byte* Rows { get; }

    /// <summary>Records in the chunk; 0 in a marker.</summary>
    public int RecordCount { get; set; }

    /// <summary>The cut that the records belong to.</summary>
    public Cut Cut { get; set; } = null!;

    /// <summary>True for the marker that says: the records of <see cref="Cut"/> end here.</summary>
    public bool IsMarker => Rows == null;

    /// <summary>A marker for the end of <paramref name="cut"/>. It holds no memory and is not pooled.</summary>
    public static RecordChunk Marker(Cut cut) => new(null) { Cut = cut };
}

/// <summary>Chunks to rent and give back.</summary>
/// <remarks>
/// Any thread. A chunk that was given back just now lies in the cache of the core that read it, and another core that writes to it waits
/// for that one. So the last ones rest a while, as long as there are some; no more than fit into a cache that the cores share.
/// </remarks>
public sealed unsafe class ChunkPool : IDisposable
{
    /// <summary>Chunks that rest: 2 MB of records, more than a core's own cache.</summary>
    private const int RestingMin = 16;

    /// <summary>Chunks above which the one that rests longest is put away.</summary>
    private const int RestingMax = 2 * RestingMin;

    private readonly Lock _lock = new();
    private readonly Queue<RecordChunk> _resting = new();
    private readonly Stack<RecordChunk> _putAway = new(); // Of times when more were needed.
    private readonly SlabPool _slabs;

    /// <summary>Makes an empty pool of chunks for records of <paramref name="schema"/>.</summary>
    public ChunkPool(StreamSchema schema, MemoryBudget budget)
    {
        _slabs = new SlabPool(schema.RecordBytes * RecordChunk.RecordsMax, freeBytesMax: 0, budget);
    }

    /// <summary>Chunks rented and not yet returned.</summary>
    public long RentedCount { get; private set; }

    /// <summary>Takes an empty chunk for records of <paramref name="cut"/>.</summary>
    public RecordChunk Rent(Cut cut)
    {
        RecordChunk? chunk = null;
        lock (_lock)
        {
            RentedCount++;
            if (_resting.Count > RestingMin || !_putAway.TryPop(out chunk))
            {
                chunk = _resting.TryDequeue(out var rested) ? rested : new RecordChunk(_slabs.Rent());
            }
        }

        chunk.Cut = cut;
        chunk.RecordCount = 0;
        return chunk;
    }

    /// <summary>Gives a chunk back; the caller must not touch it again.</summary>
    public void Return(RecordChunk chunk)
    {
        Debug.Assert(!chunk.IsMarker, "Markers are not pooled.");
        lock (_lock)
        {
            RentedCount--;
            chunk.Cut = null!;
            _resting.Enqueue(chunk);
            if (_resting.Count > RestingMax)
            {
                _putAway.Push(_resting.Dequeue());
            }
        }
    }

    /// <summary>Frees the chunks that have been returned.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var chunk in _resting.Concat(_putAway))
            {
                _slabs.Return(chunk.Rows);
            }

            _resting.Clear();
            _putAway.Clear();
        }

        _slabs.Dispose();
    }
}
