using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Weir.Codecs.Flow;

/// <summary>Writes <c>FlowMessage</c>s as goflow2 does, for the load generator and tests.</summary>
/// <remarks>No state; any thread. Allocates nothing of its own.</remarks>
public static unsafe class Goflow2Writer
{
    private const int RecordBytesMax = 512;
    private const int LengthBytesMax = 2; // 512 is two bytes of a varint.
    private const ulong NanosPerSecond = 1_000_000_000;
    private const ulong NanosPerMilli = 1_000_000;

    /// <summary>Appends a message.</summary>
    /// <param name="output">The value of the Kafka message.</param>
    /// <param name="record">Its exporter becomes <c>sampler_address</c> when it is an address, else it is left out.</param>
    /// <param name="isDelimited">True to write its length before it, as goflow2 does unless told otherwise.</param>
    [SkipLocalsInit]
    public static void Write(IBufferWriter<byte> output, in FlowRecord record, bool isDelimited)
    {
        Span<byte> scratch = stackalloc byte[RecordBytesMax];
        var writer = new ProtoWriter(scratch);
        writer.Number(1, 3); // NetFlow v9.
        writer.Number(3, record.SamplingRate);
        writer.Address(6, record.SrcAddr);
        writer.Address(7, record.DstAddr);
        writer.Number(9, record.Bytes);
        writer.Number(10, record.Packets);
        var exporter = stackalloc byte[AddressText.Bytes];
        if (AddressText.TryParse(record.Exporter.Span, exporter))
        {
            writer.Address(11, BinaryPrimitives.ReadUInt128BigEndian(new ReadOnlySpan<byte>(exporter, AddressText.Bytes)));
        }

        writer.Address(12, record.NextHop);
        writer.Number(14, record.SrcAs);
        writer.Number(15, record.DstAs);
        writer.Number(16, record.SrcMask);
        writer.Number(17, record.DstMask);
        writer.Number(18, record.InIf);
        writer.Number(19, record.OutIf);
        writer.Number(20, record.Proto);
        writer.Number(21, record.SrcPort);
        writer.Number(22, record.DstPort);
        writer.Number(23, record.Tos);
        writer.Number(26, record.TcpFlags);
        writer.Number(27, record.SrcMac);
        writer.Number(28, record.DstMac);
        writer.Number(29, record.Vlan);
        writer.Number(30, record.Etype);
        var start = record.TimeSeconds * NanosPerSecond;
        writer.Number(110, start);
        writer.Number(111, start);
        writer.Number(112, start + (record.DurationMs * NanosPerMilli));

        var space = output.GetSpan(LengthBytesMax + writer.Length);
        var outer = new ProtoWriter(space);
        if (isDelimited)
        {
            outer.Varint((ulong)writer.Length);
        }

        scratch[..writer.Length].CopyTo(space[outer.Length..]);
        output.Advance(outer.Length + writer.Length);
    }
}
