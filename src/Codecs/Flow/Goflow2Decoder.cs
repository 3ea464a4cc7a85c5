using System.Runtime.CompilerServices;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary><c>goflow2</c>: goflow2's <c>FlowMessage</c>, bare or with its length before it, one or many in a message.</summary>
/// <remarks>
/// <para>
/// Which form a payload has is found by its structure (see <see cref="Goflow2Framing"/>). In the delimited form a bad record is
/// one reject and the others go on; broken lengths reject what is left once.
/// </para>
/// <para>
/// The time is <c>time_flow_start_ns</c>, else <c>time_received_ns</c>, else <c>time_flow_end_ns</c>; 0 is absent. A sampling rate
/// of 0, or none, is unknown.
/// </para>
/// </remarks>
internal sealed unsafe class Goflow2Decoder : FlowDecoder
{
    /// <summary>Slot of the preferred time.</summary>
    internal const int TimeFlowStart = 0;

    /// <summary>Slot of the time that stands in for it.</summary>
    internal const int TimeReceived = 1;

    /// <summary>Slot of the end, the last resort.</summary>
    internal const int TimeFlowEnd = 2;

    private readonly StreamSchema _schema;
    private readonly ProtoFieldTable _fields = new();
    private readonly RowFinisher _finisher;

    /// <summary>Makes a decoder for a schema.</summary>
    public Goflow2Decoder(StreamSchema schema)
    {
        var targets = new FieldTargets(schema);
        _schema = schema;
        _finisher = new RowFinisher(targets);
        AddStandardFields(targets);
        foreach (var (source, _, action) in targets.UserDefined())
        {
            if (source.ProtobufField != 0)
            {
                _fields.Add((uint)source.ProtobufField, action);
            }
        }
    }

    /// <inheritdoc/>
    public override void Decode(ReadOnlySpan<byte> payload, RecordSink sink)
    {
        if (payload.IsEmpty)
        {
            sink.Reject(DecodeStatus.Empty, payload);
            return;
        }

        fixed (byte* start = payload)
        {
            var end = start + payload.Length;
            var form = Goflow2Framing.Find(start, end, out var status);
            switch (form)
            {
                case Goflow2Form.Bare:
                    DecodeRecord(payload, sink);
                    break;
                case Goflow2Form.Delimited:
                    DecodeDelimited(start, end, sink);
                    break;
                default:
                    sink.Reject(status, payload);
                    break;
            }
        }
    }

    private void DecodeDelimited(byte* start, byte* end, RecordSink sink)
    {
        var cursor = new ProtoCursor(start, end);
        for (var recordCount = 0; !cursor.IsAtEnd; recordCount++)
        {
            var from = cursor.Position;
            var status = cursor.ReadBytes(out var record);
            if (status == DecodeStatus.Ok && record.IsEmpty)
            {
                status = DecodeStatus.Malformed; // goflow2 writes none without fields; zeros are not a stream of records.
            }

            if (recordCount == RecordsPerMessageMax)
            {
                status = DecodeStatus.LengthOverLimit;
            }

            if (status != DecodeStatus.Ok)
            {
                sink.Reject(status, new ReadOnlySpan<byte>(from, (int)(end - from)));
                return;
            }

            DecodeRecord(record, sink);
        }
    }

    private void DecodeRecord(ReadOnlySpan<byte> record, RecordSink sink)
    {
        var row = sink.Row;
        Unsafe.SkipInit(out FlowState state);
        state.Reset();
        state.SamplingRate = 0;
        DecodeStatus status;
        fixed (byte* start = record)
        {
            var cursor = new ProtoCursor(start, start + record.Length);
            status = _fields.Read(ref cursor, null, ref state, row, sink.Strings);
        }

        var isSamplingUnknown = false;
        if (status == DecodeStatus.Ok)
        {
            var durationMs = FlowState.DurationOf(state.Times[TimeFlowStart], state.Times[TimeFlowEnd]);
            status = _finisher.Finish(state, row, durationMs, out isSamplingUnknown);
        }

        if (status != DecodeStatus.Ok)
        {
            ClearRow(row, _schema);
            sink.Reject(status, record);
            return;
        }

        sink.SamplingUnknownCount += isSamplingUnknown ? 1 : 0;
        sink.Accept();
    }

    private void AddStandardFields(FieldTargets targets)
    {
        _fields.Add(3, new(FieldKind.SamplingRate, -1));
        _fields.Add(6, new(FieldKind.Address, targets.Tag(StandardSchema.SrcAddr)));
        _fields.Add(7, new(FieldKind.Address, targets.Tag(StandardSchema.DstAddr)));
        _fields.Add(9, new(FieldKind.Bytes, -1));
        _fields.Add(10, new(FieldKind.Packets, -1));
        _fields.Add(11, new(FieldKind.Exporter, targets.Tag(StandardSchema.Exporter)));
        _fields.Add(12, new(FieldKind.Address, targets.Tag(StandardSchema.NextHop)));
        _fields.Add(14, new(FieldKind.U32, targets.Tag(StandardSchema.SrcAs)));
        _fields.Add(15, new(FieldKind.U32, targets.Tag(StandardSchema.DstAs)));
        _fields.Add(16, new(FieldKind.Mask, targets.Tag(StandardSchema.SrcMask)));
        _fields.Add(17, new(FieldKind.Mask, targets.Tag(StandardSchema.DstMask)));
        _fields.Add(18, new(FieldKind.U32, targets.Tag(StandardSchema.InIf)));
        _fields.Add(19, new(FieldKind.U32, targets.Tag(StandardSchema.OutIf)));
        _fields.Add(20, new(FieldKind.Proto, targets.Tag(StandardSchema.Proto)));
        _fields.Add(21, new(FieldKind.Port, targets.Tag(StandardSchema.SrcPort)));
        _fields.Add(22, new(FieldKind.Port, targets.Tag(StandardSchema.DstPort)));
        _fields.Add(23, new(FieldKind.U8, targets.Tag(StandardSchema.Tos)));
        _fields.Add(26, new(FieldKind.TcpFlags, targets.Tag(StandardSchema.TcpFlags)));
        _fields.Add(27, new(FieldKind.Mac, targets.Tag(StandardSchema.SrcMac)));
        _fields.Add(28, new(FieldKind.Mac, targets.Tag(StandardSchema.DstMac)));
        _fields.Add(29, new(FieldKind.U16, targets.Tag(StandardSchema.Vlan)));
        _fields.Add(30, new(FieldKind.Etype, targets.Tag(StandardSchema.Etype)));
        _fields.Add(110, new(FieldKind.TimeNanos, -1, TimeSlot: TimeReceived));
        _fields.Add(111, new(FieldKind.TimeNanos, -1, TimeSlot: TimeFlowStart));
        _fields.Add(112, new(FieldKind.TimeNanos, -1, TimeSlot: TimeFlowEnd));
    }
}
