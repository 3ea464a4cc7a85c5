using System.Diagnostics;
using Weir.Codecs.Compression;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Codecs.Compression;

public sealed class CompressorTests
{
    public static TheoryData<string> Names => [.. Compressors.Names];

    [Theory]
    [MemberData(nameof(Names))]
    public void Any_bytes_come_back_and_stay_within_the_bound(string name)
    {
        using var compressor = Compressors.Create(name);
        Assert.Equal(name, compressor.Name);
        const int Seed = 20260101;
        var random = new Random(Seed);
        foreach (var length in Lengths(random))
        {
            var raw = Sample(random, length);
            var compressed = Compress(compressor, raw);

            var back = new byte[length];
            Assert.True(compressor.TryDecompress(compressed, back, out var rawBytes), $"seed {Seed}, length {length}");
            Assert.Equal(length, rawBytes);
            Assert.True(raw.AsSpan().SequenceEqual(back), $"seed {Seed}, length {length}");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_truncation_is_refused_and_nothing_is_written_behind_the_destination(string name)
    {
        using var compressor = Compressors.Create(name);
        var random = new Random(7);
        var raw = Sample(random, 600);
        var compressed = Compress(compressor, raw);
        var room = new byte[raw.Length + 64];
        for (var length = 0; length < compressed.Length; length++)
        {
            room.AsSpan().Fill(0xAA);
            var isWhole = compressor.TryDecompress(compressed.AsSpan(0, length), room.AsSpan(0, raw.Length), out var rawBytes);

            // A raw LZ4 block has no end mark: cut between two sequences it is whole, and shorter. Frames carry the length.
            Assert.True(!isWhole || (name == "lz4" && rawBytes < raw.Length), $"{name} took {length} of {compressed.Length} bytes");
            Assert.True(room.AsSpan(raw.Length).IndexOfAnyExcept((byte)0xAA) < 0, $"{name} wrote behind the destination at {length}");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_changed_byte_gives_a_status_and_never_a_crash(string name)
    {
        using var compressor = Compressors.Create(name);
        var random = new Random(8);
        var raw = Sample(random, 400);
        var compressed = Compress(compressor, raw);
        var room = new byte[raw.Length + 64];
        for (var index = 0; index < compressed.Length; index++)
        {
            var damaged = compressed.ToArray();
            damaged[index] ^= (byte)(1 << random.Next(8));
            room.AsSpan().Fill(0xAA);
            _ = compressor.TryDecompress(damaged, room.AsSpan(0, raw.Length), out var rawBytes);
            Assert.InRange(rawBytes, 0, raw.Length);
            Assert.True(room.AsSpan(raw.Length).IndexOfAnyExcept((byte)0xAA) < 0, $"{name} wrote behind the destination at {index}");
        }

        for (var round = 0; round < 200; round++)
        {
            var noise = new byte[random.Next(300)];
            random.NextBytes(noise);
            _ = compressor.TryDecompress(noise, room, out var rawBytes);
            Assert.InRange(rawBytes, 0, room.Length);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_destination_that_is_too_small_is_refused(string name)
    {
        using var compressor = Compressors.Create(name);
        var raw = Sample(new Random(9), 5_000);
        var compressed = Compress(compressor, raw);
        Assert.False(compressor.TryDecompress(compressed, new byte[raw.Length - 1], out _));
        Assert.Throws<ArgumentException>(() => compressor.Compress(raw, new byte[compressor.BoundBytes(raw.Length) - 1]));
    }

    [Theory]
    [InlineData("zstd")]
    [InlineData("lz4")]
    [InlineData("snappy")]
    public void Nothing_is_allocated_for_a_call(string name)
    {
        using var compressor = Compressors.Create(name);
        var raw = Sample(new Random(10), 100_000);
        var compressed = new byte[compressor.BoundBytes(raw.Length)];
        var back = new byte[raw.Length];
        var length = 0;
        void RoundTrip()
        {
            length = compressor.Compress(raw, compressed);
            _ = compressor.TryDecompress(compressed.AsSpan(0, length), back, out _);
        }

        Assert.Equal(0, AllocatedBytes(RoundTrip));
        Assert.NotEqual(0, AllocatedBytes(() => back = new byte[raw.Length])); // The control: this way of measuring sees bytes.
    }

    [Fact]
    public void A_higher_level_of_zstd_gives_fewer_bytes()
    {
        var raw = new byte[200_000];
        var random = new Random(11);
        for (var index = 0; index < raw.Length; index++)
        {
            raw[index] = (byte)random.Next(1 + (index % 9));
        }

        using var fast = Compressors.Create("zstd", level: -5);
        using var small = Compressors.Create("zstd", level: 9);
        Assert.True(Compress(small, raw).Length < Compress(fast, raw).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => Compressors.Create("zstd", level: 23));
    }

    [Fact]
    public void An_unknown_name_is_an_error_that_lists_the_known_ones()
    {
        var error = Assert.Throws<ArgumentException>(() => Compressors.Create("brotli"));
        Assert.Contains("zstd, lz4, snappy, gzip", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_library_names_the_Debian_package()
    {
        var error = Assert.Throws<DllNotFoundException>(() => NativeLibraries.Require("libnothing-of-this-name.so.9", "libnothing9"));
        Assert.Contains("apt-get install libnothing9", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_zstd_program_reads_ours_and_we_read_its()
    {
        var raw = Sample(new Random(12), 300_000);
        using var compressor = Compressors.Create("zstd", level: 3);
        Assert.True(raw.AsSpan().SequenceEqual(Run("zstd", "-dc", Compress(compressor, raw))));
        AssertDecompresses(compressor, Run("zstd", "-c", raw), raw);
    }

    [Fact]
    public void The_gzip_program_reads_ours_and_we_read_its()
    {
        var raw = Sample(new Random(13), 300_000);
        using var compressor = Compressors.Create("gzip");
        Assert.True(raw.AsSpan().SequenceEqual(Run("gzip", "-dc", Compress(compressor, raw))));
        Assert.Empty(Run("gzip", "-dc", Compress(compressor, [])));
        AssertDecompresses(compressor, Run("gzip", "-c", raw), raw);
    }

    [Fact]
    public void The_lz4_program_reads_our_block_inside_a_frame()
    {
        var raw = Sample(new Random(14), 300_000);
        using var compressor = Compressors.Create("lz4");
        var block = Compress(compressor, raw);

        // Magic; version 1, independent blocks; 4 MB blocks; the checksum of these two bytes; the length; the block; the end.
        byte[] frame = [0x04, 0x22, 0x4D, 0x18, 0x60, 0x70, 0x73, .. BitConverter.GetBytes(block.Length), .. block, 0, 0, 0, 0];
        Assert.True(raw.AsSpan().SequenceEqual(Run("lz4", "-dc", frame)));
    }

    [Fact]
    public void Snappy_reads_a_value_made_by_hand_from_the_format_description()
    {
        using var compressor = Compressors.Create("snappy");

        // Length 10; a literal of 4 bytes "abcd"; a copy of 6 bytes from 4 back.
        byte[] value = [10, 3 << 2, (byte)'a', (byte)'b', (byte)'c', (byte)'d', 1 | (2 << 2), 4];
        var raw = new byte[10];
        Assert.True(compressor.TryDecompress(value, raw, out var rawBytes));
        Assert.Equal(10, rawBytes);
        Assert.Equal("abcdabcdab"u8, raw);
    }

    private static int[] Lengths(Random random) =>
    [
        0, 1, 2, 3, 7, 8, 63, 64, 65, 255, 4_096, 65_535, 65_536, 65_537, 1 << 20,
        .. Enumerable.Range(0, 40).Select(_ => random.Next(200_000)),
    ];

    /// <summary>Noise, runs, or numbers with few high bytes, by turns.</summary>
    private static byte[] Sample(Random random, int length)
    {
        var raw = new byte[length];
        random.NextBytes(raw);
        var kind = random.Next(3);
        for (var index = 0; index < length && kind > 0; index++)
        {
            raw[index] = kind == 1 ? (byte)(index / 97) : (byte)(index % 8 < 6 ? 0 : raw[index]);
        }

        return raw;
    }

    private static byte[] Compress(ICompressor compressor, byte[] raw)
    {
        var destination = new byte[compressor.BoundBytes(raw.Length)];
        return destination[..compressor.Compress(raw, destination)];
    }

    private static void AssertDecompresses(ICompressor compressor, byte[] compressed, byte[] raw)
    {
        var back = new byte[raw.Length];
        Assert.True(compressor.TryDecompress(compressed, back, out var rawBytes));
        Assert.Equal(raw.Length, rawBytes);
        Assert.True(raw.AsSpan().SequenceEqual(back));
    }

    private static long AllocatedBytes(Action action)
    {
        // The least of several: a collection for another test in the middle counts the rest of the thread's free block.
        var least = long.MaxValue;
        for (var round = 0; round < 12; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            action();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }

    private static byte[] Run(string program, string argument, byte[] input)
    {
        using var process = Process.Start(new ProcessStartInfo(RealParts.RequireProgram(program), argument)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        var output = new MemoryStream();
        var reading = Task.Run(() => process.StandardOutput.BaseStream.CopyTo(output));
        using (var stdin = process.StandardInput.BaseStream)
        {
            stdin.Write(input);
        }

        reading.Wait();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return output.ToArray();
    }
}
