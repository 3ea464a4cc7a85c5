using System.Buffers.Binary;
using Weir.Bench.Flows;
using Weir.Codecs.ClickHouse;
using Weir.Codecs.Flow;

namespace Weir.Bench.Peers;

/// <summary>Flows as raw rows for ClickHouse to sum, and the tables that do it: the columns that the views need, and no more.</summary>
internal static class RawRows
{
    /// <summary>Rows of an insert: at this size 18.16.1 takes most rows a second (facts/CLICKHOUSE.md, 'Speed').</summary>
    private const int RowsPerBlock = 100_000;

    private static readonly NativeColumn[] _columns =
    [
        new("ts", NativeColumnType.DateTime),
        new("src_addr", NativeColumnType.FixedString16),
        new("dst_addr", NativeColumnType.FixedString16),
        new("dst_port", NativeColumnType.UInt16),
        new("proto", NativeColumnType.UInt8),
        new("exporter", NativeColumnType.LowCardinalityString),
        new("packets", NativeColumnType.UInt64),
        new("bytes", NativeColumnType.UInt64),
        new("tcp_syn", NativeColumnType.UInt8),
        new("tcp_fin", NativeColumnType.UInt8),
        new("tcp_rst", NativeColumnType.UInt8),
        new("retransmissions", NativeColumnType.UInt32),
        new("rtt_us", NativeColumnType.UInt32),
        new("rtt_count", NativeColumnType.UInt8),
        new("duration_ms", NativeColumnType.UInt32),
    ];

    /// <summary>Statements that make a database of raw table, both summing tables, and the views between them.</summary>
    /// <param name="database">Its name.</param>
    /// <param name="keepsRaw">True to keep the raw rows in a MergeTree, false to let them go (engine Null).</param>
    public static IEnumerable<string> CreateStatements(string database, bool keepsRaw)
    {
        yield return $"CREATE DATABASE {database}";
        var engine = keepsRaw
            ? "MergeTree() PARTITION BY toYYYYMMDD(ts) ORDER BY (dst_addr, dst_port, proto, src_addr, exporter, ts)"
            : "Null";
        yield return $"""
            CREATE TABLE {database}.raw (ts DateTime('UTC'), src_addr FixedString(16), dst_addr FixedString(16), dst_port UInt16,
            proto UInt8, exporter LowCardinality(String), packets UInt64, bytes UInt64, tcp_syn UInt8, tcp_fin UInt8, tcp_rst UInt8,
            retransmissions UInt32, rtt_us UInt32, rtt_count UInt8, duration_ms UInt32) ENGINE = {engine}
            """;
        foreach (var (view, window) in ((string, string)[])[("edge_1s", "ts"), ("edge_1m", "toStartOfMinute(ts)")])
        {
            yield return $"""
                CREATE TABLE {database}.{view} (time DateTime('UTC'), src_addr FixedString(16), dst_addr FixedString(16), dst_port UInt16,
                proto UInt8, exporter LowCardinality(String), records UInt64, flows UInt64, packets UInt64, bytes UInt64, tcp_syn UInt64,
                tcp_fin UInt64, tcp_rst UInt64, retransmissions UInt64, rtt_us UInt64, rtt_count UInt64, duration_ms UInt64)
                ENGINE = SummingMergeTree() PARTITION BY toYYYYMMDD(time) ORDER BY (dst_addr, dst_port, proto, src_addr, exporter, time)
                """;
            yield return $"""
                CREATE MATERIALIZED VIEW {database}.{view}_view TO {database}.{view} AS SELECT {window} AS time, src_addr, dst_addr,
                dst_port, proto, exporter, count() AS records, count() AS flows, sum(packets) AS packets, sum(bytes) AS bytes,
                sum(tcp_syn) AS tcp_syn, sum(tcp_fin) AS tcp_fin, sum(tcp_rst) AS tcp_rst, sum(retransmissions) AS retransmissions,
                sum(rtt_us) AS rtt_us, sum(rtt_count) AS rtt_count, sum(duration_ms) AS duration_ms
                FROM {database}.raw GROUP BY time, src_addr, dst_addr, dst_port, proto, exporter
                """;
        }
    }

    /// <summary>The columns of an insert.</summary>
    public static IReadOnlyList<string> ColumnNames { get; } = [.. _columns.Select(column => column.Name)];

    /// <summary>The insert of a block.</summary>
    public static string InsertStatement(string database) => $"INSERT INTO {database}.raw ({string.Join(", ", ColumnNames)}) FORMAT Native";

    /// <summary>What both summing tables add up to, as four numbers.</summary>
    public static string SumQuery(string database) =>
        "SELECT sum(a), sum(b), sum(c), sum(d) FROM (SELECT records AS a, bytes AS b, toUInt64(0) AS c, toUInt64(0) AS d FROM "
            + $"{database}.edge_1s "
        + $"UNION ALL SELECT toUInt64(0) AS a, toUInt64(0) AS b, records AS c, bytes AS d FROM {database}.edge_1m)";

    /// <summary>The flows as Native blocks.</summary>
    /// <param name="flows">The flows.</param>
    /// <param name="isFramed">True for LZ4 frames, as they go to a server.</param>
    public static List<byte[]> Blocks(FlowSet flows, bool isFramed)
    {
        var writer = new NativeBlockWriter(_columns);
        using var frame = new CompressedFrame(FrameMethod.Lz4);
        var blocks = new List<byte[]>();
        for (var from = 0; from < flows.Count; from += RowsPerBlock)
        {
            var raw = Block(writer, flows.Records.Slice(from, Math.Min(RowsPerBlock, flows.Count - from)));
            blocks.Add(isFramed ? Framed(frame, raw) : raw);
        }

        return blocks;
    }

    private static byte[] Framed(CompressedFrame frame, byte[] raw)
    {
        using var joined = new MemoryStream();
        var scratch = new byte[frame.BoundBytes(CompressedFrame.RawBytesMax)];
        foreach (var piece in raw.Chunk(CompressedFrame.RawBytesMax))
        {
            joined.Write(scratch, 0, frame.Write(piece, scratch));
        }

        return joined.ToArray();
    }

    private static unsafe byte[] Block(NativeBlockWriter writer, ReadOnlySpan<FlowRecord> records)
    {
        var exporters = new Dictionary<string, byte>();
        var keys = writer.Keys(5);
        keys.Clear();
        var indexes = new byte[records.Length];
        for (var row = 0; row < records.Length; row++)
        {
            var text = System.Text.Encoding.UTF8.GetString(records[row].Exporter.Span);
            if (!exporters.TryGetValue(text, out indexes[row]))
            {
                indexes[row] = checked((byte)keys.Count);
                exporters.Add(text, indexes[row]);
                keys.Add(records[row].Exporter.Span);
            }
        }

        var raw = new byte[checked((int)writer.Measure(records.Length))];
        fixed (byte* block = raw)
        {
            writer.WriteHeaders(block);
            for (var row = 0; row < records.Length; row++)
            {
                ref readonly var record = ref records[row];
                ((uint*)writer.Cells(block, 0))[row] = (uint)record.TimeSeconds;
                BinaryPrimitives.WriteUInt128BigEndian(new Span<byte>(writer.Cells(block, 1) + (row * 16), 16), record.SrcAddr);
                BinaryPrimitives.WriteUInt128BigEndian(new Span<byte>(writer.Cells(block, 2) + (row * 16), 16), record.DstAddr);
                ((ushort*)writer.Cells(block, 3))[row] = record.DstPort;
                writer.Cells(block, 4)[row] = record.Proto;
                writer.Cells(block, 5)[row] = indexes[row];
                ((ulong*)writer.Cells(block, 6))[row] = record.Packets;
                ((ulong*)writer.Cells(block, 7))[row] = record.Bytes;
                writer.Cells(block, 8)[row] = (byte)record.TcpSyn;
                writer.Cells(block, 9)[row] = (byte)record.TcpFin;
                writer.Cells(block, 10)[row] = (byte)record.TcpRst;
                ((uint*)writer.Cells(block, 11))[row] = (uint)record.Retransmissions;
                ((uint*)writer.Cells(block, 12))[row] = (uint)record.RttUs;
                writer.Cells(block, 13)[row] = (byte)record.RttCount;
                ((uint*)writer.Cells(block, 14))[row] = (uint)record.DurationMs;
            }
        }

        return raw;
    }
}
