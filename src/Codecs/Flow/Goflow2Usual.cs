using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>The fields of goflow2's message that flows have, in ascending order, as goflow2 writes them.</summary>
/// <remarks>Immutable.</remarks>
internal sealed unsafe class Goflow2Usual(FieldTargets targets) : TagOffsets(targets)
{
    private const int LowFieldMax = 38;
    private const int TimeReceivedField = 110;
    private const int TimeFlowStartField = 111;
    private const int TimeFlowEndField = 112;

    /// <summary>True for a field that <see cref="Take"/> takes or passes.</summary>
    public static bool IsTaken(int field) => field is <= LowFieldMax or (>= TimeReceivedField and <= TimeFlowEndField);

    /// <summary>Takes the fields that come in order.</summary>
    /// <param name="position">First byte of the message.</param>
    /// <param name="end">Its end; <see cref="UsualFields.SlackBytes"/> more can be read.</param>
    /// <param name="state">Takes what is needed at the end of the record.</param>
    /// <param name="row">The row.</param>
    /// <param name="strings">For the exporter.</param>
    /// <returns>Where another field comes, or the end; null when something is wrong, and nothing that was stored counts.</returns>
    /// <remarks>In parts of a few fields each, since the compiler keeps the position in a register only as long as it inlines all of them.</remarks>
    public byte* Take(byte* position, byte* end, ref FlowState state, byte* row, StringDictionary strings)
    {
        var over = 0UL;
        position = TakeAddresses(position, end, ref state, row, ref over);
        position = TakeCounts(position, end, ref state, row, ref over, strings);
        position = TakeSystems(position, end, row, ref over);
        position = TakeTransport(position, end, ref state, row, ref over);
        if (!new UsualFields(position, end).IsTimeNext)
        {
            position = TakeLink(position, end, row, ref over);
            if (!new UsualFields(position, end).IsTimeNext)
            {
                position = PassOthers(position, end, ref over);
            }
        }

        position = TakeTimes(position, end, ref state, ref over);
        return over != 0 || position > end ? null : position;
    }

    private byte* TakeAddresses(byte* position, byte* end, ref FlowState state, byte* row, ref ulong over)
    {
        var fields = new UsualFields(position, end);
        fields.Pass(1);
        if (fields.TrySmall(3, out var rate))
        {
            state.SamplingRate = rate;
        }

        fields.Pass(4);
        fields.TakeAddress(6, row, SrcAddr);
        fields.TakeAddress(7, row, DstAddr);
        over |= fields.Over;
        return fields.Position;
    }

    private byte* TakeCounts(byte* position, byte* end, ref FlowState state, byte* row, ref ulong over, StringDictionary strings)
    {
        var fields = new UsualFields(position, end);
        if (fields.TryNumber(9, out var bytes))
        {
            state.Bytes = bytes;
        }

        if (fields.TryNumber(10, out var packets))
        {
            state.Packets = packets;
        }

        if (fields.TryAddress(11, out var exporter) && Exporter >= 0)
        {
            *(uint*)(row + Exporter) = strings.InternAddress(exporter);
        }

        fields.TakeAddress(12, row, NextHop);
        over |= fields.Over;
        return fields.Position;
    }

    private byte* TakeSystems(byte* position, byte* end, byte* row, ref ulong over)
    {
        var fields = new UsualFields(position, end);
        fields.Pass(13);
        fields.TakeU32(14, row, SrcAs);
        fields.TakeU32(15, row, DstAs);
        fields.TakeU8(16, row, SrcMask);
        fields.TakeU8(17, row, DstMask);
        fields.TakeU32(18, row, InIf);
        fields.TakeU32(19, row, OutIf);
        over |= fields.Over;
        return fields.Position;
    }

    private byte* TakeTransport(byte* position, byte* end, ref FlowState state, byte* row, ref ulong over)
    {
        var fields = new UsualFields(position, end);
        if (fields.TrySmall(20, out var proto))
        {
            state.Proto = (ushort)proto;
            fields.Check(proto, 8);
            row[Proto] = (byte)proto;
        }

        fields.TakePort(21, row, SrcPort);
        fields.TakePort(22, row, DstPort);
        fields.TakeU8(23, row, Tos);
        fields.Pass(24);
        fields.Pass(25);
        if (fields.TrySmall(26, out var flags))
        {
            state.TcpFlags = (uint)flags;
            fields.Check(flags, 16);
            *(ushort*)(row + TcpFlags) = (ushort)flags;
        }

        over |= fields.Over;
        return fields.Position;
    }

    private byte* TakeLink(byte* position, byte* end, byte* row, ref ulong over)
    {
        var fields = new UsualFields(position, end);
        fields.TakeMac(27, row, SrcMac);
        fields.TakeMac(28, row, DstMac);
        fields.TakeU16(29, row, Vlan);
        fields.TakeU16(30, row, Etype);
        over |= fields.Over;
        return fields.Position;
    }

    private static byte* PassOthers(byte* position, byte* end, ref ulong over)
    {
        var fields = new UsualFields(position, end);
        fields.Pass(31);
        fields.Pass(32);
        fields.Pass(33);
        fields.Pass(34);
        fields.Pass(35);
        fields.Pass(36);
        fields.Pass(37);
        fields.Pass(LowFieldMax);
        over |= fields.Over;
        return fields.Position;
    }

    private static byte* TakeTimes(byte* position, byte* end, ref FlowState state, ref ulong over)
    {
        var fields = new UsualFields(position, end);
        if (fields.TryLong(TimeReceivedField, out var received))
        {
            state.Times[Goflow2Decoder.TimeReceived] = FlowState.TimeOfNanos(received);
        }

        if (fields.TryLong(TimeFlowStartField, out var flowStart))
        {
            state.Times[Goflow2Decoder.TimeFlowStart] = FlowState.TimeOfNanos(flowStart);
        }

        if (fields.TryLong(TimeFlowEndField, out var flowEnd))
        {
            state.Times[Goflow2Decoder.TimeFlowEnd] = FlowState.TimeOfNanos(flowEnd);
        }

        over |= fields.Over;
        return fields.Position;
    }
}
