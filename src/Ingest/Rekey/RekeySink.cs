using System.Runtime.InteropServices;
using Weir.Codecs.Flow;
using Weir.Core.Hashing;
using Weir.Core.Model;

namespace Weir.Ingest;

/// <summary>Takes the records of one message and sorts them into a batch for each partition of the new topic.</summary>
/// <remarks>
/// All standard fields are kept, whatever the views use. Packets and bytes have been scaled by the sampling rate already, so the
/// new records carry none. One thread.
/// </remarks>
internal sealed unsafe class RekeySink : RecordSink, IDisposable
{
    private static readonly ViewDefinition _everything = new(
        "everything", 1, StandardSchema.Tags, StandardSchema.Meters, [.. StandardSchema.Tags.Select(tag => tag.Name)]);

    private readonly (TagDefinition Tag, int Offset)[] _key;
    private readonly Dictionary<string, int> _offsets;
    private readonly WeirBatchWriter[] _batches;
    private readonly List<int> _used = [];
    private readonly int _recordBytes;
    private readonly DeadLetterTap? _deadLetters;
    private readonly long[] _rejectedCounts = new long[DecodeStatuses.Count];
    private long _messageRecords;

    /// <summary>Makes a sink.</summary>
    /// <param name="keyTags">The tags that choose the partition.</param>
    /// <param name="partitionCount">Partitions of the new topic.</param>
    /// <param name="deadLetters">Gets the records that did not decode; null to count them only.</param>
    public RekeySink(IEnumerable<TagDefinition> keyTags, int partitionCount, DeadLetterTap? deadLetters = null)
    {
        _deadLetters = deadLetters;
        _offsets = Schema.Tags.ToDictionary(slot => slot.Tag.Name, slot => StreamSchema.HashBytes + slot.OffsetBytes);
        for (var index = 0; index < Schema.Meters.Length; index++)
        {
            _offsets[Schema.Meters[index].Name] = Schema.RecordMetersOffset + (index * sizeof(ulong));
        }

        // By name: the order of the views in a file must not move a key.
        _key = [.. keyTags.OrderBy(tag => tag.Name, StringComparer.Ordinal).Select(tag => (tag, _offsets[tag.Name]))];
        _batches = [.. Enumerable.Range(0, partitionCount).Select(_ => new WeirBatchWriter())];
        _recordBytes = Schema.RecordBytes;
        Strings = new StringDictionary(FlowDecoder.RecordsPerMessageMax);
        Row = (byte*)NativeMemory.AlignedAlloc((nuint)_recordBytes, 64);
        NativeMemory.Clear(Row, (nuint)_recordBytes);
    }

    /// <summary>The layout that decoders fill.</summary>
    public static StreamSchema Schema { get; } = StreamSchema.Compile([_everything]);

    /// <summary>Records taken.</summary>
    public long AcceptedCount { get; private set; }

    /// <summary>Records that did not decode: they are not in the new topic.</summary>
    public long RejectedCount { get; private set; }

    /// <summary>What they were rejected for, with how many; empty for none.</summary>
    public string RejectedReasons => string.Join(
        ", ",
        Enum.GetValues<DecodeStatus>()
            .Where(status => _rejectedCounts[(int)status] > 0)
            .Select(status => $"{status.Label()} {_rejectedCounts[(int)status]}"));

    /// <summary>Begins a message, which is as it lies in the old topic.</summary>
    public void Begin(PartitionKey source, in KafkaMessage message)
    {
        _messageRecords = 0;
        _deadLetters?.Begin(source, message);
    }

    /// <inheritdoc/>
    public override void Accept()
    {
        _messageRecords++;
        var partition = JumpHash.BucketOf(KeyHash(), _batches.Length);
        var batch = _batches[partition];
        if (batch.Count == 0)
        {
            _used.Add(partition);
        }

        if (!batch.TryAdd(ReadRecord()))
        {
            throw new InvalidOperationException("A message has more records than a batch holds.");
        }

        AcceptedCount++;
        NativeMemory.Clear(Row, (nuint)_recordBytes);
    }

    /// <inheritdoc/>
    public override void Reject(DecodeStatus status, ReadOnlySpan<byte> evidence)
    {
        RejectedCount++;
        _rejectedCounts[(int)status]++;
        _deadLetters?.Reject(status, evidence, _messageRecords++);
        NativeMemory.Clear(Row, (nuint)_recordBytes);
    }

    /// <summary>Ends a message: its batches, in the order of their partitions, and the sink is empty.</summary>
    public IReadOnlyList<(int Partition, byte[] Batch)> Finish(in KafkaMessage message)
    {
        _deadLetters?.End(message, _messageRecords, lateCount: 0);
        _used.Sort();
        var batches = _used.ConvertAll(partition => (partition, _batches[partition].Finish().ToArray()));
        _used.Clear();
        Strings.Clear();
        return batches;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.AlignedFree(Row);
        Row = null;
    }

    /// <summary>The hash of the key's tags, of the same family as the shards' and as stable.</summary>
    private ulong KeyHash()
    {
        var hash = 0UL;
        foreach (var (tag, offset) in _key)
        {
            if (tag.Type == TagType.Address)
            {
                hash = TagHash.Combine(TagHash.Combine(hash, *(ulong*)(Row + offset)), *(ulong*)(Row + offset + sizeof(ulong)));
            }
            else
            {
                hash = TagHash.Combine(hash, tag.Type == TagType.String ? Strings.HashOf(*(uint*)(Row + offset)) : Number(tag.Type, offset));
            }
        }

        return hash;
    }

    private ulong Number(TagType type, int offset) => type switch
    {
        TagType.U8 => *(Row + offset),
        TagType.U16 => *(ushort*)(Row + offset),
        TagType.U32 => *(uint*)(Row + offset),
        _ => *(ulong*)(Row + offset),
    };

    private ulong Meter(string name) => *(ulong*)(Row + _offsets[name]);

    private UInt128 Address(string name) =>
        System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(new ReadOnlySpan<byte>(Row + _offsets[name], 16));

    private FlowRecord ReadRecord() => new()
    {
        TimeSeconds = *(ulong*)(Row + StreamSchema.HashBytes),
        SrcAddr = Address("src_addr"),
        DstAddr = Address("dst_addr"),
        NextHop = Address("next_hop"),
        SrcPort = (ushort)Number(TagType.U16, _offsets["src_port"]),
        DstPort = (ushort)Number(TagType.U16, _offsets["dst_port"]),
        Proto = (byte)Number(TagType.U8, _offsets["proto"]),
        Exporter = Strings.Utf8((int)Number(TagType.U32, _offsets["exporter"])).ToArray(),
        Tos = (byte)Number(TagType.U8, _offsets["tos"]),
        TcpFlags = (ushort)Number(TagType.U16, _offsets["tcp_flags"]),
        SrcAs = (uint)Number(TagType.U32, _offsets["src_as"]),
        DstAs = (uint)Number(TagType.U32, _offsets["dst_as"]),
        SrcMask = (byte)Number(TagType.U8, _offsets["src_mask"]),
        DstMask = (byte)Number(TagType.U8, _offsets["dst_mask"]),
        InIf = (uint)Number(TagType.U32, _offsets["in_if"]),
        OutIf = (uint)Number(TagType.U32, _offsets["out_if"]),
        Vlan = (ushort)Number(TagType.U16, _offsets["vlan"]),
        SrcMac = Number(TagType.U64, _offsets["src_mac"]),
        DstMac = Number(TagType.U64, _offsets["dst_mac"]),
        Etype = (ushort)Number(TagType.U16, _offsets["etype"]),
        Flows = Meter("flows"),
        Packets = Meter("packets"),
        Bytes = Meter("bytes"),
        TcpSyn = Meter("tcp_syn"),
        TcpFin = Meter("tcp_fin"),
        TcpRst = Meter("tcp_rst"),
        Retransmissions = Meter("retransmissions"),
        RttUs = Meter("rtt_us"),
        RttCount = Meter("rtt_count"),
        DurationMs = Meter("duration_ms"),
        SamplingRate = 1,
    };
}
