extern alias bench;

using bench::Weir.Bench.Measure;
using bench::Weir.Bench.Processes;
using Confluent.Kafka;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Bench;

[Collection(RealPartsCollection.Name)]
public class ProcessPartsTests
{
    [RealPartFact(RealPart.LocalRdkafka)]
    public void Finished_batches_are_stored_and_read_back_by_an_ordinary_consumer()
    {
        using var broker = KafkaBroker.Start(Feeder.Topic, partitionCount: 2);
        byte[][] values = [.. Enumerable.Range(0, 50).Select(index => Enumerable.Repeat((byte)index, 1 + (index * 100)).ToArray())];
        var batch = KafkaBatch.Make(values, timestampMs: 1_767_225_600_000);
        using var sender = new BatchSender(broker.Bootstrap, Feeder.Topic);

        Assert.Equal(0, sender.Send(partition: 1, batch));
        Assert.Equal(values.Length, sender.Send(partition: 1, batch));

        using var consumer = new ConsumerBuilder<Ignore, byte[]>(
            new ConsumerConfig { BootstrapServers = broker.Bootstrap, GroupId = "g", CheckCrcs = true }).Build();
        consumer.Assign(new TopicPartitionOffset(Feeder.Topic, 1, Offset.Beginning));
        for (var offset = 0; offset < 2 * values.Length; offset++)
        {
            var message = consumer.Consume(TimeSpan.FromSeconds(60));
            Assert.Equal(offset, message.Offset.Value);
            Assert.Equal(values[offset % values.Length], message.Message.Value);
            Assert.Equal(1_767_225_600_000, message.Message.Timestamp.UnixTimestampMs);
        }
    }

    [RealPartFact(RealPart.LocalRdkafka)]
    public void Refused_batch_is_told()
    {
        using var broker = KafkaBroker.Start(Feeder.Topic, partitionCount: 2);
        using var sender = new BatchSender(broker.Bootstrap, Feeder.Topic);

        Assert.Throws<IOException>(() => sender.Send(partition: 7, KafkaBatch.Make([[1, 2, 3]], timestampMs: 0)));
    }

    [Fact]
    public void Processor_time_is_read_behind_a_name_with_blanks_and_brackets()
    {
        Assert.Equal(1_234 + 56, CpuClock.StatTicks("42 (a) b (c) S 1 42 42 0 -1 4194304 5 0 0 0 1234 56 0 0 20 0 1 0 100"));
    }

    [Fact]
    public void Processor_time_of_a_thread_is_part_of_that_of_the_process()
    {
        var (thread, process) = (CpuClock.ThreadNanos(), CpuClock.ProcessNanos());

        Assert.True(thread > 0 && process >= thread);
        Assert.True(CpuClock.ThreadNanos(Environment.ProcessId).Count > 0);
    }

    [Fact]
    public void Pin_lets_the_thread_go_where_it_could_before()
    {
        var before = AllowedCores();
        using (ThreadPin.ToLast())
        {
            Assert.DoesNotContain(',', AllowedCores());
            Assert.DoesNotContain('-', AllowedCores());
        }

        Assert.Equal(before, AllowedCores());
    }

    [Fact]
    public void Metrics_are_read_with_their_labels()
    {
        var metrics = WeirProgram.ReadMetrics("# HELP a\na{x=\"1\"} 2\na{x=\"2\"} 3.5\nb 7\n");

        Assert.Equal(5.5, WeirProgram.Sum(metrics, "a"));
        Assert.Equal(3.5, WeirProgram.Sum(metrics, "a", "x=\"2\""));
        Assert.Equal(7, WeirProgram.Sum(metrics, "b"));
    }

    private static string AllowedCores() => File.ReadLines("/proc/thread-self/status")
        .First(line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal))
        .Split('\t')[1];
}
