using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>The tags of <c>weir-proto</c> in ascending order of their fields, as <see cref="WeirProtoWriter"/> and generated code write them.</summary>
/// <remarks>Thread of the ingest worker; but for a hint immutable.</remarks>
internal sealed unsafe class UsualTags(FieldTargets targets)
{
    /// <summary>The last field.</summary>
    public const int FieldMax = 19;

    private readonly int _srcAddr = targets.Tag(StandardSchema.SrcAddr);
    private readonly int _dstAddr = targets.Tag(StandardSchema.DstAddr);
    private readonly int _nextHop = targets.Tag(StandardSchema.NextHop);
    private readonly int _exporter = targets.Tag(StandardSchema.Exporter);

    // What no view uses is checked, and stored in the place of the hash, which is written last.
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
    private uint _exporterHint;

    /// <summary>Takes the fields that come in order.</summary>
    /// <param name="start">First byte of the message.</param>
    /// <param name="end">Its end; <see cref="UsualFields.SlackBytes"/> more can be read.</param>
    /// <param name="row">The row.</param>
    /// <param name="texts">For the exporter.</param>
    /// <returns>Where another field comes, or the end; null when something is wrong, and nothing that was stored counts.</returns>
    public byte* Take(byte* start, byte* end, byte* row, StringDictionary texts)
    {
        var over = 0UL;
        var position = TakeEnds(start, end, row, ref over);
        var fields = new UsualFields(position, end);
        if (fields.TryBytes(6, out var text)
            && FieldWriter.PutText(row, _exporter, text, texts, ref _exporterHint) != DecodeStatus.Ok)
        {
            return null;
        }

        position = TakeSystems(fields.Position, end, row, ref over);
        if (position < end)
        {
            position = TakeLink(position, end, row, ref over);
        }

        return over != 0 || position > end ? null : position;
    }

    private byte* TakeEnds(byte* position, byte* end, byte* row, ref ulong over)
    {
        var fields = new UsualFields(position, end);
        fields.TakeAddress(1, row, _srcAddr);
        fields.TakeAddress(2, row, _dstAddr);
        fields.TakePort(3, row, _srcPort);
        fields.TakePort(4, row, _dstPort);
        fields.TakeU8(5, row, _proto);
        over |= fields.Over;
        return fields.Position;
    }

    private byte* TakeSystems(byte* position, byte* end, byte* row, ref ulong over)
    {
        var fields = new UsualFields(position, end);
        fields.TakeU8(7, row, _tos);
        fields.TakeU16(8, row, _tcpFlags);
        fields.TakeU32(9, row, _srcAs);
        fields.TakeU32(10, row, _dstAs);
        fields.TakeU8(11, row, _srcMask);
        fields.TakeU8(12, row, _dstMask);
        fields.TakeU32(13, row, _inIf);
        fields.TakeU32(14, row, _outIf);
        over |= fields.Over;
        return fields.Position;
    }

    private byte* TakeLink(byte* position, byte* end, byte* row, ref ulong over)
    {
        var fields = new UsualFields(position, end);
        fields.TakeU16(15, row, _vlan);
        fields.TakeMac(16, row, _srcMac);
        fields.TakeMac(17, row, _dstMac);
        fields.TakeU16(18, row, _etype);
        fields.TakeAddress(19, row, _nextHop);
        over |= fields.Over;
        return fields.Position;
    }
}
