using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Aggregator;
using Weir.Core.Buffers;
using Weir.Core.Hashing;
using Weir.Core.Model;
using Xunit;

namespace Weir.Tests.Aggregator;

/// <summary>What series cost in memory, and that it stays flat while they come and go.</summary>
/// <remarks>With <c>./test --long</c> 50 million distinct series pass, and resident memory is compared too.</remarks>
public sealed unsafe class FoldMemoryTests : IDisposable
{
    private const int TextsPerCut = 200;

    private readonly MemoryBudget _budget = new(1L << 40);
    private readonly StreamSchema _schema = StreamSchema.Compile([.. StandardSchema.Views.Where(view => view.Name.StartsWith("edge", StringComparison.Ordinal))]);
    private readonly StringDictionary _strings = new(TextsPerCut + 2);
    private readonly ChunkPool _chunks;
    private readonly RowPools _rows;
    private readonly AggregationWorker _worker;
    private Cut? _folded;

    public FoldMemoryTests()
    {
        _chunks = new ChunkPool(_schema, _budget);
        _rows = new RowPools(_schema, _budget, freeBytesMax: 1L << 30);
        _worker = new AggregationWorker(
            0, _schema, _rows, _chunks, queue: null, cut => _folded = cut, _ => { }, TimeProvider.System, NullLogger.Instance);
    }

    private static bool IsLong => Environment.GetEnvironmentVariable("WEIR_LONG") == "true";

    [Fact]
    public void A_series_holds_at_most_a_quarter_more_than_its_key_and_meters()
    {
        const int SeriesCount = 300_000;
        for (var cut = 0; cut < 2; cut++)
        {
            FoldCut(cut, SeriesCount);
            var rowBytes = _schema.Views.Sum(view => RowPools.RowBytes(_schema, view));
            var heldBytes = _rows.HeldBytes + _worker.Snapshot().TableBytes;

            Assert.Equal(SeriesCount, _folded!.Rows(0, 0)!.Count);
            Assert.InRange(heldBytes, (long)rowBytes * SeriesCount, (long)(1.25 * rowBytes * SeriesCount) + (2 * HugePages.PageBytes));
            _folded.ReleaseRows();
        }
    }

    [Fact]
    public void Memory_stays_flat_while_all_series_and_texts_are_new_in_each_cut()
    {
        var (cutCount, seriesPerCut) = IsLong ? (1_000, 50_000) : (60, 10_000);
        const int WarmCuts = 20; // Longer than the period after which unused slots go back.
        var (warmBytes, warmResident) = (0L, 0L);
        for (var cut = 0; cut < cutCount; cut++)
        {
            var allocatedBefore = GC.GetAllocatedBytesForCurrentThread();
            FoldCut(cut, seriesPerCut);
            var allocated = GC.GetAllocatedBytesForCurrentThread() - allocatedBefore;
            Assert.Equal(seriesPerCut, _folded!.Rows(0, 1)!.Count);
            _folded.ReleaseRows();
            var heldBytes = _rows.HeldBytes + _worker.Snapshot().TableBytes;
            if (cut == WarmCuts)
            {
                (warmBytes, warmResident) = (heldBytes, ResidentBytes());
            }
            else if (cut > WarmCuts)
            {
                Assert.InRange(heldBytes, 1, warmBytes);

                // What is made anew are the cut, two stores of rows and this test's texts: nothing for a series.
                Assert.InRange(allocated, 1, 64 * 1024);
                Assert.True(!IsLong || ResidentBytes() < (1.1 * warmResident) + (16 << 20), $"Cut {cut}: {ResidentBytes()} B resident.");
            }
        }

        Assert.Equal(0, _rows.RentedCount);
        Assert.Equal(TextsPerCut + 2, _strings.Count);
    }

    public void Dispose()
    {
        _worker.Dispose();
        _rows.Dispose();
        _chunks.Dispose();
    }

    private static long ResidentBytes() =>
        long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize;

    /// <summary>A cut of series that no other cut has, one record each.</summary>
    private void FoldCut(int number, int seriesCount)
    {
        _strings.Clear();
        var ids = new uint[TextsPerCut];
        for (var index = 0; index < TextsPerCut; index++)
        {
            ids[index] = _strings.Intern(Encoding.UTF8.GetBytes($"exporter-{((long)number * TextsPerCut) + index}"));
        }

        var cut = new Cut(new PartitionKey("flows", 0), number, 1, _schema.Views.Length, _strings) { ToOffset = number + 1 };
        var exporterOffset = _schema.Tags.First(slot => slot.Tag == StandardSchema.Exporter).OffsetBytes;
        for (var series = 0; series < seriesCount;)
        {
            var chunk = _chunks.Rent(cut);
            for (; chunk.RecordCount < RecordChunk.RecordsMax && series < seriesCount; series++)
            {
                var row = chunk.Rows + ((nint)chunk.RecordCount++ * _schema.RecordBytes);
                new Span<byte>(row, _schema.RecordBytes).Clear();
                var key = (ulong*)(row + StreamSchema.HashBytes);
                key[0] = 1_760_000_000;
                key[1] = ((ulong)number << 32) + (ulong)series;
                *(uint*)((byte*)key + exporterOffset) = ids[series % TextsPerCut];
                *(ulong*)row = TagHash.OfWords(key + 1, (_schema.KeyBytes / sizeof(ulong)) - 1);
                *(ulong*)(row + _schema.RecordMetersOffset) = 1;
            }

            _worker.Offer(chunk, CancellationToken.None);
        }

        cut.ReadCount = seriesCount;
        _worker.Offer(RecordChunk.Marker(cut), CancellationToken.None);
    }
}
