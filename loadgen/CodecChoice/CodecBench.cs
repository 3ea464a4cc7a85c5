using System.IO.Compression;
using Weir.Codecs.Compression;

namespace Weir.Loadgen.CodecChoice;

/// <summary>A codec at a level.</summary>
/// <param name="Name">none, gzip, snappy, lz4 or zstd.</param>
/// <param name="Level">Its level; null where it has none.</param>
public sealed record Codec(string Name, int? Level)
{
    /// <summary>What is measured unless something else is asked for.</summary>
    public static IReadOnlyList<Codec> Defaults { get; } =
        [new("none", null), new("snappy", null), new("lz4", null), new("gzip", 1), new("gzip", 6), new("zstd", 1), new("zstd", 3),
            new("zstd", 6), new("zstd", 9)];

    /// <summary>Reads such as zstd:6.</summary>
    /// <exception cref="ArgumentException">It is not known.</exception>
    public static Codec Parse(string text)
    {
        var parts = text.Split(':');
        return (parts[0], parts.Length) switch
        {
            ("none" or "snappy" or "lz4", 1) => new Codec(parts[0], null),
            ("gzip" or "zstd", 2) when int.TryParse(parts[1], out var level) && level is >= 1 and <= 19
                && (parts[0] == "zstd" || level <= 9) => new Codec(parts[0], level),
            _ => throw new ArgumentException($"--codec {text}: allowed are none, snappy, lz4, gzip:1 to gzip:9, zstd:1 to zstd:19"),
        };
    }

    /// <inheritdoc/>
    public override string ToString() => Level is null ? Name : $"{Name} {Level}";
}

/// <summary>What a codec made of batches.</summary>
/// <param name="Codec">The codec.</param>
/// <param name="BatchBytes">Bytes of a full batch; 0 for those of a log as they were.</param>
/// <param name="MessageCount">Messages in the batches.</param>
/// <param name="RawBytes">Bytes before.</param>
/// <param name="CompressedBytes">Bytes after.</param>
/// <param name="CompressSeconds">CPU time of compressing all once.</param>
/// <param name="DecompressSeconds">CPU time of decompressing all once.</param>
public sealed record CodecResult(
    Codec Codec, int BatchBytes, long MessageCount, long RawBytes, long CompressedBytes, double CompressSeconds, double DecompressSeconds)
{
    /// <summary>Raw bytes for each compressed one.</summary>
    public double Ratio => CompressedBytes == 0 ? 0 : (double)RawBytes / CompressedBytes;

    /// <summary>CPU seconds of a producer for a million messages.</summary>
    public double CompressPerMillion => CompressSeconds / Math.Max(MessageCount, 1) * 1e6;

    /// <summary>CPU seconds of a consumer for a million messages.</summary>
    public double DecompressPerMillion => DecompressSeconds / Math.Max(MessageCount, 1) * 1e6;
}

/// <summary>Measures codecs alone, on record batches in memory.</summary>
public static class CodecBench
{
    private const int Rounds = 5;

    /// <summary>Measures each codec on the same batches: rounds are interleaved, and the median of each codec's rounds counts.</summary>
    /// <returns>Nothing when it was cancelled before the first round was over.</returns>
    public static IReadOnlyList<CodecResult> Run(
        IReadOnlyList<Codec> codecs, IReadOnlyList<RecordBatch> batches, int batchBytes, CancellationToken cancellation)
    {
        var raw = batches.Sum(batch => (long)batch.Records.Length);
        var messages = batches.Sum(batch => (long)batch.MessageCount);
        var times = codecs.Select(_ => (In: new List<double>(), Out: new List<double>())).ToArray();
        var sizes = new long[codecs.Count];
        for (var round = 0; round <= Rounds && !cancellation.IsCancellationRequested; round++)
        {
            for (var index = 0; index < codecs.Count; index++)
            {
                var (size, compress, decompress) = Once(codecs[index], batches);
                sizes[index] = size;
                if (round > 0) // The first one warms up.
                {
                    times[index].In.Add(compress);
                    times[index].Out.Add(decompress);
                }
            }
        }

        return times.Any(codec => codec.In.Count == 0) ? []
            : [.. codecs.Select((codec, index) =>
                new CodecResult(codec, batchBytes, messages, raw, sizes[index], Median(times[index].In), Median(times[index].Out)))];
    }

    private static double Median(List<double> values) => values.Count == 0 ? 0 : values.Order().ElementAt(values.Count / 2);

    private static (long Size, double Compress, double Decompress) Once(Codec codec, IReadOnlyList<RecordBatch> batches)
    {
        if (codec.Name == "none")
        {
            return (batches.Sum(batch => (long)batch.Records.Length), 0, 0);
        }

        using ICompressor compressor = codec.Name switch
        {
            "gzip" => new LeveledGzip(codec.Level!.Value),
            _ => Compressors.Create(codec.Name, codec.Level ?? 1),
        };
        var compressed = new byte[batches.Count][];
        var buffer = new byte[compressor.BoundBytes(batches.Max(batch => batch.Records.Length))];
        var raw = new byte[batches.Max(batch => batch.Records.Length)];
        double compress = 0;
        for (var index = 0; index < batches.Count; index++)
        {
            var start = CpuClock.OfThread();
            var length = compressor.Compress(batches[index].Records, buffer);
            compress += (CpuClock.OfThread() - start).TotalSeconds;
            compressed[index] = buffer[..length];
        }

        double decompress = 0;
        for (var index = 0; index < batches.Count; index++)
        {
            var start = CpuClock.OfThread();
            var isGood = compressor.TryDecompress(compressed[index], raw, out var length);
            decompress += (CpuClock.OfThread() - start).TotalSeconds;
            if (!isGood || !raw.AsSpan(0, length).SequenceEqual(batches[index].Records))
            {
                throw new InvalidDataException($"{codec} did not give back what it got.");
            }
        }

        return (compressed.Sum(bytes => (long)bytes.Length), compress, decompress);
    }

    /// <summary>gzip at the levels of zlib, which the program's own binding does not need.</summary>
    private sealed class LeveledGzip(int level) : ICompressor
    {
        public string Name => "gzip";

        public int BoundBytes(int rawBytes) => rawBytes + (rawBytes / 8) + 256;

        public int Compress(ReadOnlySpan<byte> raw, Span<byte> destination)
        {
            var target = new MemoryStream(destination.Length);
            using (var gzip = new GZipStream(target, new ZLibCompressionOptions { CompressionLevel = level }, leaveOpen: true))
            {
                gzip.Write(raw);
            }

            target.GetBuffer().AsSpan(0, (int)target.Length).CopyTo(destination);
            return (int)target.Length;
        }

        public bool TryDecompress(ReadOnlySpan<byte> compressed, Span<byte> destination, out int rawBytes)
        {
            using var gzip = new GZipStream(new MemoryStream(compressed.ToArray()), CompressionMode.Decompress);
            rawBytes = gzip.ReadAtLeast(destination, destination.Length, throwOnEndOfStream: false);
            return true;
        }

        public void Dispose()
        {
        }
    }
}
