using System.Security.Cryptography;
using Weir.Loadgen.Capture;
using Weir.Loadgen.Generate;
using Weir.Tests.Codecs.Flow;
using Xunit;

namespace Weir.Tests.Loadgen;

public sealed class GeneratorTests
{
    private const long Start = 1_767_225_600; // 2026-01-01
    private const int RecordCount = 20_000;

    private static readonly GeneratorOptions _hostile = new()
    {
        StartSecond = Start, Seed = 42, SeriesCount = 2_000, RecordsPerMessage = 300, ChurnPerSecond = 0.1, HotShare = 0.1, HotKeyCount = 3,
        AttackShare = 0.05, LateShare = 0.01, FutureShare = 0.02, MalformedShare = 0.03, OutOfOrderShare = 0.04, SkewedAgentShare = 0.3,
        SamplingRate = 10, Rate = RateShape.Parse("sine:2:0.5", 5_000), CountsRows = true, PartitionCount = 3,
    };

    [Theory]
    [InlineData("weir", "731f093d2e3a2c38")]
    [InlineData("weir-proto", "6b2888a8f9a540e5")]
    [InlineData("goflow2", "a309ef7288343c9d")]
    [InlineData("goflow2-json", "2fc8d197674939de")]
    [InlineData("pmacct-json", "335ccac625b5d6bb")]
    public void The_same_seed_gives_the_same_bytes_on_every_machine(string format, string golden)
    {
        Assert.Equal(golden, HashOf(_hostile with { Format = format, IsKeyed = format == "weir" }));
    }

    [Fact]
    public void Another_seed_gives_other_bytes()
    {
        Assert.NotEqual(HashOf(_hostile), HashOf(_hostile with { Seed = 43 }));
    }

    [Theory]
    [InlineData("weir", true)]
    [InlineData("weir-proto", false)]
    [InlineData("goflow2", true)]
    [InlineData("goflow2-json", false)]
    [InlineData("pmacct-json", true)]
    public void Decoders_find_as_many_good_and_bad_records_as_the_totals_say(string format, bool isKeyed)
    {
        var generator = new Generator(_hostile with { Format = format, IsKeyed = isKeyed });
        long good = 0;
        long bad = 0;
        foreach (var message in generator.Messages(RecordCount))
        {
            using var sink = FlowSamples.Decode(format, message.Value);
            good += sink.AcceptedCount;
            bad += sink.RejectedCount;
            Assert.Equal(message.RecordCount, sink.AcceptedCount + sink.RejectedCount);
        }

        var totals = generator.Totals;
        Assert.Equal(RecordCount, totals.RecordCount);
        Assert.Equal(totals.MalformedCount, bad);
        Assert.Equal(RecordCount - totals.MalformedCount, good);
        Assert.Equal(RecordCount - totals.MalformedCount - totals.LateCount, (long)totals.MeterSums[0]);
        Assert.InRange(totals.MalformedCount, RecordCount / 50, RecordCount / 20);
        Assert.InRange(totals.LateCount, RecordCount / 50, RecordCount / 20);
        for (var view = 0; view < GeneratedTotals.Views.Count; view++)
        {
            Assert.Equal((long)totals.MeterSums[0], totals.Windows(view).Sum(window => window.RecordCount));
        }
    }

    [Fact]
    public void Keyed_messages_keep_a_series_in_one_partition()
    {
        var options = _hostile with { IsKeyed = true, Format = "weir-proto", SeriesCount = 50, ChurnPerSecond = 0, AttackShare = 0 };
        var partitions = new Dictionary<string, int>();
        foreach (var message in new Generator(options).Messages(RecordCount))
        {
            foreach (var record in Weir.V1.FlowBatch.Parser.ParseFrom(message.Value).Records)
            {
                var tags = record.Tags.Clone();
                tags.TcpFlags = 0; // Not a tag of the series: it changes from record to record.
                Assert.Equal(message.Partition, partitions.TryAdd(tags.ToString(), message.Partition) ? message.Partition
                    : partitions[tags.ToString()]);
            }
        }

        Assert.Equal(3, partitions.Values.Distinct().Count());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Totals_are_those_of_the_messages_that_were_given_also_after_a_stop(bool isKeyed)
    {
        var generator = new Generator(_hostile with { IsKeyed = isKeyed });
        long records = 0;
        long good = 0;
        var expected = new GeneratedTotals(countsRows: true);
        foreach (var message in generator.Messages().Take(25))
        {
            using var sink = FlowSamples.Decode("weir", message.Value);
            records += message.RecordCount;
            good += sink.AcceptedCount;
            expected.Add(message.Totals, 1);
        }

        Assert.Equal(25, generator.Totals.MessageCount);
        Assert.Equal(records, generator.Totals.RecordCount);
        Assert.Equal(good, generator.Totals.RecordCount - generator.Totals.MalformedCount);
        Assert.Equal(expected.MeterSums, generator.Totals.MeterSums);
        Assert.Equal(expected.Windows(0), generator.Totals.Windows(0));
        Assert.Equal(expected.RowCount(3), generator.Totals.RowCount(3));
    }

    [Fact]
    public void A_message_that_counts_three_times_adds_its_records_three_times_and_its_rows_once()
    {
        var generator = new Generator(_hostile);
        var tripled = new GeneratedTotals(countsRows: true);
        foreach (var message in generator.Messages(RecordCount))
        {
            tripled.Add(message.Totals, 3);
        }

        var once = generator.Totals;
        Assert.Equal(3 * once.RecordCount, tripled.RecordCount);
        Assert.Equal(once.MeterSums.Select(sum => 3 * sum), tripled.MeterSums);
        Assert.Equal(
            once.Windows(1).Select(window => (window.Window, 3 * window.RecordCount, 3 * window.Packets, 3 * window.Bytes)),
            tripled.Windows(1));
        Assert.Equal(once.RowCount(0), tripled.RowCount(0));
        Assert.Equal((3 * once.MalformedCount, 3 * once.LateCount), (tripled.MalformedCount, tripled.LateCount));
    }

    [Fact]
    public void A_batch_made_by_columns_has_the_bytes_of_the_writer()
    {
        var random = new Random(7);
        var columns = new WeirColumns(300);
        for (var round = 0; round < 20; round++)
        {
            var records = Enumerable.Range(0, random.Next(1, 300)).Select(_ => FlowSamples.Random(random)).ToArray();
            foreach (var record in records)
            {
                columns.Add(record, isMalformed: false);
            }

            Assert.Equal(FlowSamples.WeirBatch(records), columns.Finish().ToArray());
        }
    }

    [Fact]
    public void Weights_are_drawn_as_often_as_they_say()
    {
        var draw = WeightedDraw.Of([1, 0, 5, 2, 2]);
        var random = new SeededRandom(3);
        var counts = new int[5];
        for (var index = 0; index < 100_000; index++)
        {
            counts[draw.Draw(ref random)]++;
        }

        Assert.Equal(0, counts[1]);
        Assert.InRange(counts[0], 9_500, 10_500);
        Assert.InRange(counts[2], 49_000, 51_000);
        Assert.InRange(counts[3], 19_200, 20_800);
    }

    [Fact]
    public void Shapes_have_the_amounts_of_their_areas()
    {
        Assert.Equal(10, RateShape.Steady(100).After(0, 1_000), 6);
        Assert.Equal(10, RateShape.Parse("ramp:0:10", 100).After(0, 500), 1);
        Assert.Equal(10, RateShape.Parse("sine:10:0.9", 100).After(0, 1_000), 1);
        Assert.Equal(10, RateShape.Parse("bursts:5:1:6", 100).After(0, 2_000), 1);
        Assert.Equal(10, RateShape.Parse("step:5:3", 100).After(0, 2_000), 1);
        Assert.Throws<ArgumentException>(() => RateShape.Parse("square:1", 100));
    }

    [Fact]
    public void A_file_of_values_is_drawn_by_its_weights_and_other_values_never_come()
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "203.0.113.1 9\n203.0.113.2\n");
            var options = _hostile with
            {
                Format = "weir-proto", AttackShare = 0, MalformedShare = 0,
                Tags = new Dictionary<string,
                    TagValues> { ["dst_addr"] = TagValues.Parse("dst_addr", "file:" + file), ["proto"] =
                        TagValues.Parse("proto", "fixed:47") },
            };
            var records = new Generator(options).Messages(RecordCount)
                .SelectMany(message => Weir.V1.FlowBatch.Parser.ParseFrom(message.Value).Records).ToList();
            Assert.Equal(["203.0.113.1", "203.0.113.2"],
                records.Select(record => string.Join('.', record.Tags.DstAddr)).Distinct().Order());
            Assert.All(records, record => Assert.Equal(47u, record.Tags.Proto));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void Values_of_a_capture_are_counted_and_drawn_as_often_as_they_came()
    {
        var directory = Directory.CreateTempSubdirectory("weir-values-");
        try
        {
            var path = Path.Combine(directory.FullName, "c.weircap");
            var options = _hostile with { AttackShare = 0, MalformedShare = 0, PartitionCount = 1 };
            using (var writer = CaptureWriter.Create(path, new CaptureHeader([new CapturedTopic("flows", "weir", 1)], 0, false)))
            {
                long offset = 0;
                foreach (var message in new Generator(options).Messages(RecordCount))
                {
                    writer.Add(new CapturedMessage(0, 0, offset++, message.TimestampMs, 1, null, message.Value, []));
                }
            }

            var counts = CapturedValues.Count(path, "exporter");
            var again = CapturedValues.Count(path, "dst_port");

            Assert.Equal(RecordCount, counts.Values.Sum());
            Assert.All(counts.Keys, value => Assert.StartsWith("10.254.", value, StringComparison.Ordinal));
            var values = TagValues.Parse("dst_port", "capture:" + path, CapturedValues.Count);
            var random = new SeededRandom(1);
            var drawn = new Dictionary<int, int>();
            for (var index = 0; index < 100_000; index++)
            {
                var port = (int)values.Draw(ref random);
                drawn[port] = drawn.GetValueOrDefault(port) + 1;
            }

            Assert.All(again, port => Assert.InRange(
                drawn.GetValueOrDefault(int.Parse(port.Key, System.Globalization.CultureInfo.InvariantCulture)) / 100_000.0 - ((double)port.Value / RecordCount), -0.01, 0.01));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static string HashOf(GeneratorOptions options)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var message in new Generator(options).Messages(RecordCount))
        {
            hash.AppendData(BitConverter.GetBytes(message.Partition));
            hash.AppendData(BitConverter.GetBytes(message.TimestampMs));
            hash.AppendData(message.Value);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }
}
