using System.Text;
using Confluent.Kafka;
using Weir.Codecs.Flow;
using Weir.Core.Model;
using Weir.Tests.Codecs.Flow;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.EndToEnd;

/// <summary>Hostile messages among good ones: each good record is stored, each bad one is counted by its reason, nothing stops.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class HostileInputTests
{
    private const long ResidentBytesMax = 1L << 30;

    public static TheoryData<string> Formats => [.. FlowFormats.Names];

    [Theory]
    [MemberData(nameof(Formats))]
    public void Each_hostile_message_is_one_reject_with_its_reason(string format)
    {
        foreach (var (payload, reason) in HostileMessages.Of(format).Append(HostileMessages.Huge(format)))
        {
            using var sink = new RecordingSink(FlowSamples.Standard);
            FlowFormats.Create(format, FlowSamples.Standard).Decode(payload, sink);
            sink.CheckClean();

            Assert.True(
                sink.AcceptedCount == 0 && sink.Rejects.SequenceEqual([reason]),
                $"{sink.AcceptedCount} accepted, rejected as [{string.Join(", ", sink.Rejects)}] instead of [{reason}]: "
                + $"{payload.Length} bytes, {Encoding.Latin1.GetString(payload.AsSpan(0, Math.Min(payload.Length, 500)))}");
        }
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task Good_records_are_stored_and_bad_ones_counted_by_their_reason()
    {
        using var bed = await PipelineBed.StartAsync([.. FlowFormats.Names.Select(format => $"{format}:1")]);
        var oracle = new FlowOracle();
        var expected = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var format in FlowFormats.Names)
        {
            bed.Produce(format, 1, Mix(format, oracle, expected));
            ProduceHuge(bed, format, expected);
            bed.Kafka.Produce(format, [(0, null, null)]); // A tombstone.
            bed.AddProduced(format, 0, 1);
            Count(expected, format, DecodeStatus.Empty);
            oracle.Add(HostileMessages.Good);
            bed.Produce(format, 1, [FlowFeed.Message(format, HostileMessages.Good)]);
        }

        var run = await bed.RunAsync(bed.Configure(bed.Embedded(), [.. FlowFormats.Names.Select(format => (format, format))]));
        await bed.StoredAsync(run);

        await oracle.AssertStoredAsync(run);
        await run.AssertAccountClosesAsync(oracle.RecordCount + expected.Values.Sum());
        Assert.Equal(string.Join('\n', expected), string.Join('\n', Rejected(await run.MetricsAsync())));
        Assert.Equal(0, await run.MetricAsync("weir_ingest_gap_offsets_total"));
        Assert.InRange(run.Process.PeakResidentBytes, 1, ResidentBytesMax);
        await PipelineBed.AssertStopsAsync(run);
    }

    [RealPartFact(RealPart.LocalRdkafka, RealPart.EmbeddedClickHouse)]
    public async Task A_batch_that_is_too_large_when_decompressed_is_named_with_what_to_do_and_holds_only_its_partition()
    {
        using var bed = await PipelineBed.StartAsync("pmacct-json:1", "weir:1");
        var oracle = new FlowOracle();
        ProduceHuge(bed, "pmacct-json", []);
        var config = bed.Configure(bed.Embedded(), [("pmacct-json", "pmacct-json"), ("weir", "weir")]);
        var run = await bed.RunAsync(config, ("WEIR__KAFKA__OPTIONS__RECEIVE_MESSAGE_MAX_BYTES", "50000000"));
        oracle.Add(HostileMessages.Good);
        bed.Produce("weir", 1, [FlowFeed.Message("weir", HostileMessages.Good)]);

        var line = await run.Process.LineAsync("Kafka: pmacct-json/0 delivers an error, code -198");
        Assert.Contains("raise that in kafka.options", line, StringComparison.Ordinal);
        await run.StoredAsync(new Dictionary<(string, int), long> { [("weir", 0)] = 1 });
        await oracle.AssertStoredAsync(run);
        Assert.Equal(0, await run.StopAsync());

        var next = await bed.RunAsync(config); // Weir's own limit is larger.
        await bed.StoredAsync(next);
        Assert.Equal(1, await next.AccountAsync("rejected"));
        await PipelineBed.AssertStopsAsync(next);
    }

    /// <summary>Each hostile message between good ones; for the formats of lines, between good lines of one message as well.</summary>
    private static List<byte[]> Mix(string format, FlowOracle oracle, SortedDictionary<string, long> expected)
    {
        var good = FlowFeed.Message(format, HostileMessages.Good);
        var messages = new List<byte[]>();
        foreach (var (payload, reason) in HostileMessages.Of(format))
        {
            messages.Add(payload);
            messages.Add(good);
            oracle.Add(HostileMessages.Good);
            Count(expected, format, reason);
            if (format.EndsWith("json", StringComparison.Ordinal) && reason != DecodeStatus.Empty)
            {
                messages.Add([.. good, .. payload, (byte)'\n', .. good]);
                oracle.Add(HostileMessages.Good);
                oracle.Add(HostileMessages.Good);
                Count(expected, format, reason);
            }
        }

        return messages;
    }

    /// <summary>100 MB, which the broker holds since they are compressed to less than it keeps for a partition.</summary>
    private static void ProduceHuge(PipelineBed bed, string format, SortedDictionary<string, long> expected)
    {
        var (payload, reason) = HostileMessages.Huge(format);
        using var producer = new ProducerBuilder<Null, byte[]>(new ProducerConfig
        {
            BootstrapServers = bed.Kafka.Bootstrap,
            CompressionType = CompressionType.Zstd,
            MessageMaxBytes = HostileMessages.HugeBytes * 2,
        }).Build();
        Error? error = null;
        producer.Produce(new TopicPartition(format, 0), new Message<Null, byte[]> { Value = payload }, report => error = report.Error);
        Assert.Equal(0, producer.Flush(TimeSpan.FromSeconds(60)));
        Assert.True(error is { IsError: false }, $"{error}");
        bed.AddProduced(format, 0, 1);
        Count(expected, format, reason);
    }

    private static SortedDictionary<string, long> Rejected(IReadOnlyDictionary<string, double> metrics) => new(
        metrics.Where(series => series.Key.StartsWith("weir_ingest_rejected_records_total{", StringComparison.Ordinal) && series.Value > 0)
            .ToDictionary(series => series.Key["weir_ingest_rejected_records_total".Length..], series => (long)series.Value),
        StringComparer.Ordinal);

    private static void Count(SortedDictionary<string, long> expected, string format, DecodeStatus reason)
    {
        var labels = $"{{topic=\"{format}\",reason=\"{reason.Label()}\"}}";
        expected[labels] = expected.GetValueOrDefault(labels) + 1;
    }
}
