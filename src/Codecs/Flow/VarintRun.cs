using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Weir.Codecs.Flow;

/// <summary>Reads a run of protobuf fields that are all varints with numbers 2 to 14: each is a byte of tag and up to 8 bytes of value.</summary>
/// <remarks>
/// The ends of all varints are found at once, as the clear top bits of 64 bytes, so where a field begins does not wait for the one
/// before it to be read. The run is filled up with fields that mean nothing, and read in fours: neither lengths nor absent fields have to be
/// foreseen. Checks are gathered and looked at once, at the end. Belongs to one thread.
/// </remarks>
internal sealed unsafe class VarintRun
{
    /// <summary>Numbers below this may be fields of a run, but for 0, 1, and 15, with which the run is filled up.</summary>
    public const int FieldCount = 16;

    /// <summary>Longest run.</summary>
    public const int BytesMax = VectorBytes - (2 * FieldsPerRound);

    private const int VectorBytes = 64;
    private const int FieldsPerRound = 4;
    private const int TagCount = 128; // A tag of one byte is the number of the field × 8, which is where its value is stored.
    private const byte TagMin = 2 << 3;
    private const uint TagBits = 0b111_1000;
    private const ushort Filler = 15 << 3; // A tag, and a value of 0.

    private readonly byte[] _memory = GC.AllocateArray<byte>((6 * VectorBytes) + (TagCount * sizeof(ushort)), pinned: true);
    private readonly byte* _copy; // Values are loaded 8 bytes at once, so there is room behind it.
    private readonly byte* _values;
    private readonly ushort* _offsets;
    private readonly ulong _valueBits = 0x7f7f_7f7f_7f7f_7f7f;

    /// <summary>Makes a reader that stores no field.</summary>
    public VarintRun()
    {
        _copy = (byte*)(((nint)Unsafe.AsPointer(ref _memory[0]) + VectorBytes - 1) & ~(VectorBytes - 1));
        _values = _copy + (2 * VectorBytes);
        _offsets = (ushort*)(_values + (3 * VectorBytes));
    }

    /// <summary>True where it is worth its while.</summary>
    public static bool IsSupported => Bmi1.X64.IsSupported && Bmi2.X64.IsSupported && Vector512.IsHardwareAccelerated;

    /// <summary>Where in a row the values of a field go, too. The first 8 bytes of a row are those of the fields that go nowhere.</summary>
    public void Store(int field, int offset) => _offsets[field << 3] = (ushort)offset;

    /// <summary>The value of a field of the last run; 0 when it was not there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Value(int field) => *(ulong*)(_values + (field << 3));

    /// <summary>Reads a run.</summary>
    /// <param name="start">Its first byte.</param>
    /// <param name="end">Its end, less than 2^31 bytes on.</param>
    /// <param name="readableEnd">Memory before this address may be read.</param>
    /// <param name="row">Gets the values of the fields that go somewhere; the others are left as they are.</param>
    /// <returns>False when it is no such run; then another reader has to judge it, and what was stored means nothing.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryRead(byte* start, byte* end, byte* readableEnd, byte* row)
    {
        var length = (int)(end - start);
        Vector512<byte>.Zero.Store(_values);
        Vector512<byte>.Zero.Store(_values + VectorBytes);
        if (length is > BytesMax or 0)
        {
            return length == 0;
        }

        var copy = _copy;
        if (readableEnd - start < VectorBytes)
        {
            Unsafe.CopyBlockUnaligned(copy, start, (uint)length);
            start = copy;
        }

        var run = Vector512.Load(start);
        var ends = ~run.ExtractMostSignificantBits() & (ulong.MaxValue >> (VectorBytes - length));
        var endCount = (uint)BitOperations.PopCount(ends);
        run.Store(copy);
        Vector128.Create(Filler).AsByte().Store(copy + length); // At least as many fields as a round may read too many.

        // A value of 9 bytes or more begins with 8 that have the top bit.
        var open = ~ends & (ulong.MaxValue >> (VectorBytes - length));
        open &= open >> 1;
        open &= open >> 2;
        open &= open >> 4;
        var isWhole = open == 0 && (endCount & 1) == 0 && (ends >> (length - 1)) == 1;
        ends |= ulong.MaxValue << length;
        var fieldCount = ((endCount / 2) + FieldsPerRound - 1) / FieldsPerRound * FieldsPerRound;
        var tags = 0u;
        var valueBytes = 0UL;
        var last = 0UL;
        for (var left = fieldCount; left != 0; left -= FieldsPerRound)
        {
            Read(copy, row, ref ends, ref last, ref valueBytes, ref tags);
            Read(copy, row, ref ends, ref last, ref valueBytes, ref tags);
            Read(copy, row, ref ends, ref last, ref valueBytes, ref tags);
            Read(copy, row, ref ends, ref last, ref valueBytes, ref tags);
        }

        // Tags of a byte each and the values are all that there is: a tag of two bytes would leave one over.
        return isWhole && (tags & ~TagBits) == 0 && valueBytes + fieldCount == last + 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Read(byte* start, byte* row, ref ulong ends, ref ulong last, ref ulong valueBytes, ref uint tags)
    {
        var tagAt = Bmi1.X64.TrailingZeroCount(ends);
        ends = Bmi1.X64.ResetLowestSetBit(ends);
        last = Bmi1.X64.TrailingZeroCount(ends);
        ends = Bmi1.X64.ResetLowestSetBit(ends);
        var length = last - tagAt;
        uint tag = start[tagAt];
        valueBytes += length;
        tags |= tag - TagMin;
        var value = Bmi2.X64.ParallelBitExtract(
            Bmi2.X64.ZeroHighBits(*(ulong*)(start + tagAt + 1), length * 8), _valueBits);
        *(ulong*)(_values + tag) = value;
        *(ulong*)(row + _offsets[tag]) = value;
    }
}
