using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <content>The fields of <c>weir_flow.proto</c>.</content>
internal sealed unsafe partial class WeirProtoDecoder
{
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
        _recordFields.Add(TimeField, new(FieldKind.TimeSeconds, -1));
        _recordFields.Add(FlowsField, new(FieldKind.Flows, -1));
        _recordFields.Add(PacketsField, new(FieldKind.Packets, -1));
        _recordFields.Add(BytesField, new(FieldKind.Bytes, -1));
        _recordFields.Add(12, new(FieldKind.DurationMs, -1));
        _recordFields.Add(SamplingField, new(FieldKind.SamplingRate, -1));
        _run.Store(TimeField, StreamSchema.HashBytes);
        AddMeter(FlowsField, StandardSchema.Flows);
        AddMeter(PacketsField, StandardSchema.Packets);
        AddMeter(BytesField, StandardSchema.Bytes);
        AddMeter(12, StandardSchema.DurationMs);
        AddCount(6, StandardSchema.TcpSyn);
        AddCount(7, StandardSchema.TcpFin);
        AddCount(8, StandardSchema.TcpRst);
        AddCount(9, StandardSchema.RttUs);
        AddCount(10, StandardSchema.RttCount);
        AddCount(11, StandardSchema.Retransmissions);

        void AddCount(byte field, MeterDefinition meter)
        {
            _recordFields.Add(field, new(FieldKind.Count, targets.Meter(meter)));
            AddMeter(field, meter);
        }

        void AddMeter(byte field, MeterDefinition meter)
        {
            var offset = targets.Meter(meter);
            _shapedMeters?.Add(field, offset);
            if (offset >= 0)
            {
                _run.Store(field, offset);
            }
        }
    }

    /// <summary>A record that has been looked at.</summary>
    private struct Frame
    {
        /// <summary>First byte of the record.</summary>
        public byte* Record;

        /// <summary>Its end.</summary>
        public byte* End;

        /// <summary>What the cache may know of its tags.</summary>
        public byte* Entry;

        /// <summary>Hash of the tag bytes.</summary>
        public ulong Hash;

        /// <summary>Hash of the tag set.</summary>
        public ulong TagHash;

        /// <summary>Bytes of tags that come first, behind their number and length of a byte each; 0 where they do not.</summary>
        public int TagsLength;

        /// <summary>True when its row is complete but for the ids of the cut.</summary>
        public bool IsDecoded;

        /// <summary>What follows the tags.</summary>
        public readonly byte* Rest => TagsLength > 0 ? Record + 2 + TagsLength : Record;
    }
}
