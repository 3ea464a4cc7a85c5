using System.Buffers.Binary;
using Weir.Codecs.Flow;
using Weir.Core.Hashing;

namespace Weir.Loadgen.Capture;

/// <summary>Takes a <c>weir</c> batch apart into its columns and writes all or some of its rows again.</summary>
internal sealed class WeirBatchRewriter : PayloadRewriter
{
    private const int TimeColumn = WeirBatch.RecordColumns + 2;
    private const int SrcMac = WeirBatch.TagColumns + 16;
    private const int DstMac = WeirBatch.TagColumns + 17;
    private static readonly ushort[] _keyColumns = [0x101, 0x102, 0x104, 0x105, 0x106];

    private readonly WeirBatchWriter _writer = new();

    /// <inheritdoc/>
    public override byte[] Rewrite(byte[] value, Rewriting how)
    {
        if (Parse(value) is not { } batch)
        {
            return how.IsAnonymising ? new byte[value.Length] : value;
        }

        foreach (var column in batch.Columns)
        {
            switch (column.Id)
            {
                case TimeColumn:
                    Change(column.Numbers, number => number == 0 ? 0 : number + (ulong)how.AddSeconds);
                    break;
                case SrcMac or DstMac:
                    Change(column.Numbers, how.MapMac);
                    break;
                default:
                    for (var row = 0; row < column.Addresses.Length; row++)
                    {
                        column.Addresses[row] = how.Map(column.Addresses[row]);
                    }

                    break;
            }
        }

        return Write(batch, how.IsAnonymising ? how : null, [.. Enumerable.Range(0, batch.RowCount)]);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<int, byte[]>>? Split(byte[] value, int partitionCount)
    {
        if (Parse(value) is not { } batch)
        {
            return null;
        }

        var textHashes = batch.Texts.Select(text => TagHash.OfText(text)).ToArray();
        var keys = batch.Columns.Where(column => _keyColumns.Contains((ushort)column.Id)).OrderBy(column => column.Id).ToList();
        var rows = new SortedDictionary<int, List<int>>();
        for (var row = 0; row < batch.RowCount; row++)
        {
            ulong hash = 0;
            foreach (var column in keys)
            {
                hash = column.Addresses.Length > 0
                    ? TagHash.Combine(TagHash.Combine(hash, (ulong)(column.Addresses[row] >> 64)), (ulong)column.Addresses[row])
                    : TagHash.Combine(hash, column.Encoding == WeirBatch.EncodingTexts ? textHashes[column.Numbers[row]]
                        : column.Numbers[row]);
            }

            var partition = PartitionOf(hash, partitionCount);
            if (!rows.TryGetValue(partition, out var list))
            {
                rows.Add(partition, list = []);
            }

            list.Add(row);
        }

        return [.. rows.Select(part => new KeyValuePair<int, byte[]>(part.Key, Write(batch, null, part.Value)))];
    }

    private static void Change(ulong[] numbers, Func<ulong, ulong> change)
    {
        for (var row = 0; row < numbers.Length; row++)
        {
            numbers[row] = change(numbers[row]);
        }
    }

    private byte[] Write(Batch batch, Rewriting? names, List<int> rows)
    {
        _writer.Begin();
        var ids = new ulong[batch.Texts.Count];
        var isUsed = new bool[ids.Length];
        foreach (var column in batch.Columns.Where(column => column.Encoding == WeirBatch.EncodingTexts))
        {
            foreach (var row in rows)
            {
                isUsed[column.Numbers[row]] = true;
            }
        }

        for (var text = 0; text < ids.Length; text++)
        {
            if (isUsed[text])
            {
                ids[text] = _writer.AddText(names is null ? batch.Texts[text] : names.MapText(batch.Texts[text]));
            }
        }

        _writer.WriteTexts();
        foreach (var column in batch.Columns)
        {
            if (column.Encoding == WeirBatch.EncodingAddresses)
            {
                _writer.WriteAddresses(column.Id, rows.Select(row => column.Addresses[row]).ToArray());
            }
            else
            {
                var isText = column.Encoding == WeirBatch.EncodingTexts;
                _writer.WriteNumbers(
                    column.Id, column.Encoding, rows.Select(row => isText ? ids[column.Numbers[row]] : column.Numbers[row]).ToArray());
            }
        }

        return _writer.End(rows.Count).ToArray();
    }

    /// <summary>Takes a batch apart; null when it is damaged or has an encoding that is not known.</summary>
    private static Batch? Parse(ReadOnlySpan<byte> value)
    {
        if (value.Length < WeirBatch.HeaderBytes + WeirBatch.ChecksumBytes || !value.StartsWith(WeirBatch.Magic)
            || value[4] != WeirBatch.Version)
        {
            return null;
        }

        var columnCount = BinaryPrimitives.ReadUInt16LittleEndian(value[6..]);
        var rowCount = BinaryPrimitives.ReadUInt32LittleEndian(value[8..]);
        var body = value[WeirBatch.HeaderBytes..^WeirBatch.ChecksumBytes];
        if (BinaryPrimitives.ReadUInt32LittleEndian(value[12..]) != body.Length || rowCount is 0 or > WeirBatch.RecordsMax
            || BinaryPrimitives.ReadUInt32LittleEndian(value[^WeirBatch.ChecksumBytes..]) != Crc32C.Of(value[..^WeirBatch.ChecksumBytes])
            || !TryReadTexts(ref body, out var texts))
        {
            return null;
        }

        var columns = new List<Column>();
        for (var index = 0; index < columnCount; index++)
        {
            if (ReadColumn(ref body, (int)rowCount, texts.Count) is not { } column)
            {
                return null;
            }

            columns.Add(column);
        }

        return body.IsEmpty ? new Batch((int)rowCount, texts, columns) : null;
    }

    private static bool TryReadTexts(ref ReadOnlySpan<byte> body, out List<byte[]> texts)
    {
        texts = [];
        if (body.Length < WeirBatch.TextsHeaderBytes)
        {
            return false;
        }

        var count = BinaryPrimitives.ReadUInt32LittleEndian(body);
        var bytes = BinaryPrimitives.ReadUInt32LittleEndian(body[4..]);
        if (count > WeirBatch.TextsMax || WeirBatch.TextsHeaderBytes + (count * 2) + (long)bytes > body.Length)
        {
            return false;
        }

        var position = WeirBatch.TextsHeaderBytes + ((int)count * 2);
        for (var text = 0; text < count; text++)
        {
            var length = BinaryPrimitives.ReadUInt16LittleEndian(body[(WeirBatch.TextsHeaderBytes + (text * 2))..]);
            if (position + length > body.Length)
            {
                return false;
            }

            texts.Add(body.Slice(position, length).ToArray());
            position += length;
        }

        body = body[(WeirBatch.TextsHeaderBytes + ((int)count * 2) + (int)bytes)..];
        return true;
    }

    private static Column? ReadColumn(ref ReadOnlySpan<byte> body, int rowCount, int textCount)
    {
        if (body.Length < WeirBatch.ColumnHeaderBytes)
        {
            return null;
        }

        var id = BinaryPrimitives.ReadUInt16LittleEndian(body);
        var encoding = body[2];
        int width = body[3];
        var length = BinaryPrimitives.ReadUInt32LittleEndian(body[4..]);
        var start = BinaryPrimitives.ReadUInt64LittleEndian(body[8..]);
        if (length > body.Length - WeirBatch.ColumnHeaderBytes)
        {
            return null;
        }

        var data = body.Slice(WeirBatch.ColumnHeaderBytes, (int)length);
        body = body[(WeirBatch.ColumnHeaderBytes + (int)length)..];
        if (encoding == WeirBatch.EncodingAddresses)
        {
            return width is 0 or 4 or 16 && data.Length == (width == 0 ? 16 : width * rowCount)
                ? new Column(id, encoding, [], ReadAddresses(data, width, rowCount))
                : null;
        }

        if (encoding is not (WeirBatch.EncodingNumbers or WeirBatch.EncodingTexts) || width is not (0 or 1 or 2 or 4 or 8)
            || data.Length != width * rowCount)
        {
            return null;
        }

        var numbers = ReadNumbers(data, width, rowCount, start);
        return encoding == WeirBatch.EncodingTexts && Array.Exists(numbers, number => number >= (ulong)textCount) ? null
            : new Column(id, encoding, numbers, []);
    }

    private static ulong[] ReadNumbers(ReadOnlySpan<byte> data, int width, int rowCount, ulong start)
    {
        var numbers = new ulong[rowCount];
        for (var row = 0; row < rowCount; row++)
        {
            numbers[row] = start + width switch
            {
                0 => 0,
                1 => data[row],
                2 => BinaryPrimitives.ReadUInt16LittleEndian(data[(row * 2)..]),
                4 => BinaryPrimitives.ReadUInt32LittleEndian(data[(row * 4)..]),
                _ => BinaryPrimitives.ReadUInt64LittleEndian(data[(row * 8)..]),
            };
        }

        return numbers;
    }

    private static UInt128[] ReadAddresses(ReadOnlySpan<byte> data, int width, int rowCount)
    {
        var addresses = new UInt128[rowCount];
        for (var row = 0; row < rowCount; row++)
        {
            addresses[row] = width == 4
                ? FlowRecord.Ipv4(BinaryPrimitives.ReadUInt32BigEndian(data[(row * 4)..]))
                : BinaryPrimitives.ReadUInt128BigEndian(data[(row * width)..]);
        }

        return addresses;
    }

    private sealed record Batch(int RowCount, IReadOnlyList<byte[]> Texts, IReadOnlyList<Column> Columns);

    private sealed record Column(int Id, byte Encoding, ulong[] Numbers, UInt128[] Addresses);
}
