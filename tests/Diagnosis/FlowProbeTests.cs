using System.Diagnostics;
using Weir.Core.Buffers;
using Weir.Core.Model;
using Weir.Core.Telemetry;
using Xunit;

namespace Weir.Tests.Diagnosis;

/// <summary>Samples, cardinalities, filters and spans, without a pipeline.</summary>
public sealed unsafe class FlowProbeTests : IDisposable
{
    private readonly StreamSchema _schema = StreamSchema.Compile(StandardSchema.Views);
    private readonly MemoryBudget _budget = new(1L << 30);
    private readonly StringDictionary _strings = new(1_000);
    private readonly ChunkPool _chunks;
    private readonly Cut _cut;

    public FlowProbeTests()
    {
        _chunks = new ChunkPool(_schema, _budget);
        _cut = new Cut(new PartitionKey("flows", 3), 100, 1, _schema.Views.Length, _strings);
    }

    public void Dispose() => _chunks.Dispose();

    [Fact]
    public void A_chunk_gives_one_sample_and_costs_no_allocation()
    {
        var probe = new FlowProbe(_schema);
        var chunk = Chunk(RecordChunk.RecordsMax, index => (ushort)index);
        probe.Chunk(chunk);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var count = 0; count < 1_000; count++)
        {
            probe.Chunk(chunk);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(1_001, probe.SampledCount);
        var samples = probe.Samples(0);
        Assert.Equal(FlowProbe.SampleCount, samples.Count);
        Assert.True(samples.Select(sample => sample.TagHash).Distinct().Count() > FlowProbe.SampleCount / 2, "The samples are spread.");
        Assert.All(samples, sample => Assert.Equal("exporter=router-7", sample.TagText(["exporter"])));
        Assert.NotEqual(before, GC.GetAllocatedBytesForCurrentThread()); // The control: reading them allocates.
        _chunks.Return(chunk);
    }

    [Fact]
    public void A_tap_that_is_off_and_one_that_is_full_allocate_nothing()
    {
        var probe = new FlowProbe(_schema);
        var chunk = Chunk(64, index => (ushort)(index == 5 ? 443 : 53));
        var tap = new FlowTap(_schema, TapStage.Decoded, FlowFilter.Parse("dst_port = 443", _schema), limit: 2);
        probe.Tap = tap;
        for (var count = 0; !tap.IsFull; count++)
        {
            Assert.True(count < 10_000_000, "The tap never filled.");
            probe.Chunk(chunk);
        }

        var found = tap.Take();
        Assert.Equal(2, found.Count);
        Assert.All(found, record => Assert.Contains(("dst_port", "443"), record.Fields));
        var before = GC.GetAllocatedBytesForCurrentThread();
        probe.Chunk(chunk);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        _chunks.Return(chunk);
    }

    [Theory]
    [InlineData("", 64)]
    [InlineData("dst_port = 443", 1)]
    [InlineData("dst_port != 443", 63)]
    [InlineData("dst_port >= 54 and dst_port < 1000", 1)]
    [InlineData("exporter = \"router-7\"", 64)]
    [InlineData("exporter = 'router-8'", 0)]
    [InlineData("src_addr = 10.0.0.9 && dst_port = 443", 1)]
    [InlineData("bytes > 1000", 0)]
    public void Filters_compare_tags_and_meters(string text, int expected)
    {
        var filter = FlowFilter.Parse(text, _schema);
        var chunk = Chunk(64, index => (ushort)(index == 5 ? 443 : 53));
        var count = 0;
        for (var index = 0; index < chunk.RecordCount; index++)
        {
            count += filter.MatchesRecord(chunk.Rows + (index * _schema.RecordBytes), _strings) ? 1 : 0;
        }

        Assert.Equal(expected, count);
        _chunks.Return(chunk);
    }

    [Theory]
    [InlineData("port = 1", "there is no tag or meter 'port'; there are ")]
    [InlineData("dst_port", "is no condition")]
    [InlineData("dst_port = x", "cannot be compared")]
    [InlineData("src_addr < 10.0.0.1", "cannot be compared")]
    [InlineData("src_addr = nowhere", "cannot be compared")]
    [InlineData("exporter > a", "cannot be compared")]
    public void Filters_that_cannot_be_read_say_why(string text, string expected) => Assert.Contains(
        expected, Assert.Throws<FormatException>(() => FlowFilter.Parse(text, _schema)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100)]
    [InlineData(10_000)]
    [InlineData(1_000_000)]
    public void Estimates_of_distinct_values_are_close(int count)
    {
        var sketch = new HyperLogLog();
        var other = new HyperLogLog();
        for (ulong value = 0; value < (ulong)count; value++)
        {
            var word = value;
            (value % 2 == 0 ? sketch : other).Add(Weir.Core.Hashing.TagHash.OfWords(&word, 1));
            sketch.Add(Weir.Core.Hashing.TagHash.OfWords(&word, 1)); // Again: it counts once.
        }

        sketch.Merge(other);
        Assert.InRange(sketch.Estimate(), count * 0.88, count * 1.12);
    }

    [Fact]
    public void A_cut_becomes_a_span_with_its_steps_when_somebody_listens()
    {
        var from = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        DateTimeOffset At(int seconds) => from.AddSeconds(seconds);
        var trace = new CutTrace(new PartitionKey("flows", 1), 10, 20, 1_000, 50, 4, At(0), At(1), At(3), At(6), At(10), At(15))
        {
            Inserts = [new InsertTrace("edge_1s", 0, 40, 2, At(6), At(9), "Too many parts"), new InsertTrace("edge_1m", 0, 10, 1, At(9), At(10), null)],
        };
        var spans = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == CutTrace.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(listener);

        trace.Emit();

        var cut = spans.Single(span => span.OperationName == "cut" && Equals(span.GetTagItem("weir.block"), "flows/1 10-20"));
        Assert.Equal((At(0).UtcDateTime, TimeSpan.FromSeconds(15)), (cut.StartTimeUtc, cut.Duration));
        var steps = spans.Where(span => span.ParentSpanId == cut.SpanId).ToList();
        Assert.Equal(["fold", "build", "plan", "insert", "ledger"], steps.Select(span => span.OperationName));
        Assert.Equal([1, 2, 3, 4, 5], steps.Select(span => span.Duration.TotalSeconds));
        var insert = steps.Single(span => span.OperationName == "insert");
        var blocks = spans.Where(span => span.ParentSpanId == insert.SpanId).ToList();
        Assert.Equal(["edge_1s", "edge_1m"], blocks.Select(span => span.GetTagItem("weir.view")));
        Assert.Equal([3, 1], blocks.Select(span => span.Duration.TotalSeconds));
        Assert.Equal((2, "Too many parts"), (blocks[0].GetTagItem("weir.attempts"), blocks[0].GetTagItem("weir.last_error")));
        Assert.Null(blocks[1].GetTagItem("weir.last_error"));
    }

    private RecordChunk Chunk(int count, Func<int, ushort> port)
    {
        var chunk = _chunks.Rent(_cut);
        chunk.RecordCount = count;
        var exporter = _strings.Intern("router-7"u8);
        for (var index = 0; index < count; index++)
        {
            var record = chunk.Rows + (index * _schema.RecordBytes);
            new Span<byte>(record, _schema.RecordBytes).Clear();
            *(ulong*)record = (ulong)index * 0x9E37_79B9_7F4A_7C15;
            var key = record + StreamSchema.HashBytes;
            *(ulong*)key = 1_700_000_000;
            *(ushort*)(key + Offset("dst_port")) = port(index);
            *(uint*)(key + Offset("exporter")) = exporter;
            System.Net.IPAddress.Parse("::ffff:10.0.0.9").GetAddressBytes().CopyTo(new Span<byte>(key + Offset("src_addr"), 16));
        }

        return chunk;
    }

    private int Offset(string tag) => _schema.Tags.First(slot => slot.Tag.Name == tag).OffsetBytes;
}
