using System.Diagnostics.CodeAnalysis;

namespace Weir.Codecs.Compression;

/// <summary>The compression formats by name.</summary>
public static class Compressors
{
    /// <summary>Names that <see cref="Create"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = ["zstd", "lz4", "snappy", "gzip"];

    /// <summary>Makes a compressor for one thread.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="level">Level of zstd, −7 to 19; the other formats have one level here and ignore it.</param>
    /// <exception cref="ArgumentException">The name is not known.</exception>
    /// <exception cref="DllNotFoundException">A library is missing; the message names the Debian package.</exception>
    public static ICompressor Create(string name, int level = ZstdCompressor.LevelDefault) => name switch
    {
        "zstd" => new ZstdCompressor(level),
        "lz4" => new Lz4Compressor(),
        "snappy" => new SnappyCompressor(),
        "gzip" => new GzipCompressor(),
        _ => throw new ArgumentException($"Compression {name} is not known; known are {string.Join(", ", Names)}.", nameof(name)),
    };

    [DoesNotReturn]
    internal static void ThrowDestinationTooSmall(int neededBytes, int givenBytes) =>
        throw new ArgumentException($"The destination has {givenBytes} B, and compressing may need {neededBytes} B.");

    [DoesNotReturn]
    internal static void ThrowFailed(string name, long code) =>
        throw new InvalidOperationException($"{name} failed to compress with code {code}, although the destination is large enough.");
}
