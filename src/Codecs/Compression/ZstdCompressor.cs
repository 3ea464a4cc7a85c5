using System.Runtime.InteropServices;

namespace Weir.Codecs.Compression;

/// <summary>Zstandard, by Debian's libzstd.</summary>
/// <remarks>One thread. The two contexts (1 to 3 MB at level 1) are native and used again for each call; nothing is allocated.</remarks>
public sealed unsafe partial class ZstdCompressor : ICompressor
{
    /// <summary>The level that costs least for what it saves on blocks (facts/CLICKHOUSE.md, 'Speed').</summary>
    public const int LevelDefault = 1;

    private const string Library = "libzstd.so.1";
    private readonly int _level;
    private nint _compression;
    private nint _decompression;

    /// <summary>Makes the contexts.</summary>
    /// <param name="level">−7 (fastest) to 19 (smallest).</param>
    public ZstdCompressor(int level = LevelDefault)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(level, -7);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(level, 19);
        NativeLibraries.Require(Library, "libzstd1");
        _level = level;
        _compression = CreateCompression();
        _decompression = CreateDecompression();
        if (_compression == 0 || _decompression == 0)
        {
            Dispose();
            throw new InsufficientMemoryException("libzstd could not allocate its contexts.");
        }
    }

    /// <inheritdoc/>
    public string Name => "zstd";

    /// <inheritdoc/>
    public int BoundBytes(int rawBytes) => checked((int)Bound((nuint)rawBytes));

    /// <inheritdoc/>
    public int Compress(ReadOnlySpan<byte> raw, Span<byte> destination)
    {
        ObjectDisposedException.ThrowIf(_compression == 0, this);
        if (destination.Length < BoundBytes(raw.Length))
        {
            Compressors.ThrowDestinationTooSmall(BoundBytes(raw.Length), destination.Length);
        }

        fixed (byte* from = raw)
        fixed (byte* to = destination)
        {
            var result = Compress(_compression, to, (nuint)destination.Length, from, (nuint)raw.Length, _level);
            if (IsError(result) != 0)
            {
                Compressors.ThrowFailed(Name, (long)result);
            }

            return (int)result;
        }
    }

    /// <inheritdoc/>
    public bool TryDecompress(ReadOnlySpan<byte> compressed, Span<byte> destination, out int rawBytes)
    {
        ObjectDisposedException.ThrowIf(_decompression == 0, this);
        rawBytes = 0;
        if (compressed.IsEmpty)
        {
            return false; // libzstd takes no bytes at all for "no frame, nothing raw".
        }

        fixed (byte* from = compressed)
        fixed (byte* to = destination)
        {
            var result = Decompress(_decompression, to, (nuint)destination.Length, from, (nuint)compressed.Length);
            if (IsError(result) != 0)
            {
                return false;
            }

            rawBytes = (int)result;
            return true;
        }
    }

    /// <summary>Frees the contexts.</summary>
    public void Dispose()
    {
        FreeCompression(_compression); // Null is allowed.
        FreeDecompression(_decompression);
        _compression = 0;
        _decompression = 0;
    }

    [LibraryImport(Library, EntryPoint = "ZSTD_createCCtx")]
    private static partial nint CreateCompression();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeCCtx")]
    private static partial nuint FreeCompression(nint context);

    [LibraryImport(Library, EntryPoint = "ZSTD_createDCtx")]
    private static partial nint CreateDecompression();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeDCtx")]
    private static partial nuint FreeDecompression(nint context);

    [LibraryImport(Library, EntryPoint = "ZSTD_compressBound")]
    private static partial nuint Bound(nuint rawBytes);

    [LibraryImport(Library, EntryPoint = "ZSTD_isError")]
    private static partial uint IsError(nuint result);

    [LibraryImport(Library, EntryPoint = "ZSTD_compressCCtx")]
    private static partial nuint Compress(nint context, byte* to, nuint toBytes, byte* from, nuint fromBytes, int level);

    [LibraryImport(Library, EntryPoint = "ZSTD_decompressDCtx")]
    private static partial nuint Decompress(nint context, byte* to, nuint toBytes, byte* from, nuint fromBytes);
}
