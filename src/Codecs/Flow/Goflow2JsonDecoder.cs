using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary><c>goflow2-json</c>: the JSON of goflow2, with names for protocols and Ethernet types, one object or several lines.</summary>
/// <remarks>
/// The time is <c>time_flow_start_ns</c>, else <c>time_received_ns</c>, else <c>time_flow_end_ns</c>. goflow2 writes protocols and
/// Ethernet types that it has no name for as an empty text: they are 0 here. A sampling rate of 0, or none, is unknown.
/// </remarks>
internal sealed unsafe class Goflow2JsonDecoder(StreamSchema schema)
    : JsonFlowDecoder(new FieldTargets(schema), Keys(new FieldTargets(schema)), isSamplingUnknownWhenAbsent: true)
{
    private static IEnumerable<(string Key, FieldAction Action)> Keys(FieldTargets targets) =>
    [
        ("src_addr", new(FieldKind.Address, targets.Tag(StandardSchema.SrcAddr))),
        ("dst_addr", new(FieldKind.Address, targets.Tag(StandardSchema.DstAddr))),
        ("src_port", new(FieldKind.Port, targets.Tag(StandardSchema.SrcPort))),
        ("dst_port", new(FieldKind.Port, targets.Tag(StandardSchema.DstPort))),
        ("proto", new(FieldKind.Proto, targets.Tag(StandardSchema.Proto))),
        ("sampler_address", new(FieldKind.Exporter, targets.Tag(StandardSchema.Exporter))),
        ("next_hop", new(FieldKind.Address, targets.Tag(StandardSchema.NextHop))),
        ("ip_tos", new(FieldKind.U8, targets.Tag(StandardSchema.Tos))),
        ("tcp_flags", new(FieldKind.TcpFlags, targets.Tag(StandardSchema.TcpFlags))),
        ("src_as", new(FieldKind.U32, targets.Tag(StandardSchema.SrcAs))),
        ("dst_as", new(FieldKind.U32, targets.Tag(StandardSchema.DstAs))),
        ("src_net", new(FieldKind.Mask, targets.Tag(StandardSchema.SrcMask))),
        ("dst_net", new(FieldKind.Mask, targets.Tag(StandardSchema.DstMask))),
        ("in_if", new(FieldKind.U32, targets.Tag(StandardSchema.InIf))),
        ("out_if", new(FieldKind.U32, targets.Tag(StandardSchema.OutIf))),
        ("vlan_id", new(FieldKind.U16, targets.Tag(StandardSchema.Vlan))),
        ("src_mac", new(FieldKind.Mac, targets.Tag(StandardSchema.SrcMac))),
        ("dst_mac", new(FieldKind.Mac, targets.Tag(StandardSchema.DstMac))),
        ("etype", new(FieldKind.Etype, targets.Tag(StandardSchema.Etype))),
        ("packets", new(FieldKind.Packets, -1)),
        ("bytes", new(FieldKind.Bytes, -1)),
        ("sampling_rate", new(FieldKind.SamplingRate, -1)),
        ("time_flow_start_ns", new(FieldKind.TimeNanos, -1, TimeSlot: Goflow2Decoder.TimeFlowStart)),
        ("time_received_ns", new(FieldKind.TimeNanos, -1, TimeSlot: Goflow2Decoder.TimeReceived)),
        ("time_flow_end_ns", new(FieldKind.TimeNanos, -1, TimeSlot: Goflow2Decoder.TimeFlowEnd)),
    ];

    /// <inheritdoc/>
    private protected override ulong DurationOf(in FlowState state) =>
        FlowState.DurationOf(state.Times[Goflow2Decoder.TimeFlowStart], state.Times[Goflow2Decoder.TimeFlowEnd]);
}
