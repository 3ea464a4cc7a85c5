using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Weir.Aggregator;

/// <summary>Rows as 8-byte words: compare, copy and fold with the widest vectors that the processor has.</summary>
/// <remarks>Nothing is aligned to more than 8 bytes: rows follow each other without gaps.</remarks>
internal static unsafe class RowVectors
{
    /// <summary>True when the words are equal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool AreEqual(ulong* left, ulong* right, int wordCount)
    {
        if (wordCount is >= 4 and <= 8)
        {
            // The usual lengths: the last four words, which may be some of the first four again, and no branch but one.
            var last = wordCount - 4;
            var difference = (Vector256.Load(left) ^ Vector256.Load(right)) | (Vector256.Load(left + last) ^ Vector256.Load(right + last));
            return difference == Vector256<ulong>.Zero;
        }

        var index = 0;
        for (; index + 4 <= wordCount; index += 4)
        {
            if (Vector256.Load(left + index) != Vector256.Load(right + index))
            {
                return false;
            }
        }

        for (; index < wordCount; index++)
        {
            if (left[index] != right[index])
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Copies words; the runs do not overlap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Copy(ulong* from, ulong* to, int wordCount)
    {
        if (wordCount >= 8)
        {
            Vector512.Load(from).Store(to);
            for (var index = 8; index + 8 <= wordCount; index += 8)
            {
                Vector512.Load(from + index).Store(to + index);
            }
        }

        var rest = wordCount & ~7;
        if ((wordCount & 4) != 0)
        {
            Vector256.Load(from + rest).Store(to + rest);
        }

        rest = wordCount & ~3;
        if ((wordCount & 2) != 0)
        {
            Vector128.Load(from + rest).Store(to + rest);
        }

        if ((wordCount & 1) != 0)
        {
            to[wordCount - 1] = from[wordCount - 1];
        }
    }

    /// <summary>Copies the bytes of a tag, or of a run of tags.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void CopyBytes(byte* from, byte* to, int byteCount)
    {
        switch (byteCount) // The widths of tags as single moves; a block copy of unknown length costs several times as much.
        {
            case 1:
                *to = *from;
                break;
            case 2:
                *(ushort*)to = *(ushort*)from;
                break;
            case 4:
                *(uint*)to = *(uint*)from;
                break;
            case 8:
                *(ulong*)to = *(ulong*)from;
                break;
            case 16:
                Vector128.Load(from).Store(to);
                break;
            case 32:
                Vector256.Load(from).Store(to);
                break;
            default:
                Unsafe.CopyBlockUnaligned(to, from, (uint)byteCount);
                break;
        }
    }

    /// <summary>Adds meters modulo 2^64.</summary>
    /// <remarks>
    /// Each meter is stored once: with overlapping stores a hot row, folded again at once, would wait for them. The places of the
    /// rest depend on <paramref name="count"/> alone, so with a count that the compiler knows there is neither a loop nor a branch.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Add(ulong* into, ulong* from, int count)
    {
        if (count >= 8)
        {
            Add8(into, from);
            for (var index = 8; index + 8 <= count; index += 8)
            {
                Add8(into + index, from + index);
            }
        }

        var rest = count & ~7;
        if ((count & 4) != 0)
        {
            (Vector256.Load(into + rest) + Vector256.Load(from + rest)).Store(into + rest);
        }

        rest = count & ~3;
        if ((count & 2) != 0)
        {
            (Vector128.Load(into + rest) + Vector128.Load(from + rest)).Store(into + rest);
        }

        if ((count & 1) != 0)
        {
            into[count - 1] = unchecked(into[count - 1] + from[count - 1]);
        }
    }

    /// <summary>Keeps the larger of each two meters.</summary>
    internal static void Max(ulong* into, ulong* from, int count)
    {
        var index = 0;
        for (; index + 4 <= count; index += 4)
        {
            Vector256.Max(Vector256.Load(into + index), Vector256.Load(from + index)).Store(into + index);
        }

        for (; index < count; index++)
        {
            into[index] = Math.Max(into[index], from[index]);
        }
    }

    /// <summary>Keeps the smaller of each two meters.</summary>
    internal static void Min(ulong* into, ulong* from, int count)
    {
        var index = 0;
        for (; index + 4 <= count; index += 4)
        {
            Vector256.Min(Vector256.Load(into + index), Vector256.Load(from + index)).Store(into + index);
        }

        for (; index < count; index++)
        {
            into[index] = Math.Min(into[index], from[index]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add8(ulong* into, ulong* from)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            (Vector512.Load(into) + Vector512.Load(from)).Store(into);
        }
        else
        {
            (Vector256.Load(into) + Vector256.Load(from)).Store(into);
            (Vector256.Load(into + 4) + Vector256.Load(from + 4)).Store(into + 4);
        }
    }
}
