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
        var index = 0;
        for (; index + 4 <= wordCount; index += 4)
        {
            if (Vector256.Load(left + index) != Vector256.Load(right + index))
            {
                return false;
            }
        }

        if (index + 2 <= wordCount)
        {
            if (Vector128.Load(left + index) != Vector128.Load(right + index))
            {
                return false;
            }

            index += 2;
        }

        return index == wordCount || left[index] == right[index];
    }

    /// <summary>Copies words; the runs do not overlap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Copy(ulong* from, ulong* to, int wordCount)
    {
        var index = 0;
        for (; index + 4 <= wordCount; index += 4)
        {
            Vector256.Load(from + index).Store(to + index);
        }

        for (; index < wordCount; index++)
        {
            to[index] = from[index];
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
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Add(ulong* into, ulong* from, int count)
    {
        var index = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            for (; index + 8 <= count; index += 8)
            {
                (Vector512.Load(into + index) + Vector512.Load(from + index)).Store(into + index);
            }
        }

        for (; index + 4 <= count; index += 4)
        {
            (Vector256.Load(into + index) + Vector256.Load(from + index)).Store(into + index);
        }

        if (index + 2 <= count)
        {
            (Vector128.Load(into + index) + Vector128.Load(from + index)).Store(into + index);
            index += 2;
        }

        if (index < count)
        {
            into[index] = unchecked(into[index] + from[index]);
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
}
