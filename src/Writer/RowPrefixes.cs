using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using Weir.Core.Model;

namespace Weir.Writer;

/// <summary>Makes the sort prefixes of a view's rows: the bits of their tags and time in which they differ, in the table's order.</summary>
/// <remarks>
/// <para>
/// A field is a tag, half an address, or the time. A bit that is the same in all rows says nothing, and neither does one that
/// always equals, or never equals, its upper neighbour: in a mix of IPv4 and IPv6 the 16 ones of ::ffff:0:0/96 shrink to one
/// bit. What remains fits 64 bits as a rule, and then the prefix is the whole key: no key is ever composed.
/// </para>
/// <para>
/// Where the rows go to several shards of servers, the number of the shard comes first.
/// </para>
/// <para>
/// Which bits differ is known only when all rows have been seen. But cuts are alike: the bits of the last cut are taken, and
/// only where they do not cover this one's, the rows are gone through again. The order never depends on it: bits too many
/// are 0 everywhere. One thread, one object for each view.
/// </para>
/// </remarks>
internal sealed unsafe class RowPrefixes
{
    /// <summary>Rows whose fields are taken one field after another: 128 rows of 136 B stay in the first-level cache.</summary>
    internal const int TileRows = 128;

    private const int WordBits = 64;
    private readonly Field[] _fields;
    private readonly ShardNumbers? _shards; // Null where there is one shard.
    private readonly int _shardBits;

    internal RowPrefixes(SortKeyPlan plan, int serverShardCount)
    {
        _shards = serverShardCount > 1 ? new ShardNumbers(plan, serverShardCount) : null;
        _shardBits = _shards?.Bits ?? 0;
        Bits = _shardBits;
        var fields = new List<Field>();
        foreach (var part in plan.Parts)
        {
            if (part.Type == TagType.Address)
            {
                fields.Add(new Field(part.Type, part.OffsetBytes, -1));
                fields.Add(new Field(part.Type, part.OffsetBytes + sizeof(ulong), -1));
            }
            else
            {
                fields.Add(new Field(part.Type, part.OffsetBytes, part.Text));
            }
        }

        _fields = [.. fields];
        Texts = new TextMarks[plan.Texts.Length];
        for (var text = 0; text < Texts.Length; text++)
        {
            Texts[text] = new TextMarks();
        }
    }

    /// <summary>Bits of a prefix; those above them are 0.</summary>
    internal int Bits { get; private set; }

    /// <summary>Bits below the number of the shard, where there are several.</summary>
    internal int BitsBelowShard => Bits - _shardBits;

    /// <summary>True when rows of equal prefixes have equal keys.</summary>
    internal bool IsWhole { get; private set; } = true;

    /// <summary>Texts that the rows have, by text column.</summary>
    internal TextMarks[] Texts { get; }

    /// <summary>Earliest time of the rows.</summary>
    internal ulong TimeMin { get; private set; }

    /// <summary>Latest time of the rows; above 32 bits when a row's time does not fit.</summary>
    internal ulong TimeMax { get; private set; }

    /// <summary>Begins a pass over all rows.</summary>
    /// <param name="first">Any of them.</param>
    /// <param name="ranks">Rank of each text by its id.</param>
    internal void Begin(byte* first, ReadOnlySpan<uint> ranks)
    {
        (TimeMin, TimeMax) = (ulong.MaxValue, 0UL);
        for (var index = 0; index < _fields.Length; index++)
        {
            ref var field = ref _fields[index];
            (field.Difference, field.Step) = (0, 0);
            field.First = ValueOf(field, first, ranks);
        }

        foreach (var marks in Texts)
        {
            marks.Clear(ranks.Length);
        }
    }

    /// <summary>Writes the prefixes of rows that lie one after another.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="rowBytes">From one to the next.</param>
    /// <param name="rowCount">Number of rows.</param>
    /// <param name="index">Number of the first one.</param>
    /// <param name="entries">Get prefixes and numbers.</param>
    /// <param name="texts">Rank of each text by its id.</param>
    internal void Write(byte* rows, int rowBytes, int rowCount, uint index, SortEntry* entries, TextRanks texts)
    {
        var ranks = texts.RanksById;
        var prefixes = stackalloc ulong[TileRows];
        for (var from = 0; from < rowCount; from += TileRows)
        {
            var count = Math.Min(TileRows, rowCount - from);
            var tile = rows + ((nint)from * rowBytes);
            if (_shards is null)
            {
                new Span<ulong>(prefixes, count).Clear();
            }
            else
            {
                _shards.Write(tile, rowBytes, count, prefixes, texts);
            }

            for (var field = 0; field < _fields.Length; field++)
            {
                WriteField(ref _fields[field], tile, rowBytes, count, prefixes, ranks);
            }

            var (min, max) = (TimeMin, TimeMax);
            for (var row = 0; row < count; row++)
            {
                var time = *(ulong*)(tile + ((nint)row * rowBytes));
                min = Math.Min(min, time);
                max = Math.Max(max, time);
                entries[from + row] = new SortEntry(prefixes[row], index + (uint)(from + row));
            }

            (TimeMin, TimeMax) = (min, max);
        }
    }

    /// <summary>Ends a pass.</summary>
    /// <returns>True when the prefixes tell the rows apart; false when one more pass is needed, which then will.</returns>
    internal bool TryEnd()
    {
        var needed = _shardBits;
        var isCovered = true;
        foreach (ref var field in _fields.AsSpan())
        {
            needed += BitOperations.PopCount(field.Needed);
            isCovered &= (field.Needed & ~field.Wanted) == 0;
        }

        if (isCovered && (IsWhole || needed > WordBits))
        {
            return true;
        }

        Plan(needed);
        return false;
    }

    private void Plan(int needed)
    {
        Bits = _shardBits;
        IsWhole = true;
        ref var time = ref _fields[^1];
        var lowBits = time.Needed == 0 ? 0 : ulong.MaxValue >> BitOperations.LeadingZeroCount(time.Needed);
        var more = BitOperations.PopCount(lowBits) - BitOperations.PopCount(time.Needed);
        foreach (ref var field in _fields.AsSpan())
        {
            field.Wanted = field.Needed;
        }

        if (needed + more <= WordBits)
        {
            time.Wanted = lowBits; // Times lie close together: the next cut's differ in as many bits, but not in the same ones.
        }

        foreach (ref var field in _fields.AsSpan())
        {
            var mask = field.Wanted;
            var width = BitOperations.PopCount(mask);
            for (; width > WordBits - Bits; width--)
            {
                mask &= mask - 1; // The lowest bits don't fit.
                IsWhole = false;
            }

            (field.Mask, field.Width) = (mask, width);
            Bits += width;
        }
    }

    private static ulong ValueOf(in Field field, byte* row, ReadOnlySpan<uint> ranks)
    {
        var value = row + field.OffsetBytes;
        return field.Type switch
        {
            TagType.Address => BinaryPrimitives.ReverseEndianness(*(ulong*)value),
            TagType.String => ranks[(int)*(uint*)value],
            TagType.U64 => *(ulong*)value,
            TagType.U32 => *(uint*)value,
            TagType.U16 => *(ushort*)value,
            _ => *value,
        };
    }

    private void WriteField(ref Field field, byte* tile, int rowBytes, int count, ulong* prefixes, ReadOnlySpan<uint> ranks)
    {
        var value = tile + field.OffsetBytes;
        switch (field.Type)
        {
            case TagType.Address:
                WriteValues<BigEndian>(ref field, value, rowBytes, count, prefixes);
                break;
            case TagType.String:
                WriteRanks(ref field, value, rowBytes, count, prefixes, ranks);
                break;
            case TagType.U64:
                WriteValues<Word>(ref field, value, rowBytes, count, prefixes);
                break;
            case TagType.U32:
                WriteValues<HalfWord>(ref field, value, rowBytes, count, prefixes);
                break;
            case TagType.U16:
                WriteValues<QuarterWord>(ref field, value, rowBytes, count, prefixes);
                break;
            default:
                WriteValues<OneByte>(ref field, value, rowBytes, count, prefixes);
                break;
        }
    }

    private static void WriteValues<TValue>(ref Field field, byte* value, int rowBytes, int count, ulong* prefixes)
        where TValue : struct, IValue
    {
        var (first, difference, step) = (field.First, field.Difference, field.Step);
        var (mask, width) = (field.Mask, field.Width);
        for (var row = 0; row < count; row++, value += rowBytes)
        {
            var own = TValue.Of(value);
            var differs = own ^ first;
            difference |= differs;
            step |= differs ^ (differs >> 1);

            // A field of 64 bits stands alone: the shift by 64, which C# makes one by 0, then moves a zero.
            prefixes[row] = (prefixes[row] << width) | BitExtract.Of(own, mask);
        }

        (field.Difference, field.Step) = (difference, step);
    }

    private void WriteRanks(ref Field field, byte* value, int rowBytes, int count, ulong* prefixes, ReadOnlySpan<uint> ranks)
    {
        var (first, difference, step) = (field.First, field.Difference, field.Step);
        var (mask, width) = (field.Mask, field.Width);
        var marks = Texts[field.Text].ById;
        for (var row = 0; row < count; row++, value += rowBytes)
        {
            var id = *(uint*)value;
            var rank = ranks[(int)id];
            marks[(int)id] = true;
            var differs = rank ^ first;
            difference |= differs;
            step |= differs ^ (differs >> 1);
            prefixes[row] = (prefixes[row] << width) | BitExtract.Of(rank, mask);
        }

        (field.Difference, field.Step) = (difference, step);
    }

    /// <summary>A value of a row as a number that compares as ClickHouse compares the column.</summary>
    private interface IValue
    {
        static abstract ulong Of(byte* value);
    }

    private readonly struct BigEndian : IValue
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Of(byte* value) => BinaryPrimitives.ReverseEndianness(*(ulong*)value);
    }

    private readonly struct Word : IValue
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Of(byte* value) => *(ulong*)value;
    }

    private readonly struct HalfWord : IValue
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Of(byte* value) => *(uint*)value;
    }

    private readonly struct QuarterWord : IValue
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Of(byte* value) => *(ushort*)value;
    }

    private readonly struct OneByte : IValue
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Of(byte* value) => *value;
    }

    /// <summary>One value of a row, what is known of it in this pass, and which of its bits are taken.</summary>
    private struct Field(TagType type, int offsetBytes, int text)
    {
        internal readonly TagType Type = type;
        internal readonly int OffsetBytes = offsetBytes;
        internal readonly int Text = text; // Index of the text column; -1 for a number.
        internal ulong First; // The value of the row that all are compared with.
        internal ulong Difference; // Bits that differ from it somewhere.
        internal ulong Step; // Bits whose step to their upper neighbour differs somewhere.
        internal ulong Wanted; // Bits that would be taken if there were room.
        internal ulong Mask; // Bits that are taken.
        internal int Width;

        /// <summary>Bits that may be the first one in which two rows differ.</summary>
        internal readonly ulong Needed => Difference & Step;
    }
}

/// <summary>Which texts of a cut some rows have.</summary>
/// <remarks>One thread.</remarks>
internal sealed class TextMarks
{
    private bool[] _byId = [];

    /// <summary>By id.</summary>
    internal bool[] ById => _byId;

    /// <summary>Marks none of <paramref name="count"/> texts.</summary>
    internal void Clear(int count)
    {
        if (_byId.Length < count)
        {
            _byId = new bool[Math.Max(count, _byId.Length * 2)];
        }

        Array.Clear(_byId, 0, count);
    }
}
