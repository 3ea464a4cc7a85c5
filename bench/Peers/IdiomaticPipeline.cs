using System.Net;
using System.Runtime.InteropServices;
using System.Text.Json;
using Google.Protobuf;
using Weir.Bench.Paths;
using Weir.V1;

namespace Weir.Bench.Peers;

/// <summary>
/// Idiomatic .NET: objects of Google.Protobuf or System.Text.Json, a key of text, <c>Dictionary&lt;string, class&gt;</c>; then the rows
/// of <see cref="EdgeBlocks"/>, as good as the competent peer's. One thread.
/// </summary>
internal sealed class IdiomaticPipeline : IDisposable
{
    private readonly EdgeBlocks _blocks = new();
    private Dictionary<string, Row> _seconds = [];
    private Dictionary<string, Row> _minutes = [];

    /// <summary>The whole path on <c>weir-proto</c> messages.</summary>
    public PathResult RunProto(byte[][] messages)
    {
        foreach (var message in messages)
        {
            foreach (var record in FlowBatch.Parser.ParseFrom(message).Records)
            {
                var rate = Math.Max(record.SamplingRate, 1);
                Fold(
                    Text(record.Tags.SrcAddr),
                    Text(record.Tags.DstAddr),
                    (ushort)record.Tags.DstPort,
                    (byte)record.Tags.Proto,
                    record.Tags.Exporter,
                    (uint)record.Time,
                    EdgeSums.Of(record, rate));
            }
        }

        return Finish();
    }

    /// <summary>The whole path on pmacct's JSON lines.</summary>
    public PathResult RunPmacct(byte[][] messages)
    {
        foreach (var message in messages)
        {
            var rest = message.AsSpan();
            while (!rest.IsEmpty)
            {
                var end = rest.IndexOf((byte)'\n');
                Fold(JsonSerializer.Deserialize(rest[..end], PmacctFlowContext.Default.PmacctFlow)!);
                rest = rest[(end + 1)..];
            }
        }

        return Finish();
    }

    public void Dispose() => _blocks.Dispose();

    private static string Text(ByteString address) => new IPAddress(address.Span).ToString();

    private void Fold(PmacctFlow flow)
    {
        var flags = int.Parse(flow.TcpFlags!, System.Globalization.CultureInfo.InvariantCulture);
        Fold(
            flow.IpSrc!,
            flow.IpDst!,
            (ushort)flow.PortDst,
            flow.IpProto == "udp" ? (byte)17 : (byte)6,
            flow.PeerIpSrc!,
            (uint)double.Parse(flow.TimestampStart!, System.Globalization.CultureInfo.InvariantCulture),
            new EdgeSums
            {
                Records = 1,
                Flows = 1,
                Packets = flow.Packets,
                Bytes = flow.Bytes,
                TcpSyn = (ulong)(flags >> 1) & 1,
                TcpFin = (ulong)flags & 1,
                TcpRst = (ulong)(flags >> 2) & 1,
                DurationMs = (ulong)Math.Round(
                    (decimal.Parse(flow.TimestampEnd!, System.Globalization.CultureInfo.InvariantCulture)
                    - decimal.Parse(flow.TimestampStart!, System.Globalization.CultureInfo.InvariantCulture)) * 1000),
            });
    }

    private void Fold(string src, string dst, ushort port, byte proto, string exporter, uint time, in EdgeSums sums)
    {
        Fold(_seconds, new Row(src, dst, port, proto, exporter, time), sums);
        Fold(_minutes, new Row(src, dst, port, proto, exporter, time / 60 * 60), sums);
    }

    private static void Fold(Dictionary<string, Row> rows, Row row, in EdgeSums sums)
    {
        var key = $"{row.Src}|{row.Dst}|{row.Port}|{row.Proto}|{row.Exporter}|{row.Time}";
        if (!rows.TryGetValue(key, out var found))
        {
            rows.Add(key, found = row);
        }

        found.Sums.Add(sums);
    }

    private PathResult Finish()
    {
        var result = default(PathResult);
        foreach (var rows in (Dictionary<string, Row>[])[_seconds, _minutes])
        {
            var exporters = rows.Values.Select(row => row.Exporter).Distinct().ToList();
            var indexes = exporters.Index().ToDictionary(entry => entry.Item, entry => entry.Index);
            var series = new Dictionary<EdgeKey, EdgeSums>(rows.Count);
            foreach (var row in rows.Values)
            {
                var key = new EdgeKey(Address(row.Src), Address(row.Dst), row.Time, row.Port, row.Proto, indexes[row.Exporter]);
                CollectionsMarshal.GetValueRefOrAddDefault(series, key, out _) = row.Sums;
            }

            result = result.Plus(_blocks.Build(series, exporters));
        }

        _seconds = [];
        _minutes = [];
        return result;
    }

    private static UInt128 Address(string text) => CompetentPipeline.Address(ByteString.CopyFrom(IPAddress.Parse(text).GetAddressBytes()));

    private sealed class Row(string src, string dst, ushort port, byte proto, string exporter, uint time)
    {
        public readonly string Src = src;
        public readonly string Dst = dst;
        public readonly ushort Port = port;
        public readonly byte Proto = proto;
        public readonly string Exporter = exporter;
        public readonly uint Time = time;
        public EdgeSums Sums;
    }
}
