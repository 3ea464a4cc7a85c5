using System.Runtime.InteropServices;
using System.Text.Json;
using Google.Protobuf;
using Weir.Bench.Flows;
using Weir.Bench.Measure;
using Weir.Bench.Peers;
using Weir.Bench.Report;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Weir.Tests.Goflow2;
using Weir.V1;

namespace Weir.Bench.Lines;

/// <summary>Decoders: bytes of a message to rows, beside the library's parser to objects.</summary>
internal static class DecodeLines
{
    private const int RecordCount = 100_000;

    /// <summary>More tag sets than the decoder's cache holds, so that every field of every record is read.</summary>
    private const int DistinctCount = 250_000;

    private const int BlockRows = 64;

    /// <summary>Series of the line whose tag sets come again; a message's tags are known as bytes after the first sight.</summary>
    private const int KnownSeriesCount = 10_000;

    /// <summary>The group.</summary>
    public static LineGroup Group { get; } = new(
        ["decode.proto.full", "decode.proto.key", "decode.goflow2", "decode.native", "decode.json"],
        "Google.Protobuf, or the source-generated serializer, through ours; a record",
        Run);

    private static IEnumerable<LineResult> Run(BenchContext context)
    {
        var distinct = new FlowSet(Enumerable.Range(0, DistinctCount));
        var known = new FlowSet(KnownSeriesCount, RecordCount);
        yield return Binary(
            context,
            "decode.proto.full",
            "weir-proto, each tag set seen once: every field is read",
            distinct,
            "weir-proto",
            LineTarget.AtLeast(2.5, 3.3));
        yield return Binary(
            context,
            "decode.proto.key",
            "weir-proto, tag sets of 10,000 series by zipf: bytes of tags that were seen need not be read again",
            known,
            "weir-proto",
            LineTarget.AtLeast(5, 7));
        yield return Goflow2(context, distinct);
        yield return Binary(
            context, "decode.native", "weir batch; the peer reads the same flows as weir-proto", known, "weir", LineTarget.AtLeast(10, 17));
        yield return Json(context, known);
        context.Forget();
    }

    private static LineResult Binary(BenchContext context, string id, string title, FlowSet flows, string format, LineTarget target)
    {
        var proto = flows.Messages("weir-proto");
        return Measure(context, id, title, flows, format, target, "Google.Protobuf", () => ParseProto(proto));
    }

    private static LineResult Goflow2(BenchContext context, FlowSet flows)
    {
        var messages = flows.Messages("goflow2");
        return Measure(
            context, "decode.goflow2", "goflow2 protobuf, 1,000 delimited messages a payload", flows, "goflow2", null, "Google.Protobuf",
            () => ParseGoflow2(messages));
    }

    private static LineResult Json(BenchContext context, FlowSet flows)
    {
        var messages = flows.Messages("pmacct-json");
        return Measure(
            context,
            "decode.json",
            "pmacct JSON lines, 13 keys",
            flows,
            "pmacct-json",
            LineTarget.AtLeast(2, 3.5),
            "System.Text.Json, generated",
            () => ParseJson(messages));
    }

    private static LineResult Measure(
        BenchContext context, string id, string title, FlowSet flows, string format, LineTarget? target, string peerName, Func<ulong> peer)
    {
        context.Log(id);
        var messages = flows.Messages(format);
        using var sink = new SumSink(StreamSchema.Compile(StandardSchema.Views));
        var decoder = FlowFormats.Create(format, sink.Schema);
        var rounds = Rounds.Measure(
            context.Plan,
            RoundClock.ThreadCpu,
            flows.Count,
            new Contender(peerName, peer),
            new Contender("Weir", () => sink.Decode(decoder, messages)));
        return new LineResult(id, $"{peerName} / ours: {title}", "ns/record")
        {
            Ours = rounds.Nanos(1),
            Peer = rounds.Nanos(0),
            Ratio = rounds.Ratio(0, 1),
            Target = target,
            Note = $"{flows.BytesPerRecord(format):F1} B a record; allocated a record: {rounds.AllocatedBytes(1):F1} B, peer "
                + $"{rounds.AllocatedBytes(0):F0} B.",
        };
    }

    private static ulong ParseProto(byte[][] messages)
    {
        var sum = 0UL;
        foreach (var message in messages)
        {
            foreach (var record in FlowBatch.Parser.ParseFrom(message).Records)
            {
                sum += record.Bytes + (record.Packets << 32) + record.Tags.DstPort;
            }
        }

        return sum;
    }

    private static ulong ParseGoflow2(byte[][] messages)
    {
        var sum = 0UL;
        foreach (var message in messages)
        {
            var input = new CodedInputStream(message);
            while (!input.IsAtEnd)
            {
                var record = new FlowMessage();
                input.ReadMessage(record);
                sum += record.Bytes + (record.Packets << 32) + record.DstPort;
            }
        }

        return sum;
    }

    private static ulong ParseJson(byte[][] messages)
    {
        var sum = 0UL;
        foreach (var message in messages)
        {
            var rest = message.AsSpan();
            while (!rest.IsEmpty)
            {
                var end = rest.IndexOf((byte)'\n');
                var flow = JsonSerializer.Deserialize(rest[..end], PmacctFlowContext.Default.PmacctFlow)!;
                sum += flow.Bytes + (flow.Packets << 32) + (ulong)flow.PortDst;
                rest = rest[(end + 1)..];
            }
        }

        return sum;
    }

    /// <summary>Adds up what the decoders put into rows, so that their work cannot be left out. One thread.</summary>
    private sealed unsafe class SumSink : RecordSink, IDisposable
    {
        private readonly int _bytesOffset;
        private readonly int _packetsOffset;
        private readonly int _portOffset;
        private readonly byte* _rows;
        private ulong _sum;

        internal SumSink(StreamSchema schema)
        {
            Schema = schema;
            _bytesOffset = schema.RecordMetersOffset + (schema.Meters.IndexOf(StandardSchema.Bytes) * sizeof(ulong));
            _packetsOffset = schema.RecordMetersOffset + (schema.Meters.IndexOf(StandardSchema.Packets) * sizeof(ulong));
            _portOffset = StreamSchema.HashBytes + schema.Tags.Single(slot => slot.Tag == StandardSchema.DstPort).OffsetBytes;
            _rows = (byte*)NativeMemory.AlignedAlloc((nuint)(schema.RecordBytes * BlockRows), 64);
            NativeMemory.Clear(_rows, (nuint)(schema.RecordBytes * BlockRows));
            Row = _rows;
            RowCapacity = BlockRows;
            Strings = new StringDictionary(10_000);
        }

        internal StreamSchema Schema { get; }

        internal ulong Decode(FlowDecoder decoder, byte[][] messages)
        {
            _sum = 0;
            foreach (var message in messages)
            {
                decoder.Decode(message, this);
            }

            return _sum;
        }

        public override void Accept() => AcceptRows(1, isHashed: false);

        public override void AcceptRows(int count, bool isHashed)
        {
            var row = Row;
            for (var index = 0; index < count; index++, row += Schema.RecordBytes)
            {
                _sum += *(ulong*)(row + _bytesOffset) + (*(ulong*)(row + _packetsOffset) << 32) + *(ushort*)(row + _portOffset);
            }

            NativeMemory.Clear(Row, (nuint)(Schema.RecordBytes * count));
        }

        public override void Reject(DecodeStatus status, ReadOnlySpan<byte> evidence) =>
            throw new InvalidOperationException($"A record of the benchmark was rejected: {status}.");

        public void Dispose() => NativeMemory.AlignedFree(_rows);
    }
}
