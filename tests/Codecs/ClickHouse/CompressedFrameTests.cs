using Weir.Codecs.ClickHouse;
using Weir.Core.Model;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Codecs.ClickHouse;

public sealed class CompressedFrameTests
{
    public static TheoryData<FrameMethod> Methods => [FrameMethod.None, FrameMethod.Lz4, FrameMethod.Zstd];

    [Theory]
    [MemberData(nameof(Methods))]
    public void A_frame_comes_back_whatever_the_reader_was_made_for(FrameMethod method)
    {
        using var writer = new CompressedFrame(method);
        using var reader = new CompressedFrame(FrameMethod.None);
        var random = new Random(20260102);
        foreach (var length in new[] { 1, 2, 100, 65_536, CompressedFrame.RawBytesMax })
        {
            var raw = Sample(random, length);
            var frame = Write(writer, raw);
            var back = new byte[length];
            Assert.Equal(DecodeStatus.Ok, reader.TryRead(frame, back, out var frameBytes, out var rawBytes));
            Assert.Equal((frame.Length, length), (frameBytes, rawBytes));
            Assert.True(raw.AsSpan().SequenceEqual(back));
            Assert.Equal((byte)method, frame[CompressedFrame.ChecksumBytes]);
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Every_truncation_and_every_changed_byte_is_found(FrameMethod method)
    {
        using var frames = new CompressedFrame(method);
        var frame = Write(frames, Sample(new Random(3), 300));
        var room = new byte[300];
        Assert.Equal(DecodeStatus.Empty, frames.TryRead([], room, out _, out _));
        for (var length = 1; length < frame.Length; length++)
        {
            Assert.Equal(DecodeStatus.Truncated, frames.TryRead(frame.AsSpan(0, length), room, out _, out _));
        }

        for (var index = 0; index < frame.Length; index++)
        {
            var damaged = frame.ToArray();
            damaged[index] ^= 0x40;
            Assert.NotEqual(DecodeStatus.Ok, frames.TryRead(damaged, room, out _, out _));
        }
    }

    [Fact]
    public void The_frames_that_ClickHouse_wrote_are_read()
    {
        ReadOnlySpan<byte> file = File.ReadAllBytes(RepositoryPaths.Of("tests", "Golden", "clickhouse-frames.bin"));
        using var frames = new CompressedFrame(FrameMethod.None);
        var room = new byte[200_000];
        var total = 0;
        byte last = 255;
        while (!file.IsEmpty)
        {
            Assert.Equal(DecodeStatus.Ok, frames.TryRead(file, room, out var frameBytes, out var rawBytes));
            total += rawBytes;
            last = room[rawBytes - 1];
            file = file[frameBytes..];
        }

        // 1 + 2 + … + 299, the longer ones, and the last one.
        Assert.Equal((299 * 300 / 2) + 400 + 511 + 512 + 513 + 777 + 1024 + 4096 + 100_000, total);
        Assert.Equal(99_999 % 7, last);
    }

    [Fact]
    public void Sizes_above_the_limits_and_unknown_methods_have_their_own_status()
    {
        using var frames = new CompressedFrame(FrameMethod.None);
        var frame = Write(frames, new byte[10]);
        Assert.Equal(DecodeStatus.LengthOverLimit, frames.TryRead(frame, new byte[9], out _, out _));

        var huge = frame.ToArray();
        huge.AsSpan(CompressedFrame.ChecksumBytes + 1, 8).Fill(0xFF);
        Assert.Equal(DecodeStatus.LengthOverLimit, frames.TryRead(huge, new byte[9], out _, out _));

        var unknown = frame.ToArray();
        unknown[CompressedFrame.ChecksumBytes] = 0x91;
        Assert.Equal(DecodeStatus.UnknownVersion, frames.TryRead(unknown, new byte[10], out _, out _));

        var tiny = frame.ToArray();
        tiny.AsSpan(CompressedFrame.ChecksumBytes + 1, 4).Clear();
        Assert.Equal(DecodeStatus.Malformed, frames.TryRead(tiny, new byte[10], out _, out _));

        Assert.Throws<ArgumentOutOfRangeException>(() => frames.Write([], new byte[100]));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => frames.Write(new byte[CompressedFrame.RawBytesMax + 1], new byte[CompressedFrame.RawBytesMax + 100]));
    }

    private static byte[] Sample(Random random, int length)
    {
        var raw = new byte[length];
        for (var index = 0; index < length; index++)
        {
            raw[index] = (byte)random.Next(12);
        }

        return raw;
    }

    private static byte[] Write(CompressedFrame frames, byte[] raw)
    {
        var destination = new byte[frames.BoundBytes(raw.Length)];
        return destination[..frames.Write(raw, destination)];
    }
}
