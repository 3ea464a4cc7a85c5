using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Core.Model;
using Weir.Core.Telemetry;
using Weir.Ingest;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Ingest;

public sealed class DeadLettersTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("weir-letters-");
    private readonly ManualTimeProvider _time = new(WorkerHarness.Epoch);

    private static readonly IngestOptions _options = new() { Topics = [new TopicOptions("flows", "pmacct-json"), new TopicOptions("protos", "weir-proto")] };

    [Fact]
    public void A_rejected_record_and_a_message_with_late_ones_become_letters_and_the_rest_is_folded()
    {
        var store = new ListStore();
        using var queue = Queue(store);
        queue.Start();
        using (var harness = new WorkerHarness(deadLetters: queue))
        {
            var partition = harness.Assign();
            var good = WorkerHarness.Records(2);
            var bad = good[0] with { Kind = TestFormat.Bad };
            var late = good[0] with { Time = 1 };
            harness.Produce(partition, good[0], bad, late, good[1]);
            harness.Produce(partition, good);
            harness.Step(0);
            harness.Step(1);
            Assert.Equal((6L, 1L), (harness.Counters.ReadCount, harness.Counters.LateCount));
            Eventually.True(() => store.Letters.Count == 2, "both letters");

            var rejected = store.Letters.Single(letter => letter.Reason == "malformed");
            Assert.Equal((new PartitionKey("flows", 0), 0L, 1, 1L, 4L, false), (
                rejected.Source, rejected.Offset, rejected.Record, rejected.RecordCount, rejected.MessageRecordCount, rejected.IsWhole));
            Assert.Equal(TestFormat.Encode(bad), rejected.Value.ToArray());
            var lateLetter = store.Letters.Single(letter => letter.Reason == "late");
            Assert.Equal((1L, 4L, true), (lateLetter.RecordCount, lateLetter.MessageRecordCount, lateLetter.IsWhole));
            Assert.Equal(TestFormat.Encode(good[0], bad, late, good[1]), lateLetter.Value.ToArray());
            Assert.Equal(WorkerHarness.Epoch.ToUnixTimeMilliseconds(), lateLetter.TimestampMs);
        }

        Eventually.True(() => queue.Counts() == (2, 0), "both are counted as written");
    }

    [Fact]
    public void Letters_above_the_rate_are_counted_by_reason_and_never_waited_for()
    {
        var store = new ListStore();
        using var queue = Queue(store, rateMax: 3); // Not started: nothing is written, and nobody may wait.
        using var harness = new WorkerHarness(deadLetters: queue);
        var partition = harness.Assign();
        harness.Produce(partition, WorkerHarness.Records(10).Select(record => record with { Kind = TestFormat.Bad }));
        harness.Step(0);
        harness.Step(1);

        Assert.Equal((0L, 7L), queue.Counts());
        Assert.False(queue.TryReserve(1));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(queue.TryReserve(1));
        Assert.Equal(7, Metric(queue, WeirMeter.IngestDeadLettersUnwrittenTotal, "malformed"));
    }

    [Fact]
    public void A_store_that_cannot_be_opened_costs_letters_and_not_the_pipeline()
    {
        using var queue = new DeadLetterQueue(
            new DeadLetterOptions { Topic = "x" }, () => throw new IOException("no such place"), _time, NullLogger.Instance);
        queue.Start();
        Assert.True(queue.TryReserve(1));
        queue.Add(Letter(0));

        Eventually.True(() => queue.Counts() == (0, 1), "the letter is counted as not written");
    }

    [Fact]
    public void A_full_queue_takes_no_more_bytes()
    {
        using var queue = Queue(new ListStore(), rateMax: 1_000_000);
        for (var bytes = 0L; bytes + DeadLetter.ValueBytesMax <= DeadLetterQueue.BytesMax; bytes += DeadLetter.ValueBytesMax)
        {
            Assert.True(queue.TryReserve(DeadLetter.ValueBytesMax));
            queue.Add(Letter(bytes, new byte[DeadLetter.ValueBytesMax]));
        }

        Assert.False(queue.TryReserve(DeadLetter.ValueBytesMax));
    }

    [Fact]
    public void A_directory_gives_back_what_was_written_and_knows_what_is_done()
    {
        Write(3);
        using var reader = DeadLetterReader.OfDirectory(_directory.FullName);

        var read = reader.Read().Select(stored => stored.Letter).ToList();
        Assert.Equal([0L, 1L, 2L], read.Select(letter => letter.Offset));
        Assert.Equal(Letter(1) with { Value = default }, read[1] with { Value = default });
        Assert.Equal(Letter(1).Value.ToArray(), read[1].Value.ToArray());
        reader.Commit();
        Write(1);

        using var later = DeadLetterReader.OfDirectory(_directory.FullName);
        Assert.Equal([true, true, true, false], later.Read().Select(stored => stored.IsDone));
    }

    [Fact]
    public void A_torn_line_is_passed_over_and_a_full_directory_takes_no_more()
    {
        var errors = new List<string?>();
        using (var store = new DirectoryDeadLetters(_directory.FullName, bytesMax: 2_000, _time))
        {
            for (var offset = 0; offset < 10; offset++)
            {
                store.Write(Letter(offset), errors.Add);
            }
        }

        var written = errors.Count(error => error is null);
        Assert.InRange(written, 2, 9);
        Assert.Contains("raise dead_letters.directory_max", errors[^1], StringComparison.Ordinal);
        Assert.InRange(_directory.EnumerateFiles().Sum(file => file.Length), 1, 2_000);
        Assert.True(_directory.EnumerateFiles().Count() > 1, "The files are rotated.");

        File.AppendAllText(Path.Combine(_directory.FullName, "99999999999999-1-000000.ndjson"), "{\"weir-topic\":\"fl");
        using var reader = DeadLetterReader.OfDirectory(_directory.FullName);
        Assert.Equal(written, reader.Read().Count());
    }

    [Theory]
    [InlineData("pmacct-json", "record")]
    [InlineData("goflow2", "\x06record")]
    [InlineData("weir-proto", "\x0a\x06record")]
    [InlineData("weir", null)]
    [InlineData(null, null)]
    public void One_record_is_framed_as_its_format_needs(string? format, string? expected)
    {
        var letter = Letter(0, "record"u8.ToArray()) with { IsWhole = false };

        Assert.Equal(expected is null ? null : Encoding.ASCII.GetBytes(expected), DeadLetterReplay.MessageOf(letter, format));
    }

    [Fact]
    public void A_message_with_other_records_and_a_value_that_was_cut_off_are_not_fed_in()
    {
        Assert.Null(DeadLetterReplay.MessageOf(Letter(0) with { MessageRecordCount = 2 }, "pmacct-json"));
        Assert.Null(DeadLetterReplay.MessageOf(Letter(0) with { ValueBytes = 2_000_000 }, "pmacct-json"));
        Assert.NotNull(DeadLetterReplay.MessageOf(Letter(0) with { MessageRecordCount = 5, RecordCount = 5 }, "pmacct-json"));
    }

    [Theory]
    [InlineData("{\"a\": 1}", 100, "{\"a\": 1}")]
    [InlineData("{\"a\": 1}", 4, "{\"a\"…")]
    [InlineData("\u0001\u0002", 100, "0102")]
    [InlineData("\u0001\u0002\u0003", 4, "0102…")]
    public void A_preview_is_text_where_it_is_text_and_hexadecimal_else(string value, int charsMax, string expected)
    {
        Assert.Equal(expected, Letter(0, Encoding.ASCII.GetBytes(value)).Preview(charsMax));
    }

    public void Dispose() => _directory.Delete(recursive: true);

    private static DeadLetter Letter(long offset, byte[]? value = null)
    {
        var bytes = value ?? [.. "{\"no\": "u8, .. Encoding.ASCII.GetBytes($"{offset}}}")];
        return new DeadLetter(new PartitionKey("flows", 0), offset, 1_700_000_000_000, "time_missing", 0, 1, 1, true, bytes.Length, bytes);
    }

    private static double Metric(DeadLetterQueue queue, MetricDefinition metric, string reason)
    {
        var reader = new ValueReader(metric, reason);
        queue.Collect(reader);
        return reader.Value;
    }

    private void Write(int count)
    {
        using var store = new DirectoryDeadLetters(_directory.FullName, 1L << 30, _time);
        for (var offset = 0; offset < count; offset++)
        {
            store.Write(Letter(offset), Assert.Null);
        }

        store.Flush(TimeSpan.Zero);
        _time.Advance(TimeSpan.FromSeconds(1)); // The name of the next file.
    }

    private DeadLetterQueue Queue(ListStore store, int rateMax = 1_000) =>
        new(new DeadLetterOptions { Topic = "dead", RateMax = rateMax }, () => store, _time, NullLogger.Instance);

    private sealed class ListStore : IDeadLetterStore
    {
        public System.Collections.Concurrent.ConcurrentQueue<DeadLetter> Letters { get; } = new();

        public void Write(DeadLetter letter, Action<string?> done)
        {
            Letters.Enqueue(letter);
            done(null);
        }

        public void Flush(TimeSpan timeout)
        {
        }

        public void Dispose()
        {
        }
    }

    private sealed class ValueReader(MetricDefinition metric, string label) : MetricReader
    {
        public double Value { get; private set; }

        public override void Read(MetricDefinition read, double value, params ReadOnlySpan<string> labelValues)
        {
            if (read == metric && labelValues[0] == label)
            {
                Value = value;
            }
        }
    }
}
