using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using Weir.Bench.Peers;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Weir.V1;
using FlowRecord = Weir.Codecs.Flow.FlowRecord;

namespace Weir.Bench;

/// <summary>Takes records into a chunk's memory, as the router does, and adds up their bytes, so that the work is done.</summary>
internal sealed unsafe class SummingSink : RecordSink, IDisposable
{
    private const int BlockRows = 64;

    private readonly int _bytes;
    private readonly int _bytesMeterOffset;
    private readonly byte* _rows;
    private int _used;

    public SummingSink(StreamSchema schema)
    {
        _bytes = schema.RecordBytes;
        _bytesMeterOffset = schema.RecordMetersOffset + (schema.Meters.IndexOf(StandardSchema.Bytes) * sizeof(ulong));
        _rows = (byte*)System.Runtime.InteropServices.NativeMemory.AlignedAlloc((nuint)(_bytes * RecordChunk.RecordsMax), 64);
        Strings = new StringDictionary(10_000);
        Next();
    }

    /// <summary>Sum of the meter <c>bytes</c>: what the peers add up, too.</summary>
    public ulong Sum { get; private set; }

    public override void Accept() => AcceptRows(1, isHashed: false);

    public override void AcceptRows(int count, bool isHashed)
    {
        var row = Row;
        var sum = 0UL;
        for (var index = 0; index < count; index++, row += _bytes)
        {
            sum += *(ulong*)(row + _bytesMeterOffset);
        }

        Sum += sum;
        _used += count;
        Next();
    }

    public override void Reject(DecodeStatus status, ReadOnlySpan<byte> evidence) => throw new InvalidOperationException(status.ToString());

    public void Dispose() => System.Runtime.InteropServices.NativeMemory.AlignedFree(_rows);

    private void Next()
    {
        _used = _used == RecordChunk.RecordsMax ? 0 : _used;
        Row = _rows + ((nint)_used * _bytes);
        RowCapacity = Math.Min(BlockRows, RecordChunk.RecordsMax - _used);
        new Span<byte>(Row, _bytes).Clear();
    }
}

/// <summary>ns a record of each flow format, 1,000 records a message, beside the usual libraries.</summary>
[MemoryDiagnoser]
public class DecodeBench : IDisposable
{
    public const int RecordsPerCall = 1_000;

    private const int CallsPerRound = 100;
    private const int NewTagMessages = 200; // 200,000 tag sets: more than the decoder keeps, so none is known when it comes again.

    private readonly StreamSchema _schema = StreamSchema.Compile(StandardSchema.Views);
    private readonly Dictionary<string, byte[]> _payloads = [];
    private readonly Dictionary<string, FlowDecoder> _decoders = [];
    private readonly byte[][] _newTags = new byte[NewTagMessages][];
    private readonly SummingSink _sink;

    public DecodeBench()
    {
        _sink = new SummingSink(_schema);
        Setup();
    }

    /// <summary>Bytes of a record on the wire.</summary>
    public double BytesPerRecord(string format) => (double)_payloads[format].Length / RecordsPerCall;

    [Benchmark(Baseline = true, OperationsPerInvoke = RecordsPerCall)]
    public ulong Pmacct_json_by_system_text_json()
    {
        ulong sum = 0;
        var rest = _payloads["pmacct-json"].AsSpan();
        while (!rest.IsEmpty)
        {
            var end = rest.IndexOf((byte)'\n');
            var line = JsonSerializer.Deserialize(rest[..end], PmacctFlowContext.Default.PmacctFlow)!;
            sum += line.Bytes;
            rest = rest[(end + 1)..];
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = RecordsPerCall)]
    public ulong Pmacct_json() => Decode("pmacct-json");

    [Benchmark(OperationsPerInvoke = RecordsPerCall)]
    public ulong Goflow2_json() => Decode("goflow2-json");

    [Benchmark(OperationsPerInvoke = RecordsPerCall)]
    public ulong Goflow2() => Decode("goflow2");

    [Benchmark(OperationsPerInvoke = RecordsPerCall)]
    public ulong Weir_proto_by_google_protobuf()
    {
        ulong sum = 0;
        foreach (var record in FlowBatch.Parser.ParseFrom(_payloads["weir-proto"]).Records)
        {
            sum += record.Bytes;
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = RecordsPerCall)]
    public ulong Weir_proto() => Decode("weir-proto");

    [Benchmark(OperationsPerInvoke = RecordsPerCall * NewTagMessages)]
    public ulong Weir_proto_new_tags_by_google_protobuf()
    {
        ulong sum = 0;
        foreach (var payload in _newTags)
        {
            foreach (var record in FlowBatch.Parser.ParseFrom(payload).Records)
            {
                sum += record.Bytes;
            }
        }

        return sum;
    }

    [Benchmark(OperationsPerInvoke = RecordsPerCall * NewTagMessages)]
    public ulong Weir_proto_new_tags()
    {
        var before = _sink.Sum;
        foreach (var payload in _newTags)
        {
            _decoders["weir-proto"].Decode(payload, _sink);
        }

        return _sink.Sum - before;
    }

    [Benchmark(OperationsPerInvoke = RecordsPerCall)]
    public ulong Weir_batch() => Decode("weir");

    public void Dispose()
    {
        _sink.Dispose();
        GC.SuppressFinalize(this);
    }

    private ulong Decode(string format)
    {
        var before = _sink.Sum;
        _decoders[format].Decode(_payloads[format], _sink);
        return _sink.Sum - before;
    }

    /// <summary>The peers in turns; each returns the sum of the records' bytes.</summary>
    internal static void MeasureRatios()
    {
        using var bench = new DecodeBench();
        Measure("pmacct JSON, a record", ("System.Text.Json, generated", bench.Pmacct_json_by_system_text_json), ("Weir", bench.Pmacct_json));
        Measure("goflow2 JSON, a record", ("Weir", bench.Goflow2_json));
        Measure(
            "binary formats, a record",
            ("Google.Protobuf, weir-proto", bench.Weir_proto_by_google_protobuf),
            ("Weir, goflow2", bench.Goflow2),
            ("Weir, weir-proto", bench.Weir_proto),
            ("Weir, weir batch", bench.Weir_batch));
        Ratios.Measure(
            "weir-proto, tag sets that are not known, a record",
            RecordsPerCall * NewTagMessages,
            new Peer("Google.Protobuf", bench.Weir_proto_new_tags_by_google_protobuf),
            new Peer("Weir", bench.Weir_proto_new_tags));
    }

    private static void Measure(string title, params (string Name, Func<ulong> Decode)[] peers) => Ratios.Measure(
        title, RecordsPerCall * CallsPerRound, [.. peers.Select(peer => new Peer(peer.Name, () => Repeat(peer.Decode)))]);

    private static ulong Repeat(Func<ulong> decode)
    {
        var sum = 0UL;
        for (var call = 0; call < CallsPerRound; call++)
        {
            sum += decode();
        }

        return sum;
    }

    private void Setup()
    {
        var random = new Random(20260101);
        var json = new StringBuilder();
        var goflowJson = new StringBuilder();
        var goflow = new ArrayBufferWriter<byte>();
        var proto = new ArrayBufferWriter<byte>();
        var batch = new WeirBatchWriter();
        for (var index = 0; index < RecordsPerCall; index++)
        {
            var record = Record(random);
            WeirProtoWriter.Write(proto, record);
            Goflow2Writer.Write(goflow, record, isDelimited: true);
            batch.TryAdd(record);
            var (source, destination) = (random.Next(256), random.Next(256));
            json.Append(CultureInfo.InvariantCulture, $$"""{"event_type": "purge", "vlan": 0, "ip_src": "10.0.{{source}}.2", "ip_dst": "10.128.0.{{destination}}", "port_src": {{record.SrcPort}}, "port_dst": {{record.DstPort}}, "tcp_flags": "{{record.TcpFlags}}", "ip_proto": "{{(index % 4 == 0 ? "udp" : "tcp")}}", "tos": 0, "timestamp_start": "{{record.TimeSeconds}}.140856", "timestamp_end": "0.000000", "packets": {{record.Packets}}, "bytes": {{record.Bytes}}}""").Append('\n');
            goflowJson.Append(CultureInfo.InvariantCulture, $$"""{"type":"NETFLOW_V9","time_received_ns":{{record.TimeSeconds}}000000000,"sequence_num":{{index}},"sampling_rate":1,"sampler_address":"192.0.2.1","time_flow_start_ns":{{record.TimeSeconds}}000000000,"time_flow_end_ns":{{record.TimeSeconds}}500000000,"bytes":{{record.Bytes}},"packets":{{record.Packets}},"src_addr":"10.0.{{source}}.2","dst_addr":"10.128.0.{{destination}}","etype":"IPv4","proto":"TCP","src_port":{{record.SrcPort}},"dst_port":{{record.DstPort}},"in_if":1,"out_if":2}""").Append('\n');
        }

        _payloads["pmacct-json"] = Encoding.UTF8.GetBytes(json.ToString());
        _payloads["goflow2-json"] = Encoding.UTF8.GetBytes(goflowJson.ToString());
        _payloads["goflow2"] = goflow.WrittenSpan.ToArray();
        _payloads["weir-proto"] = proto.WrittenSpan.ToArray();
        _payloads["weir"] = batch.Finish().ToArray();
        for (var message = 0; message < NewTagMessages; message++)
        {
            var output = new ArrayBufferWriter<byte>();
            for (var index = 0; index < RecordsPerCall; index++)
            {
                WeirProtoWriter.Write(output, Record(random) with { SrcAddr = FlowRecord.Ipv4((uint)((message * RecordsPerCall) + index)) });
            }

            _newTags[message] = output.WrittenSpan.ToArray();
        }

        foreach (var format in FlowFormats.Names)
        {
            _decoders[format] = FlowFormats.Create(format, _schema);
        }
    }

    private static FlowRecord Record(Random random) => new()
    {
        TimeSeconds = 1_767_225_819 + (ulong)random.Next(10),
        SrcAddr = FlowRecord.Ipv4(0x0a000000 + (uint)random.Next(100_000)),
        DstAddr = FlowRecord.Ipv4(0x0a800000 + (uint)random.Next(1_000)),
        SrcPort = (ushort)random.Next(1024, 65536),
        DstPort = (ushort)(random.Next(2) == 0 ? 443 : 53),
        Proto = (byte)(random.Next(2) == 0 ? 6 : 17),
        Exporter = "192.0.2.1"u8.ToArray(),
        TcpFlags = 18,
        Etype = 0x0800,
        InIf = 3,
        OutIf = 4,
        Flows = 1,
        Packets = (ulong)random.Next(1, 2_000),
        Bytes = (ulong)random.Next(40, 2_000_000),
        TcpSyn = 1,
        TcpFin = (ulong)random.Next(2),
        RttUs = (ulong)random.Next(60_000),
        RttCount = 1,
        Retransmissions = (ulong)random.Next(2),
        DurationMs = (ulong)random.Next(10_000),
    };
}
