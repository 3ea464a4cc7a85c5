using System.Text;
using Google.Protobuf;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Weir.Tests.Codecs.Flow;
using Weir.Tests.Goflow2;
using Weir.V1;
using FlowRecord = Weir.Codecs.Flow.FlowRecord;

namespace Weir.Tests.EndToEnd;

/// <summary>Messages that hold no good record, each with the one reason for which it has to be rejected, once.</summary>
internal static class HostileMessages
{
    /// <summary>Bytes of the longest one: 100 MB.</summary>
    public const int HugeBytes = 100_000_000;

    private const ulong TimeAfter2106 = 1UL << 32;
    private const ulong NanosAfter2106 = TimeAfter2106 * 1_000_000_000;
    private const string TwoToThe64 = "18446744073709551616";

    private static readonly byte[] _invalidUtf8 = [0xc3, 0x28];

    // A field of length 2^63: field 1 and, in the delimited form of goflow2, no field at all.
    private static readonly byte[] _lengthTwoToThe63 = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];

    /// <summary>A record that all formats can carry.</summary>
    public static FlowRecord Good { get; } = new()
    {
        TimeSeconds = FlowFeed.RecentMinute,
        SrcAddr = FlowRecord.Ipv4(0x0a000001),
        DstAddr = FlowRecord.Ipv4(0x0a000002),
        SrcPort = 40_000,
        DstPort = 443,
        Proto = 6,
        Exporter = "10.0.3.1"u8.ToArray(),
        Flows = 1,
        Packets = 77,
        Bytes = 4_321,
        SamplingRate = 1,
    };

    /// <summary>A message of 100 MB of <c>{</c>, and why each format rejects it.</summary>
    public static (byte[] Payload, DecodeStatus Reason) Huge(string format)
    {
        var payload = new byte[HugeBytes];
        payload.AsSpan().Fill((byte)'{');

        // To protobuf it opens a group, and a group in it, and so on.
        return (payload, format is "goflow2" or "weir-proto" ? DecodeStatus.LengthOverLimit : DecodeStatus.Malformed);
    }

    /// <summary>All but the huge one.</summary>
    public static IEnumerable<(byte[] Payload, DecodeStatus Reason)> Of(string format)
    {
        var good = FlowFeed.Message(format, Good);
        good = format.EndsWith("json", StringComparison.Ordinal) ? good[..^1] : good; // Without the line feed.
        return
        [
            ([], DecodeStatus.Empty),
            .. Enumerable.Range(1, good.Length - 1).Select(length => (good[..length], Truncated(format, length))),
            .. format switch
            {
                "pmacct-json" => Pmacct(),
                "goflow2-json" => Goflow2Json(),
                "goflow2" => Goflow2(),
                "weir-proto" => WeirProto(),
                _ => WeirBatch(good),
            },
        ];
    }

    // The length before goflow2's message and its first byte are a whole bare message, of one field: it only lacks a time.
    private static DecodeStatus Truncated(string format, int length) =>
        format == "goflow2" && length == 2 ? DecodeStatus.TimeMissing : DecodeStatus.Truncated;

    private static IEnumerable<(byte[] Payload, DecodeStatus Reason)> Pmacct()
    {
        var line = FlowFeed.PmacctLine(Good);
        var time = $"\"timestamp_start\": \"{Good.TimeSeconds}.000000\"";
        return
        [
            .. Json(line, "\"packets\": 77", "\"port_dst\": 443", "10.0.3.1"),
            (With(line, time, "\"timestamp_start\": \"-5.000000\""), DecodeStatus.TimeOutOfRange),
            (With(line, time, "\"timestamp_start\": \"1969-12-31 23:59:59\""), DecodeStatus.TimeOutOfRange),
            (With(line, time, "\"timestamp_start\": \"4294967296.000000\""), DecodeStatus.TimeOutOfRange),
            (With(line, time, "\"timestamp_start\": \"2106-02-07 06:28:16\""), DecodeStatus.TimeOutOfRange),
            (With(line, time, "\"timestamp_start\": \"yesterday\""), DecodeStatus.TimeInvalid),
            (With(line, "\"tcp\"", "\"no-such-protocol\""), DecodeStatus.ProtocolUnknown),
        ];
    }

    private static IEnumerable<(byte[] Payload, DecodeStatus Reason)> Goflow2Json()
    {
        var line = FlowFeed.Goflow2Line(Good);
        var time = $"\"time_flow_start_ns\":{Good.TimeSeconds}000000000";
        return
        [
            .. Json(line, "\"packets\":77", "\"dst_port\":443", "10.0.3.1"),
            (With(line, time, "\"time_flow_start_ns\":-1000000000"), DecodeStatus.TimeOutOfRange),
            (With(line, time, $"\"time_flow_start_ns\":{NanosAfter2106}"), DecodeStatus.TimeOutOfRange),
        ];
    }

    private static IEnumerable<(byte[] Payload, DecodeStatus Reason)> Json(string line, string packets, string port, string exporter)
    {
        var packetsKey = packets[..^2];
        var portKey = port[..^3];
        var bytes = Encoding.UTF8.GetBytes(line);
        var at = bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(exporter));
        return
        [
            ("\n\n"u8.ToArray(), DecodeStatus.Empty),
            (With(line, packets, packetsKey + "NaN"), DecodeStatus.NumberOutOfRange),
            (With(line, packets, packetsKey + "\"NaN\""), DecodeStatus.NumberOutOfRange),
            (With(line, packets, packetsKey + "-1"), DecodeStatus.NumberNegative),
            (With(line, packets, packetsKey + TwoToThe64), DecodeStatus.NumberOutOfRange),
            (With(line, packets, packetsKey + "1e400"), DecodeStatus.NumberOutOfRange),
            (With(line, port, portKey + "65536"), DecodeStatus.PortOutOfRange),
            (With(line, port, portKey + "-1"), DecodeStatus.PortOutOfRange),
            ([.. bytes[..at], .. _invalidUtf8, .. bytes[(at + exporter.Length)..]], DecodeStatus.InvalidUtf8),
            (With(line, packets, $"\"x\":{new string('[', 100)}{new string(']', 100)}"), DecodeStatus.LengthOverLimit),
        ];
    }

    private static IEnumerable<(byte[] Payload, DecodeStatus Reason)> Goflow2()
    {
        static byte[] Delimited(Action<FlowMessage> change)
        {
            var message = new FlowMessage { TimeFlowStartNs = Good.TimeSeconds * 1_000_000_000, Packets = 77, SamplingRate = 1 };
            change(message);
            using var output = new MemoryStream();
            message.WriteDelimitedTo(output);
            return output.ToArray();
        }

        return
        [
            (Delimited(message => message.DstPort = 65_536), DecodeStatus.PortOutOfRange),
            (Delimited(message => message.Proto = 256), DecodeStatus.ProtocolUnknown),
            (Delimited(message => message.TimeFlowStartNs = NanosAfter2106), DecodeStatus.TimeOutOfRange),
            (Delimited(message => message.TimeFlowStartNs = 0), DecodeStatus.TimeMissing),
            (Delimited(message => (message.Bytes, message.SamplingRate) = (1UL << 63, 2)), DecodeStatus.NumberOutOfRange), // 2^64 bytes.
            (Delimited(message => message.SrcAddr = ByteString.CopyFrom(1, 2, 3)), DecodeStatus.AddressInvalid),
            ([.. _lengthTwoToThe63, .. Delimited(_ => { })], DecodeStatus.LengthOverLimit),
        ];
    }

    private static IEnumerable<(byte[] Payload, DecodeStatus Reason)> WeirProto()
    {
        static byte[] Batch(Action<Weir.V1.FlowRecord> change)
        {
            var record = new Weir.V1.FlowRecord { Tags = new Tags { DstPort = 443 }, Time = Good.TimeSeconds, Packets = 77, Bytes = 4_321 };
            change(record);
            return new FlowBatch { Records = { record } }.ToByteArray();
        }

        var invalid = Batch(record => record.Tags.Exporter = "~~");
        _invalidUtf8.CopyTo(invalid.AsSpan(invalid.AsSpan().IndexOf("~~"u8)));
        return
        [
            (Batch(record => record.Tags.DstPort = 65_536), DecodeStatus.PortOutOfRange),
            (Batch(record => record.Tags.Proto = 256), DecodeStatus.ProtocolUnknown),
            (Batch(record => record.Time = TimeAfter2106), DecodeStatus.TimeOutOfRange),
            (Batch(record => record.Time = unchecked((ulong)-5L)), DecodeStatus.TimeOutOfRange), // Before 1970, written carelessly.
            (Batch(record => record.Time = 0), DecodeStatus.TimeMissing),
            (Batch(record => (record.Bytes, record.SamplingRate) = (1UL << 63, 2)), DecodeStatus.NumberOutOfRange),
            (Batch(record => record.Tags.SrcAddr = ByteString.CopyFrom(1, 2, 3)), DecodeStatus.AddressInvalid),
            (invalid, DecodeStatus.InvalidUtf8),
            ([0x0a, .. _lengthTwoToThe63, .. invalid], DecodeStatus.LengthOverLimit),
        ];
    }

    private static IEnumerable<(byte[] Payload, DecodeStatus Reason)> WeirBatch(byte[] good)
    {
        const int VersionAt = 4;
        const int TimeColumn = 0x202;
        const int DstPortColumn = 0x104;
        byte[] damaged = [.. good];
        damaged[^10] ^= 1;
        byte[] future = [.. good];
        future[VersionAt] = 9;
        var many = new WeirBatchWriter();
        many.Begin();
        many.WriteTexts();
        var port = new WeirBatchWriter();
        port.Begin();
        port.WriteTexts();
        port.WriteNumbers(TimeColumn, 0, [Good.TimeSeconds]);
        port.WriteNumbers(DstPortColumn, 0, [65_536]);
        return
        [
            (damaged, DecodeStatus.ChecksumMismatch),
            (future, DecodeStatus.UnknownVersion),
            (many.End(-1).ToArray(), DecodeStatus.LengthOverLimit),
            (port.End(1).ToArray(), DecodeStatus.PortOutOfRange),
            (FlowSamples.WeirBatch(Good with { TimeSeconds = TimeAfter2106 }), DecodeStatus.TimeOutOfRange),
            (FlowSamples.WeirBatch(Good with { TimeSeconds = unchecked((ulong)-5L) }), DecodeStatus.TimeOutOfRange),
            (FlowSamples.WeirBatch(Good with { Bytes = 1UL << 63, SamplingRate = 2 }), DecodeStatus.NumberOutOfRange),
            (FlowSamples.WeirBatch(Good with { Exporter = _invalidUtf8 }), DecodeStatus.InvalidUtf8),
        ];
    }

    private static byte[] With(string line, string from, string to) => line.Contains(from, StringComparison.Ordinal)
        ? Encoding.UTF8.GetBytes(line.Replace(from, to, StringComparison.Ordinal))
        : throw new InvalidOperationException($"{from} is not in {line}.");
}
