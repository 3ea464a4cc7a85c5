using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Weir.Loadgen.Capture;

namespace Weir.Loadgen.Generate;

/// <summary>Counts the values that a tag has in the records of a capture, so that made records have the same distribution.</summary>
public static class CapturedValues
{
    private const long RecordsMax = 2_000_000; // Enough for the shape of a distribution.

    /// <summary>Counts.</summary>
    /// <param name="path">The capture; it says the format of its records.</param>
    /// <param name="tag">Name of a standard tag.</param>
    /// <returns>Values as text and how many records had them; the empty address and the empty text are left out.</returns>
    /// <exception cref="ArgumentException">The capture says no format, or no record has the tag.</exception>
    public static IReadOnlyDictionary<string, long> Count(string path, string tag)
    {
        using var reader = CaptureReader.Open(path);
        var definition = StandardSchema.Tags.Single(candidate => candidate.Name == tag);
        var schema = StreamSchema.Compile([new ViewDefinition("values", 1, [definition], StandardSchema.Meters, [tag])]);
        var sink = new ValueSink(schema, definition);
        var decoders = reader.Header.Topics.Select(topic => FlowFormats.Create(
            topic.Format ?? throw new ArgumentException($"--tag {tag}: {path} does not say the format of its records."), schema)).ToList();
        foreach (var segment in reader.Segments)
        {
            if (sink.RecordCount >= RecordsMax || !reader.TryRead(segment, out var messages))
            {
                continue;
            }

            foreach (var message in messages.Where(message => message.Value is not null))
            {
                sink.Forget();
                decoders[message.Topic].Decode(message.Value, sink);
            }
        }

        return sink.Counts.Count > 0 ? sink.Counts : throw new ArgumentException($"--tag {tag}: no record of {path} has it.");
    }

    private sealed unsafe class ValueSink : RecordSink
    {
        private const int TextsMax = 70_000;
        private readonly byte[] _row;
        private readonly TagType _type;
        private readonly int _offset;

        public ValueSink(StreamSchema schema, TagDefinition tag)
        {
            _row = GC.AllocateArray<byte>(schema.RecordBytes, pinned: true);
            _type = tag.Type;
            _offset = StreamSchema.HashBytes + schema.Tags.Single(slot => slot.Tag == tag).OffsetBytes;
            Row = (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(_row, 0);
            Strings = new StringDictionary(TextsMax);
        }

        public Dictionary<string, long> Counts { get; } = [];

        public long RecordCount { get; private set; }

        public void Forget() => Strings.Clear();

        public override void Accept()
        {
            RecordCount++;
            if (Read() is { Length: > 0 } text)
            {
                CollectionsMarshal.GetValueRefOrAddDefault(Counts, text, out _)++;
            }

            Array.Clear(_row);
        }

        public override void Reject(DecodeStatus status, ReadOnlySpan<byte> evidence) => Array.Clear(_row);

        private string Read()
        {
            var value = _row.AsSpan(_offset);
            switch (_type)
            {
                case TagType.Address:
                    var address = new IPAddress(value[..16]);
                    return address.Equals(IPAddress.IPv6Any) ? string.Empty
                        : (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString();
                case TagType.String:
                    return Encoding.UTF8.GetString(Strings.Utf8((int)BitConverter.ToUInt32(value)));
                case TagType.U8:
                    return Number(value[0]);
                case TagType.U16:
                    return Number(BitConverter.ToUInt16(value));
                default:
                    return Number(BitConverter.ToUInt32(value));
            }
        }

        private static string Number(uint number) => number.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }
}
