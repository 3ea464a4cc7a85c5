using System.Runtime.InteropServices;

namespace Weir.Codecs.Compression;

/// <summary>Snappy's raw format (the length in front, no frames), by Debian's libsnappy.</summary>
/// <remarks>No state of its own, so any thread. Nothing is allocated here; libsnappy allocates its table in C++ for each call.</remarks>
public sealed unsafe partial class SnappyCompressor : ICompressor
{
    private const string Library = "libsnappy.so.1";
    private const int StatusOk = 0;

    /// <summary>Checks that the library is there.</summary>
    public SnappyCompressor() => NativeLibraries.Require(Library, "libsnappy1v5");

    /// <inheritdoc/>
    public string Name => "snappy";

    /// <inheritdoc/>
    public int BoundBytes(int rawBytes) => checked((int)Bound((nuint)rawBytes));

    /// <inheritdoc/>
    public int Compress(ReadOnlySpan<byte> raw, Span<byte> destination)
    {
        if (destination.Length < BoundBytes(raw.Length))
        {
            Compressors.ThrowDestinationTooSmall(BoundBytes(raw.Length), destination.Length);
        }

        fixed (byte* from = raw)
        fixed (byte* to = destination)
        {
            var length = (nuint)destination.Length;
            var status = Compress(from, (nuint)raw.Length, to, ref length);
            if (status != StatusOk)
            {
                Compressors.ThrowFailed(Name, status);
            }

            return (int)length;
        }
    }

    /// <inheritdoc/>
    public bool TryDecompress(ReadOnlySpan<byte> compressed, Span<byte> destination, out int rawBytes)
    {
        rawBytes = 0;
        byte none; // An empty span has no address, and Snappy may form one past it.
        fixed (byte* from = compressed)
        fixed (byte* to = destination)
        {
            var length = (nuint)destination.Length;
            var target = to == null ? &none : to;
            if (from == null || Decompress(from, (nuint)compressed.Length, target, ref length) != StatusOk)
            {
                return false;
            }

            rawBytes = (int)length;
            return true;
        }
    }

    /// <summary>Nothing to free.</summary>
    public void Dispose()
    {
    }

    [LibraryImport(Library, EntryPoint = "snappy_max_compressed_length")]
    private static partial nuint Bound(nuint rawBytes);

    [LibraryImport(Library, EntryPoint = "snappy_compress")]
    private static partial int Compress(byte* from, nuint fromBytes, byte* to, ref nuint toBytes);

    [LibraryImport(Library, EntryPoint = "snappy_uncompress")]
    private static partial int Decompress(byte* from, nuint fromBytes, byte* to, ref nuint toBytes);
}
