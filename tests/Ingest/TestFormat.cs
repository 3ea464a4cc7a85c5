using System.Buffers.Binary;
using System.Text;
using Weir.Codecs.Flow;
using Weir.Core.Model;

namespace Weir.Tests.Ingest;

/// <summary>A record of <see cref="TestFormat"/>.</summary>
internal readonly record struct TestRecord(uint Time, uint Source, ushort Port = 443, string Exporter = "r1", byte Kind = TestFormat.Good);

/// <summary>A format so simple that the tests of the ingest stage test nothing else: records of 32 bytes, or a text of digits.</summary>
internal static class TestFormat
{
    public const byte Good = 0;
    public const byte Bad = 1;
    public const byte Marker = 2;

    private const int RecordBytes = 32;

    public static byte[] Encode(params IEnumerable<TestRecord> records)
    {
        var bytes = new List<byte>();
        Span<byte> one = stackalloc byte[RecordBytes];
        foreach (var record in records)
        {
            one.Clear();
            one[0] = record.Kind;
            BinaryPrimitives.WriteUInt16LittleEndian(one[2..], record.Port);
            BinaryPrimitives.WriteUInt32LittleEndian(one[4..], record.Time);
            BinaryPrimitives.WriteUInt32LittleEndian(one[8..], record.Source);
            Encoding.UTF8.GetBytes(record.Exporter, one[12..]);
            bytes.AddRange(one);
        }

        return [.. bytes];
    }

    public sealed unsafe class Decoder(StreamSchema schema) : FlowDecoder
    {
        private readonly int _source = OffsetOf(schema, "src_addr");
        private readonly int _port = OffsetOf(schema, "dst_port");
        private readonly int _exporter = OffsetOf(schema, "exporter");

        /// <summary>Makes garbage for each record, as the control of the allocation test.</summary>
        public bool Allocates { get; init; }

        public override void Decode(ReadOnlySpan<byte> payload, RecordSink sink)
        {
            var rows = new RowBlock(sink, schema.RecordBytes);
            Decode(payload, sink, ref rows);
            rows.End();
        }

        private void Decode(ReadOnlySpan<byte> payload, RecordSink sink, ref RowBlock rows)
        {
            if (payload.IsEmpty)
            {
                rows.Reject(DecodeStatus.Empty, payload);
                return;
            }

            if (payload.Length % RecordBytes != 0)
            {
                rows.Reject(DecodeStatus.Truncated, payload);
                return;
            }

            for (; !payload.IsEmpty; payload = payload[RecordBytes..])
            {
                Decode(payload[..RecordBytes], payload[0], sink, ref rows);
            }
        }

        private void Decode(ReadOnlySpan<byte> record, byte kind, RecordSink sink, ref RowBlock rows)
        {
            if (kind == Marker)
            {
                sink.MarkerCount++;
                return;
            }

            rows.Clear();
            var row = rows.Row;
            *(ulong*)(row + StreamSchema.HashBytes) = BinaryPrimitives.ReadUInt32LittleEndian(record[4..]);
            *(uint*)(row + _source + 12) = BinaryPrimitives.ReadUInt32LittleEndian(record[8..]);
            *(ushort*)(row + _port) = BinaryPrimitives.ReadUInt16LittleEndian(record[2..]);
            if (kind == Bad)
            {
                rows.Reject(DecodeStatus.Malformed, record); // After it has begun to fill the row.
                return;
            }

            var text = record[12..];
            var length = text.IndexOf((byte)0);
            *(uint*)(row + _exporter) = sink.Strings.Intern(length < 0 ? text : text[..length]);
            if (Allocates)
            {
                GC.KeepAlive(new object());
            }

            rows.Accept();
        }

        private static int OffsetOf(StreamSchema schema, string tag) =>
            StreamSchema.HashBytes + schema.Tags.First(slot => slot.Tag.Name == tag).OffsetBytes;
    }
}
