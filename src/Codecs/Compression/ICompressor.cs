namespace Weir.Codecs.Compression;

/// <summary>One compression format, span in, span out.</summary>
/// <remarks>
/// An object belongs to one thread: it keeps the format's working memory and uses it again for each call. What is behind it, a
/// Debian library, .NET itself or a managed port, is not visible to callers; <see cref="Compressors.Create"/> chooses.
/// </remarks>
public interface ICompressor : IDisposable
{
    /// <summary>Name in the configuration and in metrics: <c>zstd</c>, <c>lz4</c>, <c>snappy</c> or <c>gzip</c>.</summary>
    string Name { get; }

    /// <summary>Most bytes that <paramref name="rawBytes"/> bytes can become.</summary>
    int BoundBytes(int rawBytes);

    /// <summary>Compresses <paramref name="raw"/>.</summary>
    /// <param name="raw">What to compress; may be empty.</param>
    /// <param name="destination">At least <see cref="BoundBytes"/> of its length.</param>
    /// <returns>Bytes written.</returns>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is too small.</exception>
    int Compress(ReadOnlySpan<byte> raw, Span<byte> destination);

    /// <summary>Decompresses one whole value. Never throws on bad data, never writes beyond <paramref name="destination"/>.</summary>
    /// <param name="compressed">What <see cref="Compress"/>, or another program, made.</param>
    /// <param name="destination">Room for the raw bytes; undefined contents after a failure.</param>
    /// <param name="rawBytes">Bytes written.</param>
    /// <returns>False when the input is damaged, ends early, or does not fit.</returns>
    bool TryDecompress(ReadOnlySpan<byte> compressed, Span<byte> destination, out int rawBytes);
}
