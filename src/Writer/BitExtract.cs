using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Weir.Writer;

/// <summary>Takes chosen bits out of a word and closes the gaps; the order of words by those bits stays.</summary>
internal static class BitExtract
{
    private const int WordBits = 64;

    /// <summary>The bits of <paramref name="value"/> that <paramref name="mask"/> names, moved together at the low end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Of(ulong value, ulong mask) =>
        Bmi2.X64.IsSupported ? Bmi2.X64.ParallelBitExtract(value, mask) : OfRuns(value, mask);

    /// <summary>The same without the instruction: one run of neighbouring bits after another, highest first.</summary>
    internal static ulong OfRuns(ulong value, ulong mask)
    {
        var result = 0UL;
        while (mask != 0)
        {
            var above = BitOperations.LeadingZeroCount(mask);
            var width = BitOperations.LeadingZeroCount(~(mask << above));
            if (width == WordBits)
            {
                return value;
            }

            result = (result << width) | (value << above >> (WordBits - width));
            mask &= (ulong.MaxValue >> above) >> width;
        }

        return result;
    }
}
