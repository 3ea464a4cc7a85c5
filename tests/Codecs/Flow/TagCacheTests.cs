using System.Buffers;
using System.Globalization;
using Google.Protobuf;
using Weir.Codecs.Flow;
using Weir.Core.Buffers;
using Weir.Core.Model;
using Weir.Tests.Goflow2;
using Weir.Tests.Support;
using Weir.V1;
using Xunit;
using FlowRecord = Weir.Codecs.Flow.FlowRecord;

namespace Weir.Tests.Codecs.Flow;

/// <summary>Tags of <c>weir-proto</c> that are decoded once, and fields of both protobuf formats in any order.</summary>
public sealed class TagCacheTests
{
    private const int Seed = 20261121;

    [Fact]
    public void Two_encodings_of_one_tag_set_land_in_one_series()
    {
        var tags = new Tags { SrcPort = 7, DstPort = 443, Proto = 6, Exporter = "router", Etype = 0x0800 }.ToByteArray();
        var fields = Fields(tags);
        byte[][] encodings =
        [
            tags,
            [.. fields.Reverse().SelectMany(field => field)], // Descending.
            [.. tags, .. fields[0]], // One twice.
            [0x18, 0x99, 0x03, .. tags], // One with another value before it: the last one counts.
            [0x18, 0x87, 0x80, 0x00, .. fields.Skip(1).SelectMany(field => field)], // A longer varint than need be.
            [.. tags, 0xf8, 0x06, 0x01], // An unknown field.
            [.. tags, 0x0a, 0x00], // An absent address, spelt out.
        ];
        using var sink = new RecordingSink(FlowSamples.Everything, rowsMax: 5);
        var decoder = new WeirProtoDecoder(FlowSamples.Everything);
        for (var round = 0; round < 3; round++)
        {
            decoder.Decode([.. encodings.SelectMany(encoding => Record(encoding, 0x10, 0x07, 0x20, 0x05))], sink);
        }

        Assert.Equal((encodings.Length * 3, 0), (sink.AcceptedCount, sink.RejectedCount));
        Assert.Single(sink.Hashes.Distinct());
        Assert.Single(sink.Rows.Select(Convert.ToHexString).Distinct());
        Assert.Equal("time=7 src_port=7 dst_port=443 proto=6 exporter=router etype=2048 flows=1 packets=5", sink.Describe(0));
    }

    [Fact]
    public void Records_whose_fields_come_in_any_order_mean_what_google_protobuf_reads()
    {
        var random = new Random(Seed);
        var decoder = new WeirProtoDecoder(FlowSamples.Everything);
        for (var round = 0; round < 3_000; round++)
        {
            var record = FlowSamples.WeirProto(FlowSamples.Random(random) with { SamplingRate = 1 });
            var fields = Fields(FlowBatch.Parser.ParseFrom(record).Records[0].ToByteArray());
            if (round % 2 == 0)
            {
                random.Shuffle(fields);
            }

            if (round % 3 == 0)
            {
                fields = [.. fields, fields[random.Next(fields.Length)], [0x78, 0x05], [0xa0, 0x1f, 0x01]];
            }

            byte[] bytes = [.. fields.SelectMany(field => field)];
            var expected = Weir.V1.FlowRecord.Parser.ParseFrom(bytes);
            using var sink = new RecordingSink(FlowSamples.Everything);
            byte[] message = [0x0a, .. Varint(bytes.Length), .. bytes];
            decoder.Decode(round % 5 == 0 ? [.. message, .. new byte[] { 0x1a, 0x7f }, .. new byte[127]] : message, sink);

            Assert.True(sink.AcceptedCount == 1 && sink.RejectedCount == 0, expected.ToString());
            AssertEqual(expected, sink);
        }
    }

    [Fact]
    public void Messages_of_goflow2_whose_fields_come_in_any_order_mean_what_google_protobuf_reads()
    {
        var random = new Random(Seed);
        for (var round = 0; round < 3_000; round++)
        {
            var record = FlowSamples.Random(random) with { SamplingRate = 1, Packets = 5, Bytes = 500 };
            var fields = Fields(FlowSamples.Goflow2(isDelimited: false, record));
            fields = [.. fields, [0x88, 0x02, 0x05], [0xba, 0x06, 0x02, 0x08, 0x01]]; // Fields 33 and 103: known to goflow2, not to us.
            if (round % 2 == 0)
            {
                random.Shuffle(fields);
            }
            else
            {
                fields = [.. fields.OrderBy(field => Number(field))];
            }

            byte[] bytes = [.. fields.SelectMany(field => field)];
            var expected = FlowMessage.Parser.ParseFrom(bytes);
            using var sink = FlowSamples.Decode("goflow2", [.. Varint(bytes.Length), .. bytes]);

            Assert.True(sink.AcceptedCount == 1 && sink.RejectedCount == 0, expected.ToString());
            Assert.Equal(expected.TimeFlowStartNs / 1_000_000_000, sink.Time());
            Assert.Equal(
                (expected.SrcPort, expected.DstPort, expected.Proto, expected.IpTos, expected.TcpFlags, expected.SrcAs, expected.InIf),
                ((uint)sink.Number(StandardSchema.SrcPort), (uint)sink.Number(StandardSchema.DstPort), (uint)sink.Number(StandardSchema.Proto),
                    (uint)sink.Number(StandardSchema.Tos), (uint)sink.Number(StandardSchema.TcpFlags), (uint)sink.Number(StandardSchema.SrcAs),
                    (uint)sink.Number(StandardSchema.InIf)));
            Assert.Equal(
                (expected.SrcMac, expected.DstMac, expected.Etype, expected.VlanId, expected.Bytes, expected.Packets),
                (sink.Number(StandardSchema.SrcMac), sink.Number(StandardSchema.DstMac), (uint)sink.Number(StandardSchema.Etype),
                    (uint)sink.Number(StandardSchema.Vlan), sink.Meter(StandardSchema.Bytes), sink.Meter(StandardSchema.Packets)));
        }
    }

    [Theory]
    [InlineData(4_096)]
    [InlineData(WeirProtoDecoder.CacheBytesDefault)]
    public void What_is_known_and_what_is_new_are_decoded_alike_in_every_cut(int cacheBytes)
    {
        var random = new Random(Seed);
        var records = Enumerable.Range(0, 600).Select(_ => FlowSamples.Random(random)).ToArray();
        var warm = new WeirProtoDecoder(FlowSamples.Everything, cacheBytes);
        using var sink = new RecordingSink(FlowSamples.Everything, rowsMax: 64);
        for (var cut = 0; cut < 20; cut++)
        {
            var payload = FlowSamples.WeirProto([.. Enumerable.Range(0, 300).Select(_ => records[random.Next(records.Length)])]);
            sink.NextCut();
            var before = sink.Rows.Count;
            warm.Decode(payload, sink);
            using var cold = new RecordingSink(FlowSamples.Everything);
            new WeirProtoDecoder(FlowSamples.Everything, cacheBytes).Decode(payload, cold);

            // The ids as well: a replay by a process that has seen nothing else gives the same.
            Assert.Equal(cold.Rows.Select(Convert.ToHexString), sink.Rows.Skip(before).Select(Convert.ToHexString));
            Assert.Equal(cold.Hashes, sink.Hashes[before..]);
        }

        Assert.Equal(cacheBytes < 10_000, warm.CacheClearCount > 0);
    }

    [Theory]
    [InlineData(1L << 30, 16 << 20, 20 << 20)]
    [InlineData(64L << 20, 1 << 20, 5 << 18)]
    [InlineData(0, 4_096, 8_192)]
    public void Decoded_tags_are_charged_to_the_budget_and_take_a_small_share_of_it(long limitBytes, long usedMin, long usedMax)
    {
        var budget = new MemoryBudget(limitBytes);
        var decoder = new WeirProtoDecoder(FlowSamples.Standard, budget: budget);
        using var sink = new RecordingSink(FlowSamples.Standard, rowsMax: 64);
        var random = new Random(Seed);
        decoder.Decode(FlowSamples.WeirProto([.. Enumerable.Range(0, 500).Select(_ => FlowSamples.Random(random))]), sink);

        Assert.Equal(500, sink.AcceptedCount);
        Assert.InRange(budget.UsedBytes, usedMin, usedMax);
        GC.KeepAlive(decoder);
    }

    [Fact]
    public void Tag_sets_without_end_cost_no_memory_and_no_garbage()
    {
        var decoder = new WeirProtoDecoder(FlowSamples.Standard, 64 << 10);
        using var sink = new RecordingSink(FlowSamples.Standard, keeps: false, rowsMax: 64);
        var payloads = Enumerable.Range(0, 400).Select(message => FlowSamples.WeirProto(
            [.. Enumerable.Range(0, 500).Select(index => new FlowRecord { TimeSeconds = 7, SrcAddr = FlowRecord.Ipv4((uint)((message * 500) + index)), Flows = 1 })])).ToArray();
        decoder.Decode(payloads[0], sink);

        // Another one goes the whole way first: what .NET itself allocates at the first time of a step is not the decoder's.
        using var warmUpSink = new RecordingSink(FlowSamples.Standard, keeps: false, rowsMax: 64);
        DecodeAll(new WeirProtoDecoder(FlowSamples.Standard, 64 << 10), warmUpSink, payloads);

        var before = GC.GetAllocatedBytesForCurrentThread();
        DecodeAll(decoder, sink, payloads);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        before = GC.GetAllocatedBytesForCurrentThread();
        decoder.Decode(FlowSamples.WeirProto(new FlowRecord { TimeSeconds = 7 }), sink);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() > before, "The counter does not see allocations.");
        Assert.Equal(0, allocated);
        Assert.Equal(200_501, sink.AcceptedCount);
        Assert.InRange(decoder.CacheClearCount, 1, 1_000); // Closed for most of the time: it would have been 300 to 400 times.
    }

    private static void DecodeAll(WeirProtoDecoder decoder, RecordingSink sink, byte[][] payloads)
    {
        foreach (var payload in payloads)
        {
            decoder.Decode(payload, sink);
        }
    }

    [Fact]
    public void More_texts_than_the_decoder_keeps_are_still_the_right_ones()
    {
        var decoder = new WeirProtoDecoder(FlowSamples.Standard);
        using var sink = new RecordingSink(FlowSamples.Standard);
        const int Count = WeirProtoDecoder.TextsMax + 5_000;
        for (var first = 0; first < Count; first += 1_000)
        {
            var records = Enumerable.Range(first, 1_000).Select(index => Exported(index)).ToArray();
            decoder.Decode(FlowSamples.WeirProto([.. records, records[0]]), sink);
        }

        Assert.Equal(0, sink.RejectedCount);
        for (var index = 0; index < sink.Rows.Count; index += 97)
        {
            var number = (index / 1_001 * 1_000) + (index % 1_001 % 1_000);
            Assert.Equal($"router-{number}", sink.Text(StandardSchema.Exporter, index));
        }

        Assert.True(decoder.CacheClearCount > 0, "All texts fitted.");
    }

    [Fact]
    public void Texts_above_the_limit_of_the_cut_are_one_series_with_the_hash_of_that_text()
    {
        var decoder = new WeirProtoDecoder(FlowSamples.Standard);
        using var roomy = new RecordingSink(FlowSamples.Standard);
        using var full = new RecordingSink(FlowSamples.Standard, stringsMax: 4);
        var payload = FlowSamples.WeirProto([.. Enumerable.Range(0, 10).Select(Exported)]);
        for (var round = 0; round < 2; round++)
        {
            decoder.Decode(payload, roomy);
            decoder.Decode(payload, full); // The sink checks each hash.
        }

        Assert.Equal(10, roomy.Hashes.Distinct().Count());
        Assert.Equal(3, full.Hashes.Distinct().Count());
        Assert.Equal("__overflow__", full.Text(StandardSchema.Exporter, 19));
        Assert.Equal(16, full.Strings.OverflowCount);
    }

    [Fact]
    public void A_record_with_more_texts_than_there_is_room_for_does_no_harm_to_the_others()
    {
        var decoder = new WeirProtoDecoder(FlowSamples.Standard);
        var hostile = new ArrayBufferWriter<byte>();
        for (var index = 0; index < WeirProtoDecoder.TextsMax + 10; index++)
        {
            var text = index.ToString("x5", CultureInfo.InvariantCulture);
            byte[] field = [0x32, (byte)text.Length, .. System.Text.Encoding.ASCII.GetBytes(text)];
            hostile.Write(field.AsSpan());
        }

        var tags = hostile.WrittenSpan.ToArray();
        byte[] record = [0x0a, .. Varint(tags.Length), .. tags, 0x10, 0x07];
        byte[] payload = [.. FlowSamples.WeirProto(Exported(1)), 0x0a, .. Varint(record.Length), .. record, .. FlowSamples.WeirProto(Exported(2), Exported(1))];
        using var sink = new RecordingSink(FlowSamples.Standard, rowsMax: 3);
        decoder.Decode(payload, sink);
        decoder.Decode(payload, sink);

        Assert.Equal((8, 0), (sink.AcceptedCount, sink.RejectedCount));
        Assert.Equal(["router-1", "router-2", "router-1"], new[] { 0, 2, 3 }.Select(index => sink.Text(StandardSchema.Exporter, index)));
        Assert.Equal(sink.Text(StandardSchema.Exporter, 1), sink.Text(StandardSchema.Exporter, 5));
    }

    [Fact]
    public void A_cache_that_finds_nothing_is_closed_for_a_while_and_tried_again()
    {
        var gate = new CacheGate();
        for (var record = 0; record < CacheGate.WindowRecords; record++)
        {
            Assert.True(gate.IsOpen);
            gate.Miss();
            gate.Pass(1);
        }

        for (var record = 0; record < CacheGate.ClosedRecords; record++)
        {
            Assert.False(gate.IsOpen);
            gate.Pass(1);
        }

        for (var record = 0; record < 2 * CacheGate.WindowRecords; record++)
        {
            Assert.True(gate.IsOpen);
            gate.Pass(1); // Found.
        }

        Assert.True(gate.IsOpen);
    }

    private static FlowRecord Exported(int index) => new()
    {
        TimeSeconds = 7,
        Flows = 1,
        Exporter = System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"router-{index}")),
    };

    private static void AssertEqual(Weir.V1.FlowRecord expected, RecordingSink sink)
    {
        var tags = expected.Tags ?? new Tags();
        Assert.Equal(expected.Time, sink.Time());
        Assert.Equal(tags.Exporter, sink.Text(StandardSchema.Exporter));
        (TagDefinition Tag, ulong Value)[] numbers =
        [
            (StandardSchema.SrcPort, tags.SrcPort), (StandardSchema.DstPort, tags.DstPort), (StandardSchema.Proto, tags.Proto),
            (StandardSchema.Tos, tags.Tos), (StandardSchema.TcpFlags, tags.TcpFlags), (StandardSchema.SrcAs, tags.SrcAs),
            (StandardSchema.DstAs, tags.DstAs), (StandardSchema.SrcMask, tags.SrcMask), (StandardSchema.InIf, tags.InIf),
            (StandardSchema.OutIf, tags.OutIf), (StandardSchema.Vlan, tags.Vlan), (StandardSchema.SrcMac, tags.SrcMac),
            (StandardSchema.DstMac, tags.DstMac), (StandardSchema.Etype, tags.Etype),
        ];
        Assert.All(numbers, number => Assert.Equal(number.Value, sink.Number(number.Tag)));
        (MeterDefinition Meter, ulong Value)[] meters =
        [
            (StandardSchema.Flows, expected.HasFlows ? expected.Flows : 1), (StandardSchema.Packets, expected.Packets),
            (StandardSchema.Bytes, expected.Bytes), (StandardSchema.TcpSyn, expected.TcpSyn), (StandardSchema.TcpFin, expected.TcpFin),
            (StandardSchema.TcpRst, expected.TcpRst), (StandardSchema.RttUs, expected.RttUs), (StandardSchema.RttCount, expected.RttCount),
            (StandardSchema.Retransmissions, expected.Retransmissions), (StandardSchema.DurationMs, expected.DurationMs),
        ];
        Assert.All(meters, meter => Assert.Equal(meter.Value, sink.Meter(meter.Meter)));
    }

    private static byte[] Record(byte[] tags, params byte[] rest)
    {
        byte[] record = [0x0a, (byte)tags.Length, .. tags, .. rest];
        return [0x0a, (byte)record.Length, .. record];
    }

    private static byte[] Varint(int value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        return [.. bytes, (byte)value];
    }

    private static uint Number(byte[] field) => new CodedInputStream(field).ReadTag() >> 3;

    /// <summary>The fields of a message, each with its tag.</summary>
    private static byte[][] Fields(byte[] message)
    {
        var fields = new List<byte[]>();
        var input = new CodedInputStream(message);
        for (var from = 0; !input.IsAtEnd; from = (int)input.Position)
        {
            input.ReadTag();
            input.SkipLastField();
            fields.Add(message[from..(int)input.Position]);
        }

        return [.. fields];
    }
}
