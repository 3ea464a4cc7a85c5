using System.Buffers.Binary;
using System.IO.Compression;
using Weir.Codecs.Compression;
using Weir.Loadgen.Capture;
using Weir.Loadgen.Generate;

namespace Weir.Loadgen.CodecChoice;

/// <summary>What a Kafka client compresses: the records of one batch, back to back.</summary>
/// <param name="Records">Their bytes, before compression.</param>
/// <param name="MessageCount">How many they are.</param>
/// <param name="HasUsualOffsets">True when their relative offsets are 0, 1, 2, …</param>
public sealed record RecordBatch(byte[] Records, int MessageCount, bool HasUsualOffsets);

/// <summary>Makes record batches (message format 2) of messages, and takes them out of a broker's log segment.</summary>
public static class RecordBatches
{
    private const int HeadBytes = 61;
    private const int MagicOffset = 16;
    private const int CodecMask = 7;
    private const int RawBytesMax = 256 * 1024 * 1024;

    /// <summary>Packs messages as a producer does: by partition, until a batch is full.</summary>
    /// <param name="messages">The messages.</param>
    /// <param name="batchBytes">Bytes of a full batch, before compression.</param>
    public static IReadOnlyList<RecordBatch> Pack(IEnumerable<CapturedMessage> messages, int batchBytes)
    {
        var batches = new List<RecordBatch>();
        foreach (var partition in messages.GroupBy(message => (message.Topic, message.Partition)))
        {
            var open = new RecordBatchBuilder(batchBytes);
            foreach (var message in partition)
            {
                if (!open.TryAdd(message))
                {
                    batches.Add(open.Finish());
                    open.TryAdd(message);
                }
            }

            if (open.MessageCount > 0)
            {
                batches.Add(open.Finish());
            }
        }

        return batches;
    }

    /// <summary>Takes the batches out of a log segment of a broker (a file such as 00000000000000000000.log).</summary>
    /// <exception cref="InvalidDataException">It is none, or of the message formats before 2.</exception>
    public static IReadOnlyList<RecordBatch> ReadLog(ReadOnlySpan<byte> log)
    {
        var batches = new List<RecordBatch>();
        while (log.Length >= HeadBytes)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(log[8..]) + 12;
            if (log[MagicOffset] != 2)
            {
                throw new InvalidDataException(
                    $"A batch has the message format {log[MagicOffset]}; only 2 (Kafka 0.11 and newer) is read.");
            }

            if (length < HeadBytes || length > log.Length)
            {
                break; // The rest is preallocated or half written.
            }

            var attributes = BinaryPrimitives.ReadInt16BigEndian(log[21..]);
            var count = BinaryPrimitives.ReadInt32BigEndian(log[57..]);
            var isControl = (attributes & 0x20) != 0;
            if (!isControl)
            {
                var records = Decompress(attributes & CodecMask, log[HeadBytes..length]);
                batches.Add(new RecordBatch(
                    records, count, HasUsualOffsets(records, count, BinaryPrimitives.ReadInt32BigEndian(log[23..]))));
            }

            log = log[length..];
        }

        return batches.Count > 0 ? batches : throw new InvalidDataException("There is no record batch in it.");
    }

    /// <summary>Whether the relative offsets count from zero by one, which is what lets a broker take a compressed batch as it
    /// is.</summary>
    internal static bool HasUsualOffsets(ReadOnlySpan<byte> records, int count, int lastOffsetDelta)
    {
        for (var index = 0; index < count; index++)
        {
            var length = ReadZigzag(ref records);
            if (length < 3 || length > records.Length)
            {
                return false;
            }

            var record = records[1..(int)length];
            ReadZigzag(ref record); // Time.
            if (ReadZigzag(ref record) != index)
            {
                return false;
            }

            records = records[(int)length..];
        }

        return lastOffsetDelta == count - 1;
    }

    /// <summary>Appends a record without its length.</summary>
    internal static void WriteRecord(ByteText to, CapturedMessage message, int offsetDelta, long timeDelta)
    {
        to.Put([0]);
        Zigzag(to, timeDelta);
        Zigzag(to, offsetDelta);
        PutBytes(to, message.Key);
        PutBytes(to, message.Value);
        Zigzag(to, message.Headers.Count);
        foreach (var (name, value) in message.Headers)
        {
            PutBytes(to, System.Text.Encoding.UTF8.GetBytes(name));
            PutBytes(to, value);
        }
    }

    /// <summary>Appends a signed varint.</summary>
    internal static void Zigzag(ByteText to, long value) => MessageCodec.Varint(to, (ulong)((value << 1) ^ (value >> 63)));

    private static void PutBytes(ByteText to, byte[]? bytes)
    {
        Zigzag(to, bytes?.Length ?? -1);
        to.Put(bytes);
    }

    private static long ReadZigzag(ref ReadOnlySpan<byte> from)
    {
        ulong value = 0;
        for (var shift = 0; shift < 64 && !from.IsEmpty; shift += 7)
        {
            var next = from[0];
            from = from[1..];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                return (long)(value >> 1) ^ -(long)(value & 1);
            }
        }

        return -1;
    }

    private static byte[] Decompress(int codec, ReadOnlySpan<byte> bytes)
    {
        switch (codec)
        {
            case 0:
                return bytes.ToArray();
            case 1:
                using (var gzip = new GZipStream(new MemoryStream(bytes.ToArray()), CompressionMode.Decompress))
                using (var raw = new MemoryStream())
                {
                    gzip.CopyTo(raw);
                    return raw.ToArray();
                }

            case 2:
                return FramedCodecs.DecompressSnappy(bytes);
            case 3:
                return FramedCodecs.DecompressLz4(bytes);
            case 4:
                using (var zstd = new ZstdCompressor())
                {
                    return Grow(zstd, bytes);
                }

            default:
                throw new InvalidDataException($"A batch has the codec {codec}, which is not known.");
        }
    }

    private static byte[] Grow(ZstdCompressor zstd, ReadOnlySpan<byte> bytes)
    {
        for (long capacity = Math.Max(64 * 1024, bytes.Length * 8L); capacity <= RawBytesMax; capacity *= 4)
        {
            var raw = new byte[capacity];
            if (zstd.TryDecompress(bytes, raw, out var length))
            {
                return raw[..length];
            }
        }

        throw new InvalidDataException("A zstd batch does not decompress.");
    }
}
