using BenchmarkDotNet.Attributes;
using Weir.Codecs.Compression;
using Weir.Writer;

namespace Weir.Bench;

/// <summary>The bindings, and IronSnappy as the managed one that can be had, on 1 MiB of a real Native block.</summary>
[MemoryDiagnoser]
public class CompressionBench : IDisposable
{
    /// <summary>Bytes of a frame.</summary>
    public const int RawBytes = 1 << 20;

    private byte[] _destination = [];
    private byte[] _compressed = [];
    private byte[] _back = [];
    private ICompressor? _native;

    [Params("zstd -1", "zstd 1", "zstd 3", "lz4 1", "snappy 1", "gzip 1", IronSnappyName)]
    public string Codec { get; set; } = "lz4 1";

    /// <summary>The name of the managed peer.</summary>
    public const string IronSnappyName = "IronSnappy";

    /// <summary>What is compressed.</summary>
    public byte[] Raw { get; private set; } = [];

    /// <summary>Raw bytes for each compressed one.</summary>
    public double Ratio => (double)Raw.Length / _compressed.Length;

    [GlobalSetup]
    public void Setup()
    {
        Raw = NativeBlockBytes();
        var words = Codec.Split(' ');
        _native = Codec == IronSnappyName
            ? null
            : Compressors.Create(words[0], int.Parse(words[1], System.Globalization.CultureInfo.InvariantCulture));
        _destination = new byte[_native?.BoundBytes(Raw.Length) ?? 0];
        _back = new byte[Raw.Length];
        _compressed = _native is null ? IronSnappy.Snappy.Encode(Raw) : _destination[.._native.Compress(Raw, _destination)];
        if (Decompress() != Raw.Length)
        {
            throw new InvalidOperationException($"{Codec} did not give the bytes back.");
        }
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _native?.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark]
    public int Compress() => _native?.Compress(Raw, _destination) ?? IronSnappy.Snappy.Encode(Raw).Length;

    [Benchmark]
    public int Decompress()
    {
        if (_native is null)
        {
            return IronSnappy.Snappy.Decode(_compressed).Length;
        }

        return _native.TryDecompress(_compressed, _back, out var length) ? length : -1;
    }

    /// <summary>All codecs in turns, first in, then out, ns a KiB of raw bytes; the ratio of sizes stands in the name.</summary>
    internal static void MeasureRatios()
    {
        var benches = new[] { IronSnappyName, "snappy 1", "lz4 1", "zstd -1", "zstd 1", "zstd 3", "gzip 1" }
            .Select(codec => new CompressionBench { Codec = codec })
            .ToList();
        benches.ForEach(bench => bench.Setup());
        Ratios.Measure("compression, a KiB", RawBytes / 1024, [.. benches.Select(bench => new Peer(bench.Name, bench.CompressOnce))]);
        Ratios.Measure("decompression, a KiB", RawBytes / 1024, [.. benches.Select(bench => new Peer(bench.Name, () => (ulong)bench.Decompress()))]);
        foreach (var bench in benches)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            _ = bench.Compress();
            var allocatedBytes = GC.GetAllocatedBytesForCurrentThread() - before;
            Console.WriteLine(FormattableString.Invariant($"  {bench.Name,-44} {allocatedBytes,10:N0} B allocated a call"));
            bench.Dispose();
        }
    }

    private string Name => FormattableString.Invariant($"{Codec}, {Ratio:0.00} : 1");

    // The checksum of a round is the raw size: compressed sizes differ by codec, and Setup has checked that each gives the bytes back.
    private ulong CompressOnce() => Compress() > 0 ? (ulong)Raw.Length : 0;

    private static byte[] NativeBlockBytes()
    {
        using var cuts = new BenchCuts();
        using var builder = new BlockBuilder(cuts.Schema, new WriterOptions { EmbeddedPath = "unused" }, cuts.Budget);
        using var built = builder.Build(cuts.Make(10_000));
        var joined = new MemoryStream();
        foreach (var piece in built.Blocks[0].Pieces)
        {
            joined.Write(piece.Span);
        }

        return joined.ToArray().AsSpan(0, RawBytes).ToArray();
    }
}
