using System.Buffers.Binary;
using Google.Protobuf;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Weir.Tests.Support;
using Weir.V1;
using Xunit;
using FlowRecord = Weir.Codecs.Flow.FlowRecord;

namespace Weir.Tests.Codecs.Flow;

/// <summary>The two formats of Weir's own: round trips, rejects, and the batch's frame.</summary>
public sealed class WeirFormatTests
{
    private const int Seed = 20261121;

    [Theory]
    [InlineData("weir")]
    [InlineData("weir-proto")]
    public void Records_survive_the_round_trip(string format)
    {
        var random = new Random(Seed);
        for (var round = 0; round < 200; round++)
        {
            var records = Enumerable.Range(0, random.Next(1, 200)).Select(_ => FlowSamples.Random(random)).ToArray();
            var payload = format == "weir" ? FlowSamples.WeirBatch(records) : FlowSamples.WeirProto(records);
            using var sink = FlowSamples.Decode(format, payload);

            Assert.Empty(sink.Rejects);
            Assert.Equal(records.Length, sink.AcceptedCount);
            for (var index = 0; index < records.Length; index++)
            {
                AssertEqual(records[index], sink, index);
            }
        }
    }

    [Fact]
    public void Both_formats_give_the_same_rows_in_the_standard_schema()
    {
        var random = new Random(Seed);
        var records = Enumerable.Range(0, 1000).Select(_ => FlowSamples.Random(random)).ToArray();
        using var batch = new RecordingSink(FlowSamples.Standard);
        using var proto = new RecordingSink(FlowSamples.Standard);

        FlowFormats.Create("weir", FlowSamples.Standard).Decode(FlowSamples.WeirBatch(records), batch);
        FlowFormats.Create("weir-proto", FlowSamples.Standard).Decode(FlowSamples.WeirProto(records), proto);

        for (var index = 0; index < records.Length; index++)
        {
            Assert.Equal(proto.Describe(index), batch.Describe(index));
        }
    }

    [Fact]
    public void Google_protobuf_reads_what_the_encoder_writes_and_the_decoder_what_google_protobuf_writes()
    {
        var random = new Random(Seed);
        for (var round = 0; round < 500; round++)
        {
            var record = FlowSamples.Random(random);
            var payload = FlowSamples.WeirProto(record, record);
            var batch = FlowBatch.Parser.ParseFrom(payload);

            Assert.Equal(payload, batch.ToByteArray());
            Assert.Equal(2, batch.Records.Count);
            var read = batch.Records[1];
            Assert.Equal(record.Packets, read.Packets);
            Assert.Equal(record.Flows, read.HasFlows ? read.Flows : 1);
            Assert.Equal(record.DurationMs, read.DurationMs);
            Assert.Equal(record.DstMac, read.Tags.DstMac);
            Assert.Equal(record.Etype, read.Tags.Etype);
            Assert.Equal(record.TimeSeconds, read.Time);
        }
    }

    [Theory]
    [InlineData("", DecodeStatus.Empty)]
    [InlineData("12020801", DecodeStatus.Malformed)] // No record at all.
    [InlineData("0a00", DecodeStatus.TimeMissing)]
    [InlineData("0a021080", DecodeStatus.Truncated)]
    [InlineData("0a0210", DecodeStatus.Truncated)]
    [InlineData("0a80808080808080808001", DecodeStatus.LengthOverLimit)]
    [InlineData("0a0610ffffffff7f", DecodeStatus.TimeOutOfRange)]
    [InlineData("0a0610010a021001", DecodeStatus.Malformed)] // In the tags: an address as a number.
    [InlineData("0a0610010a020a00", DecodeStatus.Ok)]
    [InlineData("0a08100a0a0420808004", DecodeStatus.PortOutOfRange)]
    [InlineData("0a08100a0a04289a0300", DecodeStatus.ProtocolUnknown)]
    [InlineData("0a08100a0a043202c328", DecodeStatus.InvalidUtf8)]
    [InlineData("0a021007070707", DecodeStatus.Malformed)]
    [InlineData("0a1f10072080808080808080808001288080808080808080800168ffffffffff01", DecodeStatus.NumberOutOfRange)]
    public void Proto_message_is_judged_by_its_bytes(string hex, DecodeStatus expected)
    {
        using var sink = FlowSamples.Decode("weir-proto", Convert.FromHexString(hex));

        Assert.Equal(expected == DecodeStatus.Ok ? [] : [expected], sink.Rejects);
    }

    [Fact]
    public void Proto_record_that_is_bad_is_one_reject_and_tags_in_two_pieces_are_joined()
    {
        var good = FlowSamples.WeirProto(new FlowRecord { TimeSeconds = 7, Flows = 1, DstPort = 53 });
        byte[] joined = [0x0a, 10, 0x0a, 2, 0x20, 80, 0x10, 7, 0x0a, 2, 0x28, 6];

        using var sink = FlowSamples.Decode("weir-proto", [.. good, 0x0a, 2, 0x10, 0x80, .. joined, .. good, 0x0a, 99]);

        Assert.Equal([DecodeStatus.Truncated, DecodeStatus.Truncated], sink.Rejects);
        Assert.Equal(
            ["time=7 dst_port=53 flows=1", "time=7 dst_port=80 proto=6 flows=1", "time=7 dst_port=53 flows=1"],
            [sink.Describe(0), sink.Describe(1), sink.Describe(2)]);
    }

    [Fact]
    public void Batch_says_what_is_wrong_with_its_frame()
    {
        var batch = FlowSamples.WeirBatch(new FlowRecord { TimeSeconds = 7, Flows = 1, DstPort = 53 });
        AssertReject(DecodeStatus.Empty, []);
        AssertReject(DecodeStatus.Malformed, [.. "WEAR"u8, .. batch[4..]]);
        AssertReject(DecodeStatus.Truncated, batch[..3]);
        AssertReject(DecodeStatus.Truncated, batch[..19]);
        AssertReject(DecodeStatus.Truncated, batch[..^1]);
        AssertReject(DecodeStatus.Malformed, [.. batch, 0]);
        AssertReject(DecodeStatus.UnknownVersion, Patched(batch, 4, 2));
        AssertReject(DecodeStatus.UnknownVersion, Patched(batch, 5, 1));
        AssertReject(DecodeStatus.ChecksumMismatch, Patched(batch, 30, 99));
        AssertReject(DecodeStatus.LengthOverLimit, Sealed(Patched(batch, 11, 1)));
        AssertReject(DecodeStatus.LengthOverLimit, Sealed(Patched(batch, 7, 2)));
        AssertReject(DecodeStatus.Empty, Sealed(Patched(batch, 8, 0)));
        AssertReject(DecodeStatus.LengthOverLimit, Sealed(Patched(batch, 18, 255))); // Texts.
        AssertReject(DecodeStatus.Truncated, Sealed(Patched(batch, 17, 255)));
        AssertReject(DecodeStatus.Malformed, Sealed(Patched(batch, 6, 1))); // Fewer columns than there are.
        AssertReject(DecodeStatus.Truncated, Sealed(Patched(batch, 6, 99)));
    }

    [Fact]
    public void Batch_record_with_a_bad_value_is_one_reject_and_columns_that_are_not_known_are_passed()
    {
        var writer = new WeirBatchWriter();
        writer.Begin();
        var text = writer.AddText("é"u8);
        writer.WriteTexts();
        writer.WriteNumbers(0x202, WeirBatch.EncodingNumbers, [0, 5, 5_000_000_000, 5, 5, 5]);
        writer.WriteNumbers(0x104, WeirBatch.EncodingNumbers, [1, 2, 3, 70_000, 5, 6]);
        writer.WriteNumbers(0x204, WeirBatch.EncodingNumbers, [1, 1, 1, 1, ulong.MaxValue, 7]);
        writer.WriteNumbers(0x20d, WeirBatch.EncodingNumbers, [1, 1, 1, 1, 2, 3]);
        writer.WriteNumbers(0x3333, 77, [1, 2, 3, 4, 5, 6]);
        writer.WriteNumbers(0x8000 | 2000, WeirBatch.EncodingTexts, [text, text, text, text, text, text]);
        writer.WriteNumbers(0x8000 | 2001, WeirBatch.EncodingNumbers, [9, 9, 9, 9, 9, 8]);
        writer.WriteNumbers(0x8000 | 2003, WeirBatch.EncodingNumbers, [9, 9, 9, 9, 9, 8]);
        writer.WriteAddresses(0x8000 | 2002, [1, 2, 3, 4, 5, 6]);
        var payload = writer.End(6).ToArray();

        using var sink = FlowSamples.Decode("weir", payload);

        Assert.Equal(
            [DecodeStatus.TimeMissing, DecodeStatus.TimeOutOfRange, DecodeStatus.PortOutOfRange, DecodeStatus.NumberOutOfRange], sink.Rejects);
        Assert.Equal("time=5 dst_port=2 app=é pod=9 nat=::2 flows=1 packets=1 srt_us=9", sink.Describe(0));
        Assert.Equal("time=5 dst_port=6 app=é pod=8 nat=::6 flows=1 packets=21 srt_us=8", sink.Describe(1));
        Assert.Equal(payload.Length + (3 * WeirBatch.HeaderBytes), sink.EvidenceBytes);
    }

    [Fact]
    public void Batch_texts_and_numbers_that_point_nowhere_are_rejected_record_by_record()
    {
        var writer = new WeirBatchWriter();
        writer.Begin();
        var invalid = writer.AddText([0xc3, 0x28]);
        writer.WriteTexts();
        writer.WriteNumbers(0x202, WeirBatch.EncodingNumbers, [5, 5, 5]);
        writer.WriteNumbers(0x106, WeirBatch.EncodingTexts, [invalid, 0, 99]);
        using var texts = FlowSamples.Decode("weir", writer.End(3).ToArray());

        writer.Begin();
        writer.WriteTexts();
        writer.WriteNumbers(0x202, WeirBatch.EncodingNumbers, [5, 5]);
        writer.WriteNumbers(0x204, WeirBatch.EncodingNumbers, [0, 255]);
        var wrapping = writer.End(2).ToArray();
        wrapping.AsSpan(^14..^6).Fill(255); // The base of the last column: before its two values and the checksum.
        using var numbers = FlowSamples.Decode("weir", Sealed(wrapping));

        Assert.Equal([DecodeStatus.InvalidUtf8, DecodeStatus.Malformed], texts.Rejects);
        Assert.Equal(1, texts.AcceptedCount);
        Assert.Equal([DecodeStatus.NumberOutOfRange], numbers.Rejects);
        Assert.Equal(ulong.MaxValue, numbers.Meter(StandardSchema.Packets));
    }

    [Fact]
    public void Batch_is_at_most_95_bytes_a_record_and_full_batches_are_refused()
    {
        var random = new Random(Seed);
        var writer = new WeirBatchWriter();
        for (var index = 0; index < WeirBatch.RecordsMax; index++)
        {
            var record = FlowSamples.Random(random) with
            {
                Packets = (ulong)random.Next(), Bytes = (ulong)random.Next(), RttUs = (ulong)random.Next(), SrcMac = 0, DstMac = 0, NextHop = 0,
                RttCount = 1, Retransmissions = 0, TcpFin = 1, TcpRst = 1, TcpSyn = 1,
            };
            Assert.True(writer.TryAdd(record));
        }

        Assert.False(writer.TryAdd(default));
        var payload = writer.Finish();

        Assert.InRange(payload.Length / WeirBatch.RecordsMax, 20, 95);
        using var sink = new RecordingSink(FlowSamples.Standard, keeps: false);
        FlowFormats.Create("weir", FlowSamples.Standard).Decode(payload, sink);
        Assert.Equal(WeirBatch.RecordsMax, sink.AcceptedCount);
    }

    [Fact]
    public void Checksum_is_the_published_one() => Assert.Equal(0xe3069283u, Crc32C.Of("123456789"u8));

    private static byte[] Patched(byte[] batch, int at, byte value)
    {
        var patched = (byte[])batch.Clone();
        patched[at] = value;
        return patched;
    }

    private static byte[] Sealed(byte[] batch)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(batch.AsSpan(^4..), Crc32C.Of(batch.AsSpan(..^4)));
        return batch;
    }

    private static void AssertReject(DecodeStatus expected, byte[] payload)
    {
        using var sink = FlowSamples.Decode("weir", payload);
        Assert.Equal([expected], sink.Rejects);
        Assert.Equal(0, sink.AcceptedCount);
    }

    private static void AssertEqual(in FlowRecord record, RecordingSink sink, int index)
    {
        var rate = Math.Max(1, record.SamplingRate);
        Assert.Equal(record.TimeSeconds, sink.Time(index));
        Assert.Equal(record.SrcPort, sink.Number(StandardSchema.SrcPort, index));
        Assert.Equal(record.DstPort, sink.Number(StandardSchema.DstPort, index));
        Assert.Equal(record.Proto, sink.Number(StandardSchema.Proto, index));
        Assert.Equal(record.Tos, sink.Number(StandardSchema.Tos, index));
        Assert.Equal(record.TcpFlags, sink.Number(StandardSchema.TcpFlags, index));
        Assert.Equal(record.SrcAs, sink.Number(StandardSchema.SrcAs, index));
        Assert.Equal(record.DstAs, sink.Number(StandardSchema.DstAs, index));
        Assert.Equal(record.SrcMask, sink.Number(StandardSchema.SrcMask, index));
        Assert.Equal(record.DstMask, sink.Number(StandardSchema.DstMask, index));
        Assert.Equal(record.InIf, sink.Number(StandardSchema.InIf, index));
        Assert.Equal(record.OutIf, sink.Number(StandardSchema.OutIf, index));
        Assert.Equal(record.Vlan, sink.Number(StandardSchema.Vlan, index));
        Assert.Equal(record.SrcMac, sink.Number(StandardSchema.SrcMac, index));
        Assert.Equal(record.DstMac, sink.Number(StandardSchema.DstMac, index));
        Assert.Equal(record.Etype, sink.Number(StandardSchema.Etype, index));
        Assert.Equal(Text(record.SrcAddr), sink.Address(StandardSchema.SrcAddr, index));
        Assert.Equal(Text(record.DstAddr), sink.Address(StandardSchema.DstAddr, index));
        Assert.Equal(Text(record.NextHop), sink.Address(StandardSchema.NextHop, index));
        Assert.Equal(System.Text.Encoding.UTF8.GetString(record.Exporter.Span), sink.Text(StandardSchema.Exporter, index));
        Assert.Equal(record.Flows, sink.Meter(StandardSchema.Flows, index));
        Assert.Equal(record.Packets * rate, sink.Meter(StandardSchema.Packets, index));
        Assert.Equal(record.Bytes * rate, sink.Meter(StandardSchema.Bytes, index));
        Assert.Equal(record.TcpSyn, sink.Meter(StandardSchema.TcpSyn, index));
        Assert.Equal(record.TcpFin, sink.Meter(StandardSchema.TcpFin, index));
        Assert.Equal(record.TcpRst, sink.Meter(StandardSchema.TcpRst, index));
        Assert.Equal(record.RttUs, sink.Meter(StandardSchema.RttUs, index));
        Assert.Equal(record.RttCount, sink.Meter(StandardSchema.RttCount, index));
        Assert.Equal(record.Retransmissions, sink.Meter(StandardSchema.Retransmissions, index));
        Assert.Equal(record.DurationMs, sink.Meter(StandardSchema.DurationMs, index));
    }

    private static string Text(UInt128 address)
    {
        var bytes = new byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, address);
        var ip = new System.Net.IPAddress(bytes);
        return (ip.IsIPv4MappedToIPv6 ? ip.MapToIPv4() : ip).ToString();
    }
}
