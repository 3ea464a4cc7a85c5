using System.Text;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Codecs.Flow;

/// <summary>Whatever the bytes are: no exception, nothing written or read outside, every reject with its evidence, no allocation for each record.</summary>
public sealed class FlowRobustnessTests
{
    private const int Seed = 20261121;

    public static TheoryData<string> Formats => [.. FlowFormats.Names];

    [Theory]
    [MemberData(nameof(Formats))]
    public void Every_truncation_is_judged_without_an_exception(string format)
    {
        var payload = Payload(format, new Random(Seed), 5);
        using var bed = new Bed(format);
        var whole = bed.Decode(payload);
        Assert.Equal(5, whole.Accepted);

        for (var length = 0; length < payload.Length; length++)
        {
            var (accepted, rejected) = bed.Decode(payload.AsSpan(0, length));
            Assert.True(accepted + rejected > 0 && accepted < 5 + (format.EndsWith("json", StringComparison.Ordinal) ? 1 : 0), $"{length} bytes: {accepted}, {rejected}");
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Every_change_of_a_single_byte_is_judged_without_an_exception(string format)
    {
        var payload = Payload(format, new Random(Seed), 2);
        using var bed = new Bed(format);
        for (var at = 0; at < payload.Length; at++)
        {
            var original = payload[at];
            for (var value = 0; value < 256; value++)
            {
                payload[at] = (byte)value;
                var (accepted, rejected) = bed.Decode(payload);
                if (accepted + rejected == 0 && format != "pmacct-json")
                {
                    Assert.Fail($"Byte {at} = {value}: nothing accepted, nothing rejected.");
                }

                // A batch with any byte changed is not a batch.
                Assert.False(format == "weir" && value != original && accepted > 0, $"Byte {at} = {value} went unnoticed.");
            }

            payload[at] = original;
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Random_bytes_and_random_damage_are_judged_without_an_exception(string format)
    {
        var random = new Random(Seed);
        using var bed = new Bed(format);
        for (var round = 0; round < 20_000; round++)
        {
            byte[] payload;
            if (round % 4 == 0)
            {
                payload = new byte[random.Next(1, 200)];
                random.NextBytes(payload);
                if (round % 8 == 0)
                {
                    payload[0] = (byte)(format.EndsWith("json", StringComparison.Ordinal) ? '{' : 0x0a);
                }
            }
            else
            {
                payload = Payload(format, random, 1 + random.Next(3));
                for (var damage = random.Next(1, 6); damage > 0; damage--)
                {
                    payload[random.Next(payload.Length)] = (byte)random.Next(256);
                }

                Reseal(format, payload);
            }

            bed.Decode(payload);
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Decoding_allocates_nothing_for_each_record(string format)
    {
        var payload = Payload(format, new Random(Seed), 100);
        using var sink = new RecordingSink(FlowSamples.Standard, keeps: false);
        var decoder = FlowFormats.Create(format, FlowSamples.Standard);
        for (var round = 0; round < 200; round++)
        {
            decoder.Decode(payload, sink);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var round = 0; round < 1_000; round++)
        {
            decoder.Decode(payload, sink);
        }

        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        var control = GC.GetAllocatedBytesForCurrentThread();
        GC.KeepAlive(new byte[100]);
        control = GC.GetAllocatedBytesForCurrentThread() - control;

        Assert.Equal(0, allocated);
        Assert.True(control > 0, "The counter does not see allocations.");
        Assert.Equal(120_000, sink.AcceptedCount);
    }

    [Fact]
    public void Encoders_allocate_nothing_once_they_are_warm()
    {
        var random = new Random(Seed);
        var record = FlowSamples.Random(random);
        var output = new System.Buffers.ArrayBufferWriter<byte>(1 << 20);
        var writer = new WeirBatchWriter();
        void Round()
        {
            output.ResetWrittenCount();
            WeirProtoWriter.Write(output, record);
            Goflow2Writer.Write(output, record, isDelimited: true);
            for (var index = 0; index < 500; index++)
            {
                writer.TryAdd(record);
            }

            writer.WriteTo(output);
        }

        for (var round = 0; round < 50; round++)
        {
            Round();
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var round = 0; round < 100; round++)
        {
            Round();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Format_and_field_that_nobody_knows_are_refused_at_construction()
    {
        var tag = new TagDefinition("what", TagType.U8);
        Assert.Throws<ArgumentException>(() => FlowFormats.Create("csv", FlowSamples.Standard));
        Assert.Throws<ArgumentException>(() => FlowFormats.Create("weir", FlowSamples.Schema([tag], [StandardSchema.Records])));
        Assert.Throws<ArgumentException>(
            () => FlowFormats.Create("goflow2", FlowSamples.Schema([StandardSchema.DstPort], [new MeterDefinition("what", MeterFold.Sum)])));
    }

    /// <summary>A good message of <paramref name="count"/> records.</summary>
    private static byte[] Payload(string format, Random random, int count)
    {
        var records = Enumerable.Range(0, count)
            .Select(_ => FlowSamples.Random(random) with { Packets = 5, Bytes = 500, TimeSeconds = 1_767_225_819 })
            .ToArray();
        return format switch
        {
            "pmacct-json" => Encoding.UTF8.GetBytes(string.Join('\n', Enumerable.Repeat(FlowSamples.PmacctLine("\"app\": \"\\u00e9\""), count))),
            "goflow2-json" => Encoding.UTF8.GetBytes(string.Join('\n', Enumerable.Repeat(FlowSamples.Goflow2Line(), count))),
            "goflow2" => FlowSamples.Goflow2(isDelimited: true, records),
            "weir-proto" => FlowSamples.WeirProto(records),
            _ => FlowSamples.WeirBatch(records),
        };
    }

    // Damage behind a good checksum reaches the checks of the columns.
    private static void Reseal(string format, byte[] payload)
    {
        if (format == "weir")
        {
            "WEIR\u0001\0"u8.CopyTo(payload);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(12), (uint)payload.Length - 20);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(^4..), Crc32C.Of(payload.AsSpan(..^4)));
        }
    }

    /// <summary>A decoder and a sink of both schemas; payloads end at the end of mapped memory's own copy, so a read beyond is a canary's.</summary>
    private sealed class Bed(string format) : IDisposable
    {
        private readonly FlowDecoder _decoder = FlowFormats.Create(format, FlowSamples.Everything);
        private readonly RecordingSink _sink = new(FlowSamples.Everything, keeps: false);

        public (long Accepted, long Rejected) Decode(ReadOnlySpan<byte> payload)
        {
            var (accepted, rejected, evidence) = (_sink.AcceptedCount, _sink.RejectedCount, _sink.EvidenceBytes);
            _decoder.Decode(payload, _sink);
            _sink.CheckClean();

            // Evidence is a part of the message, each byte once, but for the header of a batch with several bad records.
            rejected = _sink.RejectedCount - rejected;
            Assert.True(_sink.EvidenceBytes - evidence <= payload.Length + (rejected * WeirBatch.HeaderBytes));
            return (_sink.AcceptedCount - accepted, rejected);
        }

        public void Dispose() => _sink.Dispose();
    }
}
