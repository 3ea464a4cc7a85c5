using System.Runtime.InteropServices;
using Google.Protobuf;
using Weir.Codecs.Flow;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Codecs.Flow;

/// <summary>Runs of fields that are read by their shape mean what they mean when they are read one by one.</summary>
public sealed unsafe class RunShapesTests
{
    private const int Seed = 20261121;
    private const int Copies = 10; // The first is new to the decoder, and one run in four is learnt: the last ones are known.
    private const int FieldFirst = 2;
    private const int FieldLast = 15;

    private static readonly byte[] _behind = [0x1a, 0x7f, .. new byte[127]]; // An unknown field of the batch: memory that may be read.

    [Fact]
    public void A_run_of_known_shape_gives_the_numbers_that_google_protobuf_reads()
    {
        if (!RunShapes.IsSupported)
        {
            return; // Nothing of it is used on such a processor.
        }

        var random = new Random(Seed);
        var shapes = Shapes();
        var foundCount = 0;
        for (var round = 0; round < 1_000; round++)
        {
            var run = Run(random);
            for (var copy = 0; copy < Copies; copy++)
            {
                foundCount += TryRead(shapes, run, out var lanes) ? 1 : 0;
                AssertReads(run, lanes);
            }
        }

        Assert.True(foundCount > 1_000 * (Copies - 4), $"{foundCount} runs were found.");
    }

    [Fact]
    public void A_damaged_run_is_not_found_or_is_a_sound_run_of_other_numbers()
    {
        if (!RunShapes.IsSupported)
        {
            return;
        }

        var random = new Random(Seed);
        var shapes = Shapes();
        var foundCount = 0;
        for (var round = 0; round < 1_000; round++)
        {
            var run = Run(random);
            for (var copy = 0; copy < 4; copy++)
            {
                _ = TryRead(shapes, run, out _);
            }

            for (var cut = 1; cut < run.Length; cut++)
            {
                AssertReads(run[..cut], TryRead(shapes, run[..cut], out var lanes) ? lanes : null);
            }

            byte[][] longer = [[.. run, 0x80], [.. run, 0x80, 0x80], [.. run, 0x10], [.. run, 0x00]];
            foreach (var other in longer.Where(other => other.Length <= RunShapes.BytesMax))
            {
                AssertReads(other, TryRead(shapes, other, out var lanes) ? lanes : null);
            }

            for (var change = 0; change < 20; change++)
            {
                var changed = run.ToArray();
                changed[random.Next(changed.Length)] ^= (byte)(1 << random.Next(8));
                var isFound = TryRead(shapes, changed, out var lanes);
                foundCount += isFound ? 1 : 0;
                AssertReads(changed, isFound ? lanes : null);
            }
        }

        Assert.True(foundCount > 300, $"{foundCount} runs were found."); // Of other values, with the same tags and lengths.
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_record_means_the_same_whether_its_shape_is_known_or_not(bool isEverything)
    {
        var schema = isEverything ? FlowSamples.Everything : FlowSamples.Standard;
        var random = new Random(Seed);
        var (acceptedCount, rejectedCount) = (0L, 0L);
        for (var round = 0; round < 800; round++)
        {
            var record = Record(random);
            using var cold = new RecordingSink(schema);
            new WeirProtoDecoder(schema, cacheBytes: 4_096).Decode(Framed(record), cold); // Knows no shape yet.

            // The decoder is new, too: its tags are not known either, until the next message.
            var decoder = new WeirProtoDecoder(schema, cacheBytes: 4_096);
            byte[] payload = [.. Enumerable.Repeat(Framed(record), Copies).SelectMany(bytes => bytes), .. _behind];
            for (var message = 0; message < 2; message++)
            {
                using var warm = new RecordingSink(schema, rowsMax: 7);
                decoder.Decode(payload, warm);
                warm.CheckClean();
                AssertCopies(cold, warm, record);
            }

            acceptedCount += cold.AcceptedCount;
            rejectedCount += cold.RejectedCount;
        }

        Assert.True(acceptedCount > 250 && rejectedCount > 60, $"{acceptedCount} accepted, {rejectedCount} rejected.");
    }

    [Fact]
    public void Every_truncation_of_a_record_means_the_same_whether_its_shape_is_known_or_not()
    {
        var random = new Random(Seed);
        for (var round = 0; round < 4; round++)
        {
            var whole = Usual(random);
            var decoder = new WeirProtoDecoder(FlowSamples.Standard, cacheBytes: 4_096);
            using var warmUp = new RecordingSink(FlowSamples.Standard);
            decoder.Decode([.. Enumerable.Repeat(Framed(whole), Copies).SelectMany(bytes => bytes), .. _behind], warmUp);
            for (var length = 1; length < whole.Length; length++)
            {
                using var cold = new RecordingSink(FlowSamples.Standard);
                new WeirProtoDecoder(FlowSamples.Standard, cacheBytes: 4_096).Decode(Framed(whole[..length]), cold);
                using var warm = new RecordingSink(FlowSamples.Standard, rowsMax: 3);
                decoder.Decode([.. Framed(whole[..length]), .. _behind], warm);
                FlowSamples.AssertSame(cold, warm);
            }
        }
    }

    [Fact]
    public void Bad_records_among_good_ones_of_known_shape_cost_no_other_record()
    {
        var random = new Random(Seed);
        var decoder = new WeirProtoDecoder(FlowSamples.Standard);
        for (var round = 0; round < 40; round++)
        {
            var records = Enumerable.Range(0, 200).Select(_ => random.Next(6) == 0 ? Record(random) : Usual(random)).ToArray();
            using var one = new RecordingSink(FlowSamples.Standard);
            using var all = new RecordingSink(FlowSamples.Standard, rowsMax: 64);
            foreach (var record in records)
            {
                decoder.Decode(Framed(record), one);
            }

            decoder.Decode([.. records.SelectMany(Framed)], all);
            FlowSamples.AssertSame(one, all);
        }
    }

    private static void AssertCopies(RecordingSink cold, RecordingSink warm, byte[] record)
    {
        var text = Convert.ToHexString(record);
        Assert.True((cold.AcceptedCount * Copies, cold.RejectedCount * Copies) == (warm.AcceptedCount, warm.RejectedCount), text);
        Assert.True(warm.Rejects.All(status => status == cold.Rejects[0]), text);
        Assert.True(warm.Evidence.All(evidence => evidence == cold.Evidence[0]), text);
        Assert.True(warm.Hashes.All(hash => hash == cold.Hashes[0]), text);
        Assert.True(warm.Rows.All(row => row.AsSpan().SequenceEqual(cold.Rows[0])), text);
    }

    /// <summary>Fields 2 to 15 go to the lane of their number, and to that behind it.</summary>
    private static RunShapes Shapes()
    {
        var shapes = new RunShapes();
        for (var field = FieldFirst; field < FieldLast; field++)
        {
            shapes.Add(field, field, field == FieldFirst ? 0 : RunShapes.NoLane);
        }

        shapes.Add(FieldLast, RunShapes.NoLane);
        return shapes;
    }

    private static byte[] Run(Random random)
    {
        while (true)
        {
            var run = new List<byte>();
            for (var field = FieldFirst; field <= FieldLast; field++)
            {
                if (random.Next(2) == 0)
                {
                    run.Add((byte)(field << 3));
                    run.AddRange(Varint((ulong)random.NextInt64() >> random.Next(7, 63)));
                }
            }

            if (run.Count is > 0 and <= RunShapes.BytesMax)
            {
                return [.. run];
            }
        }
    }

    /// <summary>Reads a run by its shape, with other bytes behind it.</summary>
    private static bool TryRead(RunShapes shapes, byte[] run, out ulong[]? lanes)
    {
        lanes = null;
        byte[] memory = [.. run, .. Enumerable.Repeat((byte)(0x18 + run.Length), RunShapes.BytesMax)];
        fixed (byte* start = memory)
        {
            if (!shapes.TryFind(start, run.Length, out var found))
            {
                return false;
            }

            var vectors = (found.Low, found.High);
            lanes = [.. MemoryMarshal.Cast<byte, ulong>(MemoryMarshal.AsBytes(new ReadOnlySpan<(System.Runtime.Intrinsics.Vector512<ulong>, System.Runtime.Intrinsics.Vector512<ulong>)>(in vectors)))];
            return true;
        }
    }

    /// <summary>Fails unless the lanes, if there are any, hold what google's library reads.</summary>
    private static void AssertReads(byte[] run, ulong[]? lanes)
    {
        if (lanes is null)
        {
            return;
        }

        var expected = new ulong[RunShapes.LaneCount];
        var input = new CodedInputStream(run);
        while (!input.IsAtEnd)
        {
            var tag = input.ReadTag();
            Assert.Equal(0u, tag & 7);
            var value = input.ReadUInt64();
            expected[tag >> 3] = tag >> 3 < FieldLast ? value : 0;
            expected[0] = tag >> 3 == FieldFirst ? value : expected[0];
        }

        Assert.Equal(expected, lanes);
    }

    /// <summary>As agents send them: addresses of either kind, the exporter's address or name, numbers of all lengths.</summary>
    private static byte[] Usual(Random random)
    {
        var record = FlowSamples.Random(random) with { NextHop = 0, SamplingRate = (ulong)random.Next(3) };
        record = record with
        {
            SrcAddr = record.SrcAddr == 0 ? 0xffff_0a00_0001 : record.SrcAddr,
            DstAddr = record.DstAddr == 0 ? 0xffff_0a00_0002 : record.DstAddr,
            SrcMac = random.Next(4) == 0 ? record.SrcMac : 0,
            DstMac = 0,
            SrcAs = record.SrcAs >> random.Next(32),
            InIf = record.InIf >> random.Next(32),
            Packets = random.Next(8) == 0 ? record.Packets : (ulong)random.Next(2_000),
            Bytes = random.Next(8) == 0 ? record.Bytes : (ulong)random.Next(3_000_000),
            RttUs = (ulong)random.Next(60_000),
            TcpSyn = (ulong)random.Next(2),
            TcpFin = (ulong)random.Next(2),
            TcpRst = 0,
            RttCount = 1,
            Retransmissions = (ulong)random.Next(2),
        };
        var message = FlowSamples.WeirProto(record);
        return Weir.V1.FlowBatch.Parser.ParseFrom(message).Records[0].ToByteArray();
    }

    /// <summary>A usual record, and in most rounds something in it that is not.</summary>
    private static byte[] Record(Random random)
    {
        var usual = Weir.V1.FlowRecord.Parser.ParseFrom(Usual(random));
        var tags = Damage(usual.Tags.ToByteArray(), random);
        usual.Tags = null;
        var meters = Damage(usual.ToByteArray(), random);
        byte[] record = [0x0a, .. Varint((ulong)tags.Length), .. tags, .. meters];
        switch (random.Next(8))
        {
            case 0:
                record[random.Next(record.Length)] ^= (byte)(1 << random.Next(8));
                return record;
            case 1:
                return record[..random.Next(1, record.Length)];
            default:
                return record;
        }
    }

    private static byte[] Damage(byte[] message, Random random)
    {
        var fields = new List<byte[]>();
        var input = new CodedInputStream(message);
        for (var from = 0; !input.IsAtEnd; from = (int)input.Position)
        {
            input.ReadTag();
            input.SkipLastField();
            fields.Add(message[from..(int)input.Position]);
        }

        byte[][] strangers =
        [
            [0x18, 0x87, 0x80, 0x00], [0x20, 0x80, 0x80, 0x04], [0x28, 0x80, 0x02], [0x2d, 1, 2, 3, 4], [0x31, 1, 2, 3, 4, 5, 6, 7, 8], [0x32, 0x00],
            [0x32, 0x03, 0xc3, 0xa9, 0x61], [0x32, 0x02, 0xc3, 0x28], [0x38, 0xff, 0x01], [0x40, 0xff, 0xff, 0x03], [0x48, 0xff, 0xff, 0xff, 0xff, 0x0f],
            [0x48, 0xff, 0xff, 0xff, 0xff, 0x1f], [0x70, 1], [0x68, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], [0x78, 0x05],
            [0x10, 0x80, 0x80, 0x80, 0x80, 0x10], [0x10, 0x00], [0x50, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], [0x0a, 0x00],
            [0x58, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], [0x12, 0x03, 1, 2, 3], [0x80, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            [0xa0, 0x1f, 0x01], [0xb3, 0x01, 0xb4, 0x01], [0x90, 0x81, 0x00, 0x05], [0x00, 0x00], [0x3f, 0x01], [0x60, 0x80],
        ];
        switch (random.Next(8))
        {
            case 0:
                fields.Insert(random.Next(fields.Count + 1), strangers[random.Next(strangers.Length)]);
                break;
            case 1 when fields.Count > 0:
                fields.Add(fields[random.Next(fields.Count)]);
                break;
            case 2:
                var shuffled = fields.ToArray();
                random.Shuffle(shuffled);
                fields = [.. shuffled];
                break;
        }

        return [.. fields.SelectMany(field => field)];
    }

    private static byte[] Framed(byte[] record) => [0x0a, .. Varint((ulong)record.Length), .. record];

    private static byte[] Varint(ulong value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value | 0x80));
        }

        return [.. bytes, (byte)value];
    }
}
