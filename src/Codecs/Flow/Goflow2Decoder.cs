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

    private readonly ProtoFieldTable _fields = new();
    private readonly UsualCopy _copy = new();
    private readonly Goflow2Usual? _usual; // Null where a user's field has the number of one of ours.
    private readonly int _rowBytes;
    private readonly RowFinisher _finisher;

    /// <summary>Makes a decoder for a schema.</summary>
    public Goflow2Decoder(StreamSchema schema)
    {
        var targets = new FieldTargets(schema);
        _rowBytes = schema.RecordBytes;
        _finisher = new RowFinisher(targets);
        AddStandardFields(targets);
        _usual = UsualFields.IsSupported ? new Goflow2Usual(targets) : null;
        foreach (var (source, _, action) in targets.UserDefined())
        {
            if (source.ProtobufField != 0)
            {
                _usual = Goflow2Usual.IsTaken(source.ProtobufField) ? null : _usual;
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
            var rows = new RowBlock(sink, _rowBytes);
            switch (Goflow2Framing.Find(start, end, out var status))
            {
                case Goflow2Form.Bare:
                    DecodeRecord(start, end, end, sink, ref rows);
                    break;
                case Goflow2Form.Delimited:
                    DecodeDelimited(start, end, sink, ref rows);
                    break;
                default:
                    rows.Reject(status, payload);
                    break;
            }

            rows.End();
        }
    }

    private void DecodeDelimited(byte* start, byte* end, RecordSink sink, ref RowBlock rows)
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
                rows.Reject(status, new ReadOnlySpan<byte>(from, (int)(end - from)));
                return;
            }

            DecodeRecord(cursor.Position - record.Length, cursor.Position, end, sink, ref rows);
        }
    }

    private void DecodeRecord(byte* start, byte* end, byte* readableEnd, RecordSink sink, ref RowBlock rows)
    {
        var row = rows.Row;
        Unsafe.SkipInit(out FlowState state);
        var isSamplingUnknown = false;
        var status = ReadFields(start, end, readableEnd, ref state, row, sink.Strings);
        if (status == DecodeStatus.Ok)
        {
            var durationMs = FlowState.DurationOf(state.Times[TimeFlowStart], state.Times[TimeFlowEnd]);
            status = _finisher.Finish(state, row, durationMs, out isSamplingUnknown);
        }

        if (status != DecodeStatus.Ok)
        {
            rows.Reject(status, new ReadOnlySpan<byte>(start, (int)(end - start)));
            return;
        }

        sink.SamplingUnknownCount += isSamplingUnknown ? 1 : 0;
        rows.Accept();
    }

    /// <summary>Reads a message: in the usual order as far as that goes, then in any.</summary>
    private DecodeStatus ReadFields(byte* start, byte* end, byte* readableEnd, ref FlowState state, byte* row, StringDictionary strings)
    {
        Begin(ref state, row);
        if (_usual is not null && _copy.TryPlace(ref start, ref end, readableEnd))
        {
            var position = _usual.Take(start, end, ref state, row, strings);
            *(ulong*)row = 0;
            if (position == null)
            {
                Begin(ref state, row);
            }
            else
            {
                start = position;
            }
        }

        if (start == end)
        {
            return DecodeStatus.Ok;
        }

        var cursor = new ProtoCursor(start, end);
        return _fields.Read(ref cursor, null, ref state, row, strings);
    }

    private void Begin(ref FlowState state, byte* row)
    {
        new Span<byte>(row, _rowBytes).Clear();
        state.Reset();
        state.SamplingRate = 0;
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
