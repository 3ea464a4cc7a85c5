using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Weir.Core.Model;

namespace Weir.Codecs.Flow;

/// <summary>The tags of <c>weir-proto</c> where two addresses come first, and then a run of numbers and an exporter of known shape.</summary>
/// <remarks>Thread of the ingest worker. What is not so is left to <see cref="UsualTags"/>.</remarks>
internal sealed unsafe class ShapedTags
{
    private const int ExporterField = 6;
    private const int SourceField = 1;
    private const int DestinationField = 2;
    private const int HeadBytes = 2; // Of an address: its field number, its length.
    private const int TagsOffset = StreamSchema.HashBytes + StreamSchema.TimeBytes;
    private const byte ZeroPlace = sizeof(ulong) - 1; // The top byte of a lane.

    private readonly RunShapes _shapes = new(ExporterField);
    private readonly TextMemo _exporters = new();
    private readonly RecordHash _hash;
    private readonly byte[] _places; // Of each byte of the tags of a row, in the lanes.
    private readonly ulong[] _max = GC.AllocateArray<ulong>(RunShapes.LaneCount, pinned: true); // Of the lanes.
    private readonly int _vectorCount;
    private readonly int _source;
    private readonly int _destination;
    private readonly int _exporter;

    /// <summary>Makes a reader.</summary>
    /// <param name="targets">Where the tags go.</param>
    /// <param name="hash">The hash of the schema's records.</param>
    public ShapedTags(FieldTargets targets, RecordHash hash)
    {
        _hash = hash;
        _source = targets.Tag(StandardSchema.SrcAddr);
        _destination = targets.Tag(StandardSchema.DstAddr);
        _exporter = targets.Tag(StandardSchema.Exporter);
        _vectorCount = VectorCountOf(targets.Schema);
        _places = GC.AllocateArray<byte>(_vectorCount * Vector512<byte>.Count, pinned: true);
        Array.Fill(_places, ZeroPlace);
        var lane = 0;
        Add(3, StandardSchema.SrcPort, 16);
        Add(4, StandardSchema.DstPort, 16);
        Add(5, StandardSchema.Proto, 8);
        Add(7, StandardSchema.Tos, 8);
        Add(8, StandardSchema.TcpFlags, 16);
        Add(9, StandardSchema.SrcAs, 32);
        Add(10, StandardSchema.DstAs, 32);
        Add(11, StandardSchema.SrcMask, 8);
        Add(12, StandardSchema.DstMask, 8);
        Add(13, StandardSchema.InIf, 32);
        Add(14, StandardSchema.OutIf, 32);
        Add(15, StandardSchema.Vlan, 16);
        Add(16, StandardSchema.SrcMac, 48);
        Add(17, StandardSchema.DstMac, 48);
        Add(18, StandardSchema.Etype, 16);

        void Add(int field, TagDefinition tag, int bits)
        {
            _shapes.Add(field, lane);
            _max[lane] = (1UL << bits) - 1;
            for (var index = 0; index < tag.Type.WidthBytes() && targets.Tag(tag) >= 0; index++)
            {
                _places[targets.Tag(tag) - TagsOffset + index] = (byte)((lane * sizeof(ulong)) + index);
            }

            lane++;
        }
    }

    /// <summary>True where it can be used: tags are stored in vectors, and what is behind them has to be the meters of the row.</summary>
    public static bool IsSupported(StreamSchema schema) =>
        RunShapes.IsSupported && TagsOffset + (VectorCountOf(schema) * Vector512<byte>.Count) <= schema.RecordBytes;

    /// <summary>Forgets the ids of texts: the dictionary has been cleared.</summary>
    public void Forget() => _exporters.Clear();

    /// <summary>Takes a message of tags, and hashes them.</summary>
    /// <param name="start">Its first byte.</param>
    /// <param name="end">Its end.</param>
    /// <param name="readableEnd">Memory before this address may be read.</param>
    /// <param name="row">The row; all tags of it are written, and some of what is behind them.</param>
    /// <param name="texts">For the exporter.</param>
    /// <param name="tagHash">Hash of the tag set.</param>
    /// <returns>False where another reader has to judge; then what was stored means nothing.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(byte* start, byte* end, byte* readableEnd, byte* row, StringDictionary texts, out ulong tagHash)
    {
        tagHash = 0;
        if (readableEnd - start < 2 * (HeadBytes + AddressText.Bytes) || !IsAddress(start, SourceField))
        {
            return false;
        }

        var destination = start + HeadBytes + start[1];
        if (!IsAddress(destination, DestinationField))
        {
            return false;
        }

        var run = destination + HeadBytes + destination[1];
        if (end - run is <= 0 or > RunShapes.BytesMax || readableEnd - run < RunShapes.BytesMax + TextMemo.ReadBytes)
        {
            return false;
        }

        var text = StringDictionary.EmptyId;
        if (!_shapes.TryFind(run, (int)(end - run), out var fields)
            || (_exporter >= 0 && !TryFindText(run + fields.Shape->TextOffset, fields.Shape->TextLength, texts, out text)))
        {
            return false;
        }

        var low = fields.Low;
        var high = fields.High;
        var max = (ulong*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_max));
        if (!Vector512.LessThanOrEqualAll(low, Vector512.Load(max))
            || !Vector512.LessThanOrEqualAll(high, Vector512.Load(max + Vector512<ulong>.Count)))
        {
            return false;
        }

        var places = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_places));
        var to = row + TagsOffset;
        for (var left = _vectorCount; left > 0; left--)
        {
            Avx512Vbmi.PermuteVar64x8x2(low.AsByte(), Vector512.Load(places), high.AsByte()).Store(to);
            places += Vector512<byte>.Count;
            to += Vector512<byte>.Count;
        }

        PutAddress(row, _source, start);
        PutAddress(row, _destination, destination);

        // The hash takes the texts for the ids: so it need not wait for the store of the id to be seen by its loads.
        tagHash = _hash.OfNumbers(row);
        if (_exporter >= 0)
        {
            *(uint*)(row + _exporter) = text;
        }

        tagHash = _hash.WithTexts(tagHash, row, texts);
        return true;
    }

    private static int VectorCountOf(StreamSchema schema) =>
        (schema.KeyBytes - StreamSchema.TimeBytes + Vector512<byte>.Count - 1) / Vector512<byte>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsAddress(byte* field, int number) =>
        *field == ((number << 3) | (int)WireType.Bytes) && field[1] is sizeof(uint) or AddressText.Bytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PutAddress(byte* row, int offset, byte* field)
    {
        if (offset < 0)
        {
            return;
        }

        if (field[1] == sizeof(uint))
        {
            AddressText.PutIpv4(row + offset, *(uint*)(field + HeadBytes));
        }
        else
        {
            Vector128.Load(field + HeadBytes).Store(row + offset);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryFindText(byte* text, int length, StringDictionary texts, out uint id)
    {
        id = StringDictionary.EmptyId;
        return length == 0
            || (length <= TextMemo.BytesMax && _exporters.TryFind(text, length, out id))
            || TryIntern(text, length, texts, out id);
    }

    private bool TryIntern(byte* text, int length, StringDictionary texts, out uint id)
    {
        id = texts.Intern(new ReadOnlySpan<byte>(text, length)); // ASCII, and short enough.
        if (id == StringDictionary.OverflowId)
        {
            return false;
        }

        if (length <= TextMemo.BytesMax)
        {
            _exporters.Keep(text, length, id);
        }

        return true;
    }
}
