using System.Runtime.CompilerServices;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <content>From columns into the rows of the tile.</content>
internal sealed unsafe partial class WeirBatchDecoder
{
    /// <summary>Puts the numbers of a safe column into the rows in one pass.</summary>
    private void Spread(in WeirColumn column, byte* to, int first, int count)
    {
        var storedBytes = column.Action.Kind switch
        {
            FieldKind.U8 or FieldKind.Mask or FieldKind.Proto => sizeof(byte),
            FieldKind.U16 or FieldKind.Etype or FieldKind.Port => sizeof(ushort),
            FieldKind.U32 => sizeof(uint),
            _ => sizeof(ulong),
        };
        var data = column.Data + ((long)first * column.Width);
        switch (column.Width)
        {
            case 1:
                Spread((byte*)data, column.Base, storedBytes, to, count);
                break;
            case 2:
                Spread((ushort*)data, column.Base, storedBytes, to, count);
                break;
            case 4:
                Spread((uint*)data, column.Base, storedBytes, to, count);
                break;
            default:
                Spread((ulong*)data, column.Base, storedBytes, to, count);
                break;
        }
    }

    private void Spread<TFrom>(TFrom* from, ulong numberBase, int storedBytes, byte* to, int count)
        where TFrom : unmanaged, System.Numerics.IBinaryInteger<TFrom>
    {
        switch (storedBytes)
        {
            case sizeof(ulong):
                Spread<TFrom, ulong>(from, numberBase, to, count);
                break;
            case sizeof(uint):
                Spread<TFrom, uint>(from, numberBase, to, count);
                break;
            case sizeof(ushort):
                Spread<TFrom, ushort>(from, numberBase, to, count);
                break;
            default:
                Spread<TFrom, byte>(from, numberBase, to, count);
                break;
        }
    }

    /// <summary>One loop for each pair of widths, four rows a round: a load, an addition and a store for each row is all that is left.</summary>
    private void Spread<TFrom, TTo>(TFrom* from, ulong numberBase, byte* to, int count)
        where TFrom : unmanaged, System.Numerics.IBinaryInteger<TFrom>
        where TTo : unmanaged, System.Numerics.IBinaryInteger<TTo>
    {
        nint rowBytes = _rowBytes;
        var end = from + count;
        for (; end - from >= 4; from += 4)
        {
            *(TTo*)to = TTo.CreateTruncating(numberBase + ulong.CreateTruncating(from[0]));
            *(TTo*)(to + rowBytes) = TTo.CreateTruncating(numberBase + ulong.CreateTruncating(from[1]));
            *(TTo*)(to + (2 * rowBytes)) = TTo.CreateTruncating(numberBase + ulong.CreateTruncating(from[2]));
            *(TTo*)(to + (3 * rowBytes)) = TTo.CreateTruncating(numberBase + ulong.CreateTruncating(from[3]));
            to += 4 * rowBytes;
        }

        for (; from < end; from++, to += rowBytes)
        {
            *(TTo*)to = TTo.CreateTruncating(numberBase + ulong.CreateTruncating(*from));
        }
    }

    /// <summary>Brings the numbers of a column to 64 bits.</summary>
    private void Widen(in WeirColumn column, int first, int count)
    {
        var values = _values.AsSpan(0, count);
        var data = column.Data + ((long)first * column.Width);
        switch (column.Width)
        {
            case 0:
                values.Fill(column.Base);
                return;
            case 1:
                Widen(new ReadOnlySpan<byte>(data, count), column.Base, values);
                break;
            case 2:
                Widen(new ReadOnlySpan<ushort>(data, count), column.Base, values);
                break;
            case 4:
                Widen(new ReadOnlySpan<uint>(data, count), column.Base, values);
                break;
            default:
                Widen(new ReadOnlySpan<ulong>(data, count), column.Base, values);
                break;
        }

        if (column.MayWrap)
        {
            MarkAll(count, DecodeStatus.NumberOutOfRange, 0, column.Base);
        }
    }

    private static void Widen<T>(ReadOnlySpan<T> from, ulong numberBase, Span<ulong> to)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>
    {
        for (var index = 0; index < from.Length && index < to.Length; index++)
        {
            to[index] = numberBase + ulong.CreateTruncating(from[index]);
        }
    }

    /// <summary>Stores the widened numbers, and marks the records whose number its tag or meter cannot hold.</summary>
    private void PutNumbers(in FieldAction action, bool isSafe, byte* tile, int count)
    {
        var isUsed = action.Offset >= 0;
        var to = tile + action.Offset;
        switch (action.Kind)
        {
            case FieldKind.TimeSeconds:
                Scatter64(to, count);
                if (!isSafe)
                {
                    MarkAll(count, DecodeStatus.TimeMissing, ulong.MaxValue, 1);
                    Check(count, uint.MaxValue, DecodeStatus.TimeOutOfRange);
                }

                return;
            case FieldKind.U8 or FieldKind.Mask or FieldKind.Proto:
                var above8 = action.Kind == FieldKind.Proto ? DecodeStatus.ProtocolUnknown : DecodeStatus.NumberOutOfRange;
                CheckUnless(isSafe, count, byte.MaxValue, above8);
                if (isUsed)
                {
                    Scatter8(to, count);
                }

                return;
            case FieldKind.U16 or FieldKind.Etype or FieldKind.Port:
                var above16 = action.Kind == FieldKind.Port ? DecodeStatus.PortOutOfRange : DecodeStatus.NumberOutOfRange;
                CheckUnless(isSafe, count, ushort.MaxValue, above16);
                if (isUsed)
                {
                    Scatter16(to, count);
                }

                return;
            case FieldKind.U32:
                CheckUnless(isSafe, count, uint.MaxValue, DecodeStatus.NumberOutOfRange);
                if (isUsed)
                {
                    Scatter32(to, count);
                }

                return;
            case FieldKind.Mac:
                CheckUnless(isSafe, count, FieldWriter.MacMax, DecodeStatus.NumberOutOfRange);
                goto default;
            default:
                if (isUsed)
                {
                    Scatter64(to, count);
                }

                return;
        }
    }

    private void Scatter8(byte* to, int count)
    {
        var rowBytes = _rowBytes;
        foreach (var value in _values.AsSpan(0, count))
        {
            *(byte*)to = (byte)value;
            to += rowBytes;
        }
    }

    private void Scatter16(byte* to, int count)
    {
        var rowBytes = _rowBytes;
        foreach (var value in _values.AsSpan(0, count))
        {
            *(ushort*)to = (ushort)value;
            to += rowBytes;
        }
    }

    private void Scatter32(byte* to, int count)
    {
        var rowBytes = _rowBytes;
        foreach (var value in _values.AsSpan(0, count))
        {
            *(uint*)to = (uint)value;
            to += rowBytes;
        }
    }

    private void Scatter64(byte* to, int count)
    {
        var rowBytes = _rowBytes;
        foreach (var value in _values.AsSpan(0, count))
        {
            *(ulong*)to = value;
            to += rowBytes;
        }
    }

    private bool IsScaled(in FieldAction action) => action.Offset == _packetsOffset || action.Offset == _bytesOffset;

    private void PutAddresses(in WeirColumn column, byte* tile, int first, int count)
    {
        if (column.Action.Offset < 0)
        {
            return;
        }

        var to = tile + column.Action.Offset;
        nint rowBytes = _rowBytes;
        if (column.Width == sizeof(uint))
        {
            foreach (var ipv4 in new ReadOnlySpan<uint>((uint*)column.Data + first, count))
            {
                *(ulong*)to = 0;
                *(ulong*)(to + sizeof(ulong)) = ((ulong)ipv4 << 32) | 0xffff_0000; // As AddressText.PutIpv4, in two stores.
                to += rowBytes;
            }

            return;
        }

        var step = column.Width == 0 ? 0 : AddressText.Bytes;
        var from = column.Data + ((long)first * step);
        for (var index = 0; index < count; index++, to += rowBytes, from += step)
        {
            Unsafe.CopyBlockUnaligned(to, from, AddressText.Bytes);
        }
    }
}
