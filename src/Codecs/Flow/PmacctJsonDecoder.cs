using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary><c>pmacct-json</c>: the JSON of pmacct's Kafka plugin, one object or several lines in a message.</summary>
/// <remarks>
/// <para>
/// The time is <c>stamp_inserted</c>, else <c>timestamp_start</c>, else <c>timestamp_min</c>; the duration is from
/// <c>timestamp_start</c> to <c>timestamp_end</c>, else from <c>timestamp_min</c> to <c>timestamp_max</c>.
/// </para>
/// <para>
/// An object whose <c>event_type</c> ends in <c>_init</c> or <c>_close</c>, or is neither <c>purge</c> nor <c>log</c> and has no
/// field of a flow, is a marker. A record without a sampling rate is taken as not sampled.
/// </para>
/// </remarks>
internal sealed unsafe class PmacctJsonDecoder(StreamSchema schema)
    : JsonFlowDecoder(new FieldTargets(schema), Keys(new FieldTargets(schema)))
{
    private const int StampInserted = 0;
    private const int Start = 1;
    private const int Min = 2;
    private const int End = 3;
    private const int Max = 4;

    private static IEnumerable<(string Key, FieldAction Action)> Keys(FieldTargets targets) =>
    [
        ("event_type", new(FieldKind.EventType, -1)),
        ("ip_src", new(FieldKind.Address, targets.Tag(StandardSchema.SrcAddr))),
        ("ip_dst", new(FieldKind.Address, targets.Tag(StandardSchema.DstAddr))),
        ("port_src", new(FieldKind.Port, targets.Tag(StandardSchema.SrcPort))),
        ("port_dst", new(FieldKind.Port, targets.Tag(StandardSchema.DstPort))),
        ("ip_proto", new(FieldKind.Proto, targets.Tag(StandardSchema.Proto))),
        ("peer_ip_src", new(FieldKind.Exporter, targets.Tag(StandardSchema.Exporter))),
        ("peer_ip_dst", new(FieldKind.Address, targets.Tag(StandardSchema.NextHop))),
        ("tos", new(FieldKind.U8, targets.Tag(StandardSchema.Tos))),
        ("tcp_flags", new(FieldKind.TcpFlags, targets.Tag(StandardSchema.TcpFlags))),
        ("as_src", new(FieldKind.U32, targets.Tag(StandardSchema.SrcAs))),
        ("as_dst", new(FieldKind.U32, targets.Tag(StandardSchema.DstAs))),
        ("mask_src", new(FieldKind.Mask, targets.Tag(StandardSchema.SrcMask))),
        ("mask_dst", new(FieldKind.Mask, targets.Tag(StandardSchema.DstMask))),
        ("iface_in", new(FieldKind.U32, targets.Tag(StandardSchema.InIf))),
        ("iface_out", new(FieldKind.U32, targets.Tag(StandardSchema.OutIf))),
        ("vlan", new(FieldKind.U16, targets.Tag(StandardSchema.Vlan))),
        ("mac_src", new(FieldKind.Mac, targets.Tag(StandardSchema.SrcMac))),
        ("mac_dst", new(FieldKind.Mac, targets.Tag(StandardSchema.DstMac))),
        ("etype", new(FieldKind.EtypeHex, targets.Tag(StandardSchema.Etype))),
        ("packets", new(FieldKind.Packets, -1)),
        ("bytes", new(FieldKind.Bytes, -1)),
        ("flows", new(FieldKind.Flows, -1)),
        ("sampling_rate", new(FieldKind.SamplingRate, -1)),
        ("stamp_inserted", new(FieldKind.TimeSeconds, -1, TimeSlot: StampInserted)),
        ("timestamp_start", new(FieldKind.TimeSeconds, -1, TimeSlot: Start)),
        ("timestamp_min", new(FieldKind.TimeSeconds, -1, TimeSlot: Min)),
        ("timestamp_end", new(FieldKind.TimeSeconds, -1, TimeSlot: End)),
        ("timestamp_max", new(FieldKind.TimeSeconds, -1, TimeSlot: Max)),
    ];

    /// <inheritdoc/>
    private protected override ulong DurationOf(in FlowState state) => state.Times[Start] != 0
        ? FlowState.DurationOf(state.Times[Start], state.Times[End])
        : FlowState.DurationOf(state.Times[Min], state.Times[Max]);
}
