using System.Text;
using Weir.Loadgen.Generate;

namespace Weir.Loadgen.Capture;

/// <summary>Writes and reads the messages of a segment.</summary>
internal static class MessageCodec
{
    private const int TypeMask = 3;
    private const int HasKey = 4;
    private const int HasValue = 8;
    private const int HasHeaders = 16;

    /// <summary>Appends a message.</summary>
    /// <param name="to">The raw bytes of the segment.</param>
    /// <param name="message">The message.</param>
    /// <param name="lastOffset">Offset of the message before; its own for the first.</param>
    /// <param name="lastTimestampMs">Time of the message before; 0 for the first.</param>
    public static void Write(ByteText to, CapturedMessage message, long lastOffset, long lastTimestampMs)
    {
        Varint(to, (ulong)(message.Offset - lastOffset));
        var delta = message.TimestampMs - lastTimestampMs;
        Varint(to, (ulong)((delta << 1) ^ (delta >> 63)));
        var flags = message.TimestampType & TypeMask;
        flags |= message.Key is null ? 0 : HasKey;
        flags |= message.Value is null ? 0 : HasValue;
        flags |= message.Headers.Count == 0 ? 0 : HasHeaders;
        to.Put([(byte)flags]);
        if (message.Key is not null)
        {
            Bytes(to, message.Key);
        }

        if (message.Value is not null)
        {
            Bytes(to, message.Value);
        }

        if (message.Headers.Count > 0)
        {
            Varint(to, (ulong)message.Headers.Count);
            foreach (var (name, value) in message.Headers)
            {
                Bytes(to, Encoding.UTF8.GetBytes(name));
                Varint(to, value is null ? 0 : (ulong)value.Length + 1);
                to.Put(value);
            }
        }
    }

    /// <summary>Reads all messages of a segment.</summary>
    /// <exception cref="InvalidDataException">The bytes are not what was written.</exception>
    public static List<CapturedMessage> ReadAll(in CaptureSegment segment, ReadOnlySpan<byte> raw)
    {
        var messages = new List<CapturedMessage>(segment.MessageCount);
        var offset = segment.FirstOffset;
        long timestamp = 0;
        while (!raw.IsEmpty)
        {
            offset += (long)Varint(ref raw);
            var zigzag = Varint(ref raw);
            timestamp += (long)(zigzag >> 1) ^ -(long)(zigzag & 1);
            var flags = Take(ref raw, 1)[0];
            var key = (flags & HasKey) != 0 ? Take(ref raw, Varint(ref raw)).ToArray() : null;
            var value = (flags & HasValue) != 0 ? Take(ref raw, Varint(ref raw)).ToArray() : null;
            var headers = Array.Empty<KeyValuePair<string, byte[]?>>();
            if ((flags & HasHeaders) != 0)
            {
                var count = Varint(ref raw);
                if (count > (ulong)raw.Length)
                {
                    throw new InvalidDataException("more headers than bytes");
                }

                headers = new KeyValuePair<string, byte[]?>[count];
                for (var index = 0; index < headers.Length; index++)
                {
                    var name = Encoding.UTF8.GetString(Take(ref raw, Varint(ref raw)));
                    var length = Varint(ref raw);
                    headers[index] = new(name, length == 0 ? null : Take(ref raw, length - 1).ToArray());
                }
            }

            messages.Add(new CapturedMessage(segment.Topic, segment.Partition, offset, timestamp, flags & TypeMask, key, value, headers));
        }

        return messages.Count == segment.MessageCount
            ? messages
            : throw new InvalidDataException($"{messages.Count} messages where {segment.MessageCount} should be");
    }

    /// <summary>Appends a varint.</summary>
    internal static void Varint(ByteText to, ulong value)
    {
        Span<byte> bytes = stackalloc byte[10];
        var length = 0;
        for (; value >= 0x80; value >>= 7)
        {
            bytes[length++] = (byte)(value | 0x80);
        }

        bytes[length++] = (byte)value;
        to.Put(bytes[..length]);
    }

    private static void Bytes(ByteText to, ReadOnlySpan<byte> bytes)
    {
        Varint(to, (ulong)bytes.Length);
        to.Put(bytes);
    }

    private static ulong Varint(ref ReadOnlySpan<byte> from)
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Take(ref from, 1)[0];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw new InvalidDataException("a number without an end");
    }

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> from, ulong length)
    {
        if (length > (ulong)from.Length)
        {
            throw new InvalidDataException("an early end");
        }

        var taken = from[..(int)length];
        from = from[(int)length..];
        return taken;
    }
}
