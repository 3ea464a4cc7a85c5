using System.Runtime.InteropServices;
using System.Text;
using Weir.Core.Model;
using Xunit;

namespace Weir.Tests.Support;

/// <summary>Takes what a decoder gives and keeps it. The row lies between canaries: a decoder that writes outside it is found out.</summary>
internal sealed unsafe class RecordingSink : RecordSink, IDisposable
{
    private const byte Canary = 0xa5;
    private const int CanaryBytes = 256;
    private const int EvidenceBytesKept = 512;

    private readonly StreamSchema _schema;
    private readonly byte* _memory;
    private readonly bool _keeps;

    /// <param name="schema">The layout of the rows.</param>
    /// <param name="keeps">False to count only, for tests of allocations and speed.</param>
    public RecordingSink(StreamSchema schema, bool keeps = true)
    {
        _schema = schema;
        _keeps = keeps;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)(schema.RecordBytes + (2 * CanaryBytes)), 64);
        Guard(0).Fill(Canary);
        Guard(CanaryBytes + schema.RecordBytes).Fill(Canary);
        Row = _memory + CanaryBytes;
        RowSpan.Clear();
        Strings = new StringDictionary(100_000);
    }

    public List<byte[]> Rows { get; } = [];

    public List<DecodeStatus> Rejects { get; } = [];

    public List<string> Evidence { get; } = [];

    public long AcceptedCount { get; private set; }

    public long RejectedCount { get; private set; }

    public long EvidenceBytes { get; private set; }

    public ulong Checksum { get; private set; }

    private Span<byte> RowSpan => new(Row, _schema.RecordBytes);

    /// <summary>Makes the row all zeros, as after a chunk change.</summary>
    public override void Accept()
    {
        AcceptedCount++;
        Check();
        if (_keeps)
        {
            Rows.Add(RowSpan.ToArray());
        }
        else
        {
            foreach (var word in MemoryMarshal.Cast<byte, ulong>(RowSpan))
            {
                Checksum = ((Checksum << 5) | (Checksum >> 59)) ^ word;
            }
        }

        RowSpan.Clear();
    }

    public override void Reject(DecodeStatus status, ReadOnlySpan<byte> evidence)
    {
        RejectedCount++;
        EvidenceBytes += evidence.Length;
        Check();
        if (status == DecodeStatus.Ok || RowSpan.ContainsAnyExcept((byte)0))
        {
            throw new InvalidOperationException($"Rejected as {status} with a row that is {Convert.ToHexString(RowSpan)}.");
        }

        if (_keeps)
        {
            Rejects.Add(status);
            Evidence.Add(Encoding.Latin1.GetString(evidence[..Math.Min(evidence.Length, EvidenceBytesKept)]));
        }
    }

    /// <summary>Fails when the row is dirty, or something was written beside it.</summary>
    public void CheckClean()
    {
        Check();
        Assert.False(RowSpan.ContainsAnyExcept((byte)0), "The row was left dirty.");
    }

    public ulong Time(int record = 0) => BitConverter.ToUInt64(Rows[record], StreamSchema.HashBytes);

    public ulong Meter(MeterDefinition meter, int record = 0) =>
        BitConverter.ToUInt64(Rows[record], _schema.RecordMetersOffset + (_schema.Meters.IndexOf(meter) * sizeof(ulong)));

    public ulong Number(TagDefinition tag, int record = 0)
    {
        var value = TagBytes(tag, record);
        return tag.Type switch
        {
            TagType.U8 => value[0],
            TagType.U16 => BitConverter.ToUInt16(value),
            TagType.U32 => BitConverter.ToUInt32(value),
            _ => BitConverter.ToUInt64(value),
        };
    }

    public string Address(TagDefinition tag, int record = 0)
    {
        var address = new System.Net.IPAddress(TagBytes(tag, record));
        return address.IsIPv4MappedToIPv6 ? address.MapToIPv4().ToString() : address.ToString();
    }

    public string Text(TagDefinition tag, int record = 0) =>
        Encoding.UTF8.GetString(Strings.Utf8((int)BitConverter.ToUInt32(TagBytes(tag, record))));

    /// <summary>A record as one line: time, tags and meters that are not zero or empty, by name.</summary>
    public string Describe(int record)
    {
        var text = new StringBuilder($"time={Time(record)}");
        foreach (var slot in _schema.Tags)
        {
            var value = slot.Tag.Type switch
            {
                TagType.Address => Address(slot.Tag, record),
                TagType.String => Text(slot.Tag, record),
                _ => Number(slot.Tag, record).ToString(System.Globalization.CultureInfo.InvariantCulture),
            };
            text.Append(value is "0" or "" or "::" ? "" : $" {slot.Tag.Name}={value}");
        }

        foreach (var meter in _schema.Meters)
        {
            text.Append(Meter(meter, record) is 0 ? "" : $" {meter.Name}={Meter(meter, record)}");
        }

        return text.ToString();
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    private ReadOnlySpan<byte> TagBytes(TagDefinition tag, int record)
    {
        var slot = _schema.Tags.First(slot => slot.Tag == tag);
        return Rows[record].AsSpan(StreamSchema.HashBytes + slot.OffsetBytes, tag.Type.WidthBytes());
    }

    private void Check()
    {
        if (Guard(0).ContainsAnyExcept(Canary) || Guard(CanaryBytes + _schema.RecordBytes).ContainsAnyExcept(Canary)
            || *(ulong*)Row != 0)
        {
            throw new InvalidOperationException("The decoder has written outside of its part of the row.");
        }
    }

    private Span<byte> Guard(int offset) => new(_memory + offset, CanaryBytes);
}
