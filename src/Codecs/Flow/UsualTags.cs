using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>The tags of <c>weir-proto</c> in ascending order of their fields, as <see cref="WeirProtoWriter"/> and generated code write them.</summary>
/// <remarks>Thread of the ingest worker; but for a hint immutable.</remarks>
internal sealed unsafe class UsualTags(FieldTargets targets) : TagOffsets(targets)
{
    /// <summary>The last field.</summary>
    public const int FieldMax = 19;

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
            && FieldWriter.PutText(row, Exporter, text, texts, ref _exporterHint) != DecodeStatus.Ok)
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
        fields.TakeAddress(1, row, SrcAddr);
        fields.TakeAddress(2, row, DstAddr);
        fields.TakePort(3, row, SrcPort);
        fields.TakePort(4, row, DstPort);
        fields.TakeU8(5, row, Proto);
        over |= fields.Over;
        return fields.Position;
    }

    private byte* TakeSystems(byte* position, byte* end, byte* row, ref ulong over)
    {
        var fields = new UsualFields(position, end);
        fields.TakeU8(7, row, Tos);
        fields.TakeU16(8, row, TcpFlags);
        fields.TakeU32(9, row, SrcAs);
        fields.TakeU32(10, row, DstAs);
        fields.TakeU8(11, row, SrcMask);
        fields.TakeU8(12, row, DstMask);
        fields.TakeU32(13, row, InIf);
        fields.TakeU32(14, row, OutIf);
        over |= fields.Over;
        return fields.Position;
    }

    private byte* TakeLink(byte* position, byte* end, byte* row, ref ulong over)
    {
        var fields = new UsualFields(position, end);
        fields.TakeU16(15, row, Vlan);
        fields.TakeMac(16, row, SrcMac);
        fields.TakeMac(17, row, DstMac);
        fields.TakeU16(18, row, Etype);
        fields.TakeAddress(19, row, NextHop);
        over |= fields.Over;
        return fields.Position;
    }
}
