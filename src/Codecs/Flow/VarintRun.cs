using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Weir.Codecs.Flow;

/// <summary>Reads a run of protobuf fields that are all varints with numbers below 16: each is a byte of tag and up to 8 bytes of value.</summary>
/// <remarks>
/// The ends of all varints are found at once, as the clear top bits of up to 64 bytes, so where a field begins does not wait for the one
/// before it to be read, and neither lengths nor absent fields have to be foreseen.
/// </remarks>
internal static unsafe class VarintRun
{
    /// <summary>Fields that a run may have: 1 to 15.</summary>
    public const int FieldCount = 16;

    /// <summary>Longest run.</summary>
    public const int BytesMax = 64;

    /// <summary>Memory that must be readable from the first byte of a run.</summary>
    public const int ReadableBytes = BytesMax + sizeof(ulong);

    private const ulong ValueBits = 0x7f7f_7f7f_7f7f_7f7f;

    /// <summary>True where <see cref="TryRead"/> is worth its while.</summary>
    public static bool IsSupported => Bmi2.X64.IsSupported && Vector512.IsHardwareAccelerated;

    /// <summary>Reads a run.</summary>
    /// <param name="start">Its first byte; <see cref="ReadableBytes"/> can be read from there.</param>
    /// <param name="length">Its length, at most <see cref="BytesMax"/>.</param>
    /// <param name="values">Gets the value of each field that is there; <see cref="FieldCount"/> long.</param>
    /// <param name="seen">One bit for each field that was there.</param>
    /// <returns>False when it is no such run; then another reader has to judge it, and what was stored means nothing.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryRead(byte* start, int length, ulong* values, out uint seen)
    {
        seen = 0;
        if (length == 0)
        {
            return true;
        }

        var ends = ~Vector512.Load(start).ExtractMostSignificantBits() & (ulong.MaxValue >> (BytesMax - length));
        var next = 0;
        var bad = 0u;
        while (ends != 0)
        {
            var tagAt = BitOperations.TrailingZeroCount(ends);
            ends &= ends - 1;
            var endAt = BitOperations.TrailingZeroCount(ends); // 64 where there is none, which cannot be the end of the run.
            ends &= ends - 1;
            uint tag = start[tagAt];
            var valueBytes = endAt - tagAt;
            bad |= (uint)(tagAt ^ next) | (tag & 7) | ((uint)(sizeof(ulong) - valueBytes) & 0x8000_0000);
            values[tag >> 3] = Bmi2.X64.ParallelBitExtract(*(ulong*)(start + tagAt + 1), ValueBits >> ((sizeof(ulong) - valueBytes) * 8));
            seen |= 1u << (int)(tag >> 3);
            next = endAt + 1;
        }

        return bad == 0 && next == length;
    }
}
