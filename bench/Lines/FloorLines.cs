using Confluent.Kafka;
using Weir.Bench.Measure;
using Weir.Bench.Paths;
using Weir.Bench.Processes;
using Weir.Bench.Report;
using Weir.Codecs.ClickHouse;
using Weir.Codecs.Compression;
using Weir.Ingest;

namespace Weir.Bench.Lines;

/// <summary>What cannot be beaten: copying the same bytes, the compressors alone, librdkafka's own consuming.</summary>
internal static class FloorLines
{
    private const int ConsumeTimeoutMs = 100;
    private const int ConsumeBatch = 256;

    /// <summary>The group: memory and compressors.</summary>
    public static LineGroup Group { get; } = new(
        ["floor.memcpy", "floor.lz4", "floor.zstd"],
        "path.proto through copying its input, and through compressing its output; a flow",
        Run)
    {
        IsLong = true,
    };

    /// <summary>The group: Kafka.</summary>
    public static LineGroup Consume { get; } = new(
        ["floor.consume"], "CPU of librdkafka alone for a flow of weir-proto: fetch, CRC, LZ4, batches by its native call", RunConsume)
    {
        IsLong = true,
    };

    private static IEnumerable<LineResult> Run(BenchContext context)
    {
        context.Log("floor.memcpy, floor.lz4, floor.zstd");
        var flows = context.PathFlows(100_000);
        var messages = flows.Messages("weir-proto");
        using var path = new WeirPath("weir-proto");
        byte[][] blocks;
        using (var built = path.Build(messages))
        {
            blocks = [.. built.Blocks.Select(block => PathViews.Unframe(block.Pieces))];
        }

        var bytes = messages.Sum(message => message.Length);
        var copy = GC.AllocateUninitializedArray<byte>(bytes);
        using var lz4 = Compressors.Create("lz4", 1);
        using var zstd = Compressors.Create("zstd", 1);
        var scratch = new byte[Math.Max(lz4.BoundBytes(CompressedFrame.RawBytesMax), zstd.BoundBytes(CompressedFrame.RawBytesMax))];
        var rounds = Rounds.Measure(
            context.Plan,
            RoundClock.ThreadCpu,
            flows.Count,
            new Contender("Weir", () => path.Run(messages).RecordsSum / (ulong)path.Schema.Views.Length),
            new Contender("memcpy", () => Copy(messages, copy, flows.Count)),
            new Contender("lz4", () => Compress(lz4, blocks, scratch, flows.Count)),
            new Contender("zstd 1", () => Compress(zstd, blocks, scratch, flows.Count)));
        yield return Line("floor.memcpy", "path.proto / copying the bytes of its messages once", rounds, 1);
        yield return Line("floor.lz4", "path.proto / liblz4 alone on its blocks", rounds, 2);
        yield return Line("floor.zstd", "path.proto (with LZ4) / libzstd 1 alone on its blocks", rounds, 3);
        context.Forget();
    }

    private static LineResult Line(string id, string title, Rounds rounds, int floor) => new(id, title, "ns/flow")
    {
        Ours = rounds.Nanos(0),
        Peer = rounds.Nanos(floor),
        Ratio = rounds.Ratio(0, floor),
    };

    private static ulong Copy(byte[][] messages, byte[] to, int flowCount)
    {
        var length = 0;
        foreach (var message in messages)
        {
            message.CopyTo(to.AsSpan(length));
            length += message.Length;
        }

        return length > 0 ? (ulong)flowCount : 0;
    }

    private static ulong Compress(ICompressor compressor, byte[][] blocks, byte[] scratch, int flowCount)
    {
        var sum = 0L;
        foreach (var block in blocks)
        {
            for (var offset = 0; offset < block.Length; offset += CompressedFrame.RawBytesMax)
            {
                sum += compressor.Compress(block.AsSpan(offset, Math.Min(CompressedFrame.RawBytesMax, block.Length - offset)), scratch);
            }
        }

        return sum > 0 ? (ulong)flowCount : 0;
    }

    private static IEnumerable<LineResult> RunConsume(BenchContext context)
    {
        context.Log("floor.consume");
        if (RepositoryRoot.FindWeir(out var reason) is not { } program)
        {
            yield return new LineResult("floor.consume", "librdkafka alone", "ns/flow") { Skipped = reason };
            yield break;
        }

        var flows = new Flows.FlowSet(100_000, 400_000);
        var (broker, bootstrap) = WeirProgram.StartBroker(program, Feeder.Topic, Feeder.PartitionCount);
        using (broker)
        {
            using var feeder = new Feeder(bootstrap, flows, "weir-proto");
            feeder.Fill();
            var messages = flows.Messages("weir-proto");
            using var path = new WeirPath("weir-proto");
            var rounds = Rounds.Measure(
                context.Plan,
                RoundClock.ProcessCpu,
                feeder.SentCount,
                new Contender("librdkafka", () => ConsumeAll(bootstrap, feeder.SentMessageCount)),
                new Contender("Weir in memory", () => path.Run(messages).RecordsSum > 0 ? 1UL : 0, flows.Count));
            yield return new LineResult(
                "floor.consume", "librdkafka's own consuming of LZ4 batches / the in-memory path of what it brings", "ns/flow")
            {
                Ours = rounds.Nanos(1),
                Peer = rounds.Nanos(0),
                Ratio = rounds.Ratio(0, 1),
                Note = $"CPU of all threads of the consumer, joining included; {feeder.SentCount:N0} flows in "
                    + $"{feeder.SentBytes >> 20} MiB as stored.",
            };
        }

        context.Forget();
    }

    /// <summary>Reads the topic from its beginning and looks at nothing.</summary>
    private static ulong ConsumeAll(string bootstrap, long messageCount)
    {
        _ = NativeHeap.Keep(); // As weir does.
        using var consumer = new ConsumerBuilder<Ignore, Ignore>(
            ConsumerSettings.Build(new IngestOptions { Bootstrap = bootstrap, Group = "floor" })).SetLogHandler((_, _) => { }).Build();
        using var queue = new NativeMessageQueue(KafkaNative.HandleOf(consumer), [Feeder.Topic], ConsumeBatch);
        for (var partition = 0; partition < Feeder.PartitionCount; partition++)
        {
            queue.Forward(Feeder.Topic, partition);
        }

        consumer.Assign(Enumerable.Range(0, Feeder.PartitionCount).Select(
            partition => new TopicPartitionOffset(Feeder.Topic, partition, Offset.Beginning)));
        var taken = new KafkaMessage[ConsumeBatch];
        var count = 0L;
        while (count < messageCount)
        {
            var messages = queue.Take(taken, TimeSpan.FromMilliseconds(ConsumeTimeoutMs));
            for (var index = 0; index < messages; index++)
            {
                count += taken[index].ErrorCode == 0 ? 1 : 0;
            }

            queue.Release();
        }

        consumer.Unassign();
        return 1;
    }
}
