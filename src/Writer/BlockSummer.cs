using System.Runtime.InteropServices;
using Weir.Core.Model;

namespace Weir.Writer;

/// <summary>Adds up the main meters of a block's rows, by day, while the encoder has them in the cache.</summary>
/// <remarks>One thread, the builder's; used again from block to block.</remarks>
internal sealed unsafe class BlockSummer
{
    private const int DaySeconds = 86_400;

    private readonly int _recordsOffset;
    private readonly int _packetsOffset;
    private readonly int _bytesOffset;
    private readonly List<BlockDay> _days = [];

    /// <exception cref="ArgumentException">The view lacks <c>records</c>, by which its account is checked.</exception>
    internal BlockSummer(ViewPlan view, StreamSchema schema)
    {
        _recordsOffset = Offset(view, schema, StandardSchema.Records);
        _packetsOffset = Offset(view, schema, StandardSchema.Packets);
        _bytesOffset = Offset(view, schema, StandardSchema.Bytes);
        if (_recordsOffset < 0)
        {
            throw new ArgumentException(
                $"View {view.Definition.Name} has no meter records, by which its account is checked.", nameof(view));
        }
    }

    /// <summary>Sum of <c>records</c> since <see cref="Clear"/>.</summary>
    internal ulong RecordsSum { get; private set; }

    /// <summary>Begins a block.</summary>
    internal void Clear()
    {
        _days.Clear();
        RecordsSum = 0;
    }

    /// <summary>Adds rows.</summary>
    internal void Add(byte** rows, int count)
    {
        var row = 0;
        while (row < count)
        {
            // Rows of one series lie in order of time, and nearly all blocks have one day: the sums of a run stay in registers.
            var day = *(ulong*)rows[row] / DaySeconds;
            var (records, packets, bytes) = (0UL, 0UL, 0UL);
            for (; row < count && *(ulong*)rows[row] / DaySeconds == day; row++)
            {
                var cells = rows[row];
                records += *(ulong*)(cells + _recordsOffset);
                packets += _packetsOffset < 0 ? 0 : *(ulong*)(cells + _packetsOffset);
                bytes += _bytesOffset < 0 ? 0 : *(ulong*)(cells + _bytesOffset);
            }

            RecordsSum += records;
            ref var sums = ref Day((int)day);
            sums = new BlockDay(sums.Day, sums.Records + records, sums.Packets + packets, sums.Bytes + bytes);
        }
    }

    /// <summary>The sums of what was added since <see cref="Clear"/>.</summary>
    internal BlockSums Take()
    {
        _days.Sort(static (left, right) => left.Day.CompareTo(right.Day));
        var (packets, bytes) = (0UL, 0UL);
        foreach (var day in _days)
        {
            packets += day.Packets;
            bytes += day.Bytes;
        }

        return new BlockSums(RecordsSum, packets, bytes, [.. _days]);
    }

    private static int Offset(ViewPlan view, StreamSchema schema, MeterDefinition meter)
    {
        var own = view.Definition.Meters.FirstOrDefault(other => other.Name == meter.Name && other.Fold == MeterFold.Sum);
        return own is null ? -1 : view.KeyBytes + (sizeof(ulong) * schema.Meters.IndexOf(own));
    }

    /// <summary>The sums of a day. There are at most as many days as a block may have, and rarely more than two.</summary>
    private ref BlockDay Day(int day)
    {
        var days = CollectionsMarshal.AsSpan(_days);
        for (var index = days.Length - 1; index >= 0; index--)
        {
            if (days[index].Day == day)
            {
                return ref days[index];
            }
        }

        _days.Add(new BlockDay(day, 0, 0, 0));
        return ref CollectionsMarshal.AsSpan(_days)[^1];
    }
}
