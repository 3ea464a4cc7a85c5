using System.Runtime.InteropServices;
using Weir.Core.Buffers;
using Weir.Core.Hashing;
using Weir.Core.Model;

namespace Weir.Core.Telemetry;

/// <summary>Looks at what one aggregation worker folds: one record of each chunk, and some rows of each cut.</summary>
/// <remarks>
/// <para>
/// The worker calls <see cref="Chunk"/> and <see cref="Rows"/>; the rest is for any thread. The cost is per chunk and per cut, never per
/// record, and nothing is allocated.
/// </para>
/// <para>
/// The cardinality of a tag is an estimate from below: of a cut with more than <see cref="RowsPerCutMax"/> rows, evenly spread ones are
/// looked at; over a minute of cuts it comes close.
/// </para>
/// </remarks>
public sealed unsafe class FlowProbe
{
    /// <summary>Records that are remembered.</summary>
    public const int SampleCount = 256;

    /// <summary>Rows of a cut that are looked at.</summary>
    public const int RowsPerCutMax = 4_096;

    private const int TextBytesMax = 48;

    private readonly Lock _lock = new();
    private readonly StreamSchema _schema;
    private readonly ViewPlan _finest;
    private readonly Slot[] _slots = new Slot[SampleCount];
    private readonly HyperLogLog[] _present;
    private readonly HyperLogLog[] _past;
    private ulong _random = 0x9E37_79B9_7F4A_7C15;
    private long _sampledCount;
    private FlowTap? _tap; // Null while nobody looks: one branch for each chunk.

    /// <summary>Makes a probe of a worker.</summary>
    public FlowProbe(StreamSchema schema)
    {
        _schema = schema;
        _finest = schema.Views[0];
        _present = [.. _finest.Tags.Select(_ => new HyperLogLog())];
        _past = [.. _finest.Tags.Select(_ => new HyperLogLog())];
        for (var index = 0; index < _slots.Length; index++)
        {
            _slots[index].Record = new byte[schema.RecordBytes];
            _slots[index].Texts = new byte[schema.StringTagOffsets.Length * TextBytesMax];
            _slots[index].TextBytes = new int[schema.StringTagOffsets.Length];
        }
    }

    /// <summary>False to look at nothing: for the benchmark of what looking costs. Set before the worker starts.</summary>
    public bool IsOn { get; set; } = true;

    /// <summary>Records that were sampled so far: the number of the next one.</summary>
    public long SampledCount
    {
        get
        {
            lock (_lock)
            {
                return _sampledCount;
            }
        }
    }

    /// <summary>Who looks at live records now; null for nobody.</summary>
    public FlowTap? Tap
    {
        get => Volatile.Read(ref _tap);
        set => Volatile.Write(ref _tap, value);
    }

    /// <summary>Remembers one record of a chunk, each with the same chance. The worker, before it folds the chunk.</summary>
    public void Chunk(RecordChunk chunk)
    {
        if (!IsOn)
        {
            return;
        }

        _random ^= _random << 13;
        _random ^= _random >> 7;
        _random ^= _random << 17;
        var place = (int)Math.BigMul(_random, (ulong)chunk.RecordCount, out _);
        Remember(chunk, chunk.Rows + ((nint)place * _schema.RecordBytes));
        Volatile.Read(ref _tap)?.Chunk(chunk);
    }

    /// <summary>Looks at the rows that a cut hands over of its finest view. The worker.</summary>
    public void Rows(Cut cut, ViewPlan plan, RowStore rows)
    {
        Volatile.Read(ref _tap)?.Rows(cut, plan, rows);
        if (plan.Index != _finest.Index || !IsOn)
        {
            return;
        }

        var stride = Math.Max(rows.Count / RowsPerCutMax, 1);
        lock (_lock)
        {
            // Row by row: each costs a miss of the caches, its further tags do not.
            for (var row = 0; row < rows.Count; row += stride)
            {
                var key = rows[row];
                for (var tag = 0; tag < _finest.Tags.Length; tag++)
                {
                    var slot = _finest.Tags[tag];
                    _present[tag].Add(HashOf(key + slot.OffsetBytes, slot.Tag.Type, cut.Strings));
                }
            }
        }
    }

    /// <summary>Begins a new minute of cardinalities; the one before is kept until the next time.</summary>
    public void EndInterval()
    {
        lock (_lock)
        {
            for (var tag = 0; tag < _present.Length; tag++)
            {
                _past[tag].Clear();
                _past[tag].Merge(_present[tag]);
                _present[tag].Clear();
            }
        }
    }

    /// <summary>Adds what was seen in this interval and the one before to <paramref name="sums"/>, one for each tag of the finest view.</summary>
    public void AddCardinalities(IReadOnlyList<HyperLogLog> sums)
    {
        lock (_lock)
        {
            for (var tag = 0; tag < _present.Length; tag++)
            {
                sums[tag].Merge(_past[tag]);
                sums[tag].Merge(_present[tag]);
            }
        }
    }

    /// <summary>The remembered records from number <paramref name="from"/> on, oldest first.</summary>
    public IReadOnlyList<FlowSample> Samples(long from)
    {
        lock (_lock)
        {
            var samples = new List<FlowSample>();
            for (var number = Math.Max(_sampledCount - SampleCount, from); number < _sampledCount; number++)
            {
                ref var slot = ref _slots[number % SampleCount];
                fixed (byte* record = slot.Record)
                {
                    samples.Add(new FlowSample(
                        slot.Partition, MemoryMarshal.Read<ulong>(slot.Record), FlowText.OfRecord(_schema, record, TextsOf(slot))));
                }
            }

            return samples;
        }
    }

    private static string[] TextsOf(in Slot slot)
    {
        var texts = new string[slot.TextBytes.Length];
        for (var index = 0; index < texts.Length; index++)
        {
            texts[index] = System.Text.Encoding.UTF8.GetString(slot.Texts, index * TextBytesMax, slot.TextBytes[index]);
        }

        return texts;
    }

    private static ulong HashOf(byte* value, TagType type, StringDictionary strings) => type switch
    {
        TagType.U8 => OfWord(*value),
        TagType.U16 => OfWord(*(ushort*)value),
        TagType.U32 => OfWord(*(uint*)value),
        TagType.String => OfWord(strings.HashOf(*(uint*)value)),
        TagType.Address => TagHash.Combine(OfWord(*(ulong*)value), *((ulong*)value + 1)),
        _ => OfWord(*(ulong*)value),
    };

    private static ulong OfWord(ulong word) => TagHash.OfWords(&word, 1);

    private void Remember(RecordChunk chunk, byte* record)
    {
        var strings = chunk.Cut.Strings; // Only grows while its cut is open, so the ids of this chunk stay where they are.
        lock (_lock)
        {
            ref var slot = ref _slots[_sampledCount++ % SampleCount];
            slot.Partition = chunk.Cut.Partition;
            new ReadOnlySpan<byte>(record, _schema.RecordBytes).CopyTo(slot.Record);
            for (var index = 0; index < slot.TextBytes.Length; index++)
            {
                var text = strings.Utf8((int)*(uint*)(record + StreamSchema.HashBytes + _schema.StringTagOffsets[index]));
                slot.TextBytes[index] = Math.Min(text.Length, TextBytesMax);
                text[..slot.TextBytes[index]].CopyTo(slot.Texts.AsSpan(index * TextBytesMax));
            }
        }
    }

    private struct Slot
    {
        public PartitionKey Partition;
        public byte[] Record;
        public byte[] Texts;
        public int[] TextBytes;
    }
}

/// <summary>A record that was sampled.</summary>
/// <param name="Partition">Where it came from.</param>
/// <param name="TagHash">Hash of its tag set.</param>
/// <param name="Fields">Its time, tags and meters as text.</param>
public sealed record FlowSample(PartitionKey Partition, ulong TagHash, IReadOnlyList<(string Name, string Value)> Fields)
{
    /// <summary>The tag set as text, such as <c>dst_port=443 proto=6</c>.</summary>
    /// <param name="tags">Names of the tags to show.</param>
    public string TagText(IReadOnlyCollection<string> tags) =>
        string.Join(' ', Fields.Where(field => tags.Contains(field.Name)).Select(field => $"{field.Name}={field.Value}"));
}
