using System.Runtime.CompilerServices;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary><c>weir-proto</c>: a <c>weir.v1.FlowBatch</c> of <c>weir_flow.proto</c>, many records in a message.</summary>
/// <remarks>
/// A bad record is one reject and the others go on; broken framing of the batch rejects what is left once. Tags that users define
/// are looked for in <c>Tags</c> and in <c>FlowRecord</c>, meters in <c>FlowRecord</c>, under their field number.
/// </remarks>
internal sealed unsafe class WeirProtoDecoder : FlowDecoder
{
    /// <summary>Field of a batch: a record.</summary>
    internal const uint RecordsField = 1;

    private readonly StreamSchema _schema;
    private readonly ProtoFieldTable _tagFields = new();
    private readonly ProtoFieldTable _recordFields = new();
    private readonly RowFinisher _finisher;

    /// <summary>Makes a decoder for a schema.</summary>
    public WeirProtoDecoder(StreamSchema schema)
    {
        var targets = new FieldTargets(schema);
        _schema = schema;
        _finisher = new RowFinisher(targets);
        AddTagFields(targets);
        AddRecordFields(targets);
        foreach (var (source, isTag, action) in targets.UserDefined())
        {
            if (source.ProtobufField != 0)
            {
                _recordFields.Add((uint)source.ProtobufField, action);
                if (isTag)
                {
                    _tagFields.Add((uint)source.ProtobufField, action);
                }
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
            var cursor = new ProtoCursor(start, end);
            var recordCount = 0;
            while (!cursor.IsAtEnd)
            {
                var from = cursor.Position;
                ReadOnlySpan<byte> record = default;
                var status = cursor.ReadTag(out var field, out var wireType);
                var isRecord = field == RecordsField && wireType == WireType.Bytes;
                if (status == DecodeStatus.Ok)
                {
                    status = isRecord ? cursor.ReadBytes(out record) : cursor.Skip(field, wireType);
                }

                if (isRecord && ++recordCount > RecordsPerMessageMax)
                {
                    status = DecodeStatus.LengthOverLimit;
                }

                if (status != DecodeStatus.Ok)
                {
                    sink.Reject(status, new ReadOnlySpan<byte>(from, (int)(end - from)));
                    return;
                }

                if (isRecord)
                {
                    DecodeRecord(record, sink);
                }
            }

            if (recordCount == 0)
            {
                sink.Reject(DecodeStatus.Malformed, payload); // Something, but no record: not a batch of ours.
            }
        }
    }

    private void DecodeRecord(ReadOnlySpan<byte> record, RecordSink sink)
    {
        var row = sink.Row;
        Unsafe.SkipInit(out FlowState state);
        state.Reset();
        DecodeStatus status;
        fixed (byte* start = record)
        {
            var cursor = new ProtoCursor(start, start + record.Length);
            status = _recordFields.Read(ref cursor, _tagFields, ref state, row, sink.Strings);
        }

        if (status == DecodeStatus.Ok)
        {
            if (state.SamplingRate == 0)
            {
                state.SamplingRate = 1; // Of our own format 0 says the same as nothing: not sampled.
            }

            status = _finisher.Finish(state, row, state.DurationMs, out _);
        }

        if (status == DecodeStatus.Ok)
        {
            sink.Accept();
            return;
        }

        ClearRow(row, _schema);
        sink.Reject(status, record);
    }

    private void AddTagFields(FieldTargets targets)
    {
        _tagFields.Add(1, new(FieldKind.Address, targets.Tag(StandardSchema.SrcAddr)));
        _tagFields.Add(2, new(FieldKind.Address, targets.Tag(StandardSchema.DstAddr)));
        _tagFields.Add(3, new(FieldKind.Port, targets.Tag(StandardSchema.SrcPort)));
        _tagFields.Add(4, new(FieldKind.Port, targets.Tag(StandardSchema.DstPort)));
        _tagFields.Add(5, new(FieldKind.Proto, targets.Tag(StandardSchema.Proto)));
        _tagFields.Add(6, new(FieldKind.Text, targets.Tag(StandardSchema.Exporter)));
        _tagFields.Add(7, new(FieldKind.U8, targets.Tag(StandardSchema.Tos)));
        _tagFields.Add(8, new(FieldKind.U16, targets.Tag(StandardSchema.TcpFlags)));
        _tagFields.Add(9, new(FieldKind.U32, targets.Tag(StandardSchema.SrcAs)));
        _tagFields.Add(10, new(FieldKind.U32, targets.Tag(StandardSchema.DstAs)));
        _tagFields.Add(11, new(FieldKind.Mask, targets.Tag(StandardSchema.SrcMask)));
        _tagFields.Add(12, new(FieldKind.Mask, targets.Tag(StandardSchema.DstMask)));
        _tagFields.Add(13, new(FieldKind.U32, targets.Tag(StandardSchema.InIf)));
        _tagFields.Add(14, new(FieldKind.U32, targets.Tag(StandardSchema.OutIf)));
        _tagFields.Add(15, new(FieldKind.U16, targets.Tag(StandardSchema.Vlan)));
        _tagFields.Add(16, new(FieldKind.Mac, targets.Tag(StandardSchema.SrcMac)));
        _tagFields.Add(17, new(FieldKind.Mac, targets.Tag(StandardSchema.DstMac)));
        _tagFields.Add(18, new(FieldKind.Etype, targets.Tag(StandardSchema.Etype)));
        _tagFields.Add(19, new(FieldKind.Address, targets.Tag(StandardSchema.NextHop)));
    }

    private void AddRecordFields(FieldTargets targets)
    {
        _recordFields.Add(1, new(FieldKind.NestedTags, -1));
        _recordFields.Add(2, new(FieldKind.TimeSeconds, -1));
        _recordFields.Add(3, new(FieldKind.Flows, -1));
        _recordFields.Add(4, new(FieldKind.Packets, -1));
        _recordFields.Add(5, new(FieldKind.Bytes, -1));
        _recordFields.Add(6, new(FieldKind.Count, targets.Meter(StandardSchema.TcpSyn)));
        _recordFields.Add(7, new(FieldKind.Count, targets.Meter(StandardSchema.TcpFin)));
        _recordFields.Add(8, new(FieldKind.Count, targets.Meter(StandardSchema.TcpRst)));
        _recordFields.Add(9, new(FieldKind.Count, targets.Meter(StandardSchema.RttUs)));
        _recordFields.Add(10, new(FieldKind.Count, targets.Meter(StandardSchema.RttCount)));
        _recordFields.Add(11, new(FieldKind.Count, targets.Meter(StandardSchema.Retransmissions)));
        _recordFields.Add(12, new(FieldKind.DurationMs, -1));
        _recordFields.Add(13, new(FieldKind.SamplingRate, -1));
    }
}
