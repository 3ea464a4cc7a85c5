using System.Buffers.Binary;
using Weir.Codecs.Flow;
using Weir.Loadgen.Capture;
using Weir.Loadgen.Generate;

namespace Weir.Loadgen.CodecChoice;

/// <summary>Packs messages into record batches of Kafka's format 2, until one is full.</summary>
/// <remarks>One thread; memory is kept from batch to batch.</remarks>
/// <param name="bytesMax">Bytes of a full batch, before compression. A message that is larger gets a batch for itself.</param>
internal sealed class RecordBatchBuilder(int bytesMax)
{
    private const int HeaderBytes = 61;
    private const int LengthFrom = 12; // The length counts what follows it.
    private const int CoveredFrom = 21; // The checksum covers what follows it.
    private static readonly string[] _codecs = ["none", "gzip", "snappy", "lz4", "zstd"]; // By their numbers.

    private readonly ByteText _records = new();
    private readonly ByteText _one = new();
    private long _firstMs;
    private long _lastMs;

    /// <summary>Messages of the open batch.</summary>
    public int MessageCount { get; private set; }

    /// <summary>Adds a message, unless the batch is full.</summary>
    /// <returns>False when it is: finish it and come again.</returns>
    public bool TryAdd(CapturedMessage message)
    {
        _firstMs = MessageCount == 0 ? message.TimestampMs : _firstMs;
        _one.Truncate(0);
        RecordBatches.WriteRecord(_one, message, MessageCount, message.TimestampMs - _firstMs);
        if (MessageCount > 0 && _records.Length + _one.Length > bytesMax)
        {
            return false;
        }

        _lastMs = MessageCount == 0 ? message.TimestampMs : Math.Max(_lastMs, message.TimestampMs);
        RecordBatches.Zigzag(_records, _one.Length);
        _records.Put(_one.Written);
        MessageCount++;
        return true;
    }

    /// <summary>The records of the batch as a client compresses them; then it is empty.</summary>
    public RecordBatch Finish()
    {
        var batch = new RecordBatch(_records.Written.ToArray(), MessageCount, true);
        Clear();
        return batch;
    }

    /// <summary>The batch as a broker stores it; then it is empty.</summary>
    /// <remarks>The broker sets the offset, which the checksum does not cover: so the same bytes can be stored any number of
    /// times.</remarks>
    /// <param name="codec">none, gzip, snappy, lz4 or zstd.</param>
    /// <param name="level">Level of gzip or zstd; null for the usual one.</param>
    public byte[] FinishForBroker(string codec, int? level)
    {
        var records = FramedCodecs.Compress(codec, level, _records.Written);
        var batch = new byte[HeaderBytes + records.Length];
        var span = batch.AsSpan();
        BinaryPrimitives.WriteInt32BigEndian(span[8..], batch.Length - LengthFrom);
        BinaryPrimitives.WriteInt32BigEndian(span[12..], -1); // Leader epoch: not known.
        batch[16] = 2; // Format.
        BinaryPrimitives.WriteInt16BigEndian(span[21..], (short)Array.IndexOf(_codecs, codec));
        BinaryPrimitives.WriteInt32BigEndian(span[23..], MessageCount - 1);
        BinaryPrimitives.WriteInt64BigEndian(span[27..], _firstMs);
        BinaryPrimitives.WriteInt64BigEndian(span[35..], _lastMs);
        BinaryPrimitives.WriteInt64BigEndian(span[43..], -1); // No idempotent producer.
        BinaryPrimitives.WriteInt16BigEndian(span[51..], -1);
        BinaryPrimitives.WriteInt32BigEndian(span[53..], -1);
        BinaryPrimitives.WriteInt32BigEndian(span[57..], MessageCount);
        records.CopyTo(span[HeaderBytes..]);
        BinaryPrimitives.WriteUInt32BigEndian(span[17..], Crc32C.Of(span[CoveredFrom..]));
        Clear();
        return batch;
    }

    private void Clear()
    {
        _records.Truncate(0);
        MessageCount = 0;
    }
}
