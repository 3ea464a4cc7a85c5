using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>Where in a row the standard tags go, for those who take fields in their usual order.</summary>
/// <remarks>Immutable.</remarks>
internal abstract class TagOffsets(FieldTargets targets)
{
    private protected readonly int SrcAddr = targets.Tag(StandardSchema.SrcAddr);
    private protected readonly int DstAddr = targets.Tag(StandardSchema.DstAddr);
    private protected readonly int NextHop = targets.Tag(StandardSchema.NextHop);
    private protected readonly int Exporter = targets.Tag(StandardSchema.Exporter);

    // What no view uses is checked, and stored in the place of the tag hash, which comes last or is not the decoder's.
    private protected readonly int SrcPort = targets.TagOrHash(StandardSchema.SrcPort);
    private protected readonly int DstPort = targets.TagOrHash(StandardSchema.DstPort);
    private protected readonly int Proto = targets.TagOrHash(StandardSchema.Proto);
    private protected readonly int Tos = targets.TagOrHash(StandardSchema.Tos);
    private protected readonly int TcpFlags = targets.TagOrHash(StandardSchema.TcpFlags);
    private protected readonly int SrcAs = targets.TagOrHash(StandardSchema.SrcAs);
    private protected readonly int DstAs = targets.TagOrHash(StandardSchema.DstAs);
    private protected readonly int SrcMask = targets.TagOrHash(StandardSchema.SrcMask);
    private protected readonly int DstMask = targets.TagOrHash(StandardSchema.DstMask);
    private protected readonly int InIf = targets.TagOrHash(StandardSchema.InIf);
    private protected readonly int OutIf = targets.TagOrHash(StandardSchema.OutIf);
    private protected readonly int Vlan = targets.TagOrHash(StandardSchema.Vlan);
    private protected readonly int SrcMac = targets.TagOrHash(StandardSchema.SrcMac);
    private protected readonly int DstMac = targets.TagOrHash(StandardSchema.DstMac);
    private protected readonly int Etype = targets.TagOrHash(StandardSchema.Etype);
}
