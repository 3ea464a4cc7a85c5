using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Weir.Codecs.Flow;

namespace Weir.Bench.Processes;

/// <summary>A record batch of Kafka's format 2, compressed with LZ4, made once and sent again and again.</summary>
/// <remarks>
/// The base offset is not covered by the checksum, and the broker sets it: so a batch can be stored any number of times, and feeding
/// costs the sender next to nothing. The two cores of the machine are for the broker and for Weir.
/// </remarks>
internal static unsafe partial class KafkaBatch
{
    private const string Lz4Library = "liblz4.so.1";
    private const int HeaderBytes = 61;
    private const int LengthFrom = 12; // The length counts what follows it.
    private const int CoveredFrom = 21; // The checksum covers what follows it.
    private const short Lz4 = 3;

    /// <summary>Makes a batch.</summary>
    /// <param name="values">Values of its messages.</param>
    /// <param name="timestampMs">Time of all of them.</param>
    internal static byte[] Make(IReadOnlyList<byte[]> values, long timestampMs)
    {
        using var records = new MemoryStream();
        for (var index = 0; index < values.Count; index++)
        {
            WriteRecord(records, index, values[index]);
        }

        var compressed = Compress(records.GetBuffer().AsSpan(0, (int)records.Length));
        var batch = new byte[HeaderBytes + compressed.Length];
        var span = batch.AsSpan();
        BinaryPrimitives.WriteInt32BigEndian(span[8..], batch.Length - LengthFrom);
        BinaryPrimitives.WriteInt32BigEndian(span[12..], -1); // Leader epoch: not known.
        batch[16] = 2; // Format.
        BinaryPrimitives.WriteInt16BigEndian(span[21..], Lz4);
        BinaryPrimitives.WriteInt32BigEndian(span[23..], values.Count - 1);
        BinaryPrimitives.WriteInt64BigEndian(span[27..], timestampMs);
        BinaryPrimitives.WriteInt64BigEndian(span[35..], timestampMs);
        BinaryPrimitives.WriteInt64BigEndian(span[43..], -1); // No idempotent producer.
        BinaryPrimitives.WriteInt16BigEndian(span[51..], -1);
        BinaryPrimitives.WriteInt32BigEndian(span[53..], -1);
        BinaryPrimitives.WriteInt32BigEndian(span[57..], values.Count);
        compressed.CopyTo(span[HeaderBytes..]);
        BinaryPrimitives.WriteUInt32BigEndian(span[17..], Crc32C.Of(span[CoveredFrom..]));
        return batch;
    }

    private static void WriteRecord(MemoryStream output, int offset, byte[] value)
    {
        using var body = new MemoryStream();
        body.WriteByte(0); // Attributes.
        WriteVarint(body, 0); // Time after that of the batch.
        WriteVarint(body, offset);
        WriteVarint(body, -1); // No key.
        WriteVarint(body, value.Length);
        body.Write(value);
        WriteVarint(body, 0); // Headers.
        WriteVarint(output, body.Length);
        body.WriteTo(output);
    }

    private static void WriteVarint(MemoryStream output, long value)
    {
        var bits = (ulong)((value << 1) ^ (value >> 63));
        for (; bits >= 0x80; bits >>= 7)
        {
            output.WriteByte((byte)(bits | 0x80));
        }

        output.WriteByte((byte)bits);
    }

    private static byte[] Compress(ReadOnlySpan<byte> raw)
    {
        var destination = new byte[(int)FrameBound((nuint)raw.Length, 0)];
        fixed (byte* from = raw)
        fixed (byte* to = destination)
        {
            var length = CompressFrame(to, (nuint)destination.Length, from, (nuint)raw.Length, 0);
            return length <= (nuint)destination.Length
                ? destination[..(int)length]
                : throw new InvalidOperationException("LZ4 refused a batch."); // Errors are negative sizes.
        }
    }

    [LibraryImport(Lz4Library, EntryPoint = "LZ4F_compressFrameBound")]
    private static partial nuint FrameBound(nuint rawBytes, nint preferences);

    [LibraryImport(Lz4Library, EntryPoint = "LZ4F_compressFrame")]
    private static partial nuint CompressFrame(byte* to, nuint toBytes, byte* from, nuint fromBytes, nint preferences);
}
