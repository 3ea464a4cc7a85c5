using System.Text;
using Weir.Codecs.ClickHouse;
using Weir.Tests.Support;
using Xunit;

namespace Weir.Tests.Codecs.ClickHouse;

public sealed unsafe class NativeBlockWriterTests
{
    private static readonly NativeColumn[] _columns =
    [
        new("time", NativeColumnType.DateTime), new("name", NativeColumnType.LowCardinalityString), new("n", NativeColumnType.UInt64),
    ];

    [Theory]
    [InlineData(1, 1)]
    [InlineData(256, 1)]
    [InlineData(257, 2)]
    [InlineData(65_536, 2)]
    [InlineData(65_537, 4)]
    public void Indexes_are_as_wide_as_the_number_of_keys_needs(int keyCount, int indexBytes)
    {
        var writer = new NativeBlockWriter(_columns);
        writer.Keys(1).Add("forgotten"u8);
        writer.Keys(1).Clear();
        for (var key = 1; key < keyCount; key++)
        {
            writer.Keys(1).Add(Encoding.UTF8.GetBytes($"text {key}"));
        }

        var block = new byte[writer.Measure(keyCount)];
        Assert.Equal(indexBytes, writer.CellBytes(1));
        fixed (byte* start = block)
        {
            writer.WriteHeaders(start);
            for (var row = 0; row < keyCount; row++)
            {
                ((uint*)writer.Cells(start, 0))[row] = (uint)row;
                var index = new Span<byte>(writer.Cells(start, 1) + (row * indexBytes), indexBytes);
                BitConverter.GetBytes(row).AsSpan(0, indexBytes).CopyTo(index);
                ((ulong*)writer.Cells(start, 2))[row] = ulong.MaxValue - (ulong)row;
            }
        }

        var read = NativeBlockReader.Read(block);
        Assert.Equal(["time DateTime", "name LowCardinality(String)", "n UInt64"], read.Columns);
        Assert.Equal(keyCount, read.Rows.Count);
        for (var row = 0; row < keyCount; row++)
        {
            Assert.Equal($"{row}\t{(row == 0 ? "" : $"text {row}")}\t{ulong.MaxValue - (ulong)row}", read.Rows[row]);
        }
    }

    [Fact]
    public void Long_texts_and_many_rows_have_longer_length_numbers()
    {
        var writer = new NativeBlockWriter([new("s", NativeColumnType.LowCardinalityString)]);
        var text = new string('x', 300);
        writer.Keys(0).Add(Encoding.UTF8.GetBytes(text));
        var block = new byte[writer.Measure(200)];
        fixed (byte* start = block)
        {
            writer.WriteHeaders(start);
            new Span<byte>(writer.Cells(start, 0), 200).Fill(1);
        }

        Assert.All(NativeBlockReader.Read(block).Rows, row => Assert.Equal(text, row));
    }

    [Fact]
    public void A_column_without_keys_and_a_block_without_rows_are_mistakes_of_the_caller()
    {
        var writer = new NativeBlockWriter(_columns);
        Assert.Throws<ArgumentException>(() => writer.Keys(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Measure(0));
    }
}
