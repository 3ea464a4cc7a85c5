using System.Buffers;
using System.Runtime.CompilerServices;

namespace Weir.Codecs.Flow;

/// <summary>Writes <c>weir-proto</c>: each call appends one record to the <c>FlowBatch</c> in the output.</summary>
/// <remarks>No state; any thread. Allocates nothing of its own.</remarks>
public static class WeirProtoWriter
{
    /// <summary>All fields at their longest, the exporter apart.</summary>
    private const int RecordBytesMax = 512;

    private const int LengthBytesMax = 5;

    /// <summary>Appends a record.</summary>
    /// <param name="output">The value of the Kafka message; the batch is complete after each call.</param>
    /// <param name="record">Its <see cref="FlowRecord.Flows"/> is written unless it is 1.</param>
    [SkipLocalsInit]
    public static void Write(IBufferWriter<byte> output, in FlowRecord record)
    {
        var bytesMax = RecordBytesMax + record.Exporter.Length;
        byte[]? rented = null;
        var scratch = bytesMax <= 1024 ? stackalloc byte[1024] : (rented = ArrayPool<byte>.Shared.Rent(bytesMax));
        try
        {
            Write(output, record, scratch);
        }
        finally
        {
            if (rented is not null)
            {
                ArrayPool<byte>.Shared.Return(rented);
            }
        }
    }

    private static void Write(IBufferWriter<byte> output, in FlowRecord record, Span<byte> scratch)
    {
        var tags = new ProtoWriter(scratch);
        WriteTags(ref tags, record);
        var space = output.GetSpan(tags.Length + RecordBytesMax);
        var inner = new ProtoWriter(space[(1 + LengthBytesMax)..]);
        inner.Bytes(1, scratch[..tags.Length]);
        inner.Number(2, record.TimeSeconds);
        if (record.Flows != 1)
        {
            inner.Varint(3 << 3);
            inner.Varint(record.Flows);
        }

        inner.Number(4, record.Packets);
        inner.Number(5, record.Bytes);
        inner.Number(6, record.TcpSyn);
        inner.Number(7, record.TcpFin);
        inner.Number(8, record.TcpRst);
        inner.Number(9, record.RttUs);
        inner.Number(10, record.RttCount);
        inner.Number(11, record.Retransmissions);
        inner.Number(12, record.DurationMs);
        inner.Number(13, record.SamplingRate);

        var outer = new ProtoWriter(space);
        outer.Varint((WeirProtoDecoder.RecordsField << 3) | (uint)WireType.Bytes);
        outer.Varint((ulong)inner.Length);
        space.Slice(1 + LengthBytesMax, inner.Length).CopyTo(space[outer.Length..]);
        output.Advance(outer.Length + inner.Length);
    }

    private static void WriteTags(ref ProtoWriter tags, in FlowRecord record)
    {
        tags.Address(1, record.SrcAddr);
        tags.Address(2, record.DstAddr);
        tags.Number(3, record.SrcPort);
        tags.Number(4, record.DstPort);
        tags.Number(5, record.Proto);
        tags.Bytes(6, record.Exporter.Span);
        tags.Number(7, record.Tos);
        tags.Number(8, record.TcpFlags);
        tags.Number(9, record.SrcAs);
        tags.Number(10, record.DstAs);
        tags.Number(11, record.SrcMask);
        tags.Number(12, record.DstMask);
        tags.Number(13, record.InIf);
        tags.Number(14, record.OutIf);
        tags.Number(15, record.Vlan);
        tags.Number(16, record.SrcMac);
        tags.Number(17, record.DstMac);
        tags.Number(18, record.Etype);
        tags.Address(19, record.NextHop);
    }
}
