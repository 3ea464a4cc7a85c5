using BenchmarkDotNet.Attributes;
using Weir.Core.Model;
using Weir.Writer;

namespace Weir.Bench;

/// <summary>A whole cut of one view to blocks; the difference between the two is what compression costs.</summary>
[MemoryDiagnoser]
public class BlockBuilderBench : IDisposable
{
    private readonly BenchCuts _cuts = new();
    private BlockBuilder _builder = null!;
    private Cut _cut = null!;

    [Params(1_000, 100_000, 1_000_000)]
    public int RowCount { get; set; }

    [Params("bare", "none", "lz4", "zstd")]
    public string Form { get; set; } = "lz4";

    [GlobalSetup]
    public void Setup() => _builder = new BlockBuilder(
        _cuts.Schema,
        Form == "bare"
            ? new WriterOptions { EmbeddedPath = "unused" }
            : new WriterOptions { Compression = Enum.Parse<BlockCompression>(Form, ignoreCase: true) },
        _cuts.Budget);

    [IterationSetup]
    public void MakeCut() => _cut = _cuts.Make(RowCount);

    [Benchmark]
    public long Build()
    {
        using var built = _builder.Build(_cut);
        return built.Blocks.Sum(block => block.EncodedBytes);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _builder.Dispose();
        _cuts.Dispose();
        GC.SuppressFinalize(this);
    }
}
