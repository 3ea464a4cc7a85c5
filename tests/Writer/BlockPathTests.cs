using System.Collections.Concurrent;
using Weir.Core.Model;
using Weir.Core.Queues;
using Weir.Tests.Support;
using Weir.Writer;
using Xunit;

namespace Weir.Tests.Writer;

/// <summary>Builder, inserter and sink together: what the stage does in the program.</summary>
[Collection(RealPartsCollection.Name)]
public sealed class BlockPathTests(ClickHouseServer server) : IClassFixture<ClickHouseServer>
{
    [RealPartTheory(RealPart.ClickHouseServer)]
    [InlineData(BlockCompression.None)]
    [InlineData(BlockCompression.Lz4)]
    [InlineData(BlockCompression.Zstd)]
    public async Task The_builders_blocks_are_stored_by_a_server(BlockCompression compression)
    {
        var options = server.NewOptions() with { Compression = compression, Retention = new Dictionary<int, TimeSpan>() };
        await StoreAsync(new ClickHouseHttpSink(options, TimeProvider.System), options);
    }

    [RealPartFact(RealPart.EmbeddedClickHouse)]
    public async Task The_builders_blocks_are_stored_by_the_embedded_engine()
    {
        var directory = Directory.CreateTempSubdirectory("weir-path-").FullName;
        var options = new WriterOptions { Url = null, EmbeddedPath = directory, Retention = new Dictionary<int, TimeSpan>() };
        await StoreAsync(new EmbeddedClickHouseSink(options), options);
        Directory.Delete(directory, recursive: true);
    }

    private static async Task StoreAsync(IBlockSink sink, WriterOptions options)
    {
        var schema = StreamSchema.Compile(StandardSchema.Views);
        using var fixture = new CutFixture(schema);
        using var builder = new BlockBuilder(schema, options, fixture.Budget);
        var cuts = new StageQueue<Cut>(BlockWriter.QueueName, 0, FullPolicy.Block, 1_000_000, 1024);
        var stored = new ConcurrentQueue<Cut>();
        var faults = new ConcurrentQueue<Exception>();
        await using (sink)
        {
            await using var writer = new BlockWriter(
                cuts, builder.Build, sink, schema, options, TimeProvider.System, new Random(1), stored.Enqueue,
                (_, error) => faults.Enqueue(error), new RecordingLogger());
            writer.Start();
            cuts.Enqueue(fixture.Make([.. Enumerable.Range(0, 5000).Select(index => Record(schema, index))]), 5000);
            await writer.DrainAsync(default);

            Assert.Empty(faults);
            Assert.Single(stored);
            foreach (var view in schema.Views)
            {
                Assert.Equal(
                    "5000\t12497500\n",
                    await sink.QueryTextAsync($"SELECT sum(records), sum(bytes) FROM {view.Definition.Name}", "TSV", default));
            }

            Assert.Equal(
                "agent-0\t1000\n",
                await sink.QueryTextAsync("SELECT exporter, sum(records) FROM edge_1m WHERE exporter = 'agent-0' GROUP BY exporter", "TSV", default));
        }

        Assert.Equal(0, fixture.SlabsRented);
    }

    private static TestRecord Record(StreamSchema schema, int index)
    {
        var address = new byte[16];
        address[10] = address[11] = 0xff;
        address[15] = (byte)index;
        return new TestRecord(
            TestBlocks.BaseTime + (uint)(index % 60),
            new Dictionary<string, object>
            {
                ["src_addr"] = address,
                ["dst_addr"] = address,
                ["dst_port"] = (ushort)443,
                ["proto"] = (byte)6,
                ["exporter"] = $"agent-{index % 5}",
            },
            [.. schema.Meters.Select(meter => meter.Name == "records" ? 1ul : (ulong)index)]);
    }
}
