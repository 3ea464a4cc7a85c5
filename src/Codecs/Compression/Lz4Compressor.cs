using System.Runtime.InteropServices;

namespace Weir.Codecs.Compression;

/// <summary>LZ4's block format (no frame around it: the length is kept by whoever stores it), by Debian's liblz4.</summary>
/// <remarks>One thread. The 16 KB of match table are native and used again for each call; nothing is allocated.</remarks>
public sealed unsafe partial class Lz4Compressor : ICompressor
{
    private const string Library = "liblz4.so.1";

    /// <summary>Acceleration 1 is LZ4's default speed.</summary>
    private const int Acceleration = 1;

    private void* _state;

    /// <summary>Makes the match table.</summary>
    public Lz4Compressor()
    {
        NativeLibraries.Require(Library, "liblz4-1");
        _state = NativeMemory.AlignedAlloc((nuint)StateBytes(), 64);
    }

    /// <inheritdoc/>
    public string Name => "lz4";

    /// <inheritdoc/>
    public int BoundBytes(int rawBytes)
    {
        var bound = Bound(rawBytes); // 0 above LZ4's limit of 2,113,929,216 bytes.
        return bound > 0 ? bound : throw new ArgumentOutOfRangeException(nameof(rawBytes), rawBytes, "Too long for LZ4.");
    }

    /// <inheritdoc/>
    public int Compress(ReadOnlySpan<byte> raw, Span<byte> destination)
    {
        ObjectDisposedException.ThrowIf(_state == null, this);
        if (destination.Length < BoundBytes(raw.Length))
        {
            Compressors.ThrowDestinationTooSmall(BoundBytes(raw.Length), destination.Length);
        }

        fixed (byte* from = raw)
        fixed (byte* to = destination)
        {
            var length = Compress(_state, from, to, raw.Length, destination.Length, Acceleration);
            if (length <= 0)
            {
                Compressors.ThrowFailed(Name, length);
            }

            return length;
        }
    }

    /// <inheritdoc/>
    public bool TryDecompress(ReadOnlySpan<byte> compressed, Span<byte> destination, out int rawBytes)
    {
        rawBytes = 0;
        if (compressed.IsEmpty)
        {
            return false;
        }

        byte none; // An empty span has no address, and LZ4 wants one.
        fixed (byte* from = compressed)
        fixed (byte* to = destination)
        {
            var length = Decompress(from, to == null ? &none : to, compressed.Length, destination.Length);
            if (length < 0)
            {
                return false;
            }

            rawBytes = length;
            return true;
        }
    }

    /// <summary>Frees the match table.</summary>
    public void Dispose()
    {
        NativeMemory.AlignedFree(_state);
        _state = null;
    }

    [LibraryImport(Library, EntryPoint = "LZ4_sizeofState")]
    private static partial int StateBytes();

    [LibraryImport(Library, EntryPoint = "LZ4_compressBound")]
    private static partial int Bound(int rawBytes);

    [LibraryImport(Library, EntryPoint = "LZ4_compress_fast_extState")]
    private static partial int Compress(void* state, byte* from, byte* to, int fromBytes, int toBytes, int acceleration);

    [LibraryImport(Library, EntryPoint = "LZ4_decompress_safe")]
    private static partial int Decompress(byte* from, byte* to, int fromBytes, int toBytes);
}
