using System.Runtime.InteropServices;
using System.Text;
using Weir.Core.Model;
using Xunit;

namespace Weir.Tests.Support;

/// <summary>Takes what a decoder gives and keeps it. The rows lie between canaries: a decoder that writes outside them is found out.</summary>
/// <remarks>With room for more than one row, the room left changes from block to block, and all rows but the first are dirty.</remarks>
internal sealed unsafe class RecordingSink : RecordSink, IDisposable
{
    private const byte Canary = 0xa5;
    private const int CanaryBytes = 256;
    private const byte Dirt = 0xee;
    private const int EvidenceBytesKept = 512;

    private readonly StreamSchema _schema;
    private readonly byte* _memory;
    private readonly bool _keeps;
    private readonly int _rowsMax;
    private readonly RecordHash _hash;
    private int _blockCount;

    /// <param name="schema">The layout of the rows.</param>
    /// <param name="keeps">False to count only, for tests of allocations and speed.</param>
    /// <param name="rowsMax">Most rows of a block.</param>
    /// <param name="stringsMax">Texts of the dictionary.</param>
    public RecordingSink(StreamSchema schema, bool keeps = true, int rowsMax = 1, int stringsMax = 100_000)
    {
        _schema = schema;
        _keeps = keeps;
        _rowsMax = rowsMax;
        _hash = new RecordHash(schema);
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)((schema.RecordBytes * rowsMax) + (2 * CanaryBytes)), 64);
        Guard(0).Fill(Canary);
        Guard(CanaryBytes + (schema.RecordBytes * rowsMax)).Fill(Canary);
        Strings = new StringDictionary(stringsMax);
        Begin();
    }

    /// <summary>Hashes of the tag sets, as the sink finds them.</summary>
    public List<ulong> Hashes { get; } = [];

    public List<byte[]> Rows { get; } = [];

    public List<DecodeStatus> Rejects { get; } = [];

    public List<string> Evidence { get; } = [];

    public long AcceptedCount { get; private set; }

    public long RejectedCount { get; private set; }

    public long EvidenceBytes { get; private set; }

    public ulong Checksum { get; private set; }

    private Span<byte> RowSpan => new(Row, _schema.RecordBytes);

    /// <summary>Begins with another dictionary, as after a cut.</summary>
    public void NextCut() => Strings = new StringDictionary(100_000);

    /// <summary>Makes the row all zeros, as after a chunk change.</summary>
    public override void Accept()
    {
        if (*(ulong*)Row != 0)
        {
            throw new InvalidOperationException("The decoder has written outside of its part of the row.");
        }

        AcceptRows(1, isHashed: false);
    }

    public override void AcceptRows(int count, bool isHashed)
    {
        Check();
        if (count < 1 || count > RowCapacity)
        {
            throw new InvalidOperationException($"{count} rows in a room for {RowCapacity}.");
        }

        for (var index = 0; index < count; index++)
        {
            var row = Row + (index * _schema.RecordBytes);
            var hash = _hash.Of(row, Strings);
            if (isHashed && *(ulong*)row != hash)
            {
                throw new InvalidOperationException($"The decoder's hash is {*(ulong*)row:x16}, not {hash:x16}.");
            }

            *(ulong*)row = 0;
            Keep(new ReadOnlySpan<byte>(row, _schema.RecordBytes), hash);
        }

        AcceptedCount += count;
        Begin();
    }

    private void Keep(ReadOnlySpan<byte> row, ulong hash)
    {
        if (_keeps)
        {
            Rows.Add(row.ToArray());
            Hashes.Add(hash);
            return;
        }

        foreach (var word in MemoryMarshal.Cast<byte, ulong>(row))
        {
            Checksum = ((Checksum << 5) | (Checksum >> 59)) ^ word;
        }
    }

    private void Begin()
    {
        RowCapacity = 1 + (_blockCount++ * 5 % _rowsMax);
        Row = _memory + CanaryBytes + ((_rowsMax - RowCapacity) * _schema.RecordBytes); // So that the canary comes behind the last one.
        new Span<byte>(_memory + CanaryBytes, _rowsMax * _schema.RecordBytes).Fill(Dirt);
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
        var before = new ReadOnlySpan<byte>(_memory + CanaryBytes, (_rowsMax - RowCapacity) * _schema.RecordBytes);
        if (Guard(0).ContainsAnyExcept(Canary) || Guard(CanaryBytes + (_schema.RecordBytes * _rowsMax)).ContainsAnyExcept(Canary)
            || before.ContainsAnyExcept(Dirt))
        {
            throw new InvalidOperationException("The decoder has written outside of its part of the row.");
        }
    }

    private Span<byte> Guard(int offset) => new(_memory + offset, CanaryBytes);
}
