using FsCheck;
using FsCheck.Fluent;
using Weir.Host.Options;
using Xunit;

namespace Weir.Tests.Host;

public class DurationsTests
{
    private static readonly Config _config = Config.QuickThrowOnFailure.WithReplay(20260101, 3).WithMaxTest(2_000);

    [Theory]
    [InlineData("250ms", 250)]
    [InlineData("10s", 10_000)]
    [InlineData("1m", 60_000)]
    [InlineData("2h", 7_200_000)]
    [InlineData("7d", 604_800_000)]
    [InlineData("1m30s", 90_000)]
    [InlineData("1d12h", 129_600_000)]
    [InlineData("0s", 0)]
    public void A_duration_is_whole_numbers_with_units(string text, long ms)
    {
        Assert.True(Durations.TryParse(text, out var value));
        Assert.Equal(TimeSpan.FromMilliseconds(ms), value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("10")]
    [InlineData("s")]
    [InlineData("-1s")]
    [InlineData("1.5s")]
    [InlineData("10 s")]
    [InlineData("10S")]
    [InlineData("30s1m")]
    [InlineData("1s1s")]
    [InlineData("1y")]
    [InlineData("36501d")]
    [InlineData("99999999999999999999ms")]
    [InlineData("٣s")]
    public void What_is_no_duration_is_refused(string text) => Assert.False(Durations.TryParse(text, out _));

    [Fact]
    public void Every_duration_reads_back_as_it_was_printed() =>
        Prop.ForAll(
            Gen.Choose(0, int.MaxValue).Two().Select(pair => TimeSpan.FromMilliseconds((pair.Item1 * (pair.Item2 % 1_000L)) % 3_000_000_000_000L)).ToArbitrary(),
            value => Durations.TryParse(Durations.Format(value), out var read) && read == value).Check(_config);

    [Fact]
    public void No_text_at_all_makes_the_parser_throw() =>
        Prop.ForAll<string?>(text => !Durations.TryParse(text ?? "", out var value) || value <= Durations.Max).Check(_config);

    [Theory]
    [InlineData("64MiB", 64L << 20)]
    [InlineData("1GiB", 1L << 30)]
    [InlineData("3KiB", 3_072)]
    [InlineData("100", 100)]
    [InlineData("100B", 100)]
    [InlineData("2 GiB", 2L << 30)]
    public void A_size_is_a_whole_number_with_a_binary_unit(string text, long bytes)
    {
        Assert.True(Sizes.TryParse(text, out var value));
        Assert.Equal(bytes, value);
    }

    [Theory]
    [InlineData("")]
    [InlineData("MiB")]
    [InlineData("1GB")]
    [InlineData("1mib")]
    [InlineData("-1MiB")]
    [InlineData("1.5GiB")]
    [InlineData("9999999999GiB")]
    public void What_is_no_size_is_refused(string text) => Assert.False(Sizes.TryParse(text, out _));

    [Fact]
    public void Every_size_reads_back_as_it_was_printed() =>
        Prop.ForAll(
            Gen.Choose(0, int.MaxValue).SelectMany(number => Gen.Choose(0, 19).Select(shift => (long)number << shift)).ToArbitrary(),
            bytes => Sizes.TryParse(Sizes.Format(bytes), out var read) && read == bytes).Check(_config);
}
