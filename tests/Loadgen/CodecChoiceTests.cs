using System.Buffers.Binary;
using System.IO.Compression;
using Weir.Codecs.Compression;
using Weir.Loadgen.Capture;
using Weir.Loadgen.CodecChoice;
using Weir.Loadgen.Reports;
using Xunit;

namespace Weir.Tests.Loadgen;

public sealed class CodecChoiceTests
{
    private static readonly List<CapturedMessage> _messages = [.. CaptureFileTests.Make(400, seed: 21)];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    public void Batches_of_a_log_are_read_whatever_their_codec(int codec)
    {
        var packed = RecordBatches.Pack(_messages, 20_000);
        var log = packed.SelectMany((batch, index) => LogBatch(batch, codec, index)).ToArray();

        var read = RecordBatches.ReadLog(log);

        Assert.Equal(packed.Select(batch => Convert.ToHexString(batch.Records)), read.Select(batch => Convert.ToHexString(batch.Records)));
        Assert.Equal(_messages.Count, read.Sum(batch => batch.MessageCount));
        Assert.All(read, batch => Assert.True(batch.HasUsualOffsets));
    }

    [Fact]
    public void Relative_offsets_that_do_not_count_from_zero_are_found_and_warned_of()
    {
        var batch = RecordBatches.Pack(
            _messages.Where(message => message.Partition == 0 && message.Topic == 0).Take(5), 1_000_000).Single();
        Assert.True(RecordBatches.HasUsualOffsets(batch.Records, 5, 4));
        Assert.False(RecordBatches.HasUsualOffsets(batch.Records, 5, 7));

        var zeros = Records([0, 0, 0]);
        Assert.False(RecordBatches.HasUsualOffsets(zeros, 3, 2)); // What sarama wrote before 2018.
        Assert.True(RecordBatches.HasUsualOffsets(Records([0, 1, 2]), 3, 2));
        var result = new CodecResult(new Codec("zstd", 3), 0, 1, 10, 5, 1, 1);
        Assert.Contains("WARNING", new CodecsOutput([result], [], new CodecPrices(), false).ToReport().ToMarkdown(),
            StringComparison.Ordinal);
        Assert.DoesNotContain(
            "WARNING", new CodecsOutput([result], [], new CodecPrices(), true).ToReport().ToMarkdown(), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_codec_gives_back_what_it_got_and_larger_batches_are_not_larger_in_sum()
    {
        var lines = Enumerable.Range(0, 2_000).Select(index => new CapturedMessage(
            0, 0, index, index, 1, null,
                System.Text.Encoding.UTF8.GetBytes(
                    $"{{\"ip_src\": \"10.0.0.{index % 250}\", \"bytes\": {index * 37 % 9_973}, \"packets\": {index % 7}}}"), [])).ToList();

        var small = CodecBench.Run(Codec.Defaults, RecordBatches.Pack(lines, 500), 500, CancellationToken.None);
        var large = CodecBench.Run(Codec.Defaults, RecordBatches.Pack(lines, 200_000), 200_000, CancellationToken.None);

        Assert.Equal(Codec.Defaults, large.Select(result => result.Codec));
        foreach (var (few, many) in small.Zip(large).Where(pair => pair.First.Codec.Name != "none"))
        {
            Assert.True(many.CompressedBytes < few.CompressedBytes, $"{many.Codec}: {many.CompressedBytes} against {few.CompressedBytes}.");
            Assert.True(many.Ratio > 2);
        }
    }

    [Fact]
    public void What_is_dear_decides_what_is_recommended()
    {
        CodecResult[] results =
        [
            new(new Codec("none", null), 1, 1_000_000, 1_000_000_000, 1_000_000_000, 0, 0),
            new(new Codec("zstd", 9), 1, 1_000_000, 1_000_000_000, 200_000_000, 100, 3),
            new(new Codec("lz4", null), 1, 1_000_000, 1_000_000_000, 450_000_000, 2, 0.5),
        ];
        string Recommend(CodecPrices prices) => new CodecsOutput(results, [], prices, true).Recommended.Codec.Name;

        Assert.Equal("zstd", Recommend(new CodecPrices { CpuHour = 0.01 }));
        Assert.Equal("lz4", Recommend(new CodecPrices { CpuHour = 2 }));
        Assert.Equal("none", Recommend(new CodecPrices { CpuHour = 1_000 }));
    }

    [Fact]
    public void A_report_is_a_page_by_itself_with_its_plots_and_escapes_what_it_shows()
    {
        var report = new Report("T <1>");
        report.Table([["a", "b"], ["x & y", "1"]]);
        report.Plot("rate", [new PlotLine("r", [(0, 1), (1, 5), (2, 3)])], [(1, "fault <b>")]);
        var html = report.ToHtml();

        Assert.Contains("<svg", html, StringComparison.Ordinal);
        Assert.Contains("<polyline", html, StringComparison.Ordinal);
        Assert.Contains("x &amp; y", html, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>", html, StringComparison.Ordinal);
        Assert.DoesNotContain("src=", html, StringComparison.Ordinal);
        Assert.DoesNotContain(
            "http://", html.Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("| r | 1 | 3 | 5 |", report.ToMarkdown(), StringComparison.Ordinal);
    }

    private static byte[] Records(int[] offsets)
    {
        var all = new Weir.Loadgen.Generate.ByteText();
        foreach (var offset in offsets)
        {
            var one = new Weir.Loadgen.Generate.ByteText();
            RecordBatches.WriteRecord(one, _messages[0], offset, 0);
            RecordBatches.Zigzag(all, one.Length);
            all.Put(one.Written);
        }

        return all.Written.ToArray();
    }

    /// <summary>A batch as it lies in a broker's log.</summary>
    private static byte[] LogBatch(RecordBatch batch, int codec, long baseOffset)
    {
        var records = codec switch { 1 => Gzip(batch.Records), 3 => Lz4Frame(batch.Records), 4 => Zstd(batch.Records), _ => batch.Records };
        var bytes = new byte[61 + records.Length];
        BinaryPrimitives.WriteInt64BigEndian(bytes, baseOffset);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(8), bytes.Length - 12);
        bytes[16] = 2;
        BinaryPrimitives.WriteInt16BigEndian(bytes.AsSpan(21), (short)codec);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(23), batch.MessageCount - 1);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(57), batch.MessageCount);
        records.CopyTo(bytes, 61);
        return bytes;
    }

    private static byte[] Gzip(byte[] raw)
    {
        var target = new MemoryStream();
        using (var gzip = new GZipStream(target, CompressionLevel.Optimal))
        {
            gzip.Write(raw);
        }

        return target.ToArray();
    }

    private static byte[] Zstd(byte[] raw)
    {
        using var zstd = new ZstdCompressor();
        var to = new byte[zstd.BoundBytes(raw.Length)];
        return to[..zstd.Compress(raw, to)];
    }

    private static byte[] Lz4Frame(byte[] raw)
    {
        using var lz4 = new Lz4Compressor();
        var frame = new MemoryStream();
        frame.Write([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
        foreach (var chunk in raw.Chunk(64 * 1024))
        {
            var to = new byte[lz4.BoundBytes(chunk.Length)];
            var length = lz4.Compress(chunk, to);
            var head = new byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(head, length);
            frame.Write(head);
            frame.Write(to, 0, length);
        }

        frame.Write(new byte[4]);
        return frame.ToArray();
    }
}
