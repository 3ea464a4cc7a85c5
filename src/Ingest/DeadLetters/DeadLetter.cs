using System.Globalization;
using System.Text;
using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>A record that was rejected, or a message with late records, as it is kept for whoever mends the cause.</summary>
/// <param name="Source">The partition that it was read from.</param>
/// <param name="Offset">Offset of its message.</param>
/// <param name="TimestampMs">The broker's time of its message; −1 when it has none.</param>
/// <param name="Reason">The label of a <see cref="DecodeStatus"/>, or <see cref="LateReason"/>.</param>
/// <param name="Record">Number of the record in its message, from 0; −1 for late ones.</param>
/// <param name="RecordCount">Records that this letter tells of: 1, or the late ones of the message.</param>
/// <param name="MessageRecordCount">Records of the whole message.</param>
/// <param name="IsWhole">True when the value is the message, false when it is one record of it.</param>
/// <param name="ValueBytes">Length of the value as it was; more than is kept when it was cut off.</param>
/// <param name="Value">Its bytes, at most <see cref="ValueBytesMax"/>.</param>
public sealed record DeadLetter(
    PartitionKey Source,
    long Offset,
    long TimestampMs,
    string Reason,
    int Record,
    long RecordCount,
    long MessageRecordCount,
    bool IsWhole,
    long ValueBytes,
    ReadOnlyMemory<byte> Value)
{
    /// <summary>Reason of records that are too far from the broker's time.</summary>
    public const string LateReason = "late";

    /// <summary>Most bytes that are kept: with the headers just below 1,000,000, the largest message that Kafka takes by default.</summary>
    public const int ValueBytesMax = 960 * 1024;

    private const string Prefix = "weir-";

    /// <summary>True when the value was cut off.</summary>
    public bool IsCutOff => Value.Length < ValueBytes;

    /// <summary>What happened, a sentence for people.</summary>
    public string Error => Reason == LateReason
        ? string.Create(
            CultureInfo.InvariantCulture,
            $"{RecordCount} of {MessageRecordCount} records lie outside time.past_max and time.future_max around the time of their message")
        : string.Create(
            CultureInfo.InvariantCulture,
            $"record {Record + 1} of {MessageRecordCount} did not decode: {Reason}{CutOffText}");

    private string CutOffText => IsCutOff
        ? string.Create(CultureInfo.InvariantCulture, $"; the first {Value.Length} of {ValueBytes} bytes are kept")
        : "";

    /// <summary>Everything but the value, as the headers of a message.</summary>
    public IEnumerable<(string Name, string Value)> Headers()
    {
        yield return (Prefix + "topic", Source.Topic);
        yield return (Prefix + "partition", Text(Source.Partition));
        yield return (Prefix + "offset", Text(Offset));
        yield return (Prefix + "reason", Reason);
        yield return (Prefix + "error", Error);
        yield return (Prefix + "timestamp", Text(TimestampMs));
        yield return (Prefix + "record", Text(Record));
        yield return (Prefix + "records", Text(RecordCount));
        yield return (Prefix + "message-records", Text(MessageRecordCount));
        yield return (Prefix + "whole", IsWhole ? "1" : "0");
        yield return (Prefix + "bytes", Text(ValueBytes));
    }

    /// <summary>The letter of headers and a value; null when they are none of Weir's.</summary>
    public static DeadLetter? FromHeaders(IReadOnlyDictionary<string, string> headers, ReadOnlyMemory<byte> value)
    {
        return headers.TryGetValue(Prefix + "topic", out var topic)
            && headers.TryGetValue(Prefix + "reason", out var reason)
            && Number("partition") is { } partition
            && Number("offset") is { } offset
            && Number("timestamp") is { } timestamp
            && Number("record") is { } record
            && Number("records") is { } records
            && Number("message-records") is { } messageRecords
            && Number("whole") is { } whole
            && Number("bytes") is { } bytes
                ? new DeadLetter(
                    new PartitionKey(topic, (int)partition), offset, timestamp, reason, (int)record, records, messageRecords, whole == 1,
                    bytes, value)
                : null;

        long? Number(string name) =>
            headers.TryGetValue(Prefix + name, out var text)
            && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
                ? number
                : null;
    }

    /// <summary>The value as people look at it: text where it is text, else hexadecimal; both bounded.</summary>
    public string Preview(int charsMax)
    {
        var span = Value.Span;
        var isText = span.IndexOfAnyExceptInRange((byte)0x20, (byte)0x7e) < 0;
        var text = isText
            ? Encoding.ASCII.GetString(span[..Math.Min(span.Length, charsMax)])
            : Convert.ToHexStringLower(span[..Math.Min(span.Length, charsMax / 2)]);
        return text.Length < (isText ? span.Length : span.Length * 2) ? text + "…" : text;
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
