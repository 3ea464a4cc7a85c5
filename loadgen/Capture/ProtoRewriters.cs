using Weir.Codecs.Flow;
using Weir.Core.Hashing;
using Weir.Core.Model;
using Weir.Loadgen.Generate;

namespace Weir.Loadgen.Capture;

/// <summary>Goes over the fields of a protobuf message and writes them again, changed or not.</summary>
internal abstract unsafe class ProtoRewriter : PayloadRewriter
{
    private const int WireBytes = 2;

    /// <summary>Writes one message.</summary>
    /// <returns>False when it can't be read.</returns>
    private protected bool TryRewrite(ReadOnlySpan<byte> message, ByteText to, Rewriting how, int depth)
    {
        fixed (byte* start = message)
        {
            var cursor = new ProtoCursor(start, start + message.Length);
            while (!cursor.IsAtEnd)
            {
                var fieldStart = cursor.Position;
                if (cursor.ReadTag(out var field, out var wireType) != DecodeStatus.Ok)
                {
                    return false;
                }

                if (wireType == WireType.Bytes)
                {
                    if (cursor.ReadBytes(out var bytes) != DecodeStatus.Ok || !TryWriteBytes(field, bytes, to, how, depth))
                    {
                        return false;
                    }
                }
                else if (wireType == WireType.Varint)
                {
                    if (cursor.ReadVarint(out var value) != DecodeStatus.Ok)
                    {
                        return false;
                    }

                    MessageCodec.Varint(to, field << 3);
                    MessageCodec.Varint(to, NewNumber(field, value, how, depth));
                }
                else
                {
                    if (cursor.Skip(field, wireType) != DecodeStatus.Ok)
                    {
                        return false;
                    }

                    to.Put(new ReadOnlySpan<byte>(fieldStart, (int)(cursor.Position - fieldStart)));
                }
            }

            return true;
        }
    }

    /// <summary>Writes a field of bytes.</summary>
    private protected abstract bool TryWriteBytes(uint field, ReadOnlySpan<byte> bytes, ByteText to, Rewriting how, int depth);

    /// <summary>The number in the place of a number.</summary>
    private protected abstract ulong NewNumber(uint field, ulong value, Rewriting how, int depth);

    private protected static void WriteBytes(ByteText to, uint field, ReadOnlySpan<byte> bytes)
    {
        MessageCodec.Varint(to, (field << 3) | WireBytes);
        MessageCodec.Varint(to, (ulong)bytes.Length);
        to.Put(bytes);
    }

    private protected static void WriteAddress(ByteText to, uint field, ReadOnlySpan<byte> bytes, Rewriting how)
    {
        var copy = bytes.ToArray();
        how.MapInPlace(copy);
        WriteBytes(to, field, copy);
    }

    /// <summary>Combines what a hash of tags takes from a message.</summary>
    private protected static ulong HashOf(ReadOnlySpan<byte> message, ReadOnlySpan<uint> fields)
    {
        ulong hash = 0;
        fixed (byte* start = message)
        {
            var cursor = new ProtoCursor(start, start + message.Length);
            while (!cursor.IsAtEnd && cursor.ReadTag(out var field, out var wireType) == DecodeStatus.Ok)
            {
                var valueStart = cursor.Position;
                if (cursor.Skip(field, wireType) != DecodeStatus.Ok)
                {
                    break;
                }

                if (fields.Contains(field))
                {
                    hash ^= TagHash.Combine(TagHash.OfText(new ReadOnlySpan<byte>(valueStart, (int)(cursor.Position - valueStart))), field);
                }
            }
        }

        return TagHash.Combine(hash, 0);
    }
}

/// <summary>Rewrites the messages of goflow2, bare or delimited.</summary>
internal sealed unsafe class Goflow2Rewriter : ProtoRewriter
{
    private const ulong NanosPerSecond = 1_000_000_000;
    private readonly ByteText _output = new();
    private readonly ByteText _record = new();

    /// <inheritdoc/>
    public override byte[] Rewrite(byte[] value, Rewriting how)
    {
        _output.Truncate(0);
        foreach (var (start, length, isDelimited) in Records(value))
        {
            _record.Truncate(0);
            if (!TryRewrite(value.AsSpan(start, length), _record, how, 0))
            {
                _record.Truncate(0);
                _record.Put(how.IsAnonymising ? new byte[length] : value.AsSpan(start, length));
            }

            if (isDelimited)
            {
                MessageCodec.Varint(_output, (ulong)_record.Length);
            }

            _output.Put(_record.Written);
        }

        return _output.Written.ToArray();
    }

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<int, byte[]>>? Split(byte[] value, int partitionCount)
    {
        var parts = new Parts();
        foreach (var (start, length, _) in Records(value))
        {
            var record = value.AsSpan(start, length);
            var to = parts.Of(PartitionOf(HashOf(record, [6, 7, 22, 20, 11]), partitionCount));
            MessageCodec.Varint(to, (ulong)length);
            to.Put(record);
        }

        return parts.Take();
    }

    private protected override bool TryWriteBytes(uint field, ReadOnlySpan<byte> bytes, ByteText to, Rewriting how, int depth)
    {
        switch (field)
        {
            case 11 when !how.IsAnonymising:
                WriteBytes(to, field, bytes); // A copy has the same agents.
                break;
            case 6 or 7 or 11 or 12 or 82 or 100 or 105:
                WriteAddress(to, field, bytes, how);
                break;
            case 80 or 81 or 101 or 102 or 103 or 104:
                WriteBytes(to, field, bytes); // Packed numbers.
                break;
            default:
                WriteBytes(to, field, how.IsAnonymising ? how.HashBytes(bytes) : bytes);
                break;
        }

        return true;
    }

    private protected override ulong NewNumber(uint field, ulong value, Rewriting how, int depth) => field switch
    {
        27 or 28 => how.MapMac(value),
        >= 110 and <= 112 when value != 0 => value + ((ulong)how.AddSeconds * NanosPerSecond),
        _ => value,
    };

    private static List<(int Start, int Length, bool IsDelimited)> Records(byte[] value)
    {
        var records = new List<(int, int, bool)>();
        fixed (byte* start = value)
        {
            if (Goflow2Framing.Find(start, start + value.Length, out _) != Goflow2Form.Delimited)
            {
                return [(0, value.Length, false)];
            }

            var cursor = new ProtoCursor(start, start + value.Length);
            while (!cursor.IsAtEnd)
            {
                var at = cursor.Position;
                if (cursor.ReadBytes(out var record) != DecodeStatus.Ok)
                {
                    records.Add(((int)(at - start), (int)(cursor.End - at), false)); // The rest is damaged: it goes whole.
                    break;
                }

                records.Add(((int)(cursor.Position - start) - record.Length, record.Length, true));
            }
        }

        return records;
    }
}

/// <summary>Rewrites <c>weir-proto</c>: a batch of records, the tags of each in a message of their own.</summary>
internal sealed unsafe class WeirProtoRewriter : ProtoRewriter
{
    private const int Batch = 0;
    private const int Record = 1;
    private const int Tags = 2;
    private const uint UserFieldFirst = 100;
    private readonly ByteText[] _levels = [new(), new(), new()];

    /// <inheritdoc/>
    public override byte[] Rewrite(byte[] value, Rewriting how)
    {
        _levels[Batch].Truncate(0);
        return TryRewrite(value, _levels[Batch], how, Batch) ? _levels[Batch].Written.ToArray() : how.IsAnonymising
            ? new byte[value.Length] : value;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<KeyValuePair<int, byte[]>>? Split(byte[] value, int partitionCount)
    {
        var parts = new Parts();
        fixed (byte* start = value)
        {
            var cursor = new ProtoCursor(start, start + value.Length);
            while (!cursor.IsAtEnd)
            {
                if (cursor.ReadTag(out var field, out var wireType) != DecodeStatus.Ok || field != WeirProtoDecoder.RecordsField
                    || wireType != WireType.Bytes || cursor.ReadBytes(out var record) != DecodeStatus.Ok)
                {
                    return null;
                }

                WriteBytes(parts.Of(PartitionOf(HashOf(TagsOf(record), [1, 2, 4, 5, 6]), partitionCount)), field, record);
            }
        }

        return parts.Take();
    }

    private protected override bool TryWriteBytes(uint field, ReadOnlySpan<byte> bytes, ByteText to, Rewriting how, int depth)
    {
        if (depth < Tags && field == 1)
        {
            var inner = _levels[depth + 1];
            inner.Truncate(0);
            if (!TryRewrite(bytes, inner, how, depth + 1))
            {
                inner.Truncate(0);
                inner.Put(how.IsAnonymising ? new byte[bytes.Length] : bytes);
            }

            WriteBytes(to, field, inner.Written);
        }
        else if (depth == Tags && field is 1 or 2 or 19)
        {
            WriteAddress(to, field, bytes, how);
        }
        else if (depth == Tags && field == 6)
        {
            WriteBytes(to, field, how.IsAnonymising ? how.MapText(bytes) : bytes);
        }
        else
        {
            WriteBytes(to, field, how.IsAnonymising && field >= UserFieldFirst ? how.HashBytes(bytes) : bytes);
        }

        return true;
    }

    private protected override ulong NewNumber(uint field, ulong value, Rewriting how, int depth) => (depth, field) switch
    {
        (Tags, 16 or 17) => how.MapMac(value),
        (Record, 2) when value != 0 => value + (ulong)how.AddSeconds,
        _ => value,
    };

    private static ReadOnlySpan<byte> TagsOf(ReadOnlySpan<byte> record)
    {
        fixed (byte* start = record)
        {
            var cursor = new ProtoCursor(start, start + record.Length);
            return cursor.ReadTag(out var field, out _) == DecodeStatus.Ok && field == 1
                && cursor.ReadBytes(out var tags) == DecodeStatus.Ok
                ? record.Slice((int)(cursor.Position - start) - tags.Length, tags.Length)
                : [];
        }
    }
}
