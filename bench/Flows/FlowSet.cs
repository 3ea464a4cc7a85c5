using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Weir.Codecs.Flow;
using Weir.Core.Hashing;

namespace Weir.Bench.Flows;

/// <summary>Flow records whose tag sets come from a given number of series, and their messages in each format.</summary>
/// <remarks>
/// A series is a 5-tuple, an exporter and 8 more tags: 300 servers, 64 exporters, as many clients as series. All records of a
/// series have the same tags. All records of a set lie in one second, where nothing else is said, so a set is what one cut gets, and
/// the number of records decides how many fold into a row. Sizes and times are log-uniform.
/// </remarks>
internal sealed class FlowSet
{
    /// <summary>Records of a message.</summary>
    public const int RecordsPerMessage = 1_000;

    /// <summary>Of all sets.</summary>
    public const int Seed = 20_260_101;

    /// <summary>The second that all records of a set lie in, where nothing else is said; in the middle of a minute.</summary>
    public const ulong TimeSeconds = 1_767_225_630;

    private const int ServerCount = 300;

    private static readonly ReadOnlyMemory<byte>[] _exporters =
        [.. Enumerable.Range(0, 64).Select(index => (ReadOnlyMemory<byte>)Encoding.ASCII.GetBytes($"10.9.0.{index + 1}"))];

    private static readonly ushort[] _ports = [443, 443, 443, 80, 53, 22, 8080, 5432, 9092, 123];

    private static readonly ulong[] _packetBytes = [52, 64, 120, 576, 1_400, 1_500];

    private readonly FlowRecord[] _records;
    private readonly Dictionary<string, byte[][]> _messages = [];

    /// <summary>Draws the records.</summary>
    /// <param name="seriesCount">Series to draw from.</param>
    /// <param name="recordCount">Records.</param>
    /// <param name="exponent">Of the zipf law; 0 draws all series alike.</param>
    /// <param name="timeSeconds">The second that all of them lie in, or the first one.</param>
    /// <param name="spanSeconds">Seconds that they spread over, as many records in each.</param>
    public FlowSet(
        int seriesCount, int recordCount, double exponent = ZipfDraw.Exponent, ulong timeSeconds = TimeSeconds, int spanSeconds = 1)
    {
        var random = new Random(Seed + 1);
        _records = [.. Draw(new ZipfDraw(seriesCount, Seed, exponent), recordCount).Select(
            (one, index) => Record(one, random, timeSeconds + (ulong)((long)index * spanSeconds / recordCount)))];
    }

    /// <summary>Makes a record of each of the series given.</summary>
    /// <param name="series">The series.</param>
    /// <param name="timeSeconds">The second that all of them lie in.</param>
    public FlowSet(IEnumerable<int> series, ulong timeSeconds = TimeSeconds)
    {
        var random = new Random(Seed + 1);
        _records = [.. series.Select(one => Record(one, random, timeSeconds))];
    }

    /// <summary>The records.</summary>
    public ReadOnlySpan<FlowRecord> Records => _records;

    /// <summary>Number of records.</summary>
    public int Count => _records.Length;

    /// <summary>Messages of up to <see cref="RecordsPerMessage"/> records.</summary>
    /// <param name="format">One of <see cref="FlowFormats.Names"/> but goflow2-json.</param>
    public byte[][] Messages(string format)
    {
        if (!_messages.TryGetValue(format, out var messages))
        {
            messages = [.. _records.Chunk(RecordsPerMessage).Select(chunk => Message(format, chunk))];
            _messages.Add(format, messages);
        }

        return messages;
    }

    /// <summary>Bytes of a record in a format.</summary>
    public double BytesPerRecord(string format) => Messages(format).Sum(message => (long)message.Length) / (double)Count;

    /// <summary>One message.</summary>
    public static byte[] Message(string format, IReadOnlyList<FlowRecord> records)
    {
        var output = new ArrayBufferWriter<byte>(records.Count * 128);
        switch (format)
        {
            case "weir":
                var batch = new WeirBatchWriter();
                foreach (var record in records)
                {
                    _ = batch.TryAdd(record);
                }

                batch.WriteTo(output);
                break;
            case "weir-proto":
                foreach (var record in records)
                {
                    WeirProtoWriter.Write(output, record);
                }

                break;
            case "goflow2":
                foreach (var record in records)
                {
                    Goflow2Writer.Write(output, record, isDelimited: true);
                }

                break;
            case "pmacct-json":
                output.Write(Encoding.UTF8.GetBytes(string.Concat(records.Select(record => PmacctLine(record)))));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(format), format, "No format of the benchmarks.");
        }

        return output.WrittenSpan.ToArray();
    }

    /// <summary>The record of a series; its meters are drawn.</summary>
    public static FlowRecord Record(int series, Random random, ulong timeSeconds = TimeSeconds)
    {
        // An odd factor: no two of the first 2^24 series have one client.
        var client = (uint)series * 0x9E37_79B1U & 0xFF_FFFF;
        var mixed = (uint)(TagHash.Mix((ulong)series + 1, 0x9e37_79b9_7f4a_7c15) >> 8);
        var port = _ports[mixed % _ports.Length];
        var isUdp = port is 53 or 123;
        var packets = LogUniform(random, 2_000);
        return new FlowRecord
        {
            TimeSeconds = timeSeconds,
            SrcAddr = FlowRecord.Ipv4(0x0a00_0000 | client),
            DstAddr = FlowRecord.Ipv4(0xcb00_7100 + (mixed / 16 % ServerCount)),
            SrcPort = (ushort)(1024 + (mixed % 60_000)),
            DstPort = port,
            Proto = isUdp ? (byte)17 : (byte)6,
            Exporter = _exporters[mixed / 8192 % _exporters.Length],
            TcpFlags = isUdp ? (ushort)0 : (ushort)27,
            SrcAs = 64_512 + (mixed % 200),
            DstAs = 65_000,
            SrcMask = 24,
            DstMask = 22,
            InIf = 1 + (mixed % 40),
            OutIf = 4,
            Etype = 0x0800,
            Flows = 1,
            Packets = packets,
            Bytes = packets * _packetBytes[random.Next(_packetBytes.Length)],
            TcpSyn = isUdp ? 0UL : 1,
            TcpFin = isUdp ? 0UL : 1,
            RttUs = 100 * LogUniform(random, 600),
            RttCount = 1,
            Retransmissions = random.Next(20) == 0 ? 1UL : 0,
            DurationMs = LogUniform(random, 10_000),
        };
    }

    /// <summary>A record as nfacctd prints it, with the keys of the sample data.</summary>
    private static string PmacctLine(in FlowRecord record) => $$"""
        {"event_type": "purge", "peer_ip_src": "{{Encoding.ASCII.GetString(record.Exporter.Span)}}",
        "ip_src": "{{Ipv4Text(record.SrcAddr)}}", "ip_dst": "{{Ipv4Text(record.DstAddr)}}",
        "port_src": {{record.SrcPort}}, "port_dst": {{record.DstPort}}, "tcp_flags": "{{record.TcpFlags}}",
        "ip_proto": "{{(record.Proto == 17 ? "udp" : "tcp")}}", "tos": 0, "timestamp_start": "{{record.TimeSeconds}}.807000",
        "timestamp_end": "{{record.TimeSeconds}}.809000", "packets": {{record.Packets}}, "bytes": {{record.Bytes}}}
        """.ReplaceLineEndings(" ") + "\n";

    /// <summary>1 to <paramref name="max"/>, small ones as often as large ones of ten times the size: most flows are short.</summary>
    private static ulong LogUniform(Random random, int max) => (ulong)Math.Exp(random.NextDouble() * Math.Log(max));

    private static string Ipv4Text(UInt128 address)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, address);
        return $"{bytes[12]}.{bytes[13]}.{bytes[14]}.{bytes[15]}";
    }

    private static IEnumerable<int> Draw(ZipfDraw draw, int recordCount) => Enumerable.Range(0, recordCount).Select(_ => draw.Next());
}
