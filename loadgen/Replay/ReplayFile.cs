using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using Weir.Codecs.Compression;

namespace Weir.Loadgen.Replay;

/// <summary>A file of pmacct records, read once and made into messages.</summary>
internal static class ReplayFile
{
    /// <summary>Most bytes that a compressed file may become.</summary>
    private const int RawBytesMax = 1 << 30;

    private const ulong FnvBasis = 14695981039346656037; // FNV-1a, 64 bits.
    private const ulong FnvPrime = 1099511628211;

    /// <summary>Reads a file and packs its records into messages; agents' markers (purge_init, purge_close) are left out.</summary>
    /// <exception cref="InvalidDataException">A line is not a record, or the file holds none.</exception>
    public static List<ReplayMessage> Load(ReplayOptions options, int partitionCount)
    {
        byte[] raw = ReadAll(options.File);
        var open = new Dictionary<int, MessageBuilder>();
        var messages = new List<ReplayMessage>();
        int lineNumber = 0;
        for (int start = 0; start < raw.Length;)
        {
            lineNumber++;
            int length = raw.AsSpan(start).IndexOf((byte)'\n');
            int end = length < 0 ? raw.Length : start + length;
            ReadOnlySpan<byte> line = raw.AsSpan(start, end - start);
            start = end + 1;
            if (!line.Trim(" \t\r"u8).IsEmpty && ReadRecord(line, options.PartitionKey, options.File, lineNumber) is { } record)
            {
                int partition = options.PartitionKey is null ? -1 : (int)(record.KeyHash % (ulong)partitionCount);
                if (!open.TryGetValue(partition, out MessageBuilder? builder))
                {
                    open.Add(partition, builder = new MessageBuilder(partition < 0 ? null : partition, options.IsRetimed));
                }

                builder.Add(line, record);
                if (builder.RecordCount == options.RecordsPerMessage)
                {
                    messages.Add(builder.Take());
                }
            }
        }

        foreach (MessageBuilder builder in open.Values)
        {
            if (builder.RecordCount > 0)
            {
                messages.Add(builder.Take());
            }
        }

        return messages.Count > 0 ? messages : throw new InvalidDataException($"{options.File} holds no flow record.");
    }

    /// <summary>The bytes of a file, decompressed when its name ends in .zst.</summary>
    internal static byte[] ReadAll(string file)
    {
        byte[] bytes = File.ReadAllBytes(file);
        return file.EndsWith(".zst", StringComparison.OrdinalIgnoreCase) ? Decompress(bytes, file) : bytes;
    }

    // A frame need not say how long its contents are: grow until they fit.
    private static byte[] Decompress(byte[] compressed, string file)
    {
        using var zstd = new ZstdCompressor();
        for (long capacity = Math.Max(1 << 20, compressed.Length * 16L); ; capacity *= 4)
        {
            byte[] raw = GC.AllocateUninitializedArray<byte>((int)Math.Min(capacity, RawBytesMax));
            if (zstd.TryDecompress(compressed, raw, out int rawBytes))
            {
                return raw[..rawBytes];
            }

            if (capacity >= RawBytesMax)
            {
                throw new InvalidDataException($"{file} is not a zstd file, is cut off, or holds more than {RawBytesMax:N0} bytes.");
            }
        }
    }

    /// <summary>Finds in one line what replaying needs; null for a marker.</summary>
    private static ReplayRecord? ReadRecord(ReadOnlySpan<byte> line, string? partitionKey, string file, int lineNumber)
    {
        var record = new ReplayRecord();
        try
        {
            var reader = new Utf8JsonReader(line);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                throw new InvalidDataException($"{file}:{lineNumber}: not a JSON object.");
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                reader.Read();
                ReadValue(ref reader, name, record);
                if (name == partitionKey)
                {
                    record.KeyHash = Hash(reader.ValueSpan);
                }
            }
        }
        catch (Exception error) when (error is JsonException or FormatException or InvalidOperationException)
        {
            throw new InvalidDataException($"{file}:{lineNumber}: {error.Message}", error);
        }

        return record.IsMarker ? null : record;
    }

    private static void ReadValue(ref Utf8JsonReader reader, string name, ReplayRecord record)
    {
        switch (name)
        {
            case "event_type":
                record.IsMarker = reader.GetString() is "purge_init" or "purge_close";
                break;
            case "ip_proto":
                record.Protocol = reader.TokenType == JsonTokenType.String ? reader.GetString()!
                    : Encoding.UTF8.GetString(reader.ValueSpan);
                break;
            case "packets":
                record.PacketCount = reader.GetInt64();
                break;
            case "bytes":
                record.ByteCount = reader.GetInt64();
                break;
            case "timestamp_start" or "timestamp_end" or "timestamp_min" or "timestamp_max" or "timestamp_arrival"
                or "stamp_inserted" or "stamp_updated":
                ReadTime(ref reader, record);
                break;
            default:
                reader.Skip();
                break;
        }
    }

    // Only times of ten digits can be changed in place; "0.000000" means absent, and the calendar form is for people.
    private static void ReadTime(ref Utf8JsonReader reader, ReplayRecord record)
    {
        bool isText = reader.TokenType == JsonTokenType.String;
        if ((isText || reader.TokenType == JsonTokenType.Number)
            && Utf8Parser.TryParse(reader.ValueSpan, out long second, out int length)
            && length == ReplayMessage.SecondDigits && second > 0
            && (reader.ValueSpan.Length == length || reader.ValueSpan[length] == (byte)'.'))
        {
            record.Times.Add(((int)reader.TokenStartIndex + (isText ? 1 : 0), second));
        }
    }

    private static ulong Hash(ReadOnlySpan<byte> value)
    {
        ulong hash = FnvBasis;
        foreach (byte b in value)
        {
            hash = (hash ^ b) * FnvPrime;
        }

        return hash ^ (hash >> 32); // The low bits alone are FNV's weak ones.
    }

    private sealed class ReplayRecord
    {
        public bool IsMarker { get; set; }

        public string Protocol { get; set; } = string.Empty;

        public long PacketCount { get; set; }

        public long ByteCount { get; set; }

        public ulong KeyHash { get; set; }

        public List<(int Offset, long Second)> Times { get; } = [];
    }

    private sealed class MessageBuilder(int? partition, bool isRetimed)
    {
        private readonly MemoryStream _payload = new();
        private readonly List<TimeSlot> _slots = [];
        private readonly Dictionary<string, FlowSums> _protocols = [];
        private FlowSums _sums;

        public int RecordCount => (int)_sums.RecordCount;

        public void Add(ReadOnlySpan<byte> line, ReplayRecord record)
        {
            if (_payload.Length > 0)
            {
                _payload.WriteByte((byte)'\n');
            }

            if (isRetimed && record.Times.Count > 0)
            {
                long latest = record.Times.Max(time => time.Second);
                _slots.AddRange(record.Times.Select(time => new TimeSlot((int)_payload.Length + time.Offset, latest - time.Second)));
            }

            _payload.Write(line);
            var sums = new FlowSums(1, record.PacketCount, record.ByteCount);
            _protocols[record.Protocol] = _protocols.GetValueOrDefault(record.Protocol) + sums;
            _sums += sums;
        }

        public ReplayMessage Take()
        {
            var message = new ReplayMessage(_payload.ToArray(), [.. _slots], _sums, [.. _protocols], partition);
            _payload.SetLength(0);
            _slots.Clear();
            _protocols.Clear();
            _sums = default;
            return message;
        }
    }
}
