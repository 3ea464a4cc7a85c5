using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Weir.Codecs.Flow;

/// <summary>Reads a run of protobuf fields of numbers by its shape: where in it which field has how many bytes.</summary>
/// <remarks>
/// <para>
/// The shape of a run is found by the ends of its varints, the clear top bits of its bytes, all at once. Of each shape it is kept which
/// bytes are tags, and where in 16 lanes of 8 bytes the bytes of the values go. So a run of any number of fields is checked by one
/// comparison, and its values are gathered and joined by a few instructions: neither lengths nor absent fields have to be foreseen by
/// the processor.
/// </para>
/// <para>
/// What is kept is a function of the run's own bytes, and another reader judges each run that is not found; so what was read
/// before changes no result. One thread, that of the decoder.
/// </para>
/// </remarks>
internal sealed unsafe class RunShapes
{
    /// <summary>Longest run.</summary>
    public const int BytesMax = 64;

    /// <summary>Values of a run.</summary>
    public const int LaneCount = 16;

    /// <summary>No lane: a field whose value goes nowhere.</summary>
    public const int NoLane = -1;

    private const int FieldCount = 32;
    private const int SetCount = 256;
    private const int WayCount = 2;
    private const ulong SetMultiplier = 0x9e37_79b9_7f4a_7c15;
    private const int LearnShare = 4; // One in so many of the runs that are not found: where all differ it would cost more than it saves.

    private readonly byte[] _memory = GC.AllocateArray<byte>((SetCount * WayCount * sizeof(Shape)) + BytesMax, pinned: true);
    private readonly Shape* _shapes;
    private readonly Field[] _fields = new Field[FieldCount];
    private readonly int _textField;
    private int _missCount;

    /// <summary>Makes a reader that knows no field.</summary>
    /// <param name="textField">The one field that may be a text, of ASCII; 0 for none.</param>
    public RunShapes(int textField = 0)
    {
        _textField = textField;
        _shapes = (Shape*)(((nint)Unsafe.AsPointer(ref _memory[0]) + BytesMax - 1) & ~(BytesMax - 1));
    }

    /// <summary>True where it can be used.</summary>
    public static bool IsSupported => Avx512Vbmi.IsSupported && Avx512BW.IsSupported && Vector512.IsHardwareAccelerated;

    /// <summary>Makes a field of varints known. It may come once in a run, with a value of at most 8 bytes, 56 bits.</summary>
    /// <param name="field">Its number, below 32.</param>
    /// <param name="lane">Where it goes; <see cref="NoLane"/> for nowhere.</param>
    /// <param name="otherLane">Where it goes, too.</param>
    public void Add(int field, int lane, int otherLane = NoLane) => _fields[field] = new Field(IsKnown: true, lane, otherLane);

    /// <summary>Finds the shape of a run, and checks the run by it.</summary>
    /// <param name="start">Its first byte; 64 bytes can be read.</param>
    /// <param name="length">Its bytes, 1 to <see cref="BytesMax"/>.</param>
    /// <param name="run">What <see cref="Run.Low"/> and <see cref="Run.High"/> take the numbers from.</param>
    /// <returns>False when there is no such shape, or the run is none at all: another reader has to judge it.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryFind(byte* start, int length, out Run run)
    {
        var bytes = Vector512.Load(start);
        var ends = ~bytes.ExtractMostSignificantBits() & (ulong.MaxValue >> (BytesMax - length));
        var shape = _shapes + ((nuint)((ends * SetMultiplier) >> 56) * WayCount);
        shape += shape->Ends != ends ? 1 : 0; // Which of the two it is cannot be foreseen: this is no branch.
        if (!shape->IsOf(bytes, ends, length) && !TryFindOther(start, length, ends, out shape))
        {
            run = default;
            return false;
        }

        run.Shape = shape;
        run.Values = Vector512.Load(start) - Vector512.Load(shape->Tags); // Loaded again: it would be spilled around the call above.
        return true;
    }

    /// <summary>Another shape has the same ends; or there is none yet, and this one is learnt if it is a run of known fields.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryFindOther(byte* start, int length, ulong ends, out Shape* shape)
    {
        var first = _shapes + ((nuint)((ends * SetMultiplier) >> 56) * WayCount);
        shape = first + 1;
        if (shape->IsOf(Vector512.Load(start), ends, length))
        {
            return true;
        }

        var learnt = new Shape { Ends = ends, Length = (byte)length };
        if (_missCount++ % LearnShare == 0 && TryDescribe(start, length, ref learnt))
        {
            first[1] = first[0];
            first[0] = learnt;
        }

        return false;
    }

    private bool TryDescribe(byte* start, int length, ref Shape shape)
    {
        for (var at = 0; at < length;)
        {
            var tagAt = at;
            uint tag = start[at++];
            if (tag >= 0x80)
            {
                if (at == length || start[at] >= 0x80)
                {
                    return false;
                }

                tag = (tag & 0x7f) | ((uint)start[at++] << 7);
            }

            Fix(start, tagAt, at - tagAt, ref shape);
            var field = tag >> 3;
            if (field is 0 or >= FieldCount || shape.HasField((int)field))
            {
                return false;
            }

            var isDescribed = (WireType)(tag & 7) switch
            {
                WireType.Varint => TryDescribeNumber(start, ref at, length, _fields[field], ref shape),
                WireType.Bytes when field == _textField => TryDescribeText(start, ref at, length, ref shape),
                _ => false,
            };
            if (!isDescribed)
            {
                return false;
            }

            shape.Fields |= 1u << (int)field;
        }

        return true;
    }

    /// <summary>Bytes that are the same in all runs of the shape: tags, and the length of the text.</summary>
    private static void Fix(byte* start, int at, int count, ref Shape shape)
    {
        for (var index = at; index < at + count; index++)
        {
            shape.Tags[index] = start[index];
            shape.TagMask |= 1UL << index;
        }
    }

    private static bool TryDescribeNumber(byte* start, ref int at, int length, in Field field, ref Shape shape)
    {
        var from = at;
        while (at < length && start[at] >= 0x80)
        {
            at++;
        }

        var count = ++at - from;
        if (at > length || count > sizeof(ulong) || !field.IsKnown)
        {
            return false;
        }

        for (var index = 0; index < count; index++)
        {
            Place(ref shape, field.Lane, index, from + index);
            Place(ref shape, field.OtherLane, index, from + index);
        }

        return true;
    }

    private static void Place(ref Shape shape, int lane, int index, int place)
    {
        if (lane >= 0)
        {
            shape.Places[(lane * sizeof(ulong)) + index] = (byte)place;
        }
    }

    /// <summary>A text is ASCII in all runs of the shape: each of its bytes is taken for the end of a varint.</summary>
    private static bool TryDescribeText(byte* start, ref int at, int length, ref Shape shape)
    {
        if (at == length || start[at] >= length - at)
        {
            return false;
        }

        shape.TextLength = start[at];
        Fix(start, at++, 1, ref shape);
        shape.TextOffset = (byte)at;
        for (var end = at + shape.TextLength; at < end; at++)
        {
            if (start[at] >= 0x80)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A run whose shape is known.</summary>
    public ref struct Run
    {
        /// <summary>Its shape.</summary>
        public Shape* Shape;

        /// <summary>The bytes of the run; tags are 0.</summary>
        public Vector512<byte> Values;

        /// <summary>The numbers of the first eight lanes; 0 where there was no such field.</summary>
        public readonly Vector512<ulong> Low
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => Numbers(Shape->Places);
        }

        /// <summary>The numbers of the other eight.</summary>
        public readonly Vector512<ulong> High
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => Numbers(Shape->Places + Vector512<byte>.Count);
        }

        /// <summary>Gathers the bytes of the lanes, and joins seven bits of each: in pairs, fours and eights.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private readonly Vector512<ulong> Numbers(byte* places)
        {
            const ulong FourBytes = (1UL << 28) - 1;

            // The first byte of a run is a tag, so 0 here: it stands for bytes that are not there.
            var bytes = Avx512Vbmi.PermuteVar64x8(Values & Vector512.Create((byte)0x7f), Vector512.Load(places));
            var pairs = Avx512BW.MultiplyAddAdjacent(Vector512.Create((ushort)0x8001).AsByte(), bytes.AsSByte());
            var fours = Avx512BW.MultiplyAddAdjacent(pairs, Vector512.Create(0x4000_0001).AsInt16()).AsUInt64();
            return (fours & Vector512.Create(FourBytes)) | ((fours >> 4) & Vector512.Create(FourBytes << 28));
        }
    }

    /// <summary>A shape; all zeros are none, since no run is empty.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 4 * BytesMax)]
    public struct Shape
    {
        /// <summary>The bytes whose top bit is clear.</summary>
        [FieldOffset(0)]
        public ulong Ends;

        /// <summary>The bytes that are tags.</summary>
        [FieldOffset(8)]
        public ulong TagMask;

        /// <summary>The fields that there are.</summary>
        [FieldOffset(16)]
        public uint Fields;

        /// <summary>Bytes of the run.</summary>
        [FieldOffset(20)]
        public byte Length;

        /// <summary>Where the text begins.</summary>
        [FieldOffset(21)]
        public byte TextOffset;

        /// <summary>Bytes of the text; 0 where there is none.</summary>
        [FieldOffset(22)]
        public byte TextLength;

        /// <summary>The tags, and the length of the text; 0 elsewhere.</summary>
        [FieldOffset(BytesMax)]
        public fixed byte Tags[BytesMax];

        /// <summary>Where in the run the bytes of the lanes come from.</summary>
        [FieldOffset(2 * BytesMax)]
        public fixed byte Places[LaneCount * sizeof(ulong)];

        /// <summary>True for a field that is there.</summary>
        public readonly bool HasField(int field) => ((Fields >> field) & 1) != 0;

        /// <summary>True when a run is of this shape.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly bool IsOf(Vector512<byte> bytes, ulong ends, int length)
        {
            var tags = Vector512.Equals(bytes, Vector512.LoadUnsafe(in Tags[0])).ExtractMostSignificantBits() & TagMask;
            return tags == TagMask && Ends == ends && Length == length;
        }
    }

    /// <summary>What is known of a field.</summary>
    private readonly record struct Field(bool IsKnown, int Lane, int OtherLane);
}
