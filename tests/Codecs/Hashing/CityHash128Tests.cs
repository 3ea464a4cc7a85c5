using System.Buffers.Binary;
using Weir.Codecs.ClickHouse;
using Weir.Codecs.Hashing;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Codecs.Hashing;

public sealed class CityHash128Tests
{
    /// <summary>
    /// <c>clickhouse-frames.bin</c> is the file of one UInt8 column that ClickHouse 18.16.1 wrote: an INSERT of 1, 2, 3 … 299 random
    /// bytes, of some longer ones, and of 100,000 bytes, each of which became a frame with its checksum.
    /// </summary>
    [Fact]
    public void Checksums_are_those_that_ClickHouse_wrote_for_every_length()
    {
        ReadOnlySpan<byte> file = File.ReadAllBytes(RepositoryPaths.Of("tests", "Golden", "clickhouse-frames.bin"));
        var lengths = new HashSet<int>();
        while (!file.IsEmpty)
        {
            var covered = file.Slice(CompressedFrame.ChecksumBytes, BinaryPrimitives.ReadInt32LittleEndian(file[17..]));
            Assert.Equal(BinaryPrimitives.ReadUInt128LittleEndian(file), CityHash128.Hash(covered));
            lengths.Add(covered.Length);
            file = file[(CompressedFrame.ChecksumBytes + covered.Length)..];
        }

        // Nearly all short lengths, and those around the hash's own limits: 16 to 32, 128 + 16, 256 + 16. LZ4's own bytes leave gaps.
        Assert.InRange(lengths.Count, 290, 310);
        Assert.Superset(new HashSet<int>([16, 17, 31, 32, 33, 143, 144, 145, 271, 272, 273]), lengths);
        Assert.Contains(lengths, length => length > 4_096);
    }

    [Fact]
    public void One_changed_bit_changes_the_hash()
    {
        var source = new byte[300];
        new Random(1).NextBytes(source);
        var seen = new HashSet<UInt128> { CityHash128.Hash(source) };
        for (var index = 0; index < source.Length; index++)
        {
            source[index] ^= 1;
            Assert.True(seen.Add(CityHash128.Hash(source)), $"byte {index}");
            source[index] ^= 1;
        }

        for (var length = 0; length < 9; length++)
        {
            Assert.True(seen.Add(CityHash128.Hash(source.AsSpan(0, length))), $"length {length}");
        }
    }
}
