using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Weir.Writer;

/// <summary>Asks for memory before it is read. Only a hint: .NET has it for x86 only, elsewhere it does nothing.</summary>
internal static unsafe class Prefetch
{
    private const int LineBytes = 64;

    /// <summary>Asks for the cache lines from <paramref name="start"/> over <paramref name="bytes"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Bytes(byte* start, int bytes)
    {
        if (!Sse.IsSupported)
        {
            return;
        }

        for (var offset = 0; offset < bytes; offset += LineBytes)
        {
            Sse.Prefetch0(start + offset);
        }

        Sse.Prefetch0(start + bytes - 1); // Rows don't start at lines.
    }
}
