using Weir.Loadgen.Capture;
using Weir.Loadgen.Replay;
using Xunit;

namespace Weir.Tests.Loadgen;

public sealed class CaptureFileTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-capture-").FullName;

    private static readonly CaptureHeader _header =
        new([new CapturedTopic("flows", "weir", 3), new CapturedTopic("other", null, 1)], 1_767_225_600_000, false);

    private string FilePath => Path.Combine(_directory, "c.weircap");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void What_was_written_is_read_again_byte_for_byte()
    {
        var messages = Make(3_000, seed: 1);
        Write(FilePath, messages);

        using var reader = CaptureReader.Open(FilePath);
        Assert.True(reader.HasIndex);
        Assert.Equal(_header.Topics, reader.Header.Topics);
        AssertSame(messages, ReadAll(reader));
        Assert.Empty(reader.Damages);
    }

    [Fact]
    public void The_merge_is_in_the_order_of_time_and_keeps_the_order_of_each_partition()
    {
        var messages = Make(3_000, seed: 2);
        Write(FilePath, messages);
        using var reader = CaptureReader.Open(FilePath);

        var merged = CaptureMerge.Of(reader).ToList();

        Assert.Equal(messages.Count, merged.Count);
        foreach (var partition in merged.GroupBy(message => (message.Topic, message.Partition)))
        {
            Assert.Equal(partition.OrderBy(message => message.Offset), partition);
        }

        Assert.True(merged.Zip(merged.Skip(1)).All(pair => pair.First.TimestampMs <= pair.Second.TimestampMs));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_flipped_byte_costs_its_segment_and_says_which_messages(bool isClosed)
    {
        var messages = Make(3_000, seed: 3);
        Write(FilePath, messages);
        CaptureSegment damaged;
        using (var reader = CaptureReader.Open(FilePath))
        {
            Assert.True(reader.Segments.Count > 5);
            damaged = reader.Segments[2];
        }

        var bytes = File.ReadAllBytes(FilePath);
        bytes[damaged.Position + CaptureSegment.HeadBytes + (damaged.CompressedBytes / 2)] ^= 0x10;
        File.WriteAllBytes(FilePath, isClosed ? bytes : bytes[..^10]);

        using var again = CaptureReader.Open(FilePath);
        Assert.Equal(isClosed, again.HasIndex);
        var read = CaptureMerge.Of(again).ToList();

        var damage = Assert.Single(again.Damages);
        Assert.Equal(damaged.FirstOffset, damage.Segment!.Value.FirstOffset);
        Assert.Equal(damaged.LastOffset, damage.Segment!.Value.LastOffset);
        Assert.Equal(messages.Count - damaged.MessageCount, read.Count);
        Assert.Contains($"lost are {damaged.MessageCount} messages of flows [{damaged.Partition}]", damage.Describe(again.Header),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_head_that_is_gone_is_passed_over_when_there_is_no_index()
    {
        var messages = Make(3_000, seed: 4);
        Write(FilePath, messages);
        CaptureSegment damaged;
        using (var reader = CaptureReader.Open(FilePath))
        {
            damaged = reader.Segments[1];
        }

        var bytes = File.ReadAllBytes(FilePath)[..^10];
        bytes.AsSpan((int)damaged.Position, 20).Clear();
        File.WriteAllBytes(FilePath, bytes);

        using var again = CaptureReader.Open(FilePath);
        Assert.Equal(messages.Count - damaged.MessageCount, CaptureMerge.Of(again).Count());
        Assert.Single(again.Damages);
    }

    [Fact]
    public void A_file_that_ends_anywhere_can_be_read_and_gone_on_with()
    {
        var messages = Make(1_500, seed: 5);
        Write(FilePath, messages);
        var bytes = File.ReadAllBytes(FilePath);
        var random = new Random(5);
        for (var round = 0; round < 15; round++)
        {
            var path = Path.Combine(_directory, $"{round}.weircap");
            File.WriteAllBytes(path, bytes[..random.Next(300, bytes.Length)]);
            using (var writer = CaptureWriter.Append(path))
            {
                foreach (var message in messages.Where(
                    message => message.Offset >= writer.NextOffsets.GetValueOrDefault((message.Topic, message.Partition))))
                {
                    writer.Add(message);
                }
            }

            using var reader = CaptureReader.Open(path);
            Assert.True(reader.HasIndex);
            AssertSame(messages, ReadAll(reader));
        }
    }

    [Fact]
    public void A_cut_has_the_messages_of_its_time_and_partitions_and_no_others()
    {
        var messages = Make(3_000, seed: 6);
        Write(FilePath, messages);
        var from = messages[800].TimestampMs;
        var to = messages[2_200].TimestampMs;
        var path = Path.Combine(_directory, "cut.weircap");
        using (var reader = CaptureReader.Open(FilePath))
        using (var writer = CaptureWriter.Create(path, reader.Header))
        {
            new CaptureCut { FromMs = from, ToMs = to, Partitions = new HashSet<int> { 0, 2 } }.Copy(reader, writer);
        }

        using var cut = CaptureReader.Open(path);
        AssertSame([.. messages.Where(message => message.TimestampMs >= from && message.TimestampMs < to && message.Partition != 1)],
            ReadAll(cut));
    }

    [Fact]
    public void A_cut_that_is_stopped_leaves_a_capture_that_can_be_read()
    {
        Write(FilePath, Make(3_000, seed: 6));
        var path = Path.Combine(_directory, "cut.weircap");
        var cut = new CaptureCut();
        using (var reader = CaptureReader.Open(FilePath))
        using (var writer = CaptureWriter.Create(path, reader.Header))
        {
            Assert.False(cut.Copy(reader, writer, new CancellationToken(canceled: true)));
        }

        using var stopped = CaptureReader.Open(path);
        Assert.True(stopped.HasIndex);
        Assert.Empty(stopped.Segments);
        Assert.Equal(0, cut.SegmentsDone);
    }

    internal static List<CapturedMessage> Make(int count, int seed)
    {
        var random = new Random(seed);
        var offsets = new Dictionary<(int, int), long>();
        var time = 1_767_225_600_000;
        var messages = new List<CapturedMessage>();
        for (var index = 0; index < count; index++)
        {
            var topic = random.Next(10) == 0 ? 1 : 0;
            var partition = topic == 1 ? 0 : random.Next(3);
            var offset = offsets.GetValueOrDefault((topic, partition))
                + (random.Next(20) == 0 ? random.Next(1, 100) : 0); // Compacted topics have gaps.
            offsets[(topic, partition)] = offset + 1;
            time += random.Next(0, 50);
            messages.Add(new CapturedMessage(
                topic, partition, offset, time, 1 + random.Next(2), Bytes(random, 20, 4), Bytes(random, 10_000, 20),
                random.Next(3) == 0 ? [new("h", Bytes(random, 10, 3)), new("h", null)] : []));
        }

        return messages;
    }

    internal static void Write(string path, IEnumerable<CapturedMessage> messages)
    {
        using var writer = CaptureWriter.Create(path, _header);
        foreach (var message in messages)
        {
            writer.Add(message);
        }
    }

    private static byte[]? Bytes(Random random, int lengthMax, int oneNullOf)
    {
        if (random.Next(oneNullOf) == 0)
        {
            return null;
        }

        var bytes = new byte[random.Next(lengthMax)];
        random.NextBytes(bytes);
        return bytes;
    }

    private static List<CapturedMessage> ReadAll(CaptureReader reader) => [.. reader.Segments.SelectMany(segment =>
    {
        Assert.True(reader.TryRead(segment, out var messages));
        return messages;
    })];

    private static void AssertSame(IReadOnlyCollection<CapturedMessage> expected, IReadOnlyCollection<CapturedMessage> actual) =>
        Assert.Equal(expected.Select(Text).Order(StringComparer.Ordinal), actual.Select(Text).Order(StringComparer.Ordinal));

    internal static string Text(CapturedMessage message) =>
        $"{message.Topic} {message.Partition} {message.Offset:D9} {message.TimestampMs} {message.TimestampType} {Hex(message.Key)} {Hex(message.Value)} "
        + string.Join(',', message.Headers.Select(header => $"{header.Key}={Hex(header.Value)}"));

    private static string Hex(byte[]? bytes) => bytes is null ? "null" : Convert.ToHexString(bytes);
}
