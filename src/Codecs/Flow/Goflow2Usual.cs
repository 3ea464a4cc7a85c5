using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>The fields of goflow2's message that flows have, in ascending order, as goflow2 writes them.</summary>
/// <remarks>Immutable.</remarks>
internal sealed unsafe class Goflow2Usual(FieldTargets targets)
{
    private const int LowFieldMax = 38;
    private const int TimeReceivedField = 110;
    private const int TimeFlowStartField = 111;
    private const int TimeFlowEndField = 112;

    private readonly int _srcAddr = targets.Tag(StandardSchema.SrcAddr);
    private readonly int _dstAddr = targets.Tag(StandardSchema.DstAddr);
    private readonly int _nextHop = targets.Tag(StandardSchema.NextHop);
    private readonly int _exporter = targets.Tag(StandardSchema.Exporter);

    // What no view uses is checked, and stored in the place of the hash, which is not the decoder's.
    private readonly int _srcPort = targets.TagOrHash(StandardSchema.SrcPort);
    private readonly int _dstPort = targets.TagOrHash(StandardSchema.DstPort);
    private readonly int _proto = targets.TagOrHash(StandardSchema.Proto);
    private readonly int _tos = targets.TagOrHash(StandardSchema.Tos);
    private readonly int _tcpFlags = targets.TagOrHash(StandardSchema.TcpFlags);
    private readonly int _srcAs = targets.TagOrHash(StandardSchema.SrcAs);
    private readonly int _dstAs = targets.TagOrHash(StandardSchema.DstAs);
    private readonly int _srcMask = targets.TagOrHash(StandardSchema.SrcMask);
    private readonly int _dstMask = targets.TagOrHash(StandardSchema.DstMask);
    private readonly int _inIf = targets.TagOrHash(StandardSchema.InIf);
    private readonly int _outIf = targets.TagOrHash(StandardSchema.OutIf);
    private readonly int _vlan = targets.TagOrHash(StandardSchema.Vlan);
    private readonly int _srcMac = targets.TagOrHash(StandardSchema.SrcMac);
    private readonly int _dstMac = targets.TagOrHash(StandardSchema.DstMac);
    private readonly int _etype = targets.TagOrHash(StandardSchema.Etype);

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
        fields.TakeAddress(6, row, _srcAddr);
        fields.TakeAddress(7, row, _dstAddr);
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

        if (fields.TryAddress(11, out var exporter) && _exporter >= 0)
        {
            *(uint*)(row + _exporter) = strings.InternAddress(exporter);
        }

        fields.TakeAddress(12, row, _nextHop);
        over |= fields.Over;
        return fields.Position;
    }

    private byte* TakeSystems(byte* position, byte* end, byte* row, ref ulong over)
    {
        var fields = new UsualFields(position, end);
        fields.Pass(13);
        fields.TakeU32(14, row, _srcAs);
        fields.TakeU32(15, row, _dstAs);
        fields.TakeU8(16, row, _srcMask);
        fields.TakeU8(17, row, _dstMask);
        fields.TakeU32(18, row, _inIf);
        fields.TakeU32(19, row, _outIf);
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
            row[_proto] = (byte)proto;
        }

        fields.TakePort(21, row, _srcPort);
        fields.TakePort(22, row, _dstPort);
        fields.TakeU8(23, row, _tos);
        fields.Pass(24);
        fields.Pass(25);
        if (fields.TrySmall(26, out var flags))
        {
            state.TcpFlags = (uint)flags;
            fields.Check(flags, 16);
            *(ushort*)(row + _tcpFlags) = (ushort)flags;
        }

        over |= fields.Over;
        return fields.Position;
    }

    private byte* TakeLink(byte* position, byte* end, byte* row, ref ulong over)
    {
        var fields = new UsualFields(position, end);
        fields.TakeMac(27, row, _srcMac);
        fields.TakeMac(28, row, _dstMac);
        fields.TakeU16(29, row, _vlan);
        fields.TakeU16(30, row, _etype);
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
